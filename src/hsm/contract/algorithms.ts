/**
 * The names: key types, algorithms, and what each may be used for. This is data that both sides of
 * the door know; how an algorithm works is in the module's registry (`../algorithms.ts`), which the
 * compiler holds to exactly these rows. Numbers go into wrapped keys and ciphertexts and are never
 * given out twice. Strengths are security strengths in bits after SP 800-57 part 1 table 2; for
 * ML-KEM, ML-DSA and SLH-DSA, those of their category in FIPS 203, 204 and 205.
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
  readonly family:
    | 'secret'
    | 'rsa'
    | 'ec'
    | 'ed25519'
    | 'ed448'
    | 'x25519'
    | 'x448'
    | 'ml-kem'
    | 'ml-dsa'
    | 'slh-dsa'
  readonly strengthBits: number
  /** Length of the key in bytes, for secret keys of a fixed length. */
  readonly lengthBytes?: number
  /** What OpenSSL calls the curve or the parameter set. */
  readonly openssl?: string
  /** For what was signed elsewhere and before: only the public key is taken in, and only to verify. */
  readonly publicOnly?: true
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
const slhDsa = (number: number, strengthBits: number, parameterSet: string): KeyType =>
  pair(number, 'slh-dsa', strengthBits, `slh-dsa-${parameterSet}`)

export const keyTypes = {
  'AES-128': secret(1, 16),
  'AES-192': secret(2, 24),
  'AES-256': secret(3, 32),
  ChaCha20: secret(4, 32),
  /** PKCS#11's CKK_GENERIC_SECRET: 14 to 512 bytes, for HMAC and derivation. */
  'generic-secret': { number: 5, family: 'secret', strengthBits: 256 },
  /** The two keys of XTS behind each other, that of the data first (IEEE 1619 section 5.1); never equal. */
  'AES-128-XTS': { number: 6, family: 'secret', strengthBits: 128, lengthBytes: 32 },
  'AES-256-XTS': { number: 7, family: 'secret', strengthBits: 256, lengthBytes: 64 },
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
  'P-224': { ...pair(27, 'ec', 112, 'secp224r1'), publicOnly: true },
  Ed25519: pair(30, 'ed25519', 128, 'ed25519'),
  X25519: pair(31, 'x25519', 128, 'x25519'),
  Ed448: pair(32, 'ed448', 224, 'ed448'),
  X448: pair(33, 'x448', 224, 'x448'),
  'ML-KEM-512': pair(40, 'ml-kem', 128, 'ml-kem-512'),
  'ML-KEM-768': pair(41, 'ml-kem', 192, 'ml-kem-768'),
  'ML-KEM-1024': pair(42, 'ml-kem', 256, 'ml-kem-1024'),
  'ML-DSA-44': pair(50, 'ml-dsa', 128, 'ml-dsa-44'),
  'ML-DSA-65': pair(51, 'ml-dsa', 192, 'ml-dsa-65'),
  'ML-DSA-87': pair(52, 'ml-dsa', 256, 'ml-dsa-87'),
  'SLH-DSA-SHA2-128s': slhDsa(60, 128, 'sha2-128s'),
  'SLH-DSA-SHA2-128f': slhDsa(61, 128, 'sha2-128f'),
  'SLH-DSA-SHA2-192s': slhDsa(62, 192, 'sha2-192s'),
  'SLH-DSA-SHA2-192f': slhDsa(63, 192, 'sha2-192f'),
  'SLH-DSA-SHA2-256s': slhDsa(64, 256, 'sha2-256s'),
  'SLH-DSA-SHA2-256f': slhDsa(65, 256, 'sha2-256f'),
  'SLH-DSA-SHAKE-128s': slhDsa(66, 128, 'shake-128s'),
  'SLH-DSA-SHAKE-128f': slhDsa(67, 128, 'shake-128f'),
  'SLH-DSA-SHAKE-192s': slhDsa(68, 192, 'shake-192s'),
  'SLH-DSA-SHAKE-192f': slhDsa(69, 192, 'shake-192f'),
  'SLH-DSA-SHAKE-256s': slhDsa(70, 256, 'shake-256s'),
  'SLH-DSA-SHAKE-256f': slhDsa(71, 256, 'shake-256f'),
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
const verifiedCurves = [...curves, 'P-224'] as const
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
/**
 * A key made for one message stands before the key that it wraps: with another algorithm it would come in
 * by itself, to decrypt.
 */
const hybridWrap = <T extends KeyTypeName>(number: number, types: readonly T[]) =>
  ({ ...row(number, types, ['wrap', 'unwrap']), alone: true }) as const
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
  'AES-128-CCM': cipher(140, 'AES-128'),
  'AES-192-CCM': cipher(141, 'AES-192'),
  'AES-256-CCM': cipher(142, 'AES-256'),
  'AES-128-XTS': plainCipher(143, 'AES-128-XTS'),
  'AES-256-XTS': plainCipher(144, 'AES-256-XTS'),
  'AES-128-CMAC': macRow(20, 'AES-128'),
  'AES-192-CMAC': macRow(21, 'AES-192'),
  'AES-256-CMAC': macRow(22, 'AES-256'),
  /** For what others made before: nothing new (SP 800-131A revision 2 section 10). */
  'HMAC-SHA-1': row(40, ['generic-secret'], ['verifyMac']),
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
  'RSA-AES-KEY-WRAP-SHA-256': hybridWrap(64, rsa),
  'RSA-AES-KEY-WRAP-SHA-384': hybridWrap(65, rsa),
  'RSA-AES-KEY-WRAP-SHA-512': hybridWrap(66, rsa),
  'ECDSA-SHA-256': signature(70, verifiedCurves),
  'ECDSA-SHA-384': signature(71, verifiedCurves),
  'ECDSA-SHA-512': signature(72, verifiedCurves),
  'ECDSA-SHA3-256': signature(73, verifiedCurves),
  'ECDSA-SHA3-384': signature(74, verifiedCurves),
  'ECDSA-SHA3-512': signature(75, verifiedCurves),
  /** For P-224, which is signed with it; no curve signs with it here. */
  'ECDSA-SHA-224': row(76, ['P-224'], ['verify']),
  Ed25519: signature(80, ['Ed25519']),
  Ed448: signature(81, ['Ed448']),
  ECDH: row(90, curves, ['agree']),
  X25519: row(91, ['X25519'], ['agree']),
  X448: row(92, ['X448'], ['agree']),
  'HPKE-P-256-HKDF-SHA-256-AES-128-GCM': keyWrap(180, 'P-256'),
  'HPKE-P-384-HKDF-SHA-384-AES-256-GCM': keyWrap(181, 'P-384'),
  'HPKE-P-521-HKDF-SHA-512-AES-256-GCM': keyWrap(182, 'P-521'),
  'HPKE-X25519-HKDF-SHA-256-AES-128-GCM': keyWrap(183, 'X25519'),
  'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305': keyWrap(184, 'X25519'),
  'HPKE-X448-HKDF-SHA-512-AES-256-GCM': keyWrap(185, 'X448'),
  'ML-KEM-512': kem(100, 'ML-KEM-512'),
  'ML-KEM-768': kem(101, 'ML-KEM-768'),
  'ML-KEM-1024': kem(102, 'ML-KEM-1024'),
  'ML-DSA-44': signature(110, ['ML-DSA-44']),
  'ML-DSA-65': signature(111, ['ML-DSA-65']),
  'ML-DSA-87': signature(112, ['ML-DSA-87']),
  'SLH-DSA-SHA2-128s': signature(150, ['SLH-DSA-SHA2-128s']),
  'SLH-DSA-SHA2-128f': signature(151, ['SLH-DSA-SHA2-128f']),
  'SLH-DSA-SHA2-192s': signature(152, ['SLH-DSA-SHA2-192s']),
  'SLH-DSA-SHA2-192f': signature(153, ['SLH-DSA-SHA2-192f']),
  'SLH-DSA-SHA2-256s': signature(154, ['SLH-DSA-SHA2-256s']),
  'SLH-DSA-SHA2-256f': signature(155, ['SLH-DSA-SHA2-256f']),
  'SLH-DSA-SHAKE-128s': signature(156, ['SLH-DSA-SHAKE-128s']),
  'SLH-DSA-SHAKE-128f': signature(157, ['SLH-DSA-SHAKE-128f']),
  'SLH-DSA-SHAKE-192s': signature(158, ['SLH-DSA-SHAKE-192s']),
  'SLH-DSA-SHAKE-192f': signature(159, ['SLH-DSA-SHAKE-192f']),
  'SLH-DSA-SHAKE-256s': signature(160, ['SLH-DSA-SHAKE-256s']),
  'SLH-DSA-SHAKE-256f': signature(161, ['SLH-DSA-SHAKE-256f']),
  'HKDF-SHA-256': derivation(120, ['generic-secret']),
  'HKDF-SHA-384': derivation(121, ['generic-secret']),
  'HKDF-SHA-512': derivation(122, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-256': derivation(130, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-384': derivation(131, ['generic-secret']),
  'KDF-COUNTER-HMAC-SHA-512': derivation(132, ['generic-secret']),
  'KDF-COUNTER-CMAC-AES': derivation(133, ['AES-128', 'AES-192', 'AES-256']),
  'PBKDF2-HMAC-SHA-256': derivation(170, ['generic-secret']),
  'PBKDF2-HMAC-SHA-384': derivation(171, ['generic-secret']),
  'PBKDF2-HMAC-SHA-512': derivation(172, ['generic-secret']),
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
