/**
 * docs/formats/share.json with what the specification says and node:crypto alone, and by the code: a
 * change of the format fails here.
 */

import assert from 'node:assert/strict'
import {
  argon2Sync,
  createDecipheriv,
  createHash,
  createPrivateKey,
  createPublicKey,
  decapsulate,
  diffieHellman,
  hkdfSync,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import {
  encodeCustodianPublicKey,
  openCustodianKey,
  parseCustodianPublicKey,
} from '../../src/hsm/contract/custodian-key.ts'
import {
  decodeOfferedShare,
  describeShare,
  encodeOfferedShare,
  openShare,
} from '../../src/hsm/contract/share.ts'

const file = path.join(import.meta.dirname, '../../docs/formats/share.json')
const vector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly root: string
  readonly domainId: string
  readonly epoch: number
  readonly shareSet: string
  readonly threshold: number
  readonly rootCheck: string
  readonly random: string
  readonly shares: readonly string[]
  readonly passphrase: string
  readonly custodianKeyFile: string
  readonly custodianPublicKey: string
  readonly keyShare: string
  readonly passphraseShare: string
}
const hex = (text: string) => Buffer.from(text, 'hex')
const sha256 = (...bytes: Uint8Array[]) =>
  createHash('sha256').update(Buffer.concat(bytes)).digest()
const passphrase = Buffer.from(vector.passphrase)

function hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array | string, length: number) {
  return Buffer.from(hkdfSync('sha256', key, salt, info, length))
}

/** Opens what was sealed once. */
function open(key: Uint8Array, aad: Uint8Array, sealed: Buffer): Buffer {
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12))
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(0, -16)), decipher.final()])
}

function stretched(costs: Buffer, nonce: Buffer): Buffer {
  const [memory, passes, parallelism] = [0, 4, 8].map((at) => costs.readUInt32BE(at))
  assert(memory && passes && parallelism)
  const parameters = { nonce, memory, passes, parallelism, tagLength: 32 }
  return argon2Sync('argon2id', { message: passphrase, ...parameters })
}

/** The field of AES by its definition. */
function product(a: number, b: number): number {
  let value = 0
  for (let bit = 0; bit < 8; bit += 1) if (b & (1 << bit)) value ^= a << bit
  for (let bit = 15; bit >= 8; bit -= 1) if (value & (1 << bit)) value ^= 0x11b << (bit - 8)
  return value
}

/** X-Wing's private keys from the seed in the custodian's key file. */
function custodianKeys() {
  const bytes = hex(vector.custodianKeyFile)
  assert.equal(bytes.length, 129)
  const header = bytes.subarray(0, 81)
  assert.equal(header.toString('latin1', 0, 4), 'KHCK')
  assert.equal(header[4], 1)
  const key = stretched(header.subarray(5, 17), header.subarray(17, 49))
  const seed = open(key, header, bytes.subarray(81))
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
  const halves = [mlKem, x25519].map((half) =>
    createPublicKey(half).export({ format: 'raw-public' }),
  )
  return { mlKem, x25519, publicKey: Buffer.concat(halves), digest: header.subarray(49) }
}

suite('docs/formats/share.json by the text alone', () => {
  test('the shares are polynomials over the octets of the root, at their indices', () => {
    const [root, random] = [hex(vector.root), hex(vector.random)]
    for (const [position, share] of vector.shares.entries()) {
      const x = position + 1
      const values = root.map((octet, at) => {
        const [first = 0, second = 0] = random.subarray(2 * at)
        return octet ^ product(first, x) ^ product(second, product(x, x))
      })
      assert.equal(Buffer.from(values).toString('hex'), share)
    }
  })

  test('check values and place', () => {
    const bytes = hex(vector.passphraseShare)
    const [root, shareSet] = [hex(vector.root), hex(vector.shareSet)]
    assert.equal(bytes.toString('hex', 0, 6), '4b4853480102')
    const place = bytes.subarray(6, 61)
    const rootCheck = hkdf(root, shareSet, 'keyhold share check v1', 16).toString('hex')
    assert.equal(vector.rootCheck, rootCheck)
    const epoch = vector.epoch.toString(16).padStart(8, '0')
    assert.equal(
      place.toString('hex'),
      `${vector.domainId}${epoch}${vector.shareSet}020305${rootCheck}`,
    )
    const info = Buffer.concat([Buffer.from('keyhold share check v1 share'), place])
    const check = hkdf(hex(vector.shares[1] ?? ''), shareSet, info, 16)
    assert.deepEqual(bytes.subarray(61, 77), check)
  })

  test('a passphrase opens its share', () => {
    const bytes = hex(vector.passphraseShare)
    assert.equal(bytes.length, 169)
    const header = bytes.subarray(0, 121)
    const key = stretched(header.subarray(77, 89), header.subarray(89))
    assert.equal(open(key, header, bytes.subarray(121)).toString('hex'), vector.shares[1])
  })

  test("a custodian's key opens its share", () => {
    const { mlKem, x25519, publicKey, digest } = custodianKeys()
    assert.deepEqual(digest, sha256(publicKey))
    const bytes = hex(vector.keyShare)
    assert.equal(bytes.length, 1_290)
    const header = bytes.subarray(0, 121)
    assert.deepEqual(header.subarray(77), Buffer.concat([Buffer.alloc(12), digest]))
    const sealed = bytes.subarray(121)
    assert.equal(sealed[0], 1)
    const theirs = sealed.subarray(1_089, 1_121)
    const x = theirs.toString('base64url')
    const publicX = createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
    const shared = createHash('sha3-256')
      .update(decapsulate(mlKem, sealed.subarray(1, 1_089)))
      .update(diffieHellman({ privateKey: x25519, publicKey: publicX }))
      .update(Buffer.concat([theirs, publicKey.subarray(1_184), Buffer.from('\\.//^\\')]))
      .digest()
    const key = hkdf(shared, new Uint8Array(), 'keyhold transport v1 custodian share', 32)
    assert.equal(open(key, header, sealed.subarray(1_121)).toString('hex'), vector.shares[0])
  })

  test('the public key as text has its checksum', () => {
    const { publicKey } = custodianKeys()
    const prefix = 'keyhold-custodian-v1:'
    const checksum = sha256(Buffer.from(prefix), publicKey).subarray(0, 4)
    const text = Buffer.concat([publicKey, checksum]).toString('base64url')
    assert.equal(vector.custodianPublicKey, prefix + text)
  })
})

test('docs/formats/share.json is what the code opens', () => {
  const privateKey = openCustodianKey(hex(vector.custodianKeyFile), passphrase)
  const publicKey = parseCustodianPublicKey(vector.custodianPublicKey)
  assert.deepEqual(publicKey, privateKey.publicKey)
  assert.equal(encodeCustodianPublicKey(publicKey), vector.custodianPublicKey)
  const opened = openShare(hex(vector.keyShare), { privateKey })
  assert.equal(opened.toString('hex'), vector.shares[0])
  const other = openShare(hex(vector.passphraseShare), { passphrase })
  assert.equal(other.toString('hex'), vector.shares[1])
  const { domainId, shareSet, epoch, threshold } = describeShare(hex(vector.keyShare))
  assert.equal(domainId.toString('hex'), vector.domainId)
  assert.equal(shareSet.toString('hex'), vector.shareSet)
  assert.deepEqual([epoch, threshold], [vector.epoch, vector.threshold])
})

test('what is offered to a module is place, check value and share', () => {
  const bytes = hex(vector.passphraseShare)
  const offered = encodeOfferedShare(bytes, { passphrase })
  const share = vector.shares[1] ?? ''
  assert.equal(offered.toString('hex'), bytes.toString('hex', 6, 77) + share)
  assert.equal(Buffer.from(decodeOfferedShare(offered).share).toString('hex'), share)
})
