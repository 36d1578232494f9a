/**
 * A custodian's share of the domain root key, as a file (docs/formats/share.md): a header that says what
 * it belongs to, with the check values of share and root, and the share itself, sealed to the custodian's
 * key or under a passphrase. Whoever has the file alone can describe it; its custodian can open it, check
 * it without the others, and offer it to a module.
 *
 * A check value is public and says nothing about share or root to anybody who cannot search 256 bits.
 */

import { hash, hkdfSync, timingSafeEqual } from 'node:crypto'
import { HsmError } from './errors.ts'
import { onceOverheadBytes, openOnce, sealOnce } from './once.ts'
import {
  type Argon2idCost,
  costBytes,
  decodeCost,
  encodeCost,
  passphraseKey,
  saltBytes,
  shareCost,
} from './passphrase-key.ts'
import { secretMemory } from './secret-memory.ts'
import { sealToTransportKey, transportOverheadBytes } from './transport.ts'
import type { XWingPrivateKey } from './x-wing.ts'

export const thresholdMin = 2
/** Custodians of one domain. */
export const sharesMax = 16
export const shareBytes = 32

const magic = Buffer.from('KHSH')
const version = 1
const checkBytes = 16
/** Domain id, epoch, share set, index, threshold, count, check value of the root. */
const placeBytes = 16 + 4 + 16 + 1 + 1 + 1 + checkBytes
/** Magic, version, protection, place, check value of the share, Argon2id's costs, salt or key's digest. */
const headerBytes = 4 + 1 + 1 + placeBytes + checkBytes + costBytes + saltBytes
const placeStart = 6
const checkStart = placeStart + placeBytes
const costStart = checkStart + checkBytes
const saltStart = costStart + costBytes

const protections = {
  key: { number: 1, bytes: headerBytes + transportOverheadBytes + shareBytes },
  passphrase: { number: 2, bytes: headerBytes + shareBytes + onceOverheadBytes },
} as const
export type ShareProtection = keyof typeof protections
export const shareFileBytesMax = protections.key.bytes
/** A place, the check value of the share, the share. */
export const offeredShareBytes = placeBytes + checkBytes + shareBytes

/** What a share belongs to. */
export interface SharePlace {
  /** 16 bytes. */
  readonly domainId: Buffer
  readonly epoch: number
  /** Of this splitting, 16 random bytes. */
  readonly shareSet: Buffer
  /** 1 to count. */
  readonly index: number
  readonly threshold: number
  readonly count: number
  /** checkOfRoot. */
  readonly rootCheck: Buffer
}

export interface ShareDescription extends SharePlace {
  readonly protection: ShareProtection
  /** Of this share, 16 bytes. */
  readonly check: Buffer
  /** Of the key that it is sealed to: SHA-256 of the public key. */
  readonly keyDigest: Buffer | undefined
}

/** What opens a share. */
export type ShareKey =
  | { readonly passphrase: Uint8Array }
  | { readonly privateKey: XWingPrivateKey }

/** 16 bytes by which a rebuilt root is recognised. */
export function checkOfRoot(root: Uint8Array, shareSet: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', root, shareSet, 'keyhold share check v1', checkBytes))
}

/** 16 bytes by which an opened share is recognised, bound to its place. */
export function checkOfShare(share: Uint8Array, place: SharePlace): Buffer {
  const info = Buffer.concat([Buffer.from('keyhold share check v1 share'), encodePlace(place)])
  return Buffer.from(hkdfSync('sha256', share, place.shareSet, info, checkBytes))
}

/** A share for its custodian's public key, which is ML-KEM-768's (1184) and X25519's (32). */
export function sealShareToKey(
  share: Uint8Array,
  place: SharePlace,
  publicKey: Uint8Array,
): Buffer {
  const keyDigest = hash('sha256', publicKey, 'buffer')
  const costs = Buffer.alloc(costBytes)
  const header = encodeHeader('key', place, [checkOfShare(share, place), costs, keyDigest])
  const sealed = sealToTransportKey(publicKey, 'custodian share', share, header)
  return Buffer.concat([header, sealed])
}

/** A share under a key that came of a passphrase with this salt and shareCost. */
export function sealShareUnderKey(
  share: Uint8Array,
  place: SharePlace,
  { key, salt }: { readonly key: Uint8Array; readonly salt: Uint8Array },
): Buffer {
  const costs = encodeCost(shareCost)
  const header = encodeHeader('passphrase', place, [checkOfShare(share, place), costs, salt])
  return Buffer.concat([header, sealOnce(key, header, share)])
}

function encodeHeader(
  protection: ShareProtection,
  place: SharePlace,
  rest: readonly Uint8Array[],
): Buffer {
  const start = Buffer.from([version, protections[protection].number])
  return Buffer.concat([magic, start, encodePlace(place), ...rest])
}

function encodePlace(place: SharePlace): Buffer {
  const { domainId, epoch, shareSet, index, threshold, count, rootCheck } = place
  const numbers = Buffer.alloc(4)
  numbers.writeUInt32BE(epoch)
  const counts = Buffer.from([index, threshold, count])
  return Buffer.concat([domainId, numbers, shareSet, counts, rootCheck])
}

/** @returns undefined when the numbers in it cannot be */
function decodePlace(bytes: Buffer): SharePlace | undefined {
  const index = bytes.readUInt8(36)
  const threshold = bytes.readUInt8(37)
  const count = bytes.readUInt8(38)
  const isPlace = index >= 1 && index <= count && threshold <= count
  if (!isPlace || threshold < thresholdMin || count > sharesMax) return undefined
  return {
    domainId: Buffer.from(bytes.subarray(0, 16)),
    epoch: bytes.readUInt32BE(16),
    shareSet: Buffer.from(bytes.subarray(20, 36)),
    index,
    threshold,
    count,
    rootCheck: Buffer.from(bytes.subarray(39, placeBytes)),
  }
}

/** What can be read without opening it: it is not proved. @throws HsmError SHARE_INVALID */
export function describeShare(file: Uint8Array): ShareDescription {
  const { place, protection, check, bytes } = parseShare(file)
  const keyDigest =
    protection === 'key' ? Buffer.from(bytes.subarray(saltStart, headerBytes)) : undefined
  return { ...place, protection, check, keyDigest }
}

/** How long the file is that begins like this; undefined when no share does. */
export function shareFileBytes(start: Uint8Array): number | undefined {
  const names = Object.keys(protections) as ShareProtection[]
  const protection = names.find((name) => protections[name].number === start[5])
  const isShare = magic.equals(start.subarray(0, 4)) && start[4] === version
  return protection && isShare ? protections[protection].bytes : undefined
}

interface ParsedShare {
  readonly bytes: Buffer
  readonly place: SharePlace
  readonly protection: ShareProtection
  readonly check: Buffer
  /** Of a passphrase. */
  readonly cost: Argon2idCost | undefined
}

function parseShare(file: Uint8Array): ParsedShare {
  const bytes = Buffer.from(file.buffer, file.byteOffset, file.byteLength)
  const names = Object.keys(protections) as ShareProtection[]
  const protection = names.find((name) => protections[name].number === bytes[5])
  if (!protection || bytes.length !== shareFileBytes(bytes)) throw notAShare()
  const place = decodePlace(bytes.subarray(placeStart, checkStart))
  const costs = bytes.subarray(costStart, saltStart)
  const cost = protection === 'passphrase' ? decodeCost(costs) : undefined
  if (!place || (protection === 'passphrase' ? !cost : costs.some(Boolean))) throw notAShare()
  return {
    bytes,
    place,
    protection,
    check: Buffer.from(bytes.subarray(checkStart, costStart)),
    cost,
  }
}

/**
 * The share, checked, in memory that the caller erases. A wrong key, a wrong passphrase and one changed
 * bit are one and the same refusal.
 * @throws HsmError SHARE_INVALID
 */
export function openShare(file: Uint8Array, by: ShareKey): Buffer {
  const { bytes, place, protection, check, cost } = parseShare(file)
  const header = bytes.subarray(0, headerBytes)
  const sealed = bytes.subarray(headerBytes)
  const salt = header.subarray(saltStart)
  let share: Buffer | undefined
  if (protection === 'passphrase' && cost && 'passphrase' in by) {
    const key = passphraseKey(by.passphrase, { salt, cost })
    share = openOnce(key, header, sealed)
    key.fill(0)
  } else if (protection === 'key' && 'privateKey' in by) {
    share = openedByKey(by.privateKey, header, sealed)
  } else {
    throw new HsmError('SHARE_INVALID', `this share opens with a ${protection}`)
  }
  if (share && timingSafeEqual(checkOfShare(share, place), check)) return share
  share?.fill(0)
  throw new HsmError('SHARE_INVALID', `the share does not open with this ${protection}`)
}

function openedByKey(key: XWingPrivateKey, header: Buffer, sealed: Buffer): Buffer | undefined {
  try {
    return key.open(sealed, 'custodian share', header)
  } catch {
    return undefined
  }
}

/** Opens it, compares the check values, and erases it: no other share is needed. @throws HsmError SHARE_INVALID */
export function checkShare(file: Uint8Array, by: ShareKey): ShareDescription {
  openShare(file, by).fill(0)
  return describeShare(file)
}

/** What a custodian hands to a module, in memory that the caller erases. @throws HsmError SHARE_INVALID */
export function encodeOfferedShare(file: Uint8Array, by: ShareKey): Buffer {
  const { place, check } = parseShare(file)
  const share = openShare(file, by)
  const offered = secretMemory(offeredShareBytes)
  offered.set(encodePlace(place))
  offered.set(check, placeBytes)
  offered.set(share, placeBytes + checkBytes)
  share.fill(0)
  return offered
}

/** The share in it is a view on these bytes. @throws HsmError SHARE_INVALID also for a wrong check value */
export function decodeOfferedShare(offered: Uint8Array): {
  readonly place: SharePlace
  readonly share: Uint8Array
} {
  const bytes = Buffer.from(offered.buffer, offered.byteOffset, offered.byteLength)
  const place =
    bytes.length === offeredShareBytes ? decodePlace(bytes.subarray(0, placeBytes)) : undefined
  if (!place) throw notAShare()
  const share = bytes.subarray(placeBytes + checkBytes)
  const check = bytes.subarray(placeBytes, placeBytes + checkBytes)
  if (!timingSafeEqual(checkOfShare(share, place), check)) throw notAShare()
  return { place, share }
}

/** Byte strings in one part: each behind its length in 2 bytes. Whoever hands over secrets erases the result. */
export function encodeList(items: readonly Uint8Array[]): Buffer {
  const length = items.reduce((sum, item) => sum + 2 + item.length, 0)
  const bytes = secretMemory(length)
  let offset = 0
  for (const item of items) {
    offset = bytes.writeUInt16BE(item.length, offset)
    bytes.set(item, offset)
    offset += item.length
  }
  return bytes
}

/** Views on these bytes. @throws HsmError ARGUMENT_INVALID for more than 16, and for what is cut off */
export function decodeList(list: Uint8Array): Uint8Array[] {
  const bytes = Buffer.from(list.buffer, list.byteOffset, list.byteLength)
  const items: Uint8Array[] = []
  let offset = 0
  while (offset < bytes.length) {
    const end = offset + 2 <= bytes.length ? offset + 2 + bytes.readUInt16BE(offset) : 0
    if (end === 0 || end > bytes.length || items.length === sharesMax) {
      throw new HsmError('ARGUMENT_INVALID', 'this is no list of at most 16 byte strings')
    }
    items.push(bytes.subarray(offset + 2, end))
    offset = end
  }
  return items
}

function notAShare(): HsmError {
  return new HsmError('SHARE_INVALID', 'this is no share, or it was changed')
}
