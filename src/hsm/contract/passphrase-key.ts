/**
 * A key from a passphrase by Argon2id (RFC 9106), outside the module: for what a custodian keeps. The
 * module has its own call (seals.ts), which minds its secure heap; the costs that both accept are here.
 */

import { argon2Sync } from 'node:crypto'

export interface Argon2idCost {
  readonly memoryKib: number
  readonly passes: number
  readonly lanes: number
}

export const costBytes = 12
export const saltBytes = 32

/** What a share under a passphrase costs to open: made in the module, which has 32 MiB for it. */
export const shareCost: Argon2idCost = { memoryKib: 32 * 1024, passes: 4, lanes: 1 }
/** What a custodian's key file costs: RFC 9106 section 4, second recommendation, with one lane. */
export const keyFileCost: Argon2idCost = { memoryKib: 64 * 1024, passes: 4, lanes: 1 }
const costMin: Argon2idCost = { memoryKib: 8 * 1024, passes: 1, lanes: 1 }
const costMax: Argon2idCost = { memoryKib: 256 * 1024, passes: 16, lanes: 1 }

/** Memory in KiB, passes, lanes: 4 bytes each. */
export function encodeCost({ memoryKib, passes, lanes }: Argon2idCost): Buffer {
  const bytes = Buffer.alloc(costBytes)
  bytes.writeUInt32BE(memoryKib, 0)
  bytes.writeUInt32BE(passes, 4)
  bytes.writeUInt32BE(lanes, 8)
  return bytes
}

/** @returns undefined for a cost out of bounds: 8 to 256 MiB, 1 to 16 passes, 1 lane */
export function decodeCost(bytes: Buffer): Argon2idCost | undefined {
  const cost = {
    memoryKib: bytes.readUInt32BE(0),
    passes: bytes.readUInt32BE(4),
    lanes: bytes.readUInt32BE(8),
  }
  const members = ['memoryKib', 'passes', 'lanes'] as const
  const isWithin = members.every(
    (member) => cost[member] >= costMin[member] && cost[member] <= costMax[member],
  )
  return isWithin ? cost : undefined
}

/** 32 bytes, which the caller erases. */
export function passphraseKey(
  passphrase: Uint8Array,
  { salt, cost }: { readonly salt: Uint8Array; readonly cost: Argon2idCost },
): Buffer {
  const { memoryKib: memory, passes, lanes: parallelism } = cost
  const parameters = { nonce: salt, parallelism, tagLength: 32, memory, passes }
  return argon2Sync('argon2id', { message: passphrase, ...parameters })
}
