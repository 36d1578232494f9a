/**
 * Sealing a secret to a module's transport key, from outside: X-Wing (X25519 with ML-KEM-768,
 * draft-connolly-cfrg-xwing-kem) and then AES-256-GCM under a key that is used once. What is sealed
 * binds its purpose, so that an imported key cannot be passed off as a passphrase, and what the purpose
 * says stands around it (a challenge, the header of a share).
 *
 *   0x01 || ML-KEM-768 ciphertext (1088) || X25519 public key (32) || GCM ciphertext || tag (16)
 */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createPublicKey,
  diffieHellman,
  encapsulate,
  generateKeyPairSync,
  hkdfSync,
  type KeyObject,
} from 'node:crypto'
import { HsmError } from './errors.ts'
import { secretMemory } from './secret-memory.ts'

/** ML-KEM-768 encapsulation key, then X25519 public key. */
export const transportPublicKeyBytes = 1184 + 32
const kemCiphertextBytes = 1088
export const transportOverheadBytes = 1 + kemCiphertextBytes + 32 + 16
export type TransportPurpose =
  | 'import key'
  | 'seal secret'
  | 'custodian passphrases'
  | 'custodian share'
  | 'offered share'
  | 'login'
const noContext = new Uint8Array()

const xWingLabel = Buffer.from([0x5c, 0x2e, 0x2f, 0x2f, 0x5e, 0x5c])

export interface XWingShares {
  readonly mlKem: Uint8Array
  readonly x25519: Uint8Array
  readonly x25519Ciphertext: Uint8Array
  readonly x25519PublicKey: Uint8Array
}

/** X-Wing's combiner: SHA3-256(ss_M || ss_X || ct_X || pk_X || label). */
export function xWingSecret(shares: XWingShares): Buffer {
  return createHash('sha3-256')
    .update(shares.mlKem)
    .update(shares.x25519)
    .update(shares.x25519Ciphertext)
    .update(shares.x25519PublicKey)
    .update(xWingLabel)
    .digest()
}

/** @throws HsmError ARGUMENT_INVALID when the public key is not one of a module */
export function sealToTransportKey(
  publicKey: Uint8Array,
  purpose: TransportPurpose,
  secret: Uint8Array,
  context: Uint8Array = noContext,
): Buffer {
  if (publicKey.length !== transportPublicKeyBytes) {
    throw new HsmError('ARGUMENT_INVALID', 'not a transport key')
  }
  const mlKemPublic = createPublicKey({
    key: Buffer.from(publicKey.subarray(0, 1184)),
    format: 'raw-public',
    asymmetricKeyType: 'ml-kem-768',
  })
  const x25519PublicKey = publicKey.subarray(1184)
  const { sharedKey, ciphertext } = encapsulate(mlKemPublic)
  const ephemeral = generateKeyPairSync('x25519')
  const x25519Ciphertext = rawX25519(ephemeral.publicKey)
  const agreed = diffieHellman({
    privateKey: ephemeral.privateKey,
    publicKey: x25519FromRaw(x25519PublicKey),
  })
  const shared = xWingSecret({
    mlKem: sharedKey,
    x25519: agreed,
    x25519Ciphertext,
    x25519PublicKey,
  })
  const key = contentKey(shared, purpose)
  const cipher = createCipheriv('aes-256-gcm', key, Buffer.alloc(12))
  if (context.length > 0) cipher.setAAD(context)
  const sealed = Buffer.concat([
    Buffer.from([1]),
    ciphertext,
    x25519Ciphertext,
    cipher.update(secret),
    cipher.final(),
    cipher.getAuthTag(),
  ])
  for (const bytes of [sharedKey, agreed, shared, key]) bytes.fill(0)
  return sealed
}

/** How the module opens what was sealed: the KEM's two halves are its own. @throws HsmError CIPHERTEXT_INVALID */
export function openSealed(
  sealed: Uint8Array,
  purpose: TransportPurpose,
  decapsulate: (mlKemCiphertext: Uint8Array, x25519Ciphertext: Uint8Array) => Buffer,
  context: Uint8Array = noContext,
): Buffer {
  if (sealed.length < transportOverheadBytes || sealed[0] !== 1) throw invalid()
  const mlKemCiphertext = sealed.subarray(1, 1 + kemCiphertextBytes)
  const x25519Ciphertext = sealed.subarray(1 + kemCiphertextBytes, 1 + kemCiphertextBytes + 32)
  const body = sealed.subarray(1 + kemCiphertextBytes + 32)
  let shared: Buffer
  try {
    shared = decapsulate(mlKemCiphertext, x25519Ciphertext)
  } catch (cause) {
    throw new HsmError('CIPHERTEXT_INVALID', 'not sealed to this module', { cause })
  }
  const key = contentKey(shared, purpose)
  const decipher = createDecipheriv('aes-256-gcm', key, Buffer.alloc(12))
  if (context.length > 0) decipher.setAAD(context)
  shared.fill(0)
  key.fill(0)
  const opened = secretMemory(body.length - 16)
  decipher.setAuthTag(body.subarray(body.length - 16))
  const piece = decipher.update(body.subarray(0, body.length - 16))
  opened.set(piece)
  piece.fill(0)
  try {
    decipher.final()
  } catch (cause) {
    opened.fill(0)
    throw new HsmError('CIPHERTEXT_INVALID', 'not sealed to this module', { cause })
  }
  return opened
}

/** The 32 bytes of an X25519 public key, and back (RFC 8037). */
export function rawX25519(key: KeyObject): Buffer {
  return Buffer.from(String(key.export({ format: 'jwk' }).x), 'base64url')
}

export function x25519FromRaw(bytes: Uint8Array): KeyObject {
  const x = Buffer.from(bytes).toString('base64url')
  return createPublicKey({ key: { kty: 'OKP', crv: 'X25519', x }, format: 'jwk' })
}

function contentKey(shared: Uint8Array, purpose: TransportPurpose): Buffer {
  return Buffer.from(
    hkdfSync('sha256', shared, new Uint8Array(), `keyhold transport v1 ${purpose}`, 32),
  )
}

function invalid(): HsmError {
  return new HsmError('CIPHERTEXT_INVALID', 'not sealed to this module')
}
