/**
 * What is signed when the message was hashed elsewhere, and how OpenSSL is told: the parameters of
 * EVP_PKEY_sign_init_ex and EVP_PKEY_sign_message_init (EVP_SIGNATURE-ECDSA(7), -RSA(7), -ML-DSA(7)).
 */

/** Hashes as OpenSSL and node:crypto name them. */
export type SignatureHash =
  | 'sha224'
  | 'sha256'
  | 'sha384'
  | 'sha512'
  | 'sha3-256'
  | 'sha3-384'
  | 'sha3-512'

/**
 * What is signed: a digest of the named hash, or ML-DSA's mu of 64 bytes. `ml-dsa` and `slh-dsa` over a
 * message are here for known answers: node:crypto has them, but only hedged.
 */
export type DigestScheme =
  | { readonly scheme: 'ecdsa'; readonly hash: SignatureHash }
  | { readonly scheme: 'rsa-pkcs1' | 'rsa-pss'; readonly hash: SignatureHash }
  | { readonly scheme: 'ml-dsa-mu' }
  | { readonly scheme: 'ml-dsa' | 'slh-dsa'; readonly context: Uint8Array }

export function schemeParameters(scheme: DigestScheme, deterministic: boolean): Parameter[] {
  switch (scheme.scheme) {
    case 'ecdsa':
      // Without the name of a hash OpenSSL takes a digest of any length, its leftmost bits.
      return deterministic ? [text('digest', scheme.hash), unsigned('nonce-type')] : []
    case 'rsa-pkcs1':
      return [text('pad-mode', 'pkcs1'), text('digest', scheme.hash)]
    case 'rsa-pss':
      return [
        text('pad-mode', 'pss'),
        text('digest', scheme.hash),
        text('mgf1-digest', scheme.hash),
        text('saltlen', 'digest'),
      ]
    case 'ml-dsa-mu':
      return [integer('mu'), ...(deterministic ? [integer('deterministic')] : [])]
    case 'ml-dsa':
    case 'slh-dsa':
      return [
        octets('context-string', scheme.context),
        ...(deterministic ? [integer('deterministic')] : []),
      ]
  }
}

/** Whether it is begun as a signature over a message. */
export function isOverMessage({ scheme }: DigestScheme): boolean {
  return scheme.startsWith('ml-dsa') || scheme === 'slh-dsa'
}

/** What OpenSSL calls the keys of the scheme, where it would take others without complaint. */
export function keyNameOf({ scheme }: DigestScheme): 'EC' | 'RSA' | undefined {
  if (scheme === 'ecdsa') return 'EC'
  return scheme.startsWith('rsa-') ? 'RSA' : undefined
}

/** An OSSL_PARAM before it has an address. */
export interface Parameter {
  readonly name: string
  /** INTEGER, UNSIGNED_INTEGER, UTF8_STRING or OCTET_STRING (openssl/core.h). */
  readonly type: 1 | 2 | 4 | 5
  readonly bytes: Uint8Array
}

const integerOne = Buffer.from([1, 0, 0, 0])
const text = (name: string, value: string): Parameter => ({
  name,
  type: 4,
  bytes: Buffer.from(value),
})
export const octets = (name: string, bytes: Uint8Array): Parameter => ({ name, type: 5, bytes })
const integer = (name: string): Parameter => ({ name, type: 1, bytes: integerOne })
const unsigned = (name: string): Parameter => ({ name, type: 2, bytes: integerOne })
