/**
 * Which algorithms and types of key are approved: what SP 800-140C and 800-140D list, in the state of
 * SP 800-131A revision 2. Both tables are total, so that a new row of the registry says what it is. An
 * approval is a property of a key, never of a mode of the module (FIPS 140-3 IG 2.4.C): a key is approved
 * when its type, all of its algorithms and the origin of its IVs are.
 *
 * - approved: for all uses that its row in the contract has.
 * - legacy: for what was protected before, that is to verify, decrypt or unwrap (SP 800-131A section 1.2.2).
 * - not-approved: works, and is marked so.
 *
 * HPKE is in neither list: its KEM and its labels are none of SP 800-56A and 800-56C.
 * OAEP is approved as key transport (SP 800-56B revision 2 section 7.2.2); a key that encrypts with it is
 * taken to encrypt keys. ECDH is the primitive of SP 800-56A, whose KDF is the caller's or `deriveKey`.
 */

import {
  type AlgorithmName,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
} from './contract/algorithms.ts'
import type { KeyTemplate } from './contract/keys.ts'

export type Approval = 'approved' | 'legacy' | 'not-approved'

export const approvalOfAlgorithm: { readonly [name in AlgorithmName]: Approval } = {
  'AES-128-GCM': 'approved',
  'AES-192-GCM': 'approved',
  'AES-256-GCM': 'approved',
  'AES-128-CBC-PKCS7': 'approved',
  'AES-192-CBC-PKCS7': 'approved',
  'AES-256-CBC-PKCS7': 'approved',
  'AES-128-CTR': 'approved',
  'AES-192-CTR': 'approved',
  'AES-256-CTR': 'approved',
  'AES-128-KW': 'approved',
  'AES-192-KW': 'approved',
  'AES-256-KW': 'approved',
  'AES-128-KWP': 'approved',
  'AES-192-KWP': 'approved',
  'AES-256-KWP': 'approved',
  'XAES-256-GCM': 'not-approved',
  'ChaCha20-Poly1305': 'not-approved',
  'AES-128-CCM': 'approved',
  'AES-192-CCM': 'approved',
  'AES-256-CCM': 'approved',
  // For storage alone (SP 800-38E).
  'AES-128-XTS': 'approved',
  'AES-256-XTS': 'approved',
  'AES-128-CMAC': 'approved',
  'AES-192-CMAC': 'approved',
  'AES-256-CMAC': 'approved',
  'HMAC-SHA-1': 'legacy',
  'HMAC-SHA-224': 'approved',
  'HMAC-SHA-256': 'approved',
  'HMAC-SHA-384': 'approved',
  'HMAC-SHA-512': 'approved',
  'HMAC-SHA-512/224': 'approved',
  'HMAC-SHA-512/256': 'approved',
  'HMAC-SHA3-224': 'approved',
  'HMAC-SHA3-256': 'approved',
  'HMAC-SHA3-384': 'approved',
  'HMAC-SHA3-512': 'approved',
  'RSASSA-PKCS1-v1_5-SHA-256': 'approved',
  'RSASSA-PKCS1-v1_5-SHA-384': 'approved',
  'RSASSA-PKCS1-v1_5-SHA-512': 'approved',
  'RSASSA-PSS-SHA-256': 'approved',
  'RSASSA-PSS-SHA-384': 'approved',
  'RSASSA-PSS-SHA-512': 'approved',
  // SHA-1 goes away at the end of 2030, here as everywhere.
  'RSAES-OAEP-SHA-1': 'legacy',
  'RSAES-OAEP-SHA-256': 'approved',
  'RSAES-OAEP-SHA-384': 'approved',
  'RSAES-OAEP-SHA-512': 'approved',
  'RSA-AES-KEY-WRAP-SHA-256': 'approved',
  'RSA-AES-KEY-WRAP-SHA-384': 'approved',
  'RSA-AES-KEY-WRAP-SHA-512': 'approved',
  'ECDSA-SHA-256': 'approved',
  'ECDSA-SHA-384': 'approved',
  'ECDSA-SHA-512': 'approved',
  'ECDSA-SHA3-256': 'approved',
  'ECDSA-SHA3-384': 'approved',
  'ECDSA-SHA3-512': 'approved',
  'ECDSA-SHA-224': 'legacy',
  Ed25519: 'approved',
  Ed448: 'approved',
  ECDH: 'approved',
  X25519: 'not-approved',
  X448: 'not-approved',
  'HPKE-P-256-HKDF-SHA-256-AES-128-GCM': 'not-approved',
  'HPKE-P-384-HKDF-SHA-384-AES-256-GCM': 'not-approved',
  'HPKE-P-521-HKDF-SHA-512-AES-256-GCM': 'not-approved',
  'HPKE-X25519-HKDF-SHA-256-AES-128-GCM': 'not-approved',
  'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305': 'not-approved',
  'HPKE-X448-HKDF-SHA-512-AES-256-GCM': 'not-approved',
  'ML-KEM-512': 'approved',
  'ML-KEM-768': 'approved',
  'ML-KEM-1024': 'approved',
  'ML-DSA-44': 'approved',
  'ML-DSA-65': 'approved',
  'ML-DSA-87': 'approved',
  'SLH-DSA-SHA2-128s': 'approved',
  'SLH-DSA-SHA2-128f': 'approved',
  'SLH-DSA-SHA2-192s': 'approved',
  'SLH-DSA-SHA2-192f': 'approved',
  'SLH-DSA-SHA2-256s': 'approved',
  'SLH-DSA-SHA2-256f': 'approved',
  'SLH-DSA-SHAKE-128s': 'approved',
  'SLH-DSA-SHAKE-128f': 'approved',
  'SLH-DSA-SHAKE-192s': 'approved',
  'SLH-DSA-SHAKE-192f': 'approved',
  'SLH-DSA-SHAKE-256s': 'approved',
  'SLH-DSA-SHAKE-256f': 'approved',
  'HKDF-SHA-256': 'approved',
  'HKDF-SHA-384': 'approved',
  'HKDF-SHA-512': 'approved',
  'KDF-COUNTER-HMAC-SHA-256': 'approved',
  'KDF-COUNTER-HMAC-SHA-384': 'approved',
  'KDF-COUNTER-HMAC-SHA-512': 'approved',
  'KDF-COUNTER-CMAC-AES': 'approved',
  // Keys for storage alone (SP 800-132 section 4).
  'PBKDF2-HMAC-SHA-256': 'approved',
  'PBKDF2-HMAC-SHA-384': 'approved',
  'PBKDF2-HMAC-SHA-512': 'approved',
}

/** Curves: SP 800-186 section 2.1.2 and appendix H, which list secp256k1 and brainpool for interoperation alone. */
export const approvalOfKeyType: { readonly [name in KeyTypeName]: Approval } = {
  'AES-128': 'approved',
  'AES-192': 'approved',
  'AES-256': 'approved',
  ChaCha20: 'not-approved',
  'generic-secret': 'approved',
  'AES-128-XTS': 'approved',
  'AES-256-XTS': 'approved',
  'RSA-2048': 'approved',
  'RSA-3072': 'approved',
  'RSA-4096': 'approved',
  'P-256': 'approved',
  'P-384': 'approved',
  'P-521': 'approved',
  secp256k1: 'not-approved',
  brainpoolP256r1: 'not-approved',
  brainpoolP384r1: 'not-approved',
  brainpoolP512r1: 'not-approved',
  'P-224': 'legacy',
  Ed25519: 'approved',
  X25519: 'not-approved',
  Ed448: 'approved',
  X448: 'not-approved',
  'ML-KEM-512': 'approved',
  'ML-KEM-768': 'approved',
  'ML-KEM-1024': 'approved',
  'ML-DSA-44': 'approved',
  'ML-DSA-65': 'approved',
  'ML-DSA-87': 'approved',
  'SLH-DSA-SHA2-128s': 'approved',
  'SLH-DSA-SHA2-128f': 'approved',
  'SLH-DSA-SHA2-192s': 'approved',
  'SLH-DSA-SHA2-192f': 'approved',
  'SLH-DSA-SHA2-256s': 'approved',
  'SLH-DSA-SHA2-256f': 'approved',
  'SLH-DSA-SHAKE-128s': 'approved',
  'SLH-DSA-SHAKE-128f': 'approved',
  'SLH-DSA-SHAKE-192s': 'approved',
  'SLH-DSA-SHAKE-192f': 'approved',
  'SLH-DSA-SHAKE-256s': 'approved',
  'SLH-DSA-SHAKE-256f': 'approved',
}

/** Uses that apply protection; every other one processes what is protected (SP 800-57 part 1, 5.6.3). */
const protectingUses: readonly KeyUse[] = [
  'encrypt',
  'sign',
  'mac',
  'wrap',
  'derive',
  'agree',
  'encapsulate',
]

/** What decides over a key's approval and strength; a template and a key's attributes both have it. */
export type KeyProperties = Pick<KeyTemplate, 'type' | 'algorithms' | 'uses' | 'externalIv'>

/** Whether the key does more than to process what was protected before. */
export function protects({ uses }: Pick<KeyProperties, 'uses'>): boolean {
  return uses.some((use) => protectingUses.includes(use))
}

/** Whether every use that the key has is an approved one. */
export function isApproved(key: KeyProperties): boolean {
  const approvals = [approvalOfKeyType[key.type], ...key.algorithms.map(approval)]
  if (approvals.includes('not-approved')) return false
  return !(protects(key) && (key.externalIv || approvals.includes('legacy')))
}

/**
 * Security strength of a key in bits (SP 800-57 part 1 section 5.6.1); a secret is as strong as it is long.
 * @param lengthBytes of a generic secret; ignored for every other type
 */
export function strengthBits(type: KeyTypeName, lengthBytes: number): number {
  const bits: number = keyTypes[type].strengthBits
  return type === 'generic-secret' ? Math.min(bits, lengthBytes * 8) : bits
}

function approval(name: AlgorithmName): Approval {
  return approvalOfAlgorithm[name]
}
