/**
 * What the use of a key takes and answers, one pair of schemas for each operation, and how the wire's
 * members become the manager's. Bytes are bounded one by one; longer messages are hashed outside.
 */

import { z } from 'zod'
import type { Operation } from '../../../kms/access/operations.ts'
import type { UseInputs, UseResults } from '../../../kms/use/inputs.ts'
import { approvals } from '../approvals.ts'
import { ciphertextBytesMax, inputBytesMax, sealedKeyBytesMax } from '../limits.ts'
import type { DeepReadonly } from '../route.ts'
import {
  algorithmName,
  bytes,
  encryptionContext,
  intoKey,
  key,
  keyId,
  keyName,
  version,
} from '../schemas.ts'

/** Of SHA-512, and of mu (FIPS 204). */
const digestBytesMax = 64
/** FIPS 204 section 5.2: at most 255 bytes. */
const signingContextBytesMax = 255
/** An RSA-4096 signature has 512 bytes, one of ML-DSA-87 4,627. */
const iterationsMax = 10_000_000
const signatureBytesMax = 49_856
const macBytesMax = 64
const ivBytesMax = 32
const associatedBytesMax = 64 * 1024
const derivationBytesMax = 4 * 1024
const secretBytesMax = 16 * 1024

/** Which algorithm and version, when not the key's own first and current one; what people have signed. */
const choice = {
  algorithm: algorithmName.optional(),
  version: version.optional(),
  approvals: approvals.optional(),
}
const used = { key: keyId, version, algorithm: algorithmName }

const signing = {
  data: bytes(inputBytesMax).optional(),
  digest: bytes(digestBytesMax).optional(),
  mu: bytes(digestBytesMax).optional(),
  format: z.enum(['der', 'p1363']).optional(),
  context: bytes(signingContextBytesMax).optional(),
  ...choice,
}

const binding = {
  context: encryptionContext.optional(),
  aad: bytes(associatedBytesMax).optional(),
  iv: bytes(ivBytesMax).optional(),
  raw: z.boolean().optional(),
  ...choice,
}

/** Where a secret goes: into a new key, or out if the key's plaintextRelease permits that. */
const target = {
  into: intoKey.optional(),
  lengthBytes: z.int().min(1).max(secretBytesMax).optional(),
  ...choice,
}
const made = { made: key.optional(), secret: bytes(secretBytesMax).optional(), ...used }

interface SigningBody {
  readonly data?: Uint8Array | undefined
  readonly digest?: Uint8Array | undefined
  readonly mu?: Uint8Array | undefined
}

const oneInput = ({ data, digest, mu }: SigningBody) =>
  Number(data !== undefined) + Number(digest !== undefined) + Number(mu !== undefined) === 1
const oneInputOnly = 'must have exactly one of data, digest, mu'

const oneBinding = ({ context, aad }: { context?: unknown; aad?: unknown }) =>
  context === undefined || aad === undefined
const oneBindingOnly = 'must not have both context and aad'

const signBody = z.strictObject(signing).refine(oneInput, oneInputOnly)
const verifyBody = z
  .strictObject({ ...signing, signature: bytes(signatureBytesMax) })
  .refine(oneInput, oneInputOnly)

/** Puts the one input that there is where the manager looks for it, and says what it is. */
function signingInput<T extends SigningBody>({ data, digest, mu, ...rest }: T) {
  if (digest !== undefined) return { ...rest, data: digest, input: 'digest' as const }
  if (mu !== undefined) return { ...rest, data: mu, input: 'mu' as const }
  return { ...rest, data: data ?? new Uint8Array() }
}

interface Row<O extends Operation, I extends z.ZodType, R extends z.ZodType> {
  readonly operation: O
  /** The last part of the path. */
  readonly path: string
  readonly summary: string
  readonly item: I
  readonly input: (item: z.output<I>) => UseInputs[O]
  readonly result: R
  /** May make a key, and so takes Idempotency-Key. */
  readonly creates: boolean
}

export type UseRow = Row<Operation, z.ZodType, z.ZodType>

const same = <T>(item: T): T => item

/** Holds the schema to what the manager answers: a result that it does not fit does not compile. */
function row<O extends Operation, I extends z.ZodType, R extends z.ZodType>(
  found: Row<O, I, R> &
    (UseResults[O] extends DeepReadonly<z.output<R>> ? unknown : { readonly result: never }),
): UseRow {
  const { operation, item, result } = found
  const name = `${operation[0]?.toUpperCase()}${operation.slice(1)}`
  const named = {
    ...found,
    item: item.meta({ id: `${name}Request` }),
    result: result.meta({ id: `${name}Result` }),
  }
  return named as unknown as UseRow
}

const sign = row({
  operation: 'sign',
  path: 'sign',
  summary: 'Sign a message, its digest, or the mu of ML-DSA',
  item: signBody,
  input: signingInput,
  result: z.strictObject({ signature: bytes(signatureBytesMax), ...used }),
  creates: false,
})

const verify = row({
  operation: 'verify',
  path: 'verify',
  summary: 'Verify a signature over a message, its digest, or the mu of ML-DSA',
  item: verifyBody,
  input: signingInput,
  result: z.strictObject({ valid: z.boolean(), ...used }),
  creates: false,
})

const encrypt = row({
  operation: 'encrypt',
  path: 'encrypt',
  summary: 'Encrypt; the ciphertext names its key, version and algorithm unless raw is asked for',
  item: z
    .strictObject({ plaintext: bytes(inputBytesMax), ...binding })
    .refine(oneBinding, oneBindingOnly),
  input: same,
  result: z.strictObject({
    ciphertext: bytes(ciphertextBytesMax),
    iv: bytes(ivBytesMax).optional(),
    ...used,
  }),
  creates: false,
})

const decrypt = row({
  operation: 'decrypt',
  path: 'decrypt',
  summary: 'Decrypt under the same context; one refusal for everything that does not fit',
  item: z
    .strictObject({ ciphertext: bytes(ciphertextBytesMax), ...binding })
    .refine(oneBinding, oneBindingOnly),
  input: same,
  result: z.strictObject({ plaintext: bytes(ciphertextBytesMax), ...used }),
  creates: false,
})

const mac = row({
  operation: 'mac',
  path: 'mac',
  summary: 'Make a MAC, truncated to lengthBytes if that is given',
  item: z.strictObject({
    data: bytes(inputBytesMax),
    lengthBytes: z.int().min(4).max(macBytesMax).optional(),
    ...choice,
  }),
  input: same,
  result: z.strictObject({ mac: bytes(macBytesMax), ...used }),
  creates: false,
})

const verifyMac = row({
  operation: 'verifyMac',
  path: 'verify-mac',
  summary: 'Verify a MAC',
  item: z.strictObject({ data: bytes(inputBytesMax), mac: bytes(macBytesMax), ...choice }),
  input: same,
  result: z.strictObject({ valid: z.boolean(), ...used }),
  creates: false,
})

const wrap = row({
  operation: 'wrap',
  path: 'wrap',
  summary: 'Wrap another key of the namespace, which must be exportable, under this one',
  item: z.strictObject({ target: keyName, targetVersion: version.optional(), ...choice }),
  input: same,
  result: z.strictObject({ wrapped: bytes(sealedKeyBytesMax), ...used }),
  creates: false,
})

const unwrap = row({
  operation: 'unwrap',
  path: 'unwrap',
  summary: 'Unwrap into a new key; its plaintext never leaves the module',
  item: z.strictObject({
    wrapped: bytes(sealedKeyBytesMax),
    class: z.enum(['secret', 'private']).optional(),
    into: intoKey,
    ...choice,
  }),
  input: ({ class: keyClass = 'secret', ...item }) => ({ ...item, class: keyClass }),
  result: z.strictObject({ made: key, ...used }),
  creates: true,
})

const derive = row({
  operation: 'derive',
  path: 'derive',
  summary:
    'Derive a key or bytes: salt and info for HKDF, label and context for KDF-COUNTER, salt and iterations for PBKDF2',
  item: z.strictObject({
    salt: bytes(derivationBytesMax).optional(),
    info: bytes(derivationBytesMax).optional(),
    label: bytes(derivationBytesMax).optional(),
    context: bytes(derivationBytesMax).optional(),
    iterations: z.int().min(1).max(iterationsMax).optional(),
    ...target,
  }),
  input: same,
  result: z.strictObject(made),
  creates: true,
})

const agree = row({
  operation: 'agree',
  path: 'agree',
  summary: "Agree on a secret with a peer's public key (SPKI)",
  item: z.strictObject({ peer: bytes(derivationBytesMax), ...target }),
  input: same,
  result: z.strictObject(made),
  creates: true,
})

const encapsulate = row({
  operation: 'encapsulate',
  path: 'encapsulate',
  summary: 'Make a shared secret and its ciphertext for the holder of the private key',
  item: z.strictObject(target),
  input: same,
  result: z.strictObject({ ciphertext: bytes(derivationBytesMax), ...made }),
  creates: true,
})

const decapsulate = row({
  operation: 'decapsulate',
  path: 'decapsulate',
  summary: 'Take the shared secret out of a ciphertext',
  item: z.strictObject({ ciphertext: bytes(derivationBytesMax), ...target }),
  input: same,
  result: z.strictObject(made),
  creates: true,
})

export const useRows: readonly UseRow[] = [
  sign,
  verify,
  encrypt,
  decrypt,
  mac,
  verifyMac,
  wrap,
  unwrap,
  derive,
  agree,
  encapsulate,
  decapsulate,
]
