/**
 * Authenticated ciphertexts in both directions. openssl's `enc` has no AEAD, so each is put
 * together from what the command line does have: AES-GCM as CMS AuthEnvelopedData, its associated
 * data as GMAC and its ciphertext as CTR; AES-CCM from CBC and CTR (SP 800-38C); ChaCha20-Poly1305 from ChaCha20 and Poly1305 (RFC 8439
 * section 2.8); XAES-256-GCM as CMS under the key that openssl's CMAC derives.
 *
 * openssl cannot check a GCM tag over plaintext and associated data together. That, and XAES made
 * outside, are left to node:crypto in this process: it is the OpenSSL that the module calls too,
 * so it shows that the inputs go where they belong, not that two implementations agree.
 */

import assert from 'node:assert/strict'
import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { assertProblem, base64, bytesOf } from '../rest/people.ts'
import { envelop, open } from './cms.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

type GcmCipher = 'aes-128-gcm' | 'aes-192-gcm' | 'aes-256-gcm'

interface Sealed {
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
}

const both = ['encrypt', 'decrypt']
const lengths = [1, 15, 16, 17, 1_000]
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const fromHex = (text: Buffer) => Buffer.from(text.toString().trim(), 'hex')

async function sealHere(key: string, plaintext: Uint8Array, aad?: Uint8Array): Promise<Sealed> {
  const bound = aad === undefined ? {} : { aad: base64(aad) }
  const input = { plaintext: base64(plaintext), raw: true, ...bound }
  const made = await bench.use(key, 'encrypt', input)
  const whole = bytesOf(made.ciphertext)
  return { iv: bytesOf(made.iv), ciphertext: whole.subarray(0, -16), tag: whole.subarray(-16) }
}

function inputOf({ iv, ciphertext, tag }: Sealed, aad?: Uint8Array) {
  const bound = aad === undefined ? {} : { aad: base64(aad) }
  const whole = base64(Buffer.concat([ciphertext, tag]))
  return { ciphertext: whole, iv: base64(iv), raw: true, ...bound }
}

/** Opens it, and refuses it when one bit of the tag is another. */
async function assertOpensHere(
  key: string,
  sealed: Sealed,
  { plaintext, aad }: { readonly plaintext: Uint8Array; readonly aad?: Uint8Array },
): Promise<void> {
  const opened = await bench.use(key, 'decrypt', inputOf(sealed, aad))
  assert.deepEqual(bytesOf(opened.plaintext), Buffer.from(plaintext))
  const altered = inputOf({ ...sealed, tag: flipped(sealed.tag) }, aad)
  const refused = await bench.installation.use(key, 'decrypt', altered)
  assertProblem(refused, 422, 'CIPHERTEXT_INVALID')
}

function flipped(bytes: Uint8Array): Buffer {
  const copy = Buffer.from(bytes)
  copy[0] = (copy[0] ?? 0) ^ 1
  return copy
}

function nodeSeal(
  cipher: GcmCipher,
  { key, iv, aad }: { readonly key: Uint8Array; readonly iv: Uint8Array; readonly aad: Uint8Array },
  plaintext: Uint8Array,
): Pick<Sealed, 'ciphertext' | 'tag'> {
  const context = createCipheriv(cipher, key, iv).setAAD(aad)
  const ciphertext = Buffer.concat([context.update(plaintext), context.final()])
  return { ciphertext, tag: context.getAuthTag() }
}

function nodeOpen(
  cipher: GcmCipher,
  { key, iv, aad }: { readonly key: Uint8Array; readonly iv: Uint8Array; readonly aad: Uint8Array },
  { ciphertext, tag }: Sealed,
): Buffer {
  const context = createDecipheriv(cipher, key, iv).setAAD(aad).setAuthTag(tag)
  return Buffer.concat([context.update(ciphertext), context.final()])
}

suite('AES-GCM', { timeout: 60_000 }, () => {
  for (const bits of [128, 192, 256] as const) {
    const type = `AES-${bits}`
    const algorithms = [`AES-${bits}-GCM`]
    const cipher = `aes-${bits}-gcm` as const
    const shape = { class: 'secret', type, algorithms, uses: both }

    test(`AES-${bits}-GCM: openssl cms opens what is encrypted and wrapped here`, async () => {
      const kek = randomBytes(32)
      const wrapping = { class: 'secret', type: 'AES-256', algorithms: ['AES-256-KW'] }
      const wrapper = await bench.importKey(kek, { ...wrapping, uses: ['wrap'] }, ['wrap'])
      const made = { type, algorithms, uses: both, exportable: true }
      const key = await bench.installation.makeKey(made, both)
      const wrappedKey = bytesOf((await bench.use(wrapper, 'wrap', { target: key })).wrapped)
      for (const length of lengths) {
        const plaintext = randomBytes(length)
        const sealed = { bits, wrappedKey, ...(await sealHere(key, plaintext)) }
        assert.deepEqual(open(bench, kek, sealed), plaintext)
        assert.equal(open(bench, kek, { ...sealed, tag: flipped(sealed.tag) }), undefined)
      }
    })

    test(`AES-${bits}-GCM: what openssl cms encrypts and wraps opens here`, async () => {
      const kek = randomBytes(32)
      const wrapping = { class: 'secret', type: 'AES-256', algorithms: ['AES-256-KW'] }
      const unwrapper = await bench.importKey(kek, { ...wrapping, uses: ['unwrap'] }, ['unwrap'])
      for (const length of lengths) {
        const plaintext = randomBytes(length)
        const theirs = envelop(bench, { kek, bits }, plaintext)
        const name = `content-${bits}-${length}`
        const into = { name, owner: 'Ada', purpose: 'interop', type, algorithms, uses: both }
        await bench.use(unwrapper, 'unwrap', { wrapped: base64(theirs.wrappedKey), into })
        await bench.installation.grant(name, both)
        await assertOpensHere(name, theirs, { plaintext })
      }
    })

    test(`AES-${bits}-GCM: associated data alone is openssl's GMAC, both ways`, async () => {
      const [bytes, aad, iv] = [randomBytes(bits / 8), randomBytes(37), randomBytes(12)]
      const key = await bench.importKey(bytes, shape, both)
      const gmac = (nonce: Uint8Array) => {
        const given = ['-macopt', `hexkey:${hex(bytes)}`, '-macopt', `hexiv:${hex(nonce)}`]
        return fromHex(bench.openssl(['mac', '-cipher', `AES-${bits}-GCM`, ...given, 'GMAC'], aad))
      }
      const plaintext = Buffer.alloc(0)
      const made = await sealHere(key, plaintext, aad)
      assert.deepEqual(made.tag, gmac(made.iv))
      await assertOpensHere(key, { iv, ciphertext: plaintext, tag: gmac(iv) }, { plaintext, aad })
    })

    test(`AES-${bits}-GCM: the ciphertext is openssl's CTR, the tag node:crypto's`, async () => {
      const [bytes, aad, iv] = [randomBytes(bits / 8), randomBytes(37), randomBytes(12)]
      const key = await bench.importKey(bytes, shape, both)
      for (const length of lengths) {
        const plaintext = randomBytes(length)
        const made = await sealHere(key, plaintext, aad)
        // SP 800-38D section 7.1: the first block of the plaintext has the counter 2.
        const counter = `${hex(made.iv)}00000002`
        const ctr = ['enc', `-aes-${bits}-ctr`, '-K', hex(bytes), '-iv', counter]
        assert.deepEqual(bench.openssl(ctr, plaintext), made.ciphertext)
        assert.deepEqual(nodeOpen(cipher, { key: bytes, iv: made.iv, aad }, made), plaintext)
        const theirs = { iv, ...nodeSeal(cipher, { key: bytes, iv, aad }, plaintext) }
        await assertOpensHere(key, theirs, { plaintext, aad })
      }
    })
  }
})

suite('AES-CCM', { timeout: 60_000 }, () => {
  /** SP 800-38C: B0, then the length of the associated data and itself, then the message, zero-padded each. */
  function ccmBlocks(iv: Uint8Array, aad: Uint8Array, plaintext: Uint8Array): Buffer {
    const padded = (bytes: Uint8Array) =>
      Buffer.concat([bytes, Buffer.alloc((16 - (bytes.length % 16)) % 16)])
    const length = Buffer.alloc(15 - iv.length)
    length.writeUInt16BE(plaintext.length, length.length - 2)
    const flags = (aad.length > 0 ? 64 : 0) + 8 * ((16 - 2) / 2) + (length.length - 1)
    const aadLength = Buffer.from([aad.length >> 8, aad.length & 0xff])
    const bound = aad.length > 0 ? padded(Buffer.concat([aadLength, aad])) : Buffer.alloc(0)
    return Buffer.concat([Buffer.from([flags]), iv, length, bound, padded(plaintext)])
  }

  /** By openssl's CBC, whose last block is the MAC, and its CTR, whose first block covers the MAC. */
  function ccmThere(
    key: Uint8Array,
    { iv, aad }: { readonly iv: Uint8Array; readonly aad: Uint8Array },
    plaintext: Uint8Array,
  ): Pick<Sealed, 'ciphertext' | 'tag'> {
    const bits = key.length * 8
    const zero = '00'.repeat(16)
    const cbc = ['enc', `-aes-${bits}-cbc`, '-nopad', '-K', hex(key), '-iv', zero]
    const mac = bench.openssl(cbc, ccmBlocks(iv, aad, plaintext)).subarray(-16)
    const counter = Buffer.concat([Buffer.from([14 - iv.length]), iv, Buffer.alloc(15 - iv.length)])
    const ctr = ['enc', `-aes-${bits}-ctr`, '-K', hex(key), '-iv', hex(counter)]
    const whole = bench.openssl(ctr, Buffer.concat([mac, plaintext]))
    return { ciphertext: whole.subarray(16), tag: whole.subarray(0, 16) }
  }

  for (const bits of [128, 192, 256]) {
    test(`AES-${bits}-CCM: openssl's CBC and CTR, put together, make and open the same`, async () => {
      const bytes = randomBytes(bits / 8)
      const algorithms = [`AES-${bits}-CCM`]
      const shape = { class: 'secret', type: `AES-${bits}`, algorithms, uses: both }
      const key = await bench.importKey(bytes, shape, both)
      for (const length of lengths) {
        const [plaintext, aad] = [randomBytes(length), randomBytes(length + 1)]
        const sealed = await sealHere(key, plaintext, aad)
        const theirs = ccmThere(bytes, { iv: sealed.iv, aad }, plaintext)
        assert.deepEqual({ ...theirs, iv: sealed.iv }, sealed)
        for (const ivBytes of [7, 13]) {
          const iv = randomBytes(ivBytes)
          const made = { iv, ...ccmThere(bytes, { iv, aad }, plaintext) }
          await assertOpensHere(key, made, { plaintext, aad })
        }
      }
    })
  }
})

suite('ChaCha20-Poly1305', { timeout: 60_000 }, () => {
  /** RFC 8439 section 2.8, every step of it by openssl. */
  function seal(
    {
      key,
      iv,
      aad,
    }: { readonly key: Uint8Array; readonly iv: Uint8Array; readonly aad: Uint8Array },
    plaintext: Uint8Array,
  ): Pick<Sealed, 'ciphertext' | 'tag'> {
    const chacha = (counter: string, input: Uint8Array) => {
      const given = ['-K', hex(key), '-iv', `${counter}000000${hex(iv)}`]
      return bench.openssl(['enc', '-chacha20', ...given], input)
    }
    const macKey = chacha('00', Buffer.alloc(32))
    const ciphertext = chacha('01', plaintext)
    const padding = (bytes: Uint8Array) => Buffer.alloc((16 - (bytes.length % 16)) % 16)
    const sizes = Buffer.alloc(16)
    sizes.writeUInt32LE(aad.length, 0)
    sizes.writeUInt32LE(ciphertext.length, 8)
    const input = Buffer.concat([aad, padding(aad), ciphertext, padding(ciphertext), sizes])
    const mac = ['mac', '-macopt', `hexkey:${hex(macKey)}`, 'Poly1305']
    return { ciphertext, tag: fromHex(bench.openssl(mac, input)) }
  }

  test("what is encrypted here is openssl's ChaCha20 and Poly1305, and the reverse opens", async () => {
    const bytes = randomBytes(32)
    const algorithms = ['ChaCha20-Poly1305']
    const shape = { class: 'secret', type: 'ChaCha20', algorithms, uses: both }
    const key = await bench.importKey(bytes, shape, both)
    for (const length of [0, ...lengths]) {
      for (const aad of [Buffer.alloc(0), randomBytes(37)]) {
        const plaintext = randomBytes(length)
        const made = await sealHere(key, plaintext, aad)
        const theirs = seal({ key: bytes, iv: made.iv, aad }, plaintext)
        assert.deepEqual(made, { iv: made.iv, ...theirs })
        const iv = randomBytes(12)
        const other = { iv, ...seal({ key: bytes, iv, aad }, plaintext) }
        await assertOpensHere(key, other, { plaintext, aad })
      }
    }
  })
})

suite('XAES-256-GCM', { timeout: 60_000 }, () => {
  const algorithms = ['XAES-256-GCM']
  const shape = { class: 'secret', type: 'AES-256', algorithms, uses: both }

  /** The key of a nonce: CMAC over one whole block each (C2SP XAES-256-GCM, steps 3 to 7). */
  function derived(key: Uint8Array, nonce: Uint8Array): Buffer {
    const mac = ['mac', '-cipher', 'AES-256-CBC', '-macopt', `hexkey:${hex(key)}`, 'CMAC']
    const halves = [1, 2].map((counter) => {
      const block = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), nonce.subarray(0, 12)])
      return fromHex(bench.openssl(mac, block))
    })
    return Buffer.concat(halves)
  }

  test("openssl cms opens it under the key that openssl's CMAC derives", async () => {
    const [bytes, kek] = [randomBytes(32), randomBytes(32)]
    const key = await bench.importKey(bytes, shape, both)
    for (const length of lengths) {
      const plaintext = randomBytes(length)
      const made = await sealHere(key, plaintext)
      const wrap = ['enc', '-id-aes256-wrap', '-K', hex(kek), '-iv', 'A6A6A6A6A6A6A6A6']
      const wrappedKey = bench.openssl([...wrap, '-e'], derived(bytes, made.iv))
      const sealed = { ...made, bits: 256, wrappedKey, iv: made.iv.subarray(12) }
      assert.deepEqual(open(bench, kek, sealed), plaintext)
      assert.equal(open(bench, kek, { ...sealed, tag: flipped(made.tag) }), undefined)
    }
  })

  test('with associated data node:crypto opens it, and its opens here, under that key', async () => {
    const [bytes, aad] = [randomBytes(32), randomBytes(37)]
    const key = await bench.importKey(bytes, shape, both)
    for (const length of [0, ...lengths]) {
      const plaintext = randomBytes(length)
      const under = (nonce: Uint8Array) => {
        return { key: derived(bytes, nonce), iv: nonce.subarray(12), aad }
      }
      const made = await sealHere(key, plaintext, aad)
      assert.deepEqual(nodeOpen('aes-256-gcm', under(made.iv), made), plaintext)
      const nonce = randomBytes(24)
      const theirs = { ...nodeSeal('aes-256-gcm', under(nonce), plaintext), iv: nonce }
      await assertOpensHere(key, theirs, { plaintext, aad })
    }
  })
})
