/** Keys as they come in and go out: canonical forms, limits, and everything that must be refused. */

import assert from 'node:assert/strict'
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { suite, test } from 'node:test'
import { inspect } from 'node:util'
import fc from 'fast-check'
import { type KeyClass, type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import { Secret } from '../secret.ts'
import { KeyMaterial } from './material.ts'

const der = {
  pkcs8: { format: 'der', type: 'pkcs8' },
  spki: { format: 'der', type: 'spki' },
} as const

function load(typeName: KeyTypeName, keyClass: KeyClass, bytes: Uint8Array): KeyMaterial {
  using secret = Secret.copyOf(bytes)
  return KeyMaterial.fromBytes(typeName, keyClass, secret)
}

function copyOut(material: KeyMaterial): Buffer {
  using bytes = material.toBytes()
  return bytes.expose((exposed) => Buffer.from(exposed))
}

function refused(typeName: KeyTypeName, keyClass: KeyClass, bytes: Uint8Array): void {
  assert.throws(() => load(typeName, keyClass, bytes), { code: 'ARGUMENT_INVALID' })
}

function ec(namedCurve: string): { privateKey: KeyObject; publicKey: KeyObject } {
  return generateKeyPairSync('ec', { namedCurve })
}

/** RSA takes seconds to generate; one size stands for all here, the vectors have the others. */
const generated = (Object.keys(keyTypes) as KeyTypeName[]).filter(
  (name) => !/^RSA-[34]|^P-224$|^SLH-DSA-.*-(192|256)s$/.test(name),
)

suite('a new key', () => {
  for (const typeName of generated) {
    test(`${typeName} is the same after its canonical bytes were read back`, async () => {
      using made = await KeyMaterial.generate(typeName, { lengthBytes: 32 })
      const bytes = copyOut(made)
      using again = load(typeName, made.keyClass, bytes)
      assert.deepEqual(copyOut(again), bytes)
      if (made.keyClass === 'secret') return
      assert.deepEqual(again.publicSpki(), made.publicSpki())
      using half = load(typeName, 'public', made.publicSpki())
      assert.deepEqual(half.publicSpki(), made.publicSpki())
      assert.deepEqual(copyOut(half), Buffer.from(made.publicSpki()))
    })
  }

  test('of P-224 there are public keys alone', async () => {
    const { privateKey, publicKey } = ec('secp224r1')
    await assert.rejects(KeyMaterial.generate('P-224'), { code: 'ARGUMENT_INVALID' })
    refused('P-224', 'private', privateKey.export(der.pkcs8))
    using half = load('P-224', 'public', publicKey.export(der.spki))
    assert.equal(half.publicJwk(), undefined)
  })

  test('the two keys of XTS differ', () => {
    for (const [typeName, length] of [
      ['AES-128-XTS', 32],
      ['AES-256-XTS', 64],
    ] as const) {
      const bytes = Buffer.alloc(length, 7)
      refused(typeName, 'secret', bytes)
      bytes.writeUInt8(8, length - 1)
      load(typeName, 'secret', bytes)[Symbol.dispose]()
    }
  })

  test('a root of SLH-DSA that is not that of its seeds is refused', async () => {
    using made = await KeyMaterial.generate('SLH-DSA-SHA2-128f')
    const bytes = copyOut(made)
    using right = Secret.copyOf(bytes)
    await KeyMaterial.importBytes('SLH-DSA-SHA2-128f', 'private', right)
    bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1)
    using altered = Secret.copyOf(bytes)
    const attempt = KeyMaterial.importBytes('SLH-DSA-SHA2-128f', 'private', altered)
    await assert.rejects(attempt, { code: 'ARGUMENT_INVALID' })
  })

  test('what is no point of Ed448 is refused', () => {
    const { publicKey } = generateKeyPairSync('ed448')
    const spki = publicKey.export(der.spki)
    const start = spki.length - 57
    const withPoint = (change: (raw: Buffer) => void) => {
      const bytes = Buffer.from(spki)
      change(bytes.subarray(start))
      return bytes
    }
    // y = p, which is 0 written otherwise; a bit that belongs to no number; y = 2, which is on no curve.
    const p = Buffer.concat([Buffer.alloc(28, 0xff), Buffer.from([0xfe]), Buffer.alloc(27, 0xff)])
    refused(
      'Ed448',
      'public',
      withPoint((raw) => p.copy(raw)),
    )
    refused(
      'Ed448',
      'public',
      withPoint((raw) => raw.writeUInt8(raw.readUInt8(56) | 1, 56)),
    )
    refused(
      'Ed448',
      'public',
      withPoint((raw) => raw.fill(0).writeUInt8(2, 0)),
    )
    using identity = load(
      'Ed448',
      'public',
      withPoint((raw) => raw.fill(0).writeUInt8(1, 0)),
    )
    assert.equal(identity.typeName, 'Ed448')
  })

  test('its public JWK is the same key, but brainpool has none', async () => {
    const okp = ['Ed25519', 'X25519', 'Ed448', 'X448'] as const
    const akp = ['ML-DSA-44', 'SLH-DSA-SHA2-128f'] as const
    for (const typeName of ['P-256', 'secp256k1', ...okp, ...akp] as const) {
      using pair = await KeyMaterial.generate(typeName)
      const key = pair.publicJwk()
      assert(key !== undefined)
      assert.equal(key.d ?? (key as { priv?: string }).priv, undefined)
      const again = createPublicKey({ key, format: 'jwk' })
      assert.deepEqual(again.export(der.spki), Buffer.from(pair.publicSpki()))
    }
    using pair = await KeyMaterial.generate('brainpoolP256r1')
    assert.equal(pair.publicJwk(), undefined)
  })

  test('lengths of secrets are held to their limits', async () => {
    const weak = { code: 'KEY_TOO_WEAK' }
    await assert.rejects(KeyMaterial.generate('generic-secret'), weak)
    await assert.rejects(KeyMaterial.generate('generic-secret', { lengthBytes: 13 }), weak)
    const invalid = { code: 'ARGUMENT_INVALID' }
    for (const lengthBytes of [513, -1, 20.5, Number.NaN]) {
      await assert.rejects(KeyMaterial.generate('generic-secret', { lengthBytes }), invalid)
    }
    for (const lengthBytes of [14, 512]) {
      using made = await KeyMaterial.generate('generic-secret', { lengthBytes })
      assert.equal(copyOut(made).length, lengthBytes)
    }
  })
})

suite('a key from outside', () => {
  test('a secret of the wrong length, or of the wrong class, is refused', () => {
    for (const length of [0, 15, 17, 24, 32]) refused('AES-128', 'secret', Buffer.alloc(length))
    for (const length of [31, 33]) refused('ChaCha20', 'secret', Buffer.alloc(length))
    refused('generic-secret', 'secret', Buffer.alloc(513))
    assert.throws(() => load('generic-secret', 'secret', Buffer.alloc(13)), {
      code: 'KEY_TOO_WEAK',
    })
    refused('AES-128', 'private', Buffer.alloc(16))
    refused('P-256', 'secret', Buffer.alloc(32))
  })

  test('bytes behind the key are refused, and so is a missing one', () => {
    for (const { privateKey, publicKey } of [
      ec('P-256'),
      generateKeyPairSync('rsa', { modulusLength: 2048 }),
    ]) {
      const typeName = privateKey.asymmetricKeyType === 'ec' ? 'P-256' : 'RSA-2048'
      const pkcs8 = privateKey.export(der.pkcs8)
      const spki = publicKey.export(der.spki)
      for (const odd of [Buffer.concat([pkcs8, Buffer.alloc(1)]), pkcs8.subarray(0, -1)]) {
        refused(typeName, 'private', odd)
      }
      for (const odd of [Buffer.concat([spki, Buffer.alloc(1)]), spki.subarray(0, -1)]) {
        refused(typeName, 'public', odd)
      }
    }
  })

  test('another curve, size or kind is refused', () => {
    const p256 = ec('P-256')
    const rsa = generateKeyPairSync('rsa', { modulusLength: 1024 })
    const pss = generateKeyPairSync('rsa-pss', { modulusLength: 2048 })
    refused('P-384', 'private', p256.privateKey.export(der.pkcs8))
    refused('secp256k1', 'public', p256.publicKey.export(der.spki))
    refused('Ed25519', 'private', p256.privateKey.export(der.pkcs8))
    refused('RSA-2048', 'public', rsa.publicKey.export(der.spki))
    refused('RSA-2048', 'public', pss.publicKey.export(der.spki))
    refused('P-256', 'private', p256.publicKey.export(der.spki))
    refused('P-256', 'public', p256.privateKey.export(der.pkcs8))
    refused('X25519', 'public', generateKeyPairSync('x448').publicKey.export(der.spki))
  })

  test('an RSA key with e = 3 is refused', () => {
    const { privateKey, publicKey } = generateKeyPairSync('rsa', {
      modulusLength: 2048,
      publicExponent: 3,
    })
    refused('RSA-2048', 'private', privateKey.export(der.pkcs8))
    refused('RSA-2048', 'public', publicKey.export(der.spki))
  })

  test('a point in another form or off the curve is refused', () => {
    const spki = ec('P-256').publicKey.export(der.spki)
    const offCurve = Buffer.from(spki)
    offCurve[offCurve.length - 1] = (offCurve.at(-1) ?? 0) ^ 1
    refused('P-256', 'public', offCurve)
    const compressed = Buffer.concat([
      Buffer.from('3039301306072a8648ce3d020106082a8648ce3d030107032200', 'hex'),
      Buffer.from([2 + ((spki.at(-1) ?? 0) & 1)]),
      spki.subarray(-64, -32),
    ])
    assert(createPublicKey({ key: compressed, ...der.spki }), 'OpenSSL would take it')
    refused('P-256', 'public', compressed)
    const ed25519 = generateKeyPairSync('ed25519').publicKey.export(der.spki)
    ed25519.fill(0, ed25519.length - 32).writeUInt8(2, ed25519.length - 32)
    assert(createPublicKey({ key: ed25519, ...der.spki }), 'OpenSSL would take it')
    refused('Ed25519', 'public', ed25519)
  })

  test('halves of two different pairs are refused', () => {
    for (const namedCurve of ['P-256', 'secp521r1', 'brainpoolP384r1']) {
      const [one, other] = [ec(namedCurve), ec(namedCurve)]
      const mixed = one.privateKey.export(der.pkcs8)
      const point = other.publicKey.export({ format: 'raw-public' })
      point.copy(mixed, mixed.length - point.length)
      assert(createPrivateKey({ key: mixed, ...der.pkcs8 }), 'OpenSSL would take it')
      const typeName = namedCurve === 'secp521r1' ? 'P-521' : (namedCurve as KeyTypeName)
      refused(typeName, 'private', mixed)
    }
  })

  test('an RSA private key with the modulus of another is refused', () => {
    const make = () => generateKeyPairSync('rsa', { modulusLength: 2048 })
    const modulus = (key: KeyObject) =>
      Buffer.from(String(key.export({ format: 'jwk' }).n), 'base64url')
    const [one, other] = [make(), make()]
    const mixed = one.privateKey.export(der.pkcs8)
    modulus(other.publicKey).copy(mixed, mixed.indexOf(modulus(one.publicKey)))
    assert(createPrivateKey({ key: mixed, ...der.pkcs8 }), 'OpenSSL would take it')
    refused('RSA-2048', 'private', mixed)
  })

  test('an imported RSA key has to have every number right, not only those in use', async () => {
    const make = () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const [one, other] = [make().export({ format: 'jwk' }), make().export({ format: 'jwk' })]
    const encode = (key: object) => createPrivateKey({ key, format: 'jwk' }).export(der.pkcs8)
    const importing = async (pkcs8: Buffer) => {
      using bytes = Secret.copyOf(pkcs8)
      using key = await KeyMaterial.importBytes('RSA-2048', 'private', bytes)
      return copyOut(key)
    }
    assert.deepEqual(await importing(encode(one)), encode(one))
    for (const name of ['d', 'dp', 'dq', 'qi'] as const) {
      const mixed = encode({ ...one, [name]: other[name] })
      await assert.rejects(importing(mixed), { code: 'ARGUMENT_INVALID' })
    }
  })

  test('a scalar of zero, the order, or above is refused', () => {
    const key = ec('P-256').privateKey
    const pkcs8 = key.export(der.pkcs8)
    const at = pkcs8.indexOf(key.export({ format: 'raw-private' }))
    const order = 'ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551'
    for (const scalar of ['00'.repeat(32), order, 'ff'.repeat(32)]) {
      pkcs8.write(scalar, at, 'hex')
      refused('P-256', 'private', pkcs8)
    }
  })

  test('any bytes either are a key or are refused', () => {
    const types = fc.constantFrom(...generated)
    const classes = fc.constantFrom('secret', 'private', 'public' as const)
    fc.assert(
      fc.property(types, classes, fc.uint8Array({ maxLength: 600 }), (type, keyClass, bytes) => {
        try {
          load(type, keyClass as KeyClass, bytes)[Symbol.dispose]()
        } catch (error) {
          assert(error instanceof HsmError, inspect(error))
        }
      }),
    )
  })
})

suite('a disposed key', () => {
  test('gives nothing any more', async () => {
    const key = await KeyMaterial.generate('P-256')
    key[Symbol.dispose]()
    for (const use of [() => key.keyObject, () => key.publicKey, () => key.toBytes()]) {
      assert.throws(use, TypeError)
    }
  })

  test('printed or serialised, a key shows its type alone', async () => {
    using key = await KeyMaterial.generate('AES-256')
    for (const text of [inspect(key), JSON.stringify(key), `${key}`]) {
      assert.match(text, /^"?\[secret key AES-256\]"?$/)
    }
  })
})
