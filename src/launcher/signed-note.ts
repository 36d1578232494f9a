/**
 * Notes signed with two keys together, Ed25519 (RFC 8032) and ML-DSA-65 (FIPS 204, empty context), in
 * the form of c2sp.org/signed-note: the text, an empty line, one line for each signature. Both must be
 * there, in this order, and nothing else. ML-DSA-65 has no number in that specification; it is 0xff and
 * a name of ours, as the specification wants it for others (docs/formats/manifest.md).
 */

import { createHash, createPublicKey, type KeyObject, sign, verify } from 'node:crypto'

interface Algorithm {
  readonly type: 'ed25519' | 'ml-dsa-65'
  /** What stands before the public key in key ID and verifier key. */
  readonly prefix: Buffer
  readonly publicKeyBytes: number
  readonly signatureBytes: number
}

const algorithms: readonly Algorithm[] = [
  { type: 'ed25519', prefix: Buffer.from([0x01]), publicKeyBytes: 32, signatureBytes: 64 },
  {
    type: 'ml-dsa-65',
    prefix: Buffer.concat([Buffer.from([0xff]), Buffer.from('keyhold/ml-dsa-65')]),
    publicKeyBytes: 1_952,
    signatureBytes: 3_309,
  },
]

/** Both verifier keys of one signer, in text: name "+" key ID in hex "+" base64. */
export type VerifierKeys = readonly [ed25519: string, mlDsa65: string]

/** Private keys: Ed25519, ML-DSA-65. */
export type SigningKeys = readonly [ed25519: KeyObject, mlDsa65: KeyObject]

const keyIdBytes = 4
const namePattern = /^[^\s+]{1,64}$/

/** The text must end with a new line, and hold no empty line. */
export function signNote(text: string, name: string, keys: SigningKeys): string {
  const lines = algorithms.map((algorithm, index) => {
    const key = keys[index as 0 | 1]
    const id = keyId(name, algorithm, rawPublicKey(key))
    const signature = Buffer.concat([id, sign(null, Buffer.from(text), key)])
    return `\u2014 ${name} ${signature.toString('base64')}\n`
  })
  return `${text}\n${lines.join('')}`
}

export function verifierKeys(name: string, keys: SigningKeys): VerifierKeys {
  const [ed25519 = '', mlDsa65 = ''] = algorithms.map((algorithm, index) => {
    const raw = rawPublicKey(keys[index as 0 | 1])
    const keyData = Buffer.concat([algorithm.prefix, raw]).toString('base64')
    return `${name}+${keyId(name, algorithm, raw).toString('hex')}+${keyData}`
  })
  return [ed25519, mlDsa65]
}

/** The text of the note; undefined unless both keys signed it. */
export function openNote(note: string, keys: VerifierKeys): string | undefined {
  const end = note.lastIndexOf('\n\n')
  if (end < 0) return undefined
  const text = note.slice(0, end + 1)
  const lines = note.slice(end + 2).split('\n')
  if (lines.length !== algorithms.length + 1 || lines.pop() !== '') return undefined
  const bytes = Buffer.from(text)
  const isSigned = algorithms.every((algorithm, index) =>
    isSignature(lines[index] ?? '', bytes, algorithm, keys[index as 0 | 1]),
  )
  return isSigned ? text : undefined
}

function isSignature(line: string, text: Buffer, algorithm: Algorithm, key: string): boolean {
  const [name = '', id = '', keyData = ''] = key.split('+', 2).concat(afterSecondPlus(key))
  const [dash, signer, base64 = '', ...rest] = line.split(' ')
  const signature = Buffer.from(base64, 'base64')
  const { prefix, publicKeyBytes, signatureBytes } = algorithm
  const data = Buffer.from(keyData, 'base64')
  const raw = data.subarray(prefix.length)
  if (
    !namePattern.test(name) ||
    !data.subarray(0, prefix.length).equals(prefix) ||
    raw.length !== publicKeyBytes ||
    keyId(name, algorithm, raw).toString('hex') !== id ||
    dash !== '\u2014' ||
    signer !== name ||
    rest.length > 0 ||
    signature.length !== keyIdBytes + signatureBytes ||
    signature.toString('base64') !== base64 ||
    signature.subarray(0, keyIdBytes).toString('hex') !== id
  ) {
    return false
  }
  const publicKey = createPublicKey({
    key: raw,
    format: 'raw-public',
    asymmetricKeyType: algorithm.type,
  })
  return verify(null, text, publicKey, signature.subarray(keyIdBytes))
}

/** Base64 has plus signs too. */
function afterSecondPlus(key: string): string {
  return key.slice(key.indexOf('+', key.indexOf('+') + 1) + 1)
}

function keyId(name: string, { prefix }: Algorithm, publicKey: Uint8Array): Buffer {
  const hash = createHash('sha256').update(`${name}\n`).update(prefix).update(publicKey)
  return hash.digest().subarray(0, keyIdBytes)
}

function rawPublicKey(key: KeyObject): Buffer {
  return Buffer.from(createPublicKey(key).export({ format: 'raw-public' }))
}
