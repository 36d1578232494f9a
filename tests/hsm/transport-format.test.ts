/**
 * Sealing to a transport key (docs/formats/door.md section 7) with what the specification says and
 * node:crypto alone, against the code, in both directions: a change of the format fails here.
 */

import assert from 'node:assert/strict'
import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { importDestination } from '../../src/hsm/contract/import.ts'
import { destinationContext } from '../../src/hsm/contract/sealed-part.ts'
import { sealToTransportKey } from '../../src/hsm/contract/transport.ts'
import { Caller } from '../../src/hsm/door.testing.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { TransportKey } from '../../src/hsm/transport.ts'
import { flipBit } from './flip-bit.ts'

const nonce = Buffer.alloc(12)
const secret = Buffer.from('a passphrase of many words')

function contentKey(shares: readonly Uint8Array[], purpose: string): Buffer {
  const shared = createHash('sha3-256')
    .update(Buffer.concat([...shares, Buffer.from('\\.//^\\')]))
    .digest()
  const info = `keyhold transport v1 ${purpose}`
  return Buffer.from(hkdfSync('sha256', shared, new Uint8Array(), info, 32))
}

function x25519Public(bytes: Uint8Array) {
  const x = Buffer.from(bytes).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
}

/** By the text: sealed to a module's public key. */
function sealByText(publicKey: Uint8Array, purpose: string, context = Buffer.alloc(0)): Buffer {
  const mlKem = createPublicKey({
    key: Buffer.from(publicKey.subarray(0, 1184)),
    format: 'raw-public',
    asymmetricKeyType: 'ml-kem-768',
  })
  const theirs = publicKey.subarray(1184)
  const { sharedKey, ciphertext } = encapsulate(mlKem)
  const own = generateKeyPairSync('x25519')
  const agreed = diffieHellman({ privateKey: own.privateKey, publicKey: x25519Public(theirs) })
  const ownPublic = own.publicKey.export({ format: 'raw-public' })
  const key = contentKey([sharedKey, agreed, ownPublic, theirs], purpose)
  const cipher = createCipheriv('aes-256-gcm', key, nonce)
  cipher.setAAD(context)
  const sealed = [cipher.update(secret), cipher.final(), cipher.getAuthTag()]
  return Buffer.concat([Buffer.from([1]), ciphertext, ownPublic, ...sealed])
}

/** By the text: opened with the private keys that X-Wing makes of a seed. */
function openByText(seed: Uint8Array, publicKey: Uint8Array, sealed: Buffer): Buffer {
  const expanded = createHash('shake256', { outputLength: 96 }).update(seed).digest()
  const mlKem = createPrivateKey({
    key: expanded.subarray(0, 64),
    format: 'raw-seed',
    asymmetricKeyType: 'ml-kem-768',
  })
  const x25519 = createPrivateKey({
    key: expanded.subarray(64),
    format: 'raw-private',
    asymmetricKeyType: 'x25519',
  })
  assert.equal(sealed[0], 1)
  const theirs = sealed.subarray(1089, 1121)
  const shared = decapsulate(mlKem, sealed.subarray(1, 1089))
  const agreed = diffieHellman({ privateKey: x25519, publicKey: x25519Public(theirs) })
  const key = contentKey([shared, agreed, theirs, publicKey.subarray(1184)], 'seal secret')
  const decipher = createDecipheriv('aes-256-gcm', key, nonce)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(1121, -16)), decipher.final()])
}

suite('docs/formats/door.md section 7', () => {
  test('what is sealed by the text founds a domain, for its purpose only', async () => {
    const caller = new Caller()
    const { publicKey } = (await caller.ok({ command: 'getTransportKey' })).parts
    assert(publicKey)
    const found = (sealed: Buffer) => ({
      command: 'found',
      arguments: { development: true, seal: 'passphrase' },
      parts: { secret: sealed },
    })
    const { challenge } = (
      await caller.ok({ command: 'getChallenge', arguments: { command: 'found' } })
    ).result
    const text = `{"challenge":"${challenge}","command":"found","seal":"passphrase"}`
    const front = Buffer.from(String(challenge), 'hex')
    const part = (purpose: string, data = text) =>
      Buffer.concat([front, sealByText(publicKey, purpose, Buffer.from(data))])
    const sealed = part('seal secret')
    const refused: Buffer[] = [part('import key'), sealed.subarray(1), sealed.subarray(0, 9)]
    for (const other of ['', text.replace('found', 'unlock'), text.replace('phrase', 'phrases')]) {
      refused.push(part('seal secret', other))
    }
    for (const part of [0, 31, 32, 33, 1_121, 1_153, sealed.length - 1]) {
      refused.push(flipBit(sealed, part * 8))
    }
    for (const wrong of refused) {
      assert.equal(await caller.refusal(found(wrong)), 'CIPHERTEXT_INVALID')
    }
    await caller.ok(found(sealed))
  })

  test('a key that is sealed by the text, with what it is to be, is imported', async () => {
    const file = path.join(import.meta.dirname, '../../docs/formats/door.json')
    const { imports } = JSON.parse(readFileSync(file, 'utf8'))
    assert.equal(imports.length, 1)
    const caller = await Caller.founded()
    const { publicKey } = (await caller.ok({ command: 'getTransportKey' })).parts
    assert(publicKey)
    for (const { arguments: args, challenge: example, associatedData } of imports) {
      const { challenge } = (
        await caller.ok({ command: 'getChallenge', arguments: { command: 'importKey' } })
      ).result
      const ask = (text: string) => {
        const context = Buffer.from(text.replace(example, String(challenge)))
        const front = Buffer.from(String(challenge), 'hex')
        const sealed = Buffer.concat([front, sealByText(publicKey, 'import key', context)])
        return { command: 'importKey', arguments: args, parts: { sealed } }
      }
      for (const context of ['', associatedData.replace('1000', '1001')]) {
        assert.equal(await caller.refusal(ask(context)), 'CIPHERTEXT_INVALID')
      }
      await caller.ok(ask(associatedData))
      const context = destinationContext(importDestination(args), example)
      assert.equal(context.toString(), associatedData)
    }
  })

  test('what the code seals opens by the text', () => {
    const seed = Buffer.alloc(32, 9)
    using own = Secret.copyOf(seed)
    const { publicKey } = TransportKey.fromSeed(own)
    const sealed = sealToTransportKey(publicKey, 'seal secret', secret)
    assert.deepEqual(openByText(seed, publicKey, sealed), secret)
  })
})
