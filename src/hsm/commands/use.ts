/**
 * Commands that use a key on what the caller brings: sign, signRequest, verify, encrypt, decrypt, mac, verifyMac.
 * What is fast is answered at once and touches no promise.
 */

import { macBytesMin, verifyMac as macMatches } from '../algorithms.ts'
import { assertRequestFor, certificationRequestBytesMax } from '../certification-request.ts'
import { HsmError } from '../contract/errors.ts'
import { parseChoice, parseInteger, parseObject } from '../parse.ts'
import type { Maybe } from '../primitives/implementation.ts'
import {
  aadBytesMax,
  command,
  contextBytesMax,
  ivBytesMax,
  messageBytesMax,
  signatureBytesMax,
  unrestricted,
} from './row.ts'
import {
  parseUse,
  parseUseMembers,
  permitUse,
  type UseArguments,
  useMembers,
  wrappedPart,
} from './use-of-key.ts'

const operational = ['operational'] as const
const none = new Uint8Array()
/** A tag, or a block of padding. */
const ciphertextOverheadMax = 16
/** The longest MAC, HMAC with a hash of 512 bits. */
const macBytesMax = 64

const inputs = ['message', 'digest', 'mu'] as const
const formats = ['der', 'p1363'] as const
const signingMembers = useMembers(['input', 'format'])

interface SigningArguments extends UseArguments {
  readonly input: (typeof inputs)[number]
  readonly format: (typeof formats)[number]
}

export const sign = command({
  name: 'sign',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    data: { bytesMax: messageBytesMax },
    context: { bytesMax: contextBytesMax, optional: true },
  },
  parse: parseSigning,
  run: (module, args, { wrapped, data, context = none }) => {
    const key = permitUse(module, args, wrapped, { use: 'sign', operation: 'sign' })
    const { input, format } = args
    return mapDone(key.operation(key.material, data, { input, format, context }), signatureDone)
  },
})

/** A certificate request of the key itself; what else would parse as one is refused (`../certification-request.ts`). */
export const signRequest = command({
  name: 'signRequest',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: { wrapped: wrappedPart, request: { bytesMax: certificationRequestBytesMax } },
  parse: parseUse,
  run: (module, args, { wrapped, request }) => {
    const key = permitUse(module, args, wrapped, { use: 'sign', operation: 'sign' })
    assertRequestFor(key.material.publicSpki(), request)
    const options = { input: 'message', format: 'der', context: none } as const
    return mapDone(key.operation(key.material, request, options), signatureDone)
  },
})

export const verify = command({
  name: 'verify',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    data: { bytesMax: messageBytesMax },
    signature: { bytesMax: signatureBytesMax },
    context: { bytesMax: contextBytesMax, optional: true },
  },
  parse: parseSigning,
  run: (module, args, { wrapped, data, signature, context = none }) => {
    const key = permitUse(module, args, wrapped, { use: 'verify', operation: 'verify' })
    const { input, format } = args
    const options = { input, format, context }
    return mapDone(key.operation(key.material, data, signature, options), validDone)
  },
})

export const encrypt = command({
  name: 'encrypt',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    plaintext: { bytesMax: messageBytesMax },
    aad: { bytesMax: aadBytesMax, optional: true },
    iv: { bytesMax: ivBytesMax, optional: true },
  },
  parse: parseUse,
  run: (module, args, { wrapped, plaintext, aad = none, iv }) => {
    const key = permitUse(module, args, wrapped, { use: 'encrypt', operation: 'encrypt' })
    if (iv && !key.attributes.externalIv) {
      throw new HsmError('KEY_USE_NOT_PERMITTED', 'IVs of this key are made in the module')
    }
    const options = iv ? { iv, aad } : { aad }
    return mapDone(key.operation(key.material, plaintext, options), encryptedDone)
  },
})

export const decrypt = command({
  name: 'decrypt',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    ciphertext: { bytesMax: messageBytesMax + ciphertextOverheadMax },
    iv: { bytesMax: ivBytesMax, optional: true },
    aad: { bytesMax: aadBytesMax, optional: true },
  },
  parse: parseUse,
  run: (module, args, { wrapped, ciphertext, iv = none, aad = none }) => {
    const key = permitUse(module, args, wrapped, { use: 'decrypt', operation: 'decrypt' })
    return mapDone(key.operation(key.material, { ciphertext, iv, aad }), plaintextDone)
  },
})

const macMembers = useMembers(['lengthBytes'])

export const mac = command({
  name: 'mac',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { wrapped: wrappedPart, data: { bytesMax: messageBytesMax } },
  parse: (untrusted) => {
    const args = parseObject(untrusted, macMembers, 'arguments')
    const { lengthBytes } = args
    const range = { name: 'lengthBytes', min: macBytesMin, max: macBytesMax }
    return lengthBytes === undefined
      ? parseUseMembers(args)
      : { ...parseUseMembers(args), lengthBytes: parseInteger(lengthBytes, range) }
  },
  run: (module, args: UseArguments & { readonly lengthBytes?: number }, { wrapped, data }) => {
    const key = permitUse(module, args, wrapped, { use: 'mac', operation: 'mac' })
    const full = key.operation(key.material, data)
    const { lengthBytes = full.length } = args
    if (lengthBytes > full.length) {
      throw new HsmError('ARGUMENT_INVALID', `this MAC has at most ${full.length} bytes`)
    }
    return { result: {}, parts: { mac: full.subarray(0, lengthBytes) } }
  },
})

export const verifyMac = command({
  name: 'verifyMac',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    data: { bytesMax: messageBytesMax },
    mac: { bytesMax: signatureBytesMax },
  },
  parse: parseUse,
  run: (module, args, { wrapped, data, mac: tag }) => {
    const key = permitUse(module, args, wrapped, { use: 'verifyMac', operation: 'mac' })
    return validDone(macMatches(key.operation, key.material, { data, tag }))
  },
})

function parseSigning(untrusted: unknown): SigningArguments {
  const args = parseObject(untrusted, signingMembers, 'arguments')
  const { input, format } = args
  return {
    ...parseUseMembers(args),
    input: input === undefined ? 'message' : parseChoice(input, inputs, 'input'),
    format: format === undefined ? 'der' : parseChoice(format, formats, 'format'),
  }
}

/** Later for a promise, at once for anything else. */
function mapDone<T, D>(outcome: Maybe<T>, done: (value: T) => D): Maybe<D> {
  return outcome instanceof Promise ? outcome.then(done) : done(outcome)
}

const signatureDone = (signature: Uint8Array) => ({ result: {}, parts: { signature } })
const validDone = (valid: boolean) => ({ result: { valid }, parts: {} })
const encryptedDone = ({ iv, ciphertext }: { iv: Uint8Array; ciphertext: Uint8Array }) => ({
  result: {},
  parts: { iv, ciphertext },
})
const plaintextDone = (plaintext: Uint8Array) => ({
  result: {},
  parts: { plaintext },
  erase: true as const,
})
