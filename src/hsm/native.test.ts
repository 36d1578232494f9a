/** Against published vectors, against node:crypto, and with what must be refused. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import {
  constants,
  createHash,
  decapsulate,
  generateKeyPairSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  ecPrivate,
  expandedPkcs8,
  hex,
  rawSpki,
  readText,
  seedPkcs8,
} from '../../tests/vectors/files.ts'
import { addEntropy, isSecureHeapFull, NativeKey, nativeKeyCounts } from './native.ts'
import { p1363FromDer } from './primitives/ecdsa-forms.ts'

const pkcs8 = (key: KeyObject) => key.export({ format: 'der', type: 'pkcs8' })
const spki = (key: KeyObject) => key.export({ format: 'der', type: 'spki' })
const hash = (name: string, data: Uint8Array) => createHash(name).update(data).digest()
const message = Buffer.from('sample')
const deterministic = { deterministic: true }
const ecdsa = { scheme: 'ecdsa', hash: 'sha256' } as const
const muScheme = { scheme: 'ml-dsa-mu' } as const

interface AcvpFile {
  readonly testGroups: readonly (Readonly<Record<string, unknown>> & {
    readonly tests: readonly Readonly<Record<string, string>>[]
  })[]
}

const acvp = (name: string): AcvpFile['testGroups'] =>
  (JSON.parse(readText(`acvp/${name}.json`)) as AcvpFile).testGroups

suite('published vectors', () => {
  // RFC 6979 appendix A.2.5 and A.2.6, message "sample".
  const rfc6979 = [
    {
      type: 'P-256',
      hash: 'sha256',
      x: 'C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721',
      r: 'EFD48B2AACB6A8FD1140DD9CD45E81D69D2C877B56AAF991C34D0EA84EAF3716',
      s: 'F7CB1C942D657C41D436C7A1B6E29F65F3E900DBB9AFF4064DC4AB2F843ACDA8',
    },
    {
      type: 'P-256',
      hash: 'sha512',
      x: 'C9AFA9D845BA75166B5C215767B1D6934E50C3DB36E89B127B8A622B120F6721',
      r: '8496A60B5E9B47C825488827E0495B0E3FA109EC4568FD3F8D1097678EB97F00',
      s: '2362AB1ADBE2B8ADF9CB9EDAB740EA6049C028114F2460F96554F61FAE3302FE',
    },
    {
      type: 'P-384',
      hash: 'sha384',
      x: '6B9D3DAD2E1B8C1C05B19875B6659F4DE23C3B667BF297BA9AA47740787137D896D5724E4C70A825F872C9EA60D2EDF5',
      r: '94EDBB92A5ECB8AAD4736E56C691916B3F88140666CE9FA73D64C4EA95AD133C81A648152E44ACF96E36DD1E80FABE46',
      s: '99EF4AEB15F178CEA1FE40DB2603138F130E740A19624526203B6351D0A3A94FA329C145786E679E7B82C71A38628AC8',
    },
  ] as const
  for (const vector of rfc6979) {
    test(`RFC 6979 ${vector.type} ${vector.hash}`, () => {
      using key = NativeKey.fromPkcs8(ecPrivate(vector.type, vector.x))
      const scheme = { scheme: 'ecdsa', hash: vector.hash } as const
      const der = key.signDigest(scheme, hash(vector.hash, message), deterministic)
      const expected = hex(vector.r + vector.s)
      assert.deepEqual(Buffer.from(p1363FromDer(der, vector.r.length / 2)), expected)
    })
  }

  test('ACVP ML-DSA sigGen, deterministic, over messages and over mu', () => {
    let cases = 0
    for (const group of acvp('ML-DSA-sigGen-FIPS204-tr1')) {
      const isMu = group.externalMu === true
      if (!group.deterministic || (!isMu && group.preHash !== 'pure')) continue
      const type = group.parameterSet as 'ML-DSA-44'
      for (const { seed, sk, mu, message: given = '', context = '', signature } of group.tests) {
        const der = seed ? seedPkcs8(type, hex(seed)) : expandedPkcs8(type, hex(sk ?? ''))
        using key = NativeKey.fromPkcs8(der)
        const scheme = isMu ? muScheme : ({ scheme: 'ml-dsa', context: hex(context) } as const)
        const input = hex(mu ?? given)
        assert.equal(
          key.signDigest(scheme, input, deterministic).toString('hex'),
          signature?.toLowerCase(),
        )
        cases += 1
      }
    }
    assert.equal(cases, 13)
  })

  test('ACVP ML-DSA sigVer over mu', () => {
    let cases = 0
    for (const group of acvp('ML-DSA-sigVer-FIPS204')) {
      if (group.externalMu !== true) continue
      for (const { pk = '', mu = '', signature = '', testPassed } of group.tests) {
        using key = NativeKey.fromSpki(rawSpki(group.parameterSet as 'ML-DSA-44', hex(pk)))
        assert.equal(key.verifyDigest(muScheme, hex(mu), hex(signature)), testPassed)
        cases += 1
      }
    }
    assert.equal(cases, 9)
  })

  test('ACVP ML-KEM encapsulation', () => {
    let cases = 0
    for (const group of acvp('ML-KEM-encapDecap-FIPS203-tr1')) {
      if (group.function !== 'encapsulation') continue
      for (const { ek = '', m = '', c, k } of group.tests) {
        using key = NativeKey.fromSpki(rawSpki(group.parameterSet as 'ML-KEM-512', hex(ek)))
        const { ciphertext, sharedSecret } = key.encapsulateDerandomised(hex(m))
        assert.equal(ciphertext.toString('hex'), c?.toLowerCase())
        assert.equal(sharedSecret.toString('hex'), k?.toLowerCase())
        cases += 1
      }
    }
    assert.equal(cases, 30)
  })
})

suite('with node:crypto', () => {
  for (const namedCurve of ['P-256', 'P-384', 'P-521', 'secp256k1', 'brainpoolP512r1']) {
    test(`each accepts what the other signs, on ${namedCurve} with every hash`, () => {
      const pair = generateKeyPairSync('ec', { namedCurve })
      using key = NativeKey.fromPkcs8(pkcs8(pair.privateKey))
      using publicKey = NativeKey.fromSpki(spki(pair.publicKey))
      for (const name of ['sha256', 'sha384', 'sha512', 'sha3-256', 'sha3-512'] as const) {
        const digest = hash(name, message)
        const scheme = { scheme: 'ecdsa', hash: name } as const
        assert(verify(name, message, pair.publicKey, key.signDigest(scheme, digest)))
        assert(publicKey.verifyDigest(scheme, digest, sign(name, message, pair.privateKey)))
      }
    })
  }

  test('RSA over a digest is RSA over the message', () => {
    const pair = generateKeyPairSync('rsa', { modulusLength: 2048 })
    const plain = { key: pair.privateKey, padding: constants.RSA_PKCS1_PADDING }
    const pss = (key: KeyObject, saltLength: number) => ({
      key,
      padding: constants.RSA_PKCS1_PSS_PADDING,
      saltLength,
    })
    using key = NativeKey.fromPkcs8(pkcs8(pair.privateKey))
    using publicKey = NativeKey.fromSpki(spki(pair.publicKey))
    for (const name of ['sha256', 'sha384', 'sha512'] as const) {
      const digest = hash(name, message)
      const pkcs1Scheme = { scheme: 'rsa-pkcs1', hash: name } as const
      const pssScheme = { scheme: 'rsa-pss', hash: name } as const
      const signature = sign(name, message, plain)
      assert.deepEqual(key.signDigest(pkcs1Scheme, digest), signature)
      assert(publicKey.verifyDigest(pkcs1Scheme, digest, signature))
      const salted = key.signDigest(pssScheme, digest)
      assert(verify(name, message, pss(pair.publicKey, digest.length), salted))
      assert(
        publicKey.verifyDigest(
          pssScheme,
          digest,
          sign(name, message, pss(pair.privateKey, digest.length)),
        ),
      )
      const unsalted = sign(name, message, pss(pair.privateKey, 0))
      assert.equal(publicKey.verifyDigest(pssScheme, digest, unsalted), false)
      assert.equal(publicKey.verifyDigest(pssScheme, digest, signature), false)
    }
  })

  for (const type of ['ml-dsa-44', 'ml-dsa-65', 'ml-dsa-87'] as const) {
    test(`${type} over mu is ${type} over the message`, () => {
      const pair = generateKeyPairSync(type as 'ml-dsa-44')
      const shake = (data: Uint8Array) =>
        createHash('shake256', { outputLength: 64 }).update(data).digest()
      const context = Buffer.from('context')
      const tr = shake(pair.publicKey.export({ format: 'raw-public' }))
      const mu = shake(Buffer.concat([tr, Buffer.from([0, context.length]), context, message]))
      using key = NativeKey.fromPkcs8(pkcs8(pair.privateKey))
      using publicKey = NativeKey.fromSpki(spki(pair.publicKey))
      const signature = key.signDigest(muScheme, mu)
      assert(verify(null, message, { key: pair.publicKey, context }, signature))
      assert(
        publicKey.verifyDigest(
          muScheme,
          mu,
          sign(null, message, { key: pair.privateKey, context }),
        ),
      )
      assert.notDeepEqual(key.signDigest(muScheme, mu), signature)
    })
  }

  test('a derandomised encapsulation is one that the private key opens', () => {
    const pair = generateKeyPairSync('ml-kem-768')
    using key = NativeKey.fromSpki(spki(pair.publicKey))
    const { ciphertext, sharedSecret } = key.encapsulateDerandomised(Buffer.alloc(32, 7))
    assert.deepEqual(decapsulate(pair.privateKey, ciphertext), sharedSecret)
  })

  test('ECDSA takes the leftmost bits of a digest of any length (FIPS 186-5 section 6.4.1)', () => {
    const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    using key = NativeKey.fromPkcs8(pkcs8(privateKey))
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 32, maxLength: 64 }), (digest) => {
        const signature = key.signDigest(ecdsa, digest)
        assert(key.verifyDigest(ecdsa, digest.subarray(0, 32), signature))
      }),
      { numRuns: 20 },
    )
  })
})

suite('refusals', () => {
  const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const digest = hash('sha256', message)

  test('bytes are a key or ARGUMENT_INVALID, and what follows a key is refused', () => {
    const der = pkcs8(pair.privateKey)
    const refused = { code: 'ARGUMENT_INVALID' }
    assert.throws(() => NativeKey.fromPkcs8(Buffer.concat([der, Buffer.alloc(1)])), refused)
    assert.throws(() => NativeKey.fromPkcs8(der.subarray(0, -1)), refused)
    assert.throws(() => NativeKey.fromPkcs8(spki(pair.publicKey)), refused)
    assert.throws(() => NativeKey.fromSpki(der), refused)
    assert.throws(() => NativeKey.fromSpki(Buffer.alloc(1024 * 1024)), refused)
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        assert.throws(() => NativeKey.fromPkcs8(bytes), refused)
        assert.throws(() => NativeKey.fromSpki(bytes), refused)
      }),
    )
  })

  test('no altered signature verifies, and none throws', () => {
    using key = NativeKey.fromSpki(spki(pair.publicKey))
    const signature = sign('sha256', message, pair.privateKey)
    assert(key.verifyDigest(ecdsa, digest, signature))
    fc.assert(
      fc.property(fc.nat(signature.length * 8 - 1), (position) => {
        const altered = Buffer.from(signature)
        altered.writeUInt8(altered.readUInt8(position >> 3) ^ (1 << (position & 7)), position >> 3)
        assert.equal(key.verifyDigest(ecdsa, digest, altered), false)
      }),
    )
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 100 }), (bytes) => {
        assert.equal(key.verifyDigest(ecdsa, digest, bytes), false)
      }),
    )
    assert.equal(key.verifyDigest(ecdsa, digest, Buffer.alloc(1024 * 1024)), false)
  })

  test('a key does not do what it is not for', () => {
    using key = NativeKey.fromPkcs8(pkcs8(pair.privateKey))
    using publicKey = NativeKey.fromSpki(spki(pair.publicKey))
    const refused = { code: 'ARGUMENT_INVALID' }
    assert.throws(() => publicKey.signDigest(ecdsa, digest), refused)
    assert.throws(() => key.signDigest(muScheme, Buffer.alloc(64)), refused)
    assert.throws(() => key.signDigest({ scheme: 'rsa-pss', hash: 'sha256' }, digest), refused)
    using mlDsa = NativeKey.fromPkcs8(seedPkcs8('ML-DSA-44', Buffer.alloc(32)))
    assert.throws(() => mlDsa.signDigest(muScheme, Buffer.alloc(63)), refused)
    assert.throws(() => mlDsa.encapsulateDerandomised(Buffer.alloc(32)), refused)
    using mlKem = NativeKey.fromPkcs8(seedPkcs8('ML-KEM-512', Buffer.alloc(64)))
    assert.throws(() => mlKem.encapsulateDerandomised(Buffer.alloc(31)), refused)
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 })
    using rsaKey = NativeKey.fromPkcs8(pkcs8(rsa.privateKey))
    const short = digest.subarray(1)
    assert.throws(() => rsaKey.signDigest({ scheme: 'rsa-pkcs1', hash: 'sha256' }, short), refused)
    assert.throws(() => rsaKey.signDigest({ scheme: 'rsa-pss', hash: 'sha256' }, short), refused)
  })

  test('the numbers of an RSA key must belong together', () => {
    const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
    using key = NativeKey.fromPkcs8(pkcs8(privateKey))
    assert(key.isConsistent())
    const der = pkcs8(privateKey)
    // The last byte is that of the coefficient.
    der.writeUInt8((der.at(-1) ?? 0) ^ 1, der.length - 1)
    using broken = NativeKey.fromPkcs8(der)
    assert.equal(broken.isConsistent(), false)
  })

  test('a freed key is not used', () => {
    const key = NativeKey.fromPkcs8(pkcs8(pair.privateKey))
    key[Symbol.dispose]()
    key[Symbol.dispose]()
    assert.throws(() => key.signDigest(ecdsa, digest), TypeError)
  })
})

suite('memory', () => {
  test('every key that was made is freed, also where a call failed', () => {
    const { made, freed } = nativeKeyCounts()
    assert(made > 60)
    assert.equal(freed, made)
  })

  test('entropy is taken, and no more is claimed than there are bits', () => {
    addEntropy(Buffer.alloc(48, 1), 0)
    addEntropy(Buffer.alloc(48, 1), 384)
    assert.throws(() => addEntropy(Buffer.alloc(1), 9), { code: 'ERR_ASSERTION' })
  })

  test('a full secure heap is told apart from a bad key', () => {
    const program = `
      import { generateKeyPairSync } from 'node:crypto'
      import { isSecureHeapFull, NativeKey } from ${JSON.stringify(`${import.meta.dirname}/native.ts`)}
      const { privateKey } = generateKeyPairSync('rsa', { modulusLength: 2048 })
      const der = privateKey.export({ format: 'der', type: 'pkcs8' })
      const keys = []
      try {
        for (;;) keys.push(NativeKey.fromPkcs8(der))
      } catch (error) {
        process.stdout.write(error.code + ' ' + isSecureHeapFull() + ' ')
      }
      for (const key of keys) key[Symbol.dispose]()
      using again = NativeKey.fromPkcs8(der)
      process.stdout.write(keys.length > 50 ? 'again' : 'too few')`
    const args = ['--secure-heap=524288', '--input-type=module', '--eval', program]
    const { stdout } = spawnSync(process.execPath, args, { encoding: 'utf8' })
    assert.equal(stdout, 'SECURE_HEAP_FULL true again')
    assert.equal(isSecureHeapFull(), false)
  })
})
