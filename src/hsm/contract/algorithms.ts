/**
 * The names: key types, algorithms, and what each may be used for. This is data that both sides of
 * the door know; how an algorithm works is in the module's registry (`../algorithms.ts`), which the
 * compiler holds to exactly these rows. Numbers go into wrapped keys and ciphertexts and are never
 * given out twice. Strengths are security strengths in bits after SP 800-57 part 1 table 2; for
 * ML-KEM and ML-DSA, those of their FIPS 203 and 204 category.
 */

/** What a key may be permitted to do; the position in this list is its bit in a wrapped key. */
export const keyUses = [
  'encrypt',
  'decrypt',
  'sign',
  'verify',
  'mac',
  'verifyMac',
  'wrap',
  'unwrap',
  'derive',
  'agree',
  'encapsulate',
  'decapsulate',
] as const

export type KeyUse = (typeof keyUses)[number]

/** Secret: one key for both sides. Private: a pair, the module holds the private key. Public: the other side's. */
export const keyClasses = ['secret', 'private', 'public'] as const

export type KeyClass = (typeof keyClasses)[number]

export interface KeyType {
  readonly number: number
  readonly family: 'secret' | 'rsa' | 'ec' | 'ed25519' | 'x25519' | 'ml-kem' | 'ml-dsa'
  readonly strengthBits: number
  /** Length of the key in bytes, for secret keys of a fixed length. */
  readonly lengthBytes?: number
  /** What OpenSSL calls the curve or the parameter set. */
  readonly openssl?: string
}

const secret = (number: number, lengthBytes: number): KeyType => ({
  number,
  family: 'secret',
  strengthBits: lengthBytes * 8,
  lengthBytes,
})
const pair = (
  number: number,
  family: KeyType['family'],
  strengthBits: number,
  openssl: string,
): KeyType => ({ number, family, strengthBits, openssl })

export const keyTypes = {
  'AES-128': secret(1, 16),
  'AES-192': secret(2, 24),
  'AES-256': secret(3, 32),
  ChaCha20: secret(4, 32),
  /** PKCS#11's CKK_GENERIC_SECRET: 14 to 512 bytes, for HMAC and derivation. */
  'generic-secret': { number: 5, family: 'secret', strengthBits: 256 },
  'RSA-2048': pair(10, 'rsa', 112, '2048'),
  'RSA-3072': pair(11, 'rsa', 128, '3072'),
  'RSA-4096': pair(12, 'rsa', 128, '4096'),
  'P-256': pair(20, 'ec', 128, 'prime256v1'),
  'P-384': pair(21, 'ec', 192, 'secp384r1'),
  'P-521': pair(22, 'ec', 256, 'secp521r1'),
  secp256k1: pair(23, 'ec', 128, 'secp256k1'),
  brainpoolP256r1: pair(24, 'ec', 128, 'brainpoolP256r1'),
  brainpoolP384r1: pair(25, 'ec', 192, 'brainpoolP384r1'),
  brainpoolP512r1: pair(26, 'ec', 256, 'brainpoolP512r1'),
  Ed25519: pair(30, 'ed25519', 128, 'ed25519'),
  X25519: pair(31, 'x25519', 128, 'x25519'),
  'ML-KEM-512': pair(40, 'ml-kem', 128, 'ml-kem-512'),
  'ML-KEM-768': pair(41, 'ml-kem', 192, 'ml-kem-768'),
  'ML-KEM-1024': pair(42, 'ml-kem', 256, 'ml-kem-1024'),
  'ML-DSA-44': pair(50, 'ml-dsa', 128, 'ml-dsa-44'),
  'ML-DSA-65': pair(51, 'ml-dsa', 192, 'ml-dsa-65'),
  'ML-DSA-87': pair(52, 'ml-dsa', 256, 'ml-dsa-87'),
} as const satisfies Record<string, KeyType>

export type KeyTypeName = keyof typeof keyTypes

export interface AlgorithmRow {
  readonly number: number
  readonly keyTypes: readonly KeyTypeName[]
  readonly uses: readonly KeyUse[]
  /** A key that may use it has no other algorithm. */
  readonly alone?: true
}

const rsa = ['RSA-2048', 'RSA-3072', 'RSA-4096'] as const
const curves = [
  'P-256',
  'P-384',
  'P-521',
  'secp256k1',
  'brainpoolP256r1',
  'brainpoolP384r1',
  'brainpoolP512r1',
] as const
const row = <T extends KeyTypeName, U extends KeyUse>(
  number: number,
  types: readonly T[],
  uses: readonly U[],
) => ({ number, keyTypes: types, uses })
const cipher = <T extends KeyTypeName>(number: number, type: T) =>
  row(number, [type], ['encrypt', 'decrypt'])
/** A mode that does not authenticate: it would undo what an authenticated one under the same key does. */
const plainCipher = <T extends KeyTypeName>(number: number, type: T) =>
  ({ ...cipher(number, type), alone: true }) as const
const keyWrap = <T extends KeyTypeName>(number: number, type: T) =>
  row(number, [type], ['wrap', 'unwrap'])
/** AES-GCM and XAES wrap keys as well as data (SP 800-38F section 3.1 permits it). */
const aead = <T extends KeyTypeName>(number: number, type: T) =>
  row(number, [type], ['encrypt', 'decrypt', 'wrap', 'unwrap'])
const macRow = <T extends KeyTypeName>(number: number, type: T) =>
  row(number, [type], ['mac', 'verifyMac'])
const signature = <T extends KeyTypeName>(number: number, types: readonly T[]) =>
  row(number, types, ['sign', 'verify'])
const kem = <T extends KeyTypeName>(number: number, type: T) =>
  row(number, [type], ['encapsulate', 'decapsulate'])
const derivation = <T extends KeyTypeName>(number: number, types: readonly T[]) =>
  row(number, types, ['derive'])

export const algorithms = {
  'AES-128-GCM': aead(1, 'AES-128'),
  'AES-192-GCM': aead(2, 'AES-192'),
  'AES-256-GCM': aead(3, 'AES-256'),
  'AES-128-CBC-PKCS7': plainCipher(4, 'AES-128'),
  'AES-192-CBC-PKCS7': plainCipher(5, 'AES-192'),
  'AES-256-CBC-PKCS7': plainCipher(6, 'AES-256'),
  'AES-128-CTR': plainCipher(7, 'AES-128'),
  'AES-192-CTR': plainCipher(8, 'AES-192'),
  'AES-256-CTR': plainCipher(9, 'AES-256'),
  'AES-128-KW': keyWrap(10, 'AES-128'),
  'AES-192-KW': keyWrap(11, 'AES-192'),
  'AES-256-KW': keyWrap(12, 'AES-256'),
  'AES-128-KWP': keyWrap(13, 'AES-128'),
  'AES-192-KWP': keyWrap(14, 'AES-192'),
  'AES-256-KWP': keyWrap(15, 'AES-256'),
  'XAES-256-GCM': aead(16, 'AES-256'),
  'ChaCha20-Poly1305': cipher(17, 'ChaCha20'),
  'AES-128-CMAC': macRow(20, 'AES-128'),
  'AES-192-CMAC': macRow(21, 'AES-192'),
  'AES-256-CMAC': macRow(22, 'AES-256'),
  'HMAC-SHA-224': macRow(30, 'generic-secret'),
  'HMAC-SHA-256': macRow(31, 'generic-secret'),
  'HMAC-SHA-384': macRow(32, 'generic-secret'),
  'HMAC-SHA-512': macRow(33, 'generic-secret'),
  'HMAC-SHA-512/224': macRow(34, 'generic-secret'),
  'HMAC-SHA-512/256': macRow(35, 'generic-secret'),
  'HMAC-SHA3-224': macRow(36, 'generic-secret'),
  'HMAC-SHA3-256': macRow(37, 'generic-secret'),
  'HMAC-SHA3-384': macRow(38, 'generic-secret'),
  'HMAC-SHA3-512': macRow(39, 'generic-secret'),
  'RSASSA-PKCS1-v1_5-SHA-256': signature(50, rsa),
  'RSASSA-PKCS1-v1_5-SHA-384': signature(51, rsa),
  'RSASSA-PKCS1-v1_5-SHA-512': signature(52, rsa),
  'RSASSA-PSS-SHA-256': signature(53, rsa),
  'RSASSA-PSS-SHA-384': signature(54, rsa),
  'RSASSA-PSS-SHA-512': signature(55, rsa),
  'RSAES-OAEP-SHA-1': row(60, rsa, ['encrypt', 'decrypt', 'wrap', 'unwrap']),
  'RSAES-OAEP-SHA-256': row(61, rsa, ['encrypt', 'decrypt', 'wrap', 'unwrap']),
  'RSAES-OAEP-SHA-384': row(62, rsa, ['encrypt', 'decrypt', 'wrap', 'unwrap']),
  'RSAES-OAEP-SHA-512': row(63, rsa, ['encrypt', 'decrypt', 'wrap', 'unwrap']),
  'ECDSA-SHA-256': signature(70, curves),
  'ECDSA-SHA-384': signature(71, curves),
  'ECDSA-SHA-512': signature(72, curves),
  'ECDSA-SHA3-256': signature(73, curves),
  'ECDSA-SHA3-384': signature(74, curves),
  'ECDSA-SHA3-512': signature(75, curves),
  Ed25519: signature(80, ['Ed25519']),
  ECDH: row(90, curves, ['agree']),
  X25519: row(91, ['X25519'], ['agree']),
  'ML-KEM-512': kem(100, 'ML-KEM-512'),
  'ML-KEM-768': kem(101, 'ML-KEM-768'),
  'ML-KEM-1024': kem(102, 'ML-KEM-1024'),
  'ML-DSA-44': signature(110, ['ML-DSA-44']),
  'ML-DSA-65': signature(111, ['ML-DSA-65']),
  'ML-DSA-87': signature(112, ['ML-DSA-87']),
  'HKDF-SHA-256': derivation(120, ['generic-secret']),
  'HKDF-SHA-384': derivation(121, ['generic-secret']),
  'HKDF-SHA-512': derivation(122, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-256': derivation(130, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-384': derivation(131, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-512': derivation(132, ['generic-secret']),
  'KDF-COUNTER-CMAC-AES': derivation(133, ['AES-128', 'AES-192', 'AES-256']),
} as const satisfies Record<string, AlgorithmRow>

export type AlgorithmName = keyof typeof algorithms

/** A Map, so that a name such as "constructor" cannot find something inherited. */
const algorithmsByName: ReadonlyMap<string, AlgorithmRow> = new Map(Object.entries(algorithms))
const typesByName: ReadonlyMap<string, KeyType> = new Map(Object.entries(keyTypes))

export function isAlgorithmName(name: unknown): name is AlgorithmName {
  return typeof name === 'string' && algorithmsByName.has(name)
}

export function isKeyTypeName(name: unknown): name is KeyTypeName {
  return typeof name === 'string' && typesByName.has(name)
}

export function isKeyUse(name: unknown): name is KeyUse {
  return keyUses.some((use) => use === name)
}

/** The algorithms that a key of this type can be used with, in the order of the table. */
export function algorithmsOf(type: KeyTypeName): AlgorithmName[] {
  return (Object.entries(algorithms) as [AlgorithmName, AlgorithmRow][])
    .filter(([, { keyTypes }]) => keyTypes.includes(type))
    .map(([name]) => name)
}
