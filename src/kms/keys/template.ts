/**
 * What a new key is when its maker leaves something out: a type alone gets the algorithm that its
 * kind is best known for, uses alone get the algorithms that can do them, algorithms alone the uses
 * that they have. From security level 2 what is best known is what is approved. Nothing is added to what was asked for: least privilege is the default.
 */

import {
  type AlgorithmName,
  algorithms as algorithmRows,
  algorithmsOf,
  isAlgorithmName,
  isKeyTypeName,
  isKeyUse,
  type KeyClass,
  type KeyTypeName,
  type KeyUse,
  keyUses,
} from '../../hsm/contract/algorithms.ts'
import type { KeyTemplate } from '../../hsm/contract/keys.ts'
import { KmsError } from '../errors.ts'

/** What the maker of a key may say about what it can do. */
export interface KeyShape {
  /** AES-256 when left out. */
  readonly type?: KeyTypeName | undefined
  readonly algorithms?: readonly AlgorithmName[] | undefined
  readonly uses?: readonly KeyUse[] | undefined
  readonly exportable?: boolean | undefined
  readonly externalIv?: boolean | undefined
  readonly plaintextRelease?: boolean | undefined
  /** Milliseconds since 1970. */
  readonly notBefore?: number | undefined
  readonly notAfter?: number | undefined
  /** People of the domain who have to sign each use. */
  readonly approvals?: number | undefined
  /** A use of it is a tamper signal. */
  readonly canary?: boolean | undefined
  /** How often each version may be used; no limit when left out. */
  readonly usesMax?: number | undefined
  /** Of a generic secret: 32 when left out. */
  readonly lengthBytes?: number | undefined
}

export const typeDefault: KeyTypeName = 'AES-256'
const secretBytesDefault = 32

const rsa = ['RSASSA-PSS-SHA-256', 'RSAES-OAEP-SHA-256'] as const

/** The algorithms that stand first; the rest follow in the order of the table. */
const preferred: Readonly<Record<KeyTypeName, readonly AlgorithmName[]>> = {
  'AES-128': ['AES-128-GCM', 'AES-128-CMAC'],
  'AES-192': ['AES-192-GCM', 'AES-192-CMAC'],
  'AES-256': ['XAES-256-GCM', 'AES-256-CMAC'],
  ChaCha20: ['ChaCha20-Poly1305'],
  'generic-secret': ['HMAC-SHA-256', 'HKDF-SHA-256'],
  'AES-128-XTS': ['AES-128-XTS'],
  'AES-256-XTS': ['AES-256-XTS'],
  'RSA-2048': rsa,
  'RSA-3072': rsa,
  'RSA-4096': rsa,
  'P-256': ['ECDSA-SHA-256', 'ECDH'],
  'P-384': ['ECDSA-SHA-384', 'ECDH'],
  'P-521': ['ECDSA-SHA-512', 'ECDH'],
  secp256k1: ['ECDSA-SHA-256', 'ECDH'],
  brainpoolP256r1: ['ECDSA-SHA-256', 'ECDH'],
  brainpoolP384r1: ['ECDSA-SHA-384', 'ECDH'],
  brainpoolP512r1: ['ECDSA-SHA-512', 'ECDH'],
  'P-224': ['ECDSA-SHA-224'],
  Ed25519: ['Ed25519'],
  X25519: ['X25519'],
  Ed448: ['Ed448'],
  X448: ['X448'],
  'ML-KEM-512': ['ML-KEM-512'],
  'ML-KEM-768': ['ML-KEM-768'],
  'ML-KEM-1024': ['ML-KEM-1024'],
  'ML-DSA-44': ['ML-DSA-44'],
  'ML-DSA-65': ['ML-DSA-65'],
  'ML-DSA-87': ['ML-DSA-87'],
  'SLH-DSA-SHA2-128s': ['SLH-DSA-SHA2-128s'],
  'SLH-DSA-SHA2-128f': ['SLH-DSA-SHA2-128f'],
  'SLH-DSA-SHA2-192s': ['SLH-DSA-SHA2-192s'],
  'SLH-DSA-SHA2-192f': ['SLH-DSA-SHA2-192f'],
  'SLH-DSA-SHA2-256s': ['SLH-DSA-SHA2-256s'],
  'SLH-DSA-SHA2-256f': ['SLH-DSA-SHA2-256f'],
  'SLH-DSA-SHAKE-128s': ['SLH-DSA-SHAKE-128s'],
  'SLH-DSA-SHAKE-128f': ['SLH-DSA-SHAKE-128f'],
  'SLH-DSA-SHAKE-192s': ['SLH-DSA-SHAKE-192s'],
  'SLH-DSA-SHAKE-192f': ['SLH-DSA-SHAKE-192f'],
  'SLH-DSA-SHAKE-256s': ['SLH-DSA-SHAKE-256s'],
  'SLH-DSA-SHAKE-256f': ['SLH-DSA-SHAKE-256f'],
}

/** Where what stands first above is not approved, and the type has something that is. */
const preferredApproved: typeof preferred = {
  ...preferred,
  'AES-256': ['AES-256-GCM', 'AES-256-CMAC'],
}

/** Whether it takes the security level to say what a key is. */
export function dependsOnLevel({ type = typeDefault, algorithms }: KeyShape): boolean {
  return algorithms === undefined && preferred[type] !== preferredApproved[type]
}

/** What the other side's public key can do. */
const publicUses: readonly KeyUse[] = ['encrypt', 'verify', 'wrap', 'encapsulate']

/**
 * The template for the module, complete.
 *
 * @param level security level of the domain
 * @throws KmsError ARGUMENT_INVALID, ALGORITHM_NOT_SUPPORTED
 */
export function templateFor(shape: KeyShape, keyClass?: KeyClass, level = 1): KeyTemplate {
  const type = shape.type ?? typeDefault
  if (!isKeyTypeName(type)) throw new KmsError('ALGORITHM_NOT_SUPPORTED', 'no such type of key')
  if (shape.algorithms && !shape.algorithms.every(isAlgorithmName)) {
    throw new KmsError('ALGORITHM_NOT_SUPPORTED', 'no such algorithm')
  }
  if (shape.uses && !shape.uses.every(isKeyUse)) {
    throw new KmsError('ARGUMENT_INVALID', 'no such use of a key')
  }
  const first = level === 1 ? preferred[type] : preferredApproved[type]
  const algorithms = shape.algorithms ?? algorithmsForUses(type, first, shape.uses)
  const uses = shape.uses ?? usesOf(algorithms, keyClass)
  return {
    type,
    algorithms,
    uses: keyUses.filter((use) => uses.includes(use)),
    exportable: shape.exportable ?? false,
    externalIv: shape.externalIv ?? false,
    plaintextRelease: shape.plaintextRelease ?? false,
    notBefore: shape.notBefore ?? 0,
    notAfter: shape.notAfter ?? 0,
    lengthBytes: type === 'generic-secret' ? (shape.lengthBytes ?? secretBytesDefault) : 0,
    approvals: shape.approvals ?? 0,
    canary: shape.canary ?? false,
    usesMax: shape.usesMax ?? 0,
  }
}

/** The first algorithm for each use; the type's first when no use was named. */
function algorithmsForUses(
  type: KeyTypeName,
  first: readonly AlgorithmName[],
  uses: readonly KeyUse[] | undefined,
): AlgorithmName[] {
  const ordered = [...new Set([...first, ...algorithmsOf(type)])]
  if (uses === undefined) return ordered.slice(0, 1)
  const chosen = new Set<AlgorithmName>()
  for (const use of uses) {
    const first = ordered.find((name) => canDo(name, use))
    if (first === undefined) {
      throw new KmsError('ARGUMENT_INVALID', `no algorithm of ${type} is for the use "${use}"`)
    }
    chosen.add(first)
  }
  return [...chosen]
}

/** What can encrypt does not wrap unless that was asked for: together they would leak keys. */
function usesOf(
  algorithms: readonly AlgorithmName[],
  keyClass: KeyClass | undefined,
): readonly KeyUse[] {
  const all = keyUses.filter((use) => algorithms.some((name) => canDo(name, use)))
  const apart = all.includes('encrypt')
    ? all.filter((use) => use !== 'wrap' && use !== 'unwrap')
    : all
  return keyClass === 'public' ? apart.filter((use) => publicUses.includes(use)) : apart
}

function canDo(name: AlgorithmName, use: KeyUse): boolean {
  return algorithmRows[name].uses.some((known: KeyUse) => known === use)
}
