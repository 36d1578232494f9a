/**
 * What the algorithms of the registry refuse, by the code that the contract gives: altered ciphertexts,
 * lengths beyond their limits, options that they do not have, keys of another kind.
 */

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import { copied, firstType, keyOf, must, names, none, usable } from './algorithms.testing.ts'
import { algorithmFor, implementations } from './algorithms.ts'
import { type AlgorithmName, algorithms } from './contract/algorithms.ts'
import { KeyMaterial } from './keys/material.ts'
import type { SignatureOptions } from './primitives/implementation.ts'
import { Secret } from './secret.ts'

const ciphers = names.filter((name) => implementations[name].encrypt !== undefined)
/** Those that authenticate: one flipped bit anywhere is refused. */
const authenticated = ciphers.filter((name) => !/CBC|CTR|XTS/.test(name))

suite('ciphertexts', () => {
  for (const name of authenticated) {
    const typeName = firstType(name)
    test(`${name}: an altered, cut, extended or foreign ciphertext is refused`, async () => {
      const { encrypt, decrypt } = algorithmFor(name, typeName)
      const key = await keyOf(typeName)
      using other = await KeyMaterial.generate(typeName)
      const aad = Buffer.from('bound')
      const { iv, ciphertext } = await must(encrypt)(key, Buffer.from('plaintext'), { aad })
      const bad: { iv: Uint8Array; ciphertext: Uint8Array; aad: Uint8Array }[] = [
        { iv, ciphertext, aad: none },
        { iv, ciphertext: ciphertext.subarray(1), aad },
        { iv, ciphertext: none, aad },
        { iv, ciphertext: Buffer.concat([ciphertext, Buffer.alloc(1)]), aad },
        { iv: Buffer.alloc(200), ciphertext, aad },
        { iv: iv.length === 0 ? Buffer.alloc(12) : none, ciphertext, aad },
      ]
      for (const at of [0, ciphertext.length - 1]) {
        const altered = Buffer.from(ciphertext)
        altered[at] = (altered[at] ?? 0) ^ 1
        bad.push({ iv, ciphertext: altered, aad })
      }
      const messages = new Set<string>()
      const attempts = [
        ...bad.map((given) => [key, given] as const),
        [other, { iv, ciphertext, aad }] as const,
      ]
      for (const [under, given] of attempts) {
        await assert.rejects(
          async () => must(decrypt)(under, given),
          (error: Error) => {
            messages.add(error.message)
            return (error as { code?: string }).code === 'CIPHERTEXT_INVALID'
          },
        )
      }
      assert.equal(messages.size, 1, 'the message does not say why')
    })
  }

  test('a ciphertext of OAEP is as long as the modulus, also where it begins with a zero', async () => {
    const key = await keyOf('RSA-2048')
    const { encrypt, decrypt } = implementations['RSAES-OAEP-SHA-256']
    let ciphertext: Uint8Array
    do ciphertext = (await must(encrypt)(key, Buffer.from('plaintext'), { aad: none })).ciphertext
    while (ciphertext[0] !== 0)
    const decrypting = (given: Uint8Array) => async () =>
      must(decrypt)(key, { iv: none, ciphertext: given, aad: none })
    assert.deepEqual(Buffer.from(await decrypting(ciphertext)()), Buffer.from('plaintext'))
    await assert.rejects(decrypting(ciphertext.subarray(1)), { code: 'CIPHERTEXT_INVALID' })
  })

  test('a cipher without associated data refuses it', async () => {
    for (const name of ['AES-128-CBC-PKCS7', 'AES-256-CTR', 'AES-256-XTS'] as const) {
      const typeName = firstType(name)
      const encrypt = must(algorithmFor(name, typeName).encrypt)
      const key = await keyOf(typeName)
      assert.throws(() => encrypt(key, none, { aad: Buffer.alloc(1) }), {
        code: 'ARGUMENT_INVALID',
      })
    }
  })

  test("a caller's IV of the wrong length is refused, one at the limit is not", async () => {
    const limits = [
      ['AES-256-GCM', [1, 12, 128], [0, 129]],
      ['XAES-256-GCM', [24], [0, 12, 25]],
      ['ChaCha20-Poly1305', [12], [0, 8, 13]],
      ['AES-128-CBC-PKCS7', [16], [0, 15, 17]],
      ['AES-128-CTR', [16], [0, 12, 17]],
      ['AES-192-CCM', [7, 12, 13], [0, 6, 14]],
      ['AES-128-XTS', [16], [0, 8, 17]],
    ] as const
    for (const [name, right, wrong] of limits) {
      const typeName = firstType(name)
      const encrypt = must(algorithmFor(name, typeName).encrypt)
      const key = await keyOf(typeName)
      for (const length of right) {
        const iv = randomBytes(length)
        const plaintext = Buffer.alloc(16)
        assert.deepEqual((await encrypt(key, plaintext, { iv, aad: none })).iv, iv)
      }
      for (const length of wrong) {
        const options = { iv: randomBytes(length), aad: none }
        assert.throws(() => encrypt(key, none, options), { code: 'ARGUMENT_INVALID' })
      }
    }
  })

  test('a long nonce of CCM leaves room for 65,535 bytes, and no byte more', async () => {
    const key = await keyOf('AES-128')
    const { encrypt, decrypt } = implementations['AES-128-CCM']
    const iv = randomBytes(13)
    const longest = Buffer.alloc(65_535, 7)
    const { ciphertext } = await must(encrypt)(key, longest, { iv, aad: none })
    const opened = await must(decrypt)(key, { iv, ciphertext, aad: none })
    assert.deepEqual(Buffer.from(opened), longest)
    const tooLong = () => must(encrypt)(key, Buffer.alloc(65_536), { iv, aad: none })
    assert.throws(tooLong, { code: 'ARGUMENT_INVALID' })
    const read = () => must(decrypt)(key, { iv, ciphertext: Buffer.alloc(65_552), aad: none })
    assert.throws(read, { code: 'CIPHERTEXT_INVALID' })
  })

  test('a data unit of XTS has 16 bytes at least, and its length is kept', async () => {
    const key = await keyOf('AES-256-XTS')
    const { encrypt, decrypt } = implementations['AES-256-XTS']
    for (const length of [16, 17, 31, 4_096]) {
      const plaintext = randomBytes(length)
      const { iv, ciphertext } = await must(encrypt)(key, plaintext, { aad: none })
      assert.equal(ciphertext.length, length)
      const opened = await must(decrypt)(key, { iv, ciphertext, aad: none })
      assert.deepEqual(Buffer.from(opened), plaintext)
    }
    const short = Buffer.alloc(15)
    const read = () => must(decrypt)(key, { iv: Buffer.alloc(16), ciphertext: short, aad: none })
    assert.throws(() => must(encrypt)(key, short, { aad: none }), { code: 'ARGUMENT_INVALID' })
    assert.throws(read, { code: 'CIPHERTEXT_INVALID' })
  })

  test('OAEP takes as much as fits and no byte more, and no IV', async () => {
    const key = await keyOf('RSA-2048')
    const encrypt = must(implementations['RSAES-OAEP-SHA-256'].encrypt)
    await encrypt(key, Buffer.alloc(190), { aad: none })
    const tooLong = async () => encrypt(key, Buffer.alloc(191), { aad: none })
    const withIv = async () => encrypt(key, none, { iv: Buffer.alloc(12), aad: none })
    for (const attempt of [tooLong, withIv]) {
      await assert.rejects(attempt, { code: 'ARGUMENT_INVALID' })
    }
  })

  test('RSA-AES-KEY-WRAP opens what is whole, and no ephemeral key of another length', async () => {
    const key = await keyOf('RSA-2048')
    const { wrap, unwrap } = implementations['RSA-AES-KEY-WRAP-SHA-256']
    using target = new Secret(randomBytes(2_400))
    const { iv, ciphertext } = await must(wrap)(key, target)
    assert.equal(ciphertext.length, 256 + 2_408)
    assert.deepEqual(copied(await must(unwrap)(key, { iv, ciphertext })), copied(target))
    using short = new Secret(randomBytes(16))
    const ofAes128 = await must(implementations['RSAES-OAEP-SHA-256'].wrap)(key, short)
    const changed = Buffer.from(ciphertext)
    changed.writeUInt8(changed.readUInt8(300) ^ 1, 300)
    const refused = [0, 255, 256, 264, 2_656, 2_663].map((length) => ciphertext.subarray(0, length))
    refused.push(changed, Buffer.concat([ciphertext, Buffer.alloc(8)]))
    refused.push(Buffer.concat([ofAes128.ciphertext, ciphertext.subarray(256)]))
    for (const bytes of refused) {
      const opening = async () => must(unwrap)(key, { iv, ciphertext: bytes })
      await assert.rejects(opening, { code: 'CIPHERTEXT_INVALID' })
    }
    const withIv = async () => must(unwrap)(key, { iv: Buffer.alloc(8), ciphertext })
    await assert.rejects(withIv, { code: 'CIPHERTEXT_INVALID' })
  })

  test('KW wraps whole semiblocks alone, KWP anything but nothing', async () => {
    const key = await keyOf('AES-128')
    const wrapLength = (name: 'AES-128-KW' | 'AES-128-KWP', length: number) => {
      using target = new Secret(Buffer.alloc(length))
      return must(implementations[name].wrap)(key, target)
    }
    for (const length of [0, 8, 15, 17]) {
      assert.throws(() => wrapLength('AES-128-KW', length), { code: 'ARGUMENT_INVALID' })
    }
    assert.throws(() => wrapLength('AES-128-KWP', 0), { code: 'ARGUMENT_INVALID' })
    for (const length of [1, 7, 8, 9, 2_400]) await wrapLength('AES-128-KWP', length)
  })
})

suite('signatures', () => {
  const messageOnly: SignatureOptions = { input: 'message', format: 'der', context: none }
  const hashes = { 256: 'sha256', 384: 'sha384', 512: 'sha512' } as const

  test('over a ready digest they are over the message, in either form, on every curve', async () => {
    const message = Buffer.from('a file of any size')
    const signing = names.filter((each) => /^(ECDSA|RSASSA)/.test(each))
    for (const name of signing.filter((each) => each !== 'ECDSA-SHA-224')) {
      const bits = Number(name.slice(-3)) as keyof typeof hashes
      const hash = name.includes('SHA3') ? `sha3-${bits}` : hashes[bits]
      const digest = createHash(hash).update(message).digest()
      for (const typeName of usable(algorithms[name].keyTypes)) {
        if (typeName === 'RSA-3072' || typeName === 'RSA-4096') continue
        const { sign, verify } = algorithmFor(name, typeName)
        const key = await keyOf(typeName)
        const formats = name.startsWith('ECDSA') ? (['der', 'p1363'] as const) : (['der'] as const)
        for (const format of formats) {
          const onMessage = { ...messageOnly, format }
          const onDigest = { ...onMessage, input: 'digest' } as const
          const fromDigest = await must(sign)(key, digest, onDigest)
          assert.equal(await must(verify)(key, message, fromDigest, onMessage), true)
          const fromMessage = await must(sign)(key, message, onMessage)
          assert.equal(await must(verify)(key, digest, fromMessage, onDigest), true)
          const other = createHash(hash).digest()
          assert.equal(await must(verify)(key, other, fromMessage, onDigest), false)
          assert.equal(await must(verify)(key, digest, none, onDigest), false)
        }
        const short = async () =>
          must(sign)(key, digest.subarray(1), { ...messageOnly, input: 'digest' })
        await assert.rejects(short, { code: 'ARGUMENT_INVALID' })
      }
    }
  })

  test('ML-DSA over mu is ML-DSA over the message with its context', async () => {
    const message = Buffer.from('a file of any size')
    const context = Buffer.from('context')
    for (const name of ['ML-DSA-44', 'ML-DSA-65', 'ML-DSA-87'] as const) {
      const { sign, verify } = algorithmFor(name, name)
      const key = await keyOf(name)
      // FIPS 204 algorithm 7: mu = SHAKE256(tr || 0x00 || |ctx| || ctx || M, 64), tr of the public key.
      const raw = key.publicKey.export({ format: 'raw-public' })
      const tr = createHash('shake256', { outputLength: 64 }).update(raw).digest()
      const mu = createHash('shake256', { outputLength: 64 })
        .update(Buffer.concat([tr, Buffer.from([0, context.length]), context, message]))
        .digest()
      const onMessage: SignatureOptions = { ...messageOnly, context }
      const onMu: SignatureOptions = { ...messageOnly, input: 'mu' }
      const fromMu = await must(sign)(key, mu, onMu)
      assert.equal(await must(verify)(key, message, fromMu, onMessage), true)
      const fromMessage = await must(sign)(key, message, onMessage)
      assert.equal(await must(verify)(key, mu, fromMessage, onMu), true)
      assert.equal(await must(verify)(key, message, fromMessage, messageOnly), false)
      const other = createHash('sha512').digest()
      assert.equal(await must(verify)(key, other, fromMessage, onMu), false)
    }
  })

  test('options that an algorithm does not have are refused', async () => {
    const wrong: (readonly [AlgorithmName, number, Partial<SignatureOptions>])[] = [
      ['Ed25519', 32, { input: 'digest' }],
      ['Ed25519', 10, { context: Buffer.alloc(1) }],
      ['Ed25519', 10, { format: 'p1363' }],
      ['ECDSA-SHA-256', 64, { input: 'mu' }],
      ['ECDSA-SHA-256', 10, { context: Buffer.alloc(1) }],
      ['ECDSA-SHA-256', 31, { input: 'digest' }],
      ['RSASSA-PSS-SHA-256', 10, { format: 'p1363' }],
      ['RSASSA-PSS-SHA-256', 64, { input: 'digest' }],
      ['Ed448', 64, { input: 'digest' }],
      ['Ed448', 10, { context: Buffer.alloc(256) }],
      ['Ed448', 10, { format: 'p1363' }],
      ['SLH-DSA-SHA2-128f', 64, { input: 'mu' }],
      ['SLH-DSA-SHA2-128f', 10, { context: Buffer.alloc(256) }],
      ['ML-DSA-65', 64, { input: 'digest' }],
      ['ML-DSA-65', 63, { input: 'mu' }],
      ['ML-DSA-65', 64, { input: 'mu', context: Buffer.alloc(1) }],
      ['ML-DSA-65', 10, { context: Buffer.alloc(256) }],
      ['ML-DSA-65', 10, { format: 'p1363' }],
    ]
    for (const [name, length, options] of wrong) {
      const typeName = firstType(name)
      const { sign, verify } = algorithmFor(name, typeName)
      const key = await keyOf(typeName)
      const all = { ...messageOnly, ...options }
      const data = Buffer.alloc(length)
      await assert.rejects(async () => must(sign)(key, data, all), { code: 'ARGUMENT_INVALID' })
      const verifying = async () => must(verify)(key, data, none, all)
      await assert.rejects(verifying, { code: 'ARGUMENT_INVALID' })
    }
  })
})

suite('derivation and agreement', () => {
  test('label and context make the fixed input of SP 800-108', async () => {
    for (const name of names.filter((each) => each.startsWith('KDF-COUNTER'))) {
      const typeName = firstType(name)
      const derive = must(algorithmFor(name, typeName).derive)
      const key = await keyOf(typeName)
      const [label, context] = [Buffer.from('label'), Buffer.from('context')]
      const info = Buffer.concat([label, Buffer.alloc(1), context, Buffer.from([0, 0, 3, 32])])
      const empty = { salt: none, info: none, label: none, context: none, lengthBytes: 100 }
      const made = copied(await derive(key, { ...empty, label, context }))
      assert.deepEqual(copied(await derive(key, { ...empty, info })), made)
      for (const wrong of [
        { info, label },
        { info, context },
        { salt: label },
        { iterations: 1 },
      ]) {
        assert.throws(() => derive(key, { ...empty, ...wrong }), { code: 'ARGUMENT_INVALID' })
      }
    }
  })

  test('HKDF takes no label or context, and at most 1,024 bytes of info', async () => {
    const key = await keyOf('generic-secret')
    const derive = must(implementations['HKDF-SHA-256'].derive)
    const options = { salt: none, info: none, label: none, context: none, lengthBytes: 32 }
    copied(await derive(key, { ...options, info: Buffer.alloc(1_024) }))
    const wrong = [
      { label: Buffer.alloc(1) },
      { context: Buffer.alloc(1) },
      { info: Buffer.alloc(1_025) },
      { lengthBytes: 8_161 },
      { iterations: 1_000 },
    ]
    for (const each of wrong) {
      assert.throws(() => derive(key, { ...options, ...each }), { code: 'ARGUMENT_INVALID' })
    }
  })

  test('PBKDF2 takes salt and iterations alone, within limits', async () => {
    const key = await keyOf('generic-secret')
    const derive = must(implementations['PBKDF2-HMAC-SHA-256'].derive)
    const least = { salt: Buffer.alloc(16), iterations: 1_000, lengthBytes: 14 }
    const options = { ...least, info: none, label: none, context: none }
    assert.equal(copied(await derive(key, options)).length, 14)
    const wrong = [
      { info: Buffer.alloc(1) },
      { label: Buffer.alloc(1) },
      { context: Buffer.alloc(1) },
      { salt: Buffer.alloc(15) },
      { iterations: 0 },
      { iterations: 999 },
      { iterations: 10_000_001 },
      { iterations: 5_000_001, lengthBytes: 33 },
      { lengthBytes: 13 },
      { lengthBytes: 513 },
    ]
    for (const each of wrong) {
      const refused = async () => derive(key, { ...options, ...each })
      await assert.rejects(refused, { code: 'ARGUMENT_INVALID' })
    }
  })

  test("a peer's key on another curve, or none at all, is refused", async () => {
    const key = await keyOf('P-256')
    using other = await KeyMaterial.generate('secp256k1')
    for (const peer of [other.publicSpki(), none, key.publicSpki().subarray(1)]) {
      const agree = async () => must(implementations.ECDH.agree)(key, peer)
      await assert.rejects(agree, { code: 'ARGUMENT_INVALID' })
    }
  })
})
