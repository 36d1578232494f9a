/**
 * A leaf: what the record says of one command (design section 9, docs/formats/record.md). Binary,
 * big-endian, canonical: one leaf has one encoding. Leaves leave the module in groups, one group an
 * answer, each closed by a MAC that is chained to the one before under a key that only the module has.
 */

import { HsmError } from './errors.ts'

export const leafVersion = 1
/** Bit 0: asked before the module was unlocked and kept by the host; its content is the host's word. */
export const leafFlagClaimed = 1

export interface Leaf {
  readonly flags: number
  /** Position in this module's record, from 0. */
  readonly sequence: number
  /** Microseconds since 1970; never less than the leaf before. */
  readonly timeMicros: number
  /** 16 bytes. */
  readonly moduleId: Uint8Array
  readonly command: string
  /** "OK" or the error code. */
  readonly outcome: string
  /** Key id, or empty. */
  readonly key: string
  readonly version: number
  readonly identity: string
  readonly requestId: string
  readonly protocol: string
  readonly address: string
  /** 32 bytes: HMAC-SHA-256 of the arguments under a key that only the module has. */
  readonly argumentsDigest: Uint8Array
}

/** In the order in which they stand, from byte `leafTextsOffset` on, each behind its length. */
export const leafTexts = [
  'command',
  'outcome',
  'key',
  'identity',
  'requestId',
  'protocol',
  'address',
] as const

export const leafTextsOffset = 1 + 1 + 8 + 8 + 16 + 4 + 32

/** @throws RangeError when a text is longer than 255 bytes (a bug: claims are bounded when parsed) */
export function encodeLeaf(leaf: Leaf): Buffer {
  let length = leafTextsOffset + leafTexts.length
  for (const field of leafTexts) length += Buffer.byteLength(leaf[field])
  const bytes = Buffer.allocUnsafe(length)
  bytes[0] = leafVersion
  bytes[1] = leaf.flags
  writeUint64(bytes, leaf.sequence, 2)
  writeUint64(bytes, leaf.timeMicros, 10)
  bytes.set(leaf.moduleId, 18)
  bytes.writeUInt32BE(leaf.version, 34)
  bytes.set(leaf.argumentsDigest, 38)
  let offset = leafTextsOffset
  for (const field of leafTexts) {
    const written = bytes.write(leaf[field], offset + 1, 'utf8')
    bytes.writeUInt8(written, offset)
    offset += 1 + written
  }
  return bytes
}

/** @throws HsmError RECORD_INVALID unless the bytes are one canonical leaf */
export function decodeLeaf(bytes: Uint8Array): Leaf {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.length < leafTextsOffset + leafTexts.length || view[0] !== leafVersion) throw invalid()
  const texts: Partial<Record<(typeof leafTexts)[number], string>> = {}
  let offset = leafTextsOffset
  for (const field of leafTexts) {
    const length = view[offset]
    if (length === undefined || offset + 1 + length > view.length) throw invalid()
    texts[field] = view.toString('utf8', offset + 1, offset + 1 + length)
    offset += 1 + length
  }
  if (offset !== view.length) throw invalid()
  const leaf: Leaf = {
    flags: view.readUInt8(1),
    sequence: readUint64(view, 2),
    timeMicros: readUint64(view, 10),
    moduleId: view.subarray(18, 34),
    version: view.readUInt32BE(34),
    argumentsDigest: view.subarray(38, 70),
    ...(texts as Record<(typeof leafTexts)[number], string>),
  }
  if (!encodeLeaf(leaf).equals(view)) throw invalid()
  return leaf
}

export interface LeafEntry extends Omit<Leaf, 'moduleId' | 'argumentsDigest'> {
  /** ISO 8601 in UTC, to the microsecond. */
  readonly time: string
  readonly moduleId: string
  readonly argumentsDigest: string
}

/** A leaf as JSON has it, wherever entries of the record go out: bytes in lower-case hex. */
export function leafEntry(leaf: Leaf): LeafEntry {
  const { sequence, timeMicros, moduleId, argumentsDigest, ...texts } = leaf
  const seconds = new Date(Math.floor(timeMicros / 1_000_000) * 1_000).toISOString().slice(0, -5)
  return {
    sequence,
    time: `${seconds}.${String(timeMicros % 1_000_000).padStart(6, '0')}Z`,
    timeMicros,
    ...texts,
    moduleId: Buffer.from(moduleId).toString('hex'),
    argumentsDigest: Buffer.from(argumentsDigest).toString('hex'),
  }
}

export interface LeafGroup {
  readonly leaves: readonly Uint8Array[]
  /** 32 bytes. */
  readonly mac: Uint8Array
}

/** u16 count, then u16 length and bytes for each leaf, then the MAC. */
export function encodeLeafGroup({ leaves, mac }: LeafGroup): Buffer {
  let length = 2 + mac.length
  for (const leaf of leaves) length += 2 + leaf.length
  const bytes = Buffer.allocUnsafe(length)
  bytes.writeUInt16BE(leaves.length, 0)
  let offset = 2
  for (const leaf of leaves) {
    bytes.writeUInt16BE(leaf.length, offset)
    bytes.set(leaf, offset + 2)
    offset += 2 + leaf.length
  }
  bytes.set(mac, offset)
  return bytes
}

/** @throws HsmError RECORD_INVALID */
export function decodeLeafGroup(bytes: Uint8Array): LeafGroup {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  if (view.length < 2) throw invalid()
  const count = view.readUInt16BE(0)
  const leaves: Uint8Array[] = []
  let offset = 2
  for (let index = 0; index < count; index += 1) {
    if (offset + 2 > view.length) throw invalid()
    const length = view.readUInt16BE(offset)
    if (offset + 2 + length > view.length) throw invalid()
    leaves.push(view.subarray(offset + 2, offset + 2 + length))
    offset += 2 + length
  }
  if (view.length - offset !== 32) throw invalid()
  return { leaves, mac: view.subarray(offset) }
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

function invalid(): HsmError {
  return new HsmError('RECORD_INVALID', 'not a leaf of this record')
}
