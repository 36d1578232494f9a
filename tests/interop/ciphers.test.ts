/**
 * Ciphertexts, MACs, derived and agreed secrets and wrapped keys in both directions: each side
 * opens, verifies or comes to what the other has made. Authenticated ciphers are in aeads.test.ts.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { base64, bytesOf } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const options = (flag: string, values: readonly string[]) =>
  values.flatMap((value) => [flag, value])

const both = ['encrypt', 'decrypt']

function xor(one: Uint8Array, other: Uint8Array): Buffer {
  return Buffer.from(one.map((byte, at) => byte ^ (other[at] ?? 0)))
}

/** The encrypted tweak times 2, 4, 8 and so on in GF(2^128), a block each (IEEE 1619 section 5.2). */
function xtsMask(encryptedTweak: Uint8Array, lengthBytes: number): Buffer {
  const mask = Buffer.alloc(lengthBytes)
  let block = Buffer.from(encryptedTweak)
  for (let offset = 0; offset < lengthBytes; offset += 16) {
    mask.set(block, offset)
    const carry = (block[15] ?? 0) >> 7
    block = Buffer.from(block.map((byte, at) => (byte << 1) | ((block[at - 1] ?? 0) >> 7)))
    block[0] = (block[0] ?? 0) ^ (carry * 0x87)
  }
  return mask
}

suite('ciphers', { timeout: 120_000 }, () => {
  for (const bits of [128, 192, 256]) {
    for (const [mode, name] of [
      ['CBC-PKCS7', 'cbc'],
      ['CTR', 'ctr'],
    ] as const) {
      test(`AES-${bits}-${mode}: each decrypts what the other encrypted`, async () => {
        const bytes = randomBytes(bits / 8)
        const algorithm = `AES-${bits}-${mode}`
        const shape = { class: 'secret', type: `AES-${bits}`, algorithms: [algorithm] }
        const key = await bench.importKey(bytes, shape, ['encrypt', 'decrypt'])
        const cipher = ['enc', `-aes-${bits}-${name}`, '-K', hex(bytes)]
        for (const length of [0, 1, 15, 16, 17, 1_000]) {
          const plaintext = randomBytes(length)
          const made = await bench.use(key, 'encrypt', { plaintext: base64(plaintext), raw: true })
          const theirs = ['-d', '-iv', hex(bytesOf(made.iv))]
          const opened = bench.openssl([...cipher, ...theirs], bytesOf(made.ciphertext))
          assert.deepEqual(opened, plaintext)
          const iv = randomBytes(16)
          const ciphertext = bench.openssl([...cipher, '-e', '-iv', hex(iv)], plaintext)
          const input = { ciphertext: base64(ciphertext), iv: base64(iv), raw: true }
          assert.deepEqual(bytesOf((await bench.use(key, 'decrypt', input)).plaintext), plaintext)
        }
      })
    }
  }

  for (const bits of [128, 256]) {
    test(`AES-${bits}-XTS: openssl's ECB, put together by IEEE 1619, makes the same`, async () => {
      const [first, second] = [randomBytes(bits / 8), randomBytes(bits / 8)]
      const type = `AES-${bits}-XTS`
      const shape = { class: 'secret', type, algorithms: [type], externalIv: true }
      const key = await bench.importKey(Buffer.concat([first, second]), shape, both)
      const ecb = (bytes: Buffer, input: Uint8Array) =>
        bench.openssl(['enc', `-aes-${bits}-ecb`, '-nopad', '-K', hex(bytes)], input)
      const sector = Buffer.alloc(16)
      sector.writeUInt32LE(4_711)
      const plaintext = randomBytes(512)
      const mask = xtsMask(ecb(second, sector), plaintext.length)
      const theirs = xor(ecb(first, xor(plaintext, mask)), mask)
      const input = { plaintext: base64(plaintext), iv: base64(sector), raw: true }
      const made = await bench.use(key, 'encrypt', input)
      assert.deepEqual(bytesOf(made.ciphertext), theirs)
      const back = { ciphertext: base64(theirs), iv: base64(sector), raw: true }
      assert.deepEqual(bytesOf((await bench.use(key, 'decrypt', back)).plaintext), plaintext)
    })
  }

  for (const hash of ['1', '256', '384', '512']) {
    test(`RSAES-OAEP-SHA-${hash}: each decrypts what the other encrypted`, async () => {
      const rsa = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:2048']
      const { pem, pkcs8, spki } = bench.newPrivateKey(rsa)
      const algorithm = `RSAES-OAEP-SHA-${hash}`
      const common = { type: 'RSA-2048', algorithms: [algorithm] }
      const pair = await bench.importKey(
        pkcs8,
        { ...common, class: 'private', uses: ['decrypt'] },
        ['decrypt'],
      )
      const half = await bench.importKey(spki, { ...common, class: 'public', uses: ['encrypt'] }, [
        'encrypt',
      ])
      const oaep = options('-pkeyopt', ['rsa_padding_mode:oaep', `rsa_oaep_md:sha${hash}`])
      const plaintext = randomBytes(32)
      const made = await bench.use(half, 'encrypt', { plaintext: base64(plaintext), raw: true })
      const theirs = bench.openssl(
        ['pkeyutl', '-decrypt', '-inkey', pem, ...oaep],
        bytesOf(made.ciphertext),
      )
      assert.deepEqual(theirs, plaintext)
      const publicKey = await bench.publicKeyFile(pair)
      const encrypt = ['pkeyutl', '-encrypt', '-pubin', '-inkey', publicKey, ...oaep]
      const ciphertext = base64(bench.openssl(encrypt, plaintext))
      const opened = await bench.use(pair, 'decrypt', { ciphertext, raw: true })
      assert.deepEqual(bytesOf(opened.plaintext), plaintext)
    })
  }
})

suite('MACs', { timeout: 120_000 }, () => {
  const hmacs: Readonly<Record<string, string>> = {
    'HMAC-SHA-224': 'SHA224',
    'HMAC-SHA-256': 'SHA256',
    'HMAC-SHA-384': 'SHA384',
    'HMAC-SHA-512': 'SHA512',
    'HMAC-SHA-512/224': 'SHA512-224',
    'HMAC-SHA-512/256': 'SHA512-256',
    'HMAC-SHA3-224': 'SHA3-224',
    'HMAC-SHA3-256': 'SHA3-256',
    'HMAC-SHA3-384': 'SHA3-384',
    'HMAC-SHA3-512': 'SHA3-512',
  }
  const data = randomBytes(777)

  /** The same bytes there, which are valid here, and not once altered. */
  async function assertSame(key: string, algorithm: string, args: readonly string[]) {
    const theirs = Buffer.from(
      bench
        .openssl(['mac', ...args], data)
        .toString()
        .trim(),
      'hex',
    )
    const made = await bench.use(key, 'mac', { data: base64(data), algorithm })
    assert.deepEqual(bytesOf(made.mac), theirs, algorithm)
    for (const [input, valid] of [
      [data, true],
      [data.subarray(1), false],
    ] as const) {
      const body = { data: base64(input), mac: base64(theirs), algorithm }
      assert.equal((await bench.use(key, 'verify-mac', body)).valid, valid, algorithm)
    }
  }

  test('HMAC with every hash: the same bytes on both sides, and altered data refused', async () => {
    const bytes = randomBytes(40)
    const shape = { class: 'secret', type: 'generic-secret', algorithms: Object.keys(hmacs) }
    const key = await bench.importKey(bytes, shape, ['mac', 'verifyMac'])
    for (const [algorithm, digest] of Object.entries(hmacs)) {
      const macopts = options('-macopt', [`hexkey:${hex(bytes)}`])
      await assertSame(key, algorithm, ['-digest', digest, ...macopts, 'HMAC'])
    }
  })

  test('AES-CMAC with every length of key: the same bytes, and altered data refused', async () => {
    for (const bits of [128, 192, 256]) {
      const bytes = randomBytes(bits / 8)
      const algorithm = `AES-${bits}-CMAC`
      const shape = { class: 'secret', type: `AES-${bits}`, algorithms: [algorithm] }
      const key = await bench.importKey(bytes, shape, ['mac', 'verifyMac'])
      const macopts = options('-macopt', [`hexkey:${hex(bytes)}`])
      await assertSame(key, algorithm, ['-cipher', `AES-${bits}-CBC`, ...macopts, 'CMAC'])
    }
  })
})

suite('derived and agreed secrets', { timeout: 120_000 }, () => {
  const released = { class: 'secret', uses: ['derive'], plaintextRelease: true }
  const kdf = (length: number, name: string, values: readonly string[]) =>
    bench.openssl([
      ...['kdf', '-binary', '-keylen', String(length)],
      ...options('-kdfopt', values),
      name,
    ])

  for (const bits of ['256', '384', '512']) {
    test(`HKDF-SHA-${bits} and KDF-COUNTER-HMAC-SHA-${bits} derive the same bytes`, async () => {
      const bytes = randomBytes(32)
      const algorithms = [`HKDF-SHA-${bits}`, `KDF-COUNTER-HMAC-SHA-${bits}`]
      const shape = { ...released, type: 'generic-secret', algorithms }
      const key = await bench.importKey(bytes, shape, ['derive'])
      const [first, second] = [randomBytes(16), randomBytes(20)]
      for (const lengthBytes of [16, 32, 100]) {
        const hkdf = { algorithm: algorithms[0], salt: base64(first), info: base64(second) }
        const made = await bench.use(key, 'derive', { ...hkdf, lengthBytes })
        const given = [`digest:SHA${bits}`, `hexkey:${hex(bytes)}`]
        const theirs = kdf(lengthBytes, 'HKDF', [
          ...given,
          `hexsalt:${hex(first)}`,
          `hexinfo:${hex(second)}`,
        ])
        assert.deepEqual(bytesOf(made.secret), theirs)
        // What SP 800-108 calls label and context is salt and info there.
        const counter = { algorithm: algorithms[1], label: base64(first), context: base64(second) }
        const counted = await bench.use(key, 'derive', { ...counter, lengthBytes })
        const input = [`hexsalt:${hex(first)}`, `hexinfo:${hex(second)}`]
        assert.deepEqual(
          bytesOf(counted.secret),
          kdf(lengthBytes, 'KBKDF', ['mode:counter', 'mac:HMAC', ...given, ...input]),
        )
      }
    })
  }

  for (const bits of ['256', '384', '512']) {
    test(`PBKDF2-HMAC-SHA-${bits} derives the same bytes`, async () => {
      const bytes = randomBytes(20)
      const algorithms = [`PBKDF2-HMAC-SHA-${bits}`]
      const shape = { ...released, type: 'generic-secret', algorithms }
      const key = await bench.importKey(bytes, shape, ['derive'])
      const salt = randomBytes(16)
      for (const [iterations, lengthBytes] of [
        [1_000, 14],
        [10_000, 100],
      ] as const) {
        const made = await bench.use(key, 'derive', { salt: base64(salt), iterations, lengthBytes })
        const secret = [`hexpass:${hex(bytes)}`, `hexsalt:${hex(salt)}`]
        const given = [`digest:SHA${bits}`, ...secret, `iter:${iterations}`]
        assert.deepEqual(bytesOf(made.secret), kdf(lengthBytes, 'PBKDF2', given))
      }
    })
  }

  test('KDF-COUNTER-CMAC-AES derives the same bytes with every length of key', async () => {
    for (const bits of [128, 192, 256]) {
      const bytes = randomBytes(bits / 8)
      const shape = { ...released, type: `AES-${bits}`, algorithms: ['KDF-COUNTER-CMAC-AES'] }
      const key = await bench.importKey(bytes, shape, ['derive'])
      const [label, context] = [randomBytes(8), randomBytes(24)]
      const input = { label: base64(label), context: base64(context), lengthBytes: 48 }
      const made = await bench.use(key, 'derive', input)
      const given = ['mode:counter', 'mac:CMAC', `cipher:AES-${bits}-CBC`, `hexkey:${hex(bytes)}`]
      const theirs = kdf(48, 'KBKDF', [
        ...given,
        `hexsalt:${hex(label)}`,
        `hexinfo:${hex(context)}`,
      ])
      assert.deepEqual(bytesOf(made.secret), theirs)
    }
  })

  const curves = ['P-256', 'P-384', 'P-521', 'secp256k1']
  const brainpool = ['brainpoolP256r1', 'brainpoolP384r1', 'brainpoolP512r1']
  for (const type of [...curves, ...brainpool, 'X25519', 'X448']) {
    test(`${type}: both sides agree on the same secret`, async () => {
      const isX = type.startsWith('X')
      const ec = ['-algorithm', 'EC', '-pkeyopt', `ec_paramgen_curve:${type}`]
      const { pem, spki } = bench.newPrivateKey(isX ? ['-algorithm', type] : ec)
      const shape = { type, algorithms: [isX ? type : 'ECDH'], uses: ['agree'] }
      const key = await bench.installation.makeKey({ ...shape, plaintextRelease: true }, ['agree'])
      const made = await bench.use(key, 'agree', { peer: base64(spki) })
      const peer = await bench.publicKeyFile(key)
      const theirs = bench.openssl(['pkeyutl', '-derive', '-inkey', pem, '-peerkey', peer])
      assert.deepEqual(bytesOf(made.secret), theirs)
    })
  }
})

suite('wrapped keys', { timeout: 120_000 }, () => {
  const wrapping = ['wrap', 'unwrap']

  for (const bits of [128, 192, 256]) {
    for (const [mode, suffix, icv] of [
      ['KW', 'wrap', 'A6A6A6A6A6A6A6A6'],
      ['KWP', 'wrap-pad', 'A65959A6'],
    ] as const) {
      test(`AES-${bits}-${mode}: each unwraps what the other wrapped`, async () => {
        const [kek, bytes] = [randomBytes(bits / 8), randomBytes(bits / 8)]
        const algorithms = [`AES-${bits}-${mode}`]
        const wrapper = { class: 'secret', type: `AES-${bits}`, algorithms, uses: wrapping }
        const key = await bench.importKey(kek, wrapper, wrapping)
        const macs = { type: `AES-${bits}`, algorithms: [`AES-${bits}-CMAC`] }
        const target = await bench.importKey(
          bytes,
          { ...macs, class: 'secret', exportable: true },
          ['mac'],
        )
        const cipher = ['enc', `-id-aes${bits}-${suffix}`, '-K', hex(kek), '-iv', icv]
        const { wrapped } = await bench.use(key, 'wrap', { target })
        assert.deepEqual(bench.openssl([...cipher, '-d'], bytesOf(wrapped)), bytes)
        const theirs = bench.openssl([...cipher, '-e'], bytes)
        assert.deepEqual(theirs, bytesOf(wrapped))
        const into = { name: `un${target}`, owner: 'Ada', purpose: 'interop', ...macs }
        await bench.use(key, 'unwrap', { wrapped: base64(theirs), into })
        await bench.installation.grant(into.name, ['mac'])
        const data = base64('data')
        const [before, behind] = [
          await bench.use(target, 'mac', { data }),
          await bench.use(into.name, 'mac', { data }),
        ]
        assert.equal(before.mac, behind.mac)
      })
    }
  }

  test('RSAES-OAEP-SHA-256: each unwraps what the other wrapped', async () => {
    const rsa = ['-algorithm', 'RSA', '-pkeyopt', 'rsa_keygen_bits:4096']
    const { pem, pkcs8, spki } = bench.newPrivateKey(rsa)
    const common = { type: 'RSA-4096', algorithms: ['RSAES-OAEP-SHA-256'] }
    const half = { ...common, class: 'public', uses: ['wrap'] }
    const pair = { ...common, class: 'private', uses: ['unwrap'] }
    const wrapper = await bench.importKey(spki, half, ['wrap'])
    const unwrapper = await bench.importKey(pkcs8, pair, ['unwrap'])
    const bytes = randomBytes(16)
    const macs = { type: 'AES-128', algorithms: ['AES-128-CMAC'] }
    const target = await bench.importKey(bytes, { ...macs, class: 'secret', exportable: true }, [])
    const oaep = options('-pkeyopt', ['rsa_padding_mode:oaep', 'rsa_oaep_md:sha256'])
    const { wrapped } = await bench.use(wrapper, 'wrap', { target })
    const decrypt = ['pkeyutl', '-decrypt', '-inkey', pem, ...oaep]
    assert.deepEqual(bench.openssl(decrypt, bytesOf(wrapped)), bytes)
    const encrypt = ['pkeyutl', '-encrypt', '-inkey', pem, ...oaep]
    const theirs = base64(bench.openssl(encrypt, bytes))
    const into = { name: `un${target}`, owner: 'Ada', purpose: 'interop', ...macs }
    await bench.use(unwrapper, 'unwrap', { wrapped: theirs, into })
    await bench.installation.grant(into.name, ['mac'])
    const { mac } = await bench.use(into.name, 'mac', { data: base64('data') })
    const macopts = options('-macopt', [`hexkey:${hex(bytes)}`])
    const cmac = bench.openssl(['mac', '-cipher', 'AES-128-CBC', ...macopts, 'CMAC'], 'data')
    assert.equal(hex(bytesOf(mac)), cmac.toString().trim().toLowerCase())
  })
})
