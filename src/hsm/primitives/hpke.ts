/**
 * HPKE in base mode (RFC 9180) for keys: one message to one public key, `enc || ciphertext`, where enc is the
 * ephemeral public key. Key schedule and KEM of a row have the same hash. What commands wrap has empty
 * info and associated data; published answers have some.
 *
 * The one block that HKDF-Expand needs here is HMAC itself: nothing is longer than the hash.
 */

import { createHmac } from 'node:crypto'
import type { KeyTypeName } from '../contract/algorithms.ts'
import { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import { open, seal, tagBytes } from './aead.ts'
import { agree } from './ecdh.ts'
import { ciphertextInvalid, type Implementation, type Wrapped } from './implementation.ts'

/** RFC 9180 section 7.1: DHKEM, and the HKDF of section 7.2 with its hash. */
const kems = {
  'P-256': { id: 0x0010, kdf: 0x0001, hash: 'sha256', publicBytes: 65 },
  'P-384': { id: 0x0011, kdf: 0x0002, hash: 'sha384', publicBytes: 97 },
  'P-521': { id: 0x0012, kdf: 0x0003, hash: 'sha512', publicBytes: 133 },
  X25519: { id: 0x0020, kdf: 0x0001, hash: 'sha256', publicBytes: 32 },
  X448: { id: 0x0021, kdf: 0x0003, hash: 'sha512', publicBytes: 56 },
} as const satisfies Partial<Record<KeyTypeName, object>>

/** Section 7.3. */
const aeads = {
  'aes-128-gcm': { id: 0x0001, keyBytes: 16 },
  'aes-256-gcm': { id: 0x0002, keyBytes: 32 },
  'chacha20-poly1305': { id: 0x0003, keyBytes: 32 },
} as const

export type HpkeKem = keyof typeof kems
export type HpkeAead = keyof typeof aeads

const nonceBytes = 12
const modeBase = 0
const version = Buffer.from('HPKE-v1')
const none = new Uint8Array()

interface Suite {
  readonly kem: (typeof kems)[HpkeKem]
  readonly aead: HpkeAead
}

/** What published answers have besides. */
interface Published extends Pick<Wrapped, 'info' | 'aad'> {
  /** Disposed of here. */
  readonly ephemeral?: KeyMaterial
}

export function hpke(kem: HpkeKem, aead: HpkeAead) {
  const suite = { kem: kems[kem], aead }
  return {
    wrap: async (key: KeyMaterial, keyBytes: Secret, published: Published = {}) => {
      // Before anything is waited for: a key that is unloaded meanwhile is gone.
      const spki = key.publicSpki()
      using ephemeral = published.ephemeral ?? (await KeyMaterial.generate(kem))
      return { iv: none, ciphertext: await sealFrom(ephemeral, suite, spki, keyBytes, published) }
    },
    unwrap: (key: KeyMaterial, wrapped: Wrapped) => openWith(suite, key, wrapped),
  } satisfies Implementation
}

async function sealFrom(
  ephemeral: KeyMaterial,
  suite: Suite,
  spki: Uint8Array,
  keyBytes: Secret,
  { info = none, aad = none }: Published,
): Promise<Uint8Array> {
  const enc = rawPublic(suite, ephemeral.publicSpki())
  using dh = await agree(ephemeral, spki)
  using shared = sharedSecret(suite, dh, Buffer.concat([enc, rawPublic(suite, spki)]))
  using key = contentKey(suite, shared, info)
  const { nonce: iv, secret } = key
  const ciphertext = secret.expose((exposed) =>
    keyBytes.expose((bytes) => seal({ cipher: suite.aead, key: exposed, iv, aad }, bytes)),
  )
  return Buffer.concat([enc, ciphertext])
}

async function openWith(
  suite: Suite,
  recipient: KeyMaterial,
  { iv: given, ciphertext, info = none, aad = none }: Wrapped,
): Promise<Secret> {
  const { publicBytes } = suite.kem
  if (given.length > 0 || ciphertext.length < publicBytes + tagBytes) throw ciphertextInvalid()
  const enc = ciphertext.subarray(0, publicBytes)
  const own = recipient.publicSpki()
  // The same curve, and another point at the end of it.
  const theirs = Buffer.concat([own.subarray(0, own.length - publicBytes), enc])
  using dh = await agreeOrInvalid(recipient, theirs)
  using shared = sharedSecret(suite, dh, Buffer.concat([enc, rawPublic(suite, own)]))
  using key = contentKey(suite, shared, info)
  const { nonce: iv, secret } = key
  return secret.expose((exposed) => {
    const call = { cipher: suite.aead, key: exposed, iv, aad }
    return new Secret(open(call, ciphertext.subarray(publicBytes)))
  })
}

async function agreeOrInvalid(key: KeyMaterial, spki: Uint8Array): Promise<Secret> {
  try {
    return await agree(key, spki)
  } catch (cause) {
    throw ciphertextInvalid(cause)
  }
}

/** SerializePublicKey of section 7.1.1: what stands at the end of SubjectPublicKeyInfo. */
function rawPublic({ kem }: Suite, spki: Uint8Array): Uint8Array {
  return spki.subarray(spki.length - kem.publicBytes)
}

/** ExtractAndExpand of section 4.1. */
function sharedSecret({ kem }: Suite, dh: Secret, kemContext: Uint8Array): Secret {
  const labels = { hash: kem.hash, suiteId: Buffer.concat([Buffer.from('KEM'), u16(kem.id)]) }
  using prk = dh.expose((bytes) => new Secret(extract(labels, none, 'eae_prk', bytes)))
  return new Secret(expand(labels, prk, 'shared_secret', kemContext))
}

interface ContentKey extends Disposable {
  readonly secret: Secret
  readonly nonce: Uint8Array
}

/** KeySchedule of section 5.1 in mode_base, whose psk and psk_id are empty. */
function contentKey({ kem, aead }: Suite, shared: Secret, info: Uint8Array): ContentKey {
  const { id, keyBytes } = aeads[aead]
  const ids = [u16(kem.id), u16(kem.kdf), u16(id)]
  const labels = { hash: kem.hash, suiteId: Buffer.concat([Buffer.from('HPKE'), ...ids]) }
  const hashes = [
    extract(labels, none, 'psk_id_hash', none),
    extract(labels, none, 'info_hash', info),
  ]
  const context = Buffer.concat([Buffer.from([modeBase]), ...hashes])
  using prk = shared.expose((bytes) => new Secret(extract(labels, bytes, 'secret', none)))
  const nonce = expand(labels, prk, 'base_nonce', context, nonceBytes)
  const secret = new Secret(expand(labels, prk, 'key', context, keyBytes))
  return { secret, nonce, [Symbol.dispose]: () => secret[Symbol.dispose]() }
}

interface Labels {
  readonly hash: string
  readonly suiteId: Uint8Array
}

/** LabeledExtract of section 4. */
function extract({ hash, suiteId }: Labels, salt: Uint8Array, label: string, ikm: Uint8Array) {
  const hmac = createHmac(hash, salt).update(version).update(suiteId)
  return hmac.update(label).update(ikm).digest()
}

/**
 * LabeledExpand of section 4: the beginning of its first block.
 * @param lengthBytes at most, and when left out, the length of the hash
 */
function expand(
  { hash, suiteId }: Labels,
  prk: Secret,
  label: string,
  info: Uint8Array,
  lengthBytes = prk.length,
): Uint8Array {
  const hmac = prk.expose((bytes) => createHmac(hash, bytes))
  hmac.update(u16(lengthBytes)).update(version).update(suiteId).update(label)
  const block = hmac
    .update(info)
    .update(Buffer.from([1]))
    .digest()
  block.fill(0, lengthBytes)
  return block.subarray(0, lengthBytes)
}

function u16(number: number): Buffer {
  return Buffer.from([number >> 8, number & 0xff])
}
