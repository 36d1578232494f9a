/**
 * Wrapped keys (docs/formats/wrapped-key.md): a key encrypted for keeping anywhere, with its attributes
 * bound to it as associated data. One encoding only: whatever is not byte for byte what this file
 * writes, is not authentic, or is of another domain or of a KEK that there never was, is
 * WRAPPED_KEY_INVALID, always with the same message. The key that wraps is derived for each key id, so
 * that no nonce limit is ever near.
 */

import assert from 'node:assert/strict'
import { timingSafeEqual } from 'node:crypto'
import {
  type AlgorithmName,
  algorithms as algorithmRows,
  type KeyTypeName,
  type KeyUse,
  keyClasses,
  keyTypes,
  keyUses,
} from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import {
  type KeyAttributes,
  keyIdBytes,
  keyIdFromBytes,
  keyStates,
  provenances,
} from '../contract/keys.ts'
import type { Domain } from '../domain.ts'
import type { KekName } from '../epoch-keys.ts'
import { SealingKey, sealingOverheadBytes } from '../sealing.ts'
import { Secret } from '../secret.ts'
import { algorithmsPerKeyMax } from './attributes.ts'
import { KeyMaterial } from './material.ts'

/** More than the largest there is, an ML-DSA-87 private key with every algorithm. */
export const wrappedKeyBytesMax = 8 * 1024

const magic = Buffer.from('KHWK')
const formatVersion = 2
/** Magic, version, u16 length of the header behind it. */
const prefixBytes = 4 + 1 + 2
/** The header without its algorithms. */
const headerBytesMin = 106

const flagExportable = 1
const flagExternalIv = 2
const flagPlaintextRelease = 4
const flagCanary = 8

/** What wraps a key: the part of Domain that stands in the header. */
export type Home = Pick<Domain, 'domainId' | 'kek'>

const typesByNumber = new Map<number, KeyTypeName>(
  Object.entries(keyTypes).map(([name, { number }]) => [number, name as KeyTypeName]),
)
const algorithmsByNumber = new Map<number, AlgorithmName>(
  Object.entries(algorithmRows).map(([name, { number }]) => [number, name as AlgorithmName]),
)

export interface UnwrappedKey {
  readonly attributes: KeyAttributes
  readonly material: KeyMaterial
}

/**
 * The key as bytes to be kept anywhere. They are opened again and compared before they are handed out,
 * header and key both, because a copy that cannot be read back is worse than an answer that never comes.
 * All bytes are compared, which says more than a check value would and costs a third of parsing.
 */
export function wrap(domain: Domain, attributes: KeyAttributes, material: KeyMaterial): Buffer {
  using bytes = material.toBytes()
  return wrapBytes(domain, attributes, bytes)
}

/**
 * The same key with the same attributes and revision, under the KEK in force. The key itself is not
 * parsed: what it is was known when it was wrapped, and that it is still that is what opening says.
 * @throws HsmError WRAPPED_KEY_INVALID, WRAPPED_KEY_OUTDATED
 */
export function rewrap(domain: Domain, wrapped: Uint8Array): Rewrapped {
  const { attributes, bytes } = openWrapped(domain, wrapped)
  using owned = bytes
  return { attributes, wrapped: wrapBytes(domain, attributes, owned) }
}

export interface Rewrapped {
  readonly attributes: KeyAttributes
  readonly wrapped: Buffer
}

function wrapBytes(domain: Domain, attributes: KeyAttributes, bytes: Secret): Buffer {
  using wrappingKey = domain.wrappingKey(attributes.key, domain.kek)
  assert(wrappingKey)
  using sealing = new SealingKey(wrappingKey)
  const header = encodeHeader(domain, attributes)
  const wrapped = Buffer.concat([header, bytes.expose((exposed) => sealing.seal(header, exposed))])
  assert(wrapped.length <= wrappedKeyBytesMax)
  const { attributes: readBack, headerEnd } = decodeHeader(domain, wrapped)
  assert.equal(readBack.key, attributes.key)
  assert.equal(readBack.revision, attributes.revision)
  using again = new Secret(sealing.open(header, wrapped.subarray(headerEnd)))
  assert(again.expose((a) => bytes.expose((b) => a.length === b.length && timingSafeEqual(a, b))))
  return wrapped
}

/**
 * The caller disposes of the material.
 * @throws HsmError WRAPPED_KEY_INVALID, WRAPPED_KEY_OUTDATED for one under a KEK that is not in force
 *   any more, SECURE_HEAP_FULL
 */
export function unwrap(domain: Domain, wrapped: Uint8Array): UnwrappedKey {
  const { attributes, bytes } = openWrapped(domain, wrapped)
  using owned = bytes
  const { type, class: keyClass } = attributes
  try {
    return { attributes, material: KeyMaterial.fromOwnBytes(type, keyClass, owned) }
  } catch (error) {
    if (error instanceof HsmError && error.code !== 'SECURE_HEAP_FULL') throw invalid(error)
    throw error
  }
}

/** The caller disposes of the bytes. */
function openWrapped(
  domain: Domain,
  wrapped: Uint8Array,
): { readonly attributes: KeyAttributes; readonly bytes: Secret } {
  if (wrapped.length > wrappedKeyBytesMax) throw invalid()
  const { attributes, kek, headerEnd } = decodeHeader(domain, wrapped)
  using wrappingKey = domain.wrappingKey(attributes.key, kek)
  if (!wrappingKey) throw wasInForce(kek, domain.kek) ? outdated() : invalid()
  using sealing = new SealingKey(wrappingKey)
  try {
    const header = wrapped.subarray(0, headerEnd)
    return { attributes, bytes: new Secret(sealing.open(header, wrapped.subarray(headerEnd))) }
  } catch (error) {
    throw invalid(error)
  }
}

/** By what the header says, which nobody has authenticated: it decides between two refusals. */
function wasInForce({ epoch, generation }: KekName, now: KekName): boolean {
  return epoch > 0 && generation > 0 && epoch <= now.epoch && generation < now.generation
}

/** Everything in front of the nonce; it is the associated data. */
export function encodeHeader(home: Home, attributes: KeyAttributes): Buffer {
  const { algorithms } = attributes
  const headerBytes = headerBytesMin + 2 * algorithms.length
  const bytes = Buffer.alloc(prefixBytes + headerBytes)
  magic.copy(bytes)
  bytes.writeUInt8(formatVersion, 4)
  bytes.writeUInt16BE(headerBytes, 5)
  home.domainId.copy(bytes, 7)
  bytes.writeUInt32BE(home.kek.epoch, 23)
  keyIdBytes(attributes.key).copy(bytes, 27)
  bytes.writeUInt32BE(attributes.version, 43)
  bytes.writeUInt32BE(attributes.revision, 47)
  bytes.writeUInt16BE(keyTypes[attributes.type].number, 51)
  bytes.writeUInt8(keyClasses.indexOf(attributes.class), 53)
  bytes.writeUInt8(keyStates.indexOf(attributes.state), 54)
  bytes.writeUInt8(provenances.indexOf(attributes.provenance), 55)
  bytes.writeUInt8(flagsOf(attributes), 56)
  bytes.writeUInt16BE(maskOf(attributes.uses), 57)
  writeUint64(bytes, attributes.created, 59)
  writeUint64(bytes, attributes.notBefore, 67)
  writeUint64(bytes, attributes.notAfter, 75)
  writeUint64(bytes, attributes.usesMax, 83)
  bytes.writeUInt8(attributes.approvals, 91)
  bytes.writeUInt32BE(home.kek.generation, 92)
  if (attributes.usesMax > 0) bytes.write(attributes.home, 96, 16, 'hex')
  bytes.writeUInt8(algorithms.length, 112)
  for (const [index, name] of algorithms.entries()) {
    bytes.writeUInt16BE(algorithmRows[name].number, 113 + 2 * index)
  }
  return bytes
}

/**
 * What the header says, not authenticated.
 * @returns headerEnd: where the nonce begins
 * @throws HsmError WRAPPED_KEY_INVALID unless it is the one encoding, of this domain
 */
export function decodeHeader(
  { domainId }: Pick<Home, 'domainId'>,
  wrapped: Uint8Array,
): { attributes: KeyAttributes; kek: KekName; headerEnd: number } {
  const bytes = Buffer.from(wrapped.buffer, wrapped.byteOffset, wrapped.length)
  if (bytes.length < prefixBytes + headerBytesMin + sealingOverheadBytes) throw invalid()
  const count = bytes.readUInt8(112)
  const headerEnd = prefixBytes + headerBytesMin + 2 * count
  if (count === 0 || count > algorithmsPerKeyMax) throw invalid()
  if (bytes.length < headerEnd + sealingOverheadBytes) throw invalid()
  const flags = bytes.readUInt8(56)
  const usesMax = readUint64(bytes, 83)
  const attributes: KeyAttributes = {
    key: keyIdFromBytes(bytes.subarray(27, 43)),
    version: bytes.readUInt32BE(43),
    revision: bytes.readUInt32BE(47),
    class: known(keyClasses[bytes.readUInt8(53)]),
    state: known(keyStates[bytes.readUInt8(54)]),
    provenance: known(provenances[bytes.readUInt8(55)]),
    created: readUint64(bytes, 59),
    type: known(typesByNumber.get(bytes.readUInt16BE(51))),
    algorithms: Array.from({ length: count }, (_, index) =>
      known(algorithmsByNumber.get(bytes.readUInt16BE(113 + 2 * index))),
    ),
    uses: usesOf(bytes.readUInt16BE(57)),
    exportable: (flags & flagExportable) !== 0,
    externalIv: (flags & flagExternalIv) !== 0,
    plaintextRelease: (flags & flagPlaintextRelease) !== 0,
    notBefore: readUint64(bytes, 67),
    notAfter: readUint64(bytes, 75),
    approvals: bytes.readUInt8(91),
    canary: (flags & flagCanary) !== 0,
    usesMax,
    home: usesMax > 0 ? bytes.toString('hex', 96, 112) : '',
  }
  const kek = { epoch: bytes.readUInt32BE(23), generation: bytes.readUInt32BE(92) }
  // Magic, version, length, domain, unused bits and a home without a limit are all in this comparison.
  const encoded = encodeHeader({ domainId, kek }, attributes)
  if (!encoded.equals(bytes.subarray(0, headerEnd))) throw invalid()
  return { attributes, kek, headerEnd }
}

function flagsOf({ exportable, externalIv, plaintextRelease, canary }: KeyAttributes): number {
  return (
    (exportable ? flagExportable : 0) |
    (externalIv ? flagExternalIv : 0) |
    (plaintextRelease ? flagPlaintextRelease : 0) |
    (canary ? flagCanary : 0)
  )
}

/** Uses as bits; their order is that of keyUses, so a key's uses have one encoding. */
function maskOf(uses: readonly KeyUse[]): number {
  return uses.reduce((mask, use) => mask | (1 << keyUses.indexOf(use)), 0)
}

function usesOf(mask: number): KeyUse[] {
  return keyUses.filter((_, bit) => (mask & (1 << bit)) !== 0)
}

function known<T>(value: T | undefined): T {
  if (value === undefined) throw invalid()
  return value
}

function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  bytes.writeUInt32BE(value % 0x1_0000_0000, offset + 4)
}

function readUint64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4)
  if (!Number.isSafeInteger(value)) throw invalid()
  return value
}

function invalid(cause?: unknown): HsmError {
  const options = cause === undefined ? undefined : { cause }
  return new HsmError('WRAPPED_KEY_INVALID', 'not a wrapped key of this domain and epoch', options)
}

function outdated(): HsmError {
  return new HsmError('WRAPPED_KEY_OUTDATED', 'wrapped under a KEK that is not in force any more')
}
