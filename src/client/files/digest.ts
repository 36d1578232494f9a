/**
 * What of a file goes to the module to be signed: its digest, made here in constant memory; for
 * ML-DSA the representative mu (FIPS 204 section 5.4.1, algorithm 7 line 6); for Ed25519, which has
 * to read its message twice, the message itself.
 */

import { createHash, createPublicKey, type Hash } from 'node:crypto'
import { clientError } from '../errors.ts'
import type { Read } from './cobblestone.ts'

/** Of a message that goes to the module as a whole. */
export const messageBytesMax = 1024 * 1024
export const signingContextBytesMax = 255
const pieceBytes = 1024 * 1024
const muBytes = 64

/** Algorithms whose name ends so take a ready digest. */
const hashes = [
  ['-SHA-256', 'sha256'],
  ['-SHA-384', 'sha384'],
  ['-SHA-512', 'sha512'],
  ['-SHA3-256', 'sha3-256'],
  ['-SHA3-384', 'sha3-384'],
  ['-SHA3-512', 'sha3-512'],
] as const

/** How a file is brought to the module for this algorithm. */
export type SigningInput =
  | { readonly input: 'digest'; readonly hash: string }
  | { readonly input: 'mu' }
  | { readonly input: 'message' }

export function signingInput(algorithm: string): SigningInput {
  if (algorithm.startsWith('ML-DSA-')) return { input: 'mu' }
  const row = hashes.find(([ending]) => algorithm.endsWith(ending))
  return row ? { input: 'digest', hash: row[1] } : { input: 'message' }
}

/** Reads to the end. */
export async function digestOf(hash: string, read: Read): Promise<Buffer> {
  const state = createHash(hash)
  await readInto([state], read)
  return state.digest()
}

/**
 * mu for each of the public keys (SPKI, DER) in one reading: SHAKE256(SHAKE256(pk, 64) || 0x00 ||
 * length of context || context || message, 64).
 */
export async function musOf(
  publicKeys: readonly Uint8Array[],
  context: Uint8Array,
  read: Read,
): Promise<Buffer[]> {
  const states = publicKeys.map((spki) => {
    const raw = createPublicKey({ key: Buffer.from(spki), format: 'der', type: 'spki' })
    const tr = shake256()
      .update(raw.export({ format: 'raw-public' }))
      .digest()
    return shake256().update(tr).update(Uint8Array.of(0, context.length)).update(context)
  })
  await readInto(states, read)
  return states.map((state) => state.digest())
}

/** The whole message. @throws ClientError FILE_TOO_LARGE beyond 1 MiB */
export async function messageOf(read: Read, algorithm: string): Promise<Buffer> {
  const buffer = Buffer.alloc(messageBytesMax + 1)
  const length = await read(buffer)
  if (length > messageBytesMax) {
    throw clientError(
      'FILE_TOO_LARGE',
      `${algorithm} signs the message itself, which can have 1 MiB at most; ` +
        'for larger files use a key for ECDSA, RSA or ML-DSA',
    )
  }
  return buffer.subarray(0, length)
}

function shake256(): Hash {
  return createHash('shake256', { outputLength: muBytes })
}

async function readInto(states: readonly Hash[], read: Read): Promise<void> {
  const piece = Buffer.allocUnsafeSlow(pieceBytes)
  for (;;) {
    const length = await read(piece)
    for (const state of states) state.update(piece.subarray(0, length))
    if (length < piece.length) return
  }
}
