/**
 * The ciphertext that `encrypt` answers (docs/formats/ciphertext.md): it names the key, the version and
 * the algorithm that open it, and binds these names and the caller's context as associated data, so that
 * nobody passes one off for another.
 */

import { type AlgorithmName, algorithms } from '../../hsm/contract/algorithms.ts'
import { type KeyId, keyIdBytes, keyIdFromBytes } from '../../hsm/contract/keys.ts'
import { KmsError } from '../errors.ts'
import { contextBytesMax, contextPairsMax } from '../limits.ts'

const format = 1
/** Format, key id, version, algorithm. */
const prefixBytes = 1 + 16 + 4 + 2

/** What stands in front of the nonce. */
export interface Opener {
  readonly key: KeyId
  readonly version: number
  readonly algorithm: AlgorithmName
}

export interface Envelope extends Opener {
  readonly prefix: Uint8Array
  readonly nonce: Uint8Array
  /** With the tag behind it. */
  readonly ciphertext: Uint8Array
}

const byNumber: ReadonlyMap<number, AlgorithmName> = new Map(
  Object.entries(algorithms).map(([name, { number }]) => [number, name as AlgorithmName]),
)

export function encodePrefix({ key, version, algorithm }: Opener): Buffer {
  const prefix = Buffer.allocUnsafe(prefixBytes)
  prefix[0] = format
  prefix.set(keyIdBytes(key), 1)
  prefix.writeUInt32BE(version, 17)
  prefix.writeUInt16BE(algorithms[algorithm].number, 21)
  return prefix
}

export function encodeEnvelope(
  prefix: Uint8Array,
  { iv, ciphertext }: { readonly iv: Uint8Array; readonly ciphertext: Uint8Array },
): Buffer {
  return Buffer.concat([prefix, Uint8Array.of(iv.length), iv, ciphertext])
}

/** @throws KmsError CIPHERTEXT_INVALID */
export function decodeEnvelope(bytes: Uint8Array): Envelope {
  const view = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
  const nonceBytes = view[prefixBytes]
  if (view[0] !== format || nonceBytes === undefined) throw ciphertextInvalid()
  const nonceEnd = prefixBytes + 1 + nonceBytes
  const algorithm = byNumber.get(view.readUInt16BE(21))
  if (algorithm === undefined || view.length < nonceEnd) throw ciphertextInvalid()
  return {
    key: keyIdFromBytes(view.subarray(1, 17)),
    version: view.readUInt32BE(17),
    algorithm,
    prefix: view.subarray(0, prefixBytes),
    nonce: view.subarray(prefixBytes + 1, nonceEnd),
    ciphertext: view.subarray(nonceEnd),
  }
}

/**
 * An encryption context as bytes: the pairs in the order of their names' UTF-8 bytes, each name and each
 * value behind its length (u32). No pairs are no bytes.
 *
 * @throws KmsError ARGUMENT_INVALID
 */
export function encodeContext(context: Readonly<Record<string, string>>): Uint8Array {
  const pairs = Object.entries(context).map(([name, value]) => {
    if (name === '' || !name.isWellFormed() || !value.isWellFormed()) {
      throw new KmsError('ARGUMENT_INVALID', 'a context has names and values of well-formed text')
    }
    return [Buffer.from(name), Buffer.from(value)] as const
  })
  if (pairs.length > contextPairsMax) {
    throw new KmsError('ARGUMENT_INVALID', `a context has at most ${contextPairsMax} pairs`)
  }
  pairs.sort(([a], [b]) => Buffer.compare(a, b))
  const encoded = Buffer.concat(pairs.flat().flatMap((text) => [lengthOf(text), text]))
  if (encoded.length > contextBytesMax) {
    throw new KmsError('ARGUMENT_INVALID', `a context has at most ${contextBytesMax} bytes`)
  }
  return encoded
}

/** The same words as the module's, whatever it is that does not fit. */
export function ciphertextInvalid(): KmsError {
  return new KmsError(
    'CIPHERTEXT_INVALID',
    'the ciphertext, its associated data or its key is not right',
  )
}

function lengthOf(bytes: Uint8Array): Buffer {
  const length = Buffer.allocUnsafe(4)
  length.writeUInt32BE(bytes.length)
  return length
}
