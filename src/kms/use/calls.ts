/**
 * Each use as a command to the module, and its answer as the manager's. On the way of every signature:
 * nothing is made that is not needed.
 */

import type { AlgorithmName } from '../../hsm/contract/algorithms.ts'
import type { Call, CommandName, Outcome } from '../../hsm/contract/commands.ts'
import type { Operation } from '../access/operations.ts'
import { KmsError } from '../errors.ts'
import type { KnownKey } from '../keys/known-keys.ts'
import {
  ciphertextInvalid,
  decodeEnvelope,
  type Envelope,
  encodeContext,
  encodeEnvelope,
  encodePrefix,
} from './ciphertext.ts'
import type { Binding, Choice, Used, UseInputs, UseResults } from './inputs.ts'

/** A command that is ready but for the wrapped keys, and what its answer says to the caller. */
export interface ReadyUse<R> {
  readonly call: Call
  readonly used: Used
  /** The key that is wrapped, if the command wraps one. */
  readonly target?: KnownKey
  readonly result: (answer: Answer) => R
}

type Answer = Exclude<Outcome, { error: unknown }>
type Parts = Readonly<Record<string, Uint8Array | undefined>>

/** The uses that make nothing but an answer. Those that may make a key are in `secrets.ts`. */
export type PlainOperation = Exclude<
  Operation,
  'unwrap' | 'derive' | 'agree' | 'encapsulate' | 'decapsulate'
>

type Prepare<O extends Operation> = (key: KnownKey, input: UseInputs[O]) => ReadyUse<UseResults[O]>

/** `wrap` needs another key, which the caller of its row has found. */
export const prepare: { readonly [O in Exclude<PlainOperation, 'wrap'>]: Prepare<O> } = {
  sign: (key, input) => {
    const used = choose(key, 'sign', input)
    const call = command('sign', { ...used, ...signing(input) }, signedParts(input))
    return { call, used, result: ({ parts }) => ({ signature: part(parts, 'signature'), ...used }) }
  },
  verify: (key, input) => {
    const used = choose(key, 'verify', input)
    const parts = { ...signedParts(input), signature: input.signature }
    const call = command('verify', { ...used, ...signing(input) }, parts)
    return { call, used, result: (answer) => ({ valid: validOf(answer), ...used }) }
  },
  encrypt,
  decrypt,
  mac: (key, input) => {
    const used = choose(key, 'mac', input)
    const { data, lengthBytes } = input
    const args = lengthBytes === undefined ? used : { ...used, lengthBytes }
    const call = command('mac', args, { data })
    return { call, used, result: ({ parts }) => ({ mac: part(parts, 'mac'), ...used }) }
  },
  verifyMac: (key, input) => {
    const used = choose(key, 'verifyMac', input)
    const call = command('verifyMac', used, { data: input.data, mac: input.mac })
    return { call, used, result: (answer) => ({ valid: validOf(answer), ...used }) }
  },
}

/** The target was found in the same namespace. */
export function prepareWrap(
  key: KnownKey,
  target: KnownKey,
  input: UseInputs['wrap'],
): ReadyUse<UseResults['wrap']> {
  const used = choose(key, 'wrap', input)
  const version = input.targetVersion ?? target.currentVersion
  assertVersion(target, version)
  const call = command('wrapKey', { ...used, target: { key: target.id, version } }, {})
  const result = ({ parts }: Answer): UseResults['wrap'] => ({
    wrapped: Buffer.concat([part(parts, 'iv'), part(parts, 'ciphertext')]),
    ...used,
  })
  return { call, used, target, result }
}

function encrypt(key: KnownKey, input: UseInputs['encrypt']): ReadyUse<UseResults['encrypt']> {
  const used = choose(key, 'encrypt', input)
  const { plaintext, iv, raw = false } = input
  const bound = boundBytes(input)
  const prefix = raw ? undefined : encodePrefix(used)
  const aad = associated(used.algorithm, prefix, bound)
  const call = command('encrypt', used, {
    plaintext,
    ...optional('aad', aad),
    ...optional('iv', iv),
  })
  const result = ({ parts }: Answer): UseResults['encrypt'] => {
    const made = { iv: part(parts, 'iv'), ciphertext: part(parts, 'ciphertext') }
    if (prefix === undefined) return { ...made, ...used }
    return { ciphertext: encodeEnvelope(prefix, made), ...used }
  }
  return { call, used, result }
}

function decrypt(key: KnownKey, input: UseInputs['decrypt']): ReadyUse<UseResults['decrypt']> {
  const { iv, raw = false } = input
  const bound = boundBytes(input)
  if (!raw && iv !== undefined) {
    throw new KmsError('ARGUMENT_INVALID', 'the ciphertext has its IV in it, unless it is raw')
  }
  const envelope = raw ? undefined : decodeEnvelope(input.ciphertext)
  const used = envelope ? opener(key, envelope, input) : choose(key, 'decrypt', input)
  const aad = associated(used.algorithm, envelope?.prefix, bound)
  const call = command('decrypt', used, {
    ciphertext: envelope?.ciphertext ?? input.ciphertext,
    ...optional('iv', envelope?.nonce ?? iv),
    ...optional('aad', aad),
  })
  return { call, used, result: ({ parts }) => ({ plaintext: part(parts, 'plaintext'), ...used }) }
}

/** What the ciphertext says of itself, if it is of this key and of what the caller asks for. */
function opener(key: KnownKey, envelope: Envelope, asked: Choice): Used {
  const { version, algorithm } = envelope
  const fits =
    envelope.key === key.id &&
    key.versions.has(version) &&
    key.algorithms.has(algorithm) &&
    (asked.version ?? version) === version &&
    (asked.algorithm ?? algorithm) === algorithm
  if (!fits) throw ciphertextInvalid()
  return { key: key.id, version, algorithm }
}

/** Version and algorithm: the caller's, or the key's own. @throws KmsError VERSION_NOT_FOUND, KEY_USE_NOT_PERMITTED */
export function choose(key: KnownKey, operation: Operation, asked: Choice): Used {
  const version = asked.version ?? key.currentVersion
  assertVersion(key, version)
  const algorithm = asked.algorithm ?? key.algorithmFor.get(operation)
  if (algorithm === undefined) {
    throw new KmsError('KEY_USE_NOT_PERMITTED', `the key is not permitted to ${operation}`)
  }
  return { key: key.id, version, algorithm }
}

function assertVersion(key: KnownKey, version: number): void {
  if (!key.versions.has(version)) {
    throw new KmsError('VERSION_NOT_FOUND', `the key has no version ${version}`)
  }
}

/** Algorithms that authenticate nothing take no associated data; a context for one is refused inside. */
function associated(
  algorithm: AlgorithmName,
  prefix: Uint8Array | undefined,
  bound: Uint8Array,
): Uint8Array | undefined {
  const authenticates = /-GCM$|-CCM$|-Poly1305$/.test(algorithm)
  if (prefix !== undefined && authenticates) {
    return bound.length === 0 ? prefix : Buffer.concat([prefix, bound])
  }
  return bound.length === 0 ? undefined : bound
}

function boundBytes({ context, aad }: Binding): Uint8Array {
  if (context === undefined) return aad ?? none
  if (aad !== undefined) {
    throw new KmsError('ARGUMENT_INVALID', 'either a context or associated data')
  }
  return encodeContext(context)
}

const none = new Uint8Array()

function signing({ input, format }: UseInputs['sign']): object {
  return { ...optional('input', input), ...optional('format', format) }
}

function signedParts({ data, context }: UseInputs['sign']): Parts {
  return context === undefined ? { data } : { data, context }
}

/** The shapes of arguments and parts are those of the command's row in the contract. */
export function command(name: CommandName, args: object, parts: Parts): Call {
  return { command: name, arguments: args, parts } as Call
}

export function optional<T>(name: string, value: T | undefined): Readonly<Record<string, T>> {
  return value === undefined ? {} : { [name]: value }
}

/** @throws TypeError when the module left out what its contract promises: a bug */
export function part(parts: object, name: string): Uint8Array {
  const found = (parts as Parts)[name]
  if (found === undefined) throw new TypeError(`the answer has no part ${name}`)
  return found
}

function validOf({ result }: Answer): boolean {
  return 'valid' in result && result.valid === true
}
