/**
 * What a stretch of the record speaks of, in two bytes for each different text: a Bloom filter over the
 * texts of its leaves. It says "not there" or "perhaps there" (wrong once in 1,700 times), so that a
 * search reads the stretches that may hold what it looks for and no others.
 */

import { leafTexts, leafTextsOffset } from '../../hsm/contract/leaf.ts'

/** The last one; nobody searches for it. */
const addressField = leafTexts.indexOf('address')
/** In a filter, beside its own code, the outcome of every command that did not end well. */
export const refused = 'refused'

const outcomeField = leafTexts.indexOf('outcome')
const bitsPerText = 16
const probes = 8

/** One text of a field, as 32 bits (FNV-1a, finished as MurmurHash3 does). */
export function textHash(field: number, bytes: Uint8Array, start: number, end: number): number {
  let hash = 0x811c9dc5 ^ field
  for (let index = start; index < end; index += 1) {
    hash = Math.imul(hash ^ (bytes[index] ?? 0), 0x01000193)
  }
  return mixed(hash)
}

const ok = Buffer.from('OK')
const okHash = textHash(outcomeField, ok, 0, ok.length)
const refusedText = Buffer.from(refused)
const refusedHash = textHash(outcomeField, refusedText, 0, refusedText.length)

/** Adds what one leaf can be found by. */
export function addTexts(hashes: Set<number>, leaf: Uint8Array): void {
  let offset = leafTextsOffset
  for (let field = 0; field < addressField; field += 1) {
    const end = offset + 1 + (leaf[offset] ?? 0)
    const hash = textHash(field, leaf, offset + 1, end)
    hashes.add(hash)
    if (field === outcomeField && hash !== okHash) hashes.add(refusedHash)
    offset = end
  }
}

export function filterOf(hashes: ReadonlySet<number>): Buffer {
  const filter = Buffer.alloc(Math.ceil((hashes.size * bitsPerText) / 8))
  for (const hash of hashes) {
    for (const bit of bitsOf(hash, filter)) {
      const index = bit >>> 3
      filter[index] = (filter[index] ?? 0) | (1 << (bit & 7))
    }
  }
  return filter
}

/** False: none of its texts has this hash. */
export function mayHold(filter: Uint8Array, hash: number): boolean {
  if (filter.length === 0) return false
  return bitsOf(hash, filter).every((bit) => ((filter[bit >>> 3] ?? 0) & (1 << (bit & 7))) !== 0)
}

/** Kirsch and Mitzenmacher: two hashes make as many as are wanted. */
function bitsOf(hash: number, { length }: Uint8Array): number[] {
  const step = mixed(hash ^ 0x9e3779b9) | 1
  return Array.from(
    { length: probes },
    (_, probe) => ((hash + Math.imul(probe, step)) >>> 0) % (length * 8),
  )
}

function mixed(hash: number): number {
  let mixing = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b)
  mixing = Math.imul(mixing ^ (mixing >>> 13), 0xc2b2ae35)
  return (mixing ^ (mixing >>> 16)) >>> 0
}
