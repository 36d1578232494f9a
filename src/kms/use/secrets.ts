/**
 * Uses that make a secret: unwrap, derive, agree, encapsulate, decapsulate. The secret becomes a new key,
 * whose making is that of every key (keys/new-key.ts), or leaves in plaintext where the key permits it.
 */

import type { Call, NewKey, Outcome } from '../../hsm/contract/commands.ts'
import { parseKeyId } from '../../hsm/contract/keys.ts'
import { assertPermission } from '../access/access.ts'
import type { Operation } from '../access/operations.ts'
import { withApprovals } from '../approvals.ts'
import { answerOf } from '../commands.ts'
import { KmsError } from '../errors.ts'
import type { KnownKey } from '../keys/known-keys.ts'
import { type KeyToMake, type MadeBytes, makeKey, templateOf } from '../keys/new-key.ts'
import type { Caller, Creation, Kms } from '../kms.ts'
import { newId } from '../names.ts'
import { choose, command, optional, type PlainOperation, part, type ReadyUse } from './calls.ts'
import type { Choice, IntoInput, UseInputs, UseResults } from './inputs.ts'
import { sendUses } from './send.ts'

export type SecretOperation = Exclude<Operation, PlainOperation>

type Parts = Readonly<Record<string, Uint8Array>>

interface SecretRow<O extends SecretOperation> {
  readonly command: 'unwrapKey' | 'deriveKey' | 'agree' | 'encapsulate' | 'decapsulate'
  readonly parts: (key: KnownKey, input: UseInputs[O]) => Parts
  /** Arguments besides those that all of them have. */
  readonly more?: (input: UseInputs[O]) => object
}

const rows: { readonly [O in SecretOperation]: SecretRow<O> } = {
  unwrap: { command: 'unwrapKey', parts: unwrapParts },
  derive: {
    command: 'deriveKey',
    parts: (_key, { salt, info, label, context }) => ({
      ...optional('salt', salt),
      ...optional('info', info),
      ...optional('label', label),
      ...optional('context', context),
    }),
    more: ({ iterations }) => optional('iterations', iterations),
  },
  agree: { command: 'agree', parts: (_key, { peer }) => ({ peer }) },
  encapsulate: { command: 'encapsulate', parts: () => ({}) },
  decapsulate: { command: 'decapsulate', parts: (_key, { ciphertext }) => ({ ciphertext }) },
}

/** Bytes of the IV in front of what wrapped a key; the other algorithms have none there. */
function unwrapParts(key: KnownKey, input: UseInputs['unwrap']): Parts {
  const { algorithm } = choose(key, 'unwrap', input)
  const ivBytes = algorithm === 'XAES-256-GCM' ? 24 : /^AES-\d+-GCM$/.test(algorithm) ? 12 : 0
  const { wrapped } = input
  if (ivBytes === 0) return { ciphertext: wrapped }
  return { iv: wrapped.subarray(0, ivBytes), ciphertext: wrapped.subarray(ivBytes) }
}

export function isSecretOperation(operation: Operation): operation is SecretOperation {
  return Object.hasOwn(rows, operation)
}

/** The secret leaves in plaintext. @throws KmsError ARGUMENT_INVALID, VERSION_NOT_FOUND */
export function prepareRelease<O extends SecretOperation>(
  operation: O,
  key: KnownKey,
  input: UseInputs[O] & { readonly lengthBytes?: number | undefined },
): ReadyUse<UseResults[O]> {
  const row: SecretRow<O> = rows[operation]
  const used = choose(key, operation, input)
  const length = optional('lengthBytes', input.lengthBytes)
  const args = { ...used, ...length, ...row.more?.(input) }
  const result = ({ parts }: Exclude<Outcome, { error: unknown }>) => {
    const { secret, ciphertext } = parts as Partial<Record<string, Uint8Array>>
    const made = { ...optional('secret', secret), ...optional('ciphertext', ciphertext), ...used }
    return made as unknown as UseResults[O]
  }
  return { call: command(row.command, args, row.parts(key, input)), used, result }
}

export function intoOf(input: object): IntoInput | undefined {
  return 'into' in input ? (input.into as IntoInput | undefined) : undefined
}

export interface IntoUse<O extends SecretOperation> {
  readonly namespace: string
  readonly operation: O
  readonly key: KnownKey
  readonly input: UseInputs[O]
  readonly into: IntoInput
}

/**
 * The secret becomes a key of this namespace; the caller needs the permission to create keys there, or
 * to import them where the key comes from outside.
 *
 * @throws KmsError ACCESS_DENIED, what makeKey throws, and what the module refuses
 */
export async function useIntoKey<O extends SecretOperation>(
  kms: Kms,
  caller: Caller,
  use: IntoUse<O>,
  creation: Creation,
): Promise<UseResults[O]> {
  const { namespace, operation, key, input, into } = use
  await assertMayMake(kms, caller, use)
  const { approvals }: Choice = input
  if ((approvals === undefined) !== (into.id === undefined)) {
    throw new KmsError('ARGUMENT_INVALID', 'the id of a new key comes from what people approved')
  }
  const used = choose(key, operation, input as Choice)
  let ciphertext: Uint8Array | undefined
  const make = async (made: KeyToMake): Promise<MadeBytes> => {
    const call = withApprovals(callInto(use, made), approvals)
    const [outcome] = await sendUses(kms, caller, [{ call, used }])
    if (outcome === undefined) throw new TypeError('the module gave no outcome')
    const { result, parts } = answerOf(outcome)
    if (operation === 'encapsulate') ciphertext = part(parts, 'ciphertext')
    const { publicKey } = parts as { readonly publicKey?: Uint8Array }
    return { made: madeOf(result), wrapped: part(parts, 'wrapped'), publicKey }
  }
  return makeKey<UseResults[O]>(
    kms,
    caller,
    { namespace, input: into },
    {
      ...creation,
      call: operation,
      request: { namespace, key: key.id, input },
      id: into.id,
      keyClass: classOf(input),
      make,
      answer: (record) =>
        ({
          made: record,
          ...optional('ciphertext', ciphertext),
          ...used,
        }) as unknown as UseResults[O],
    },
  )
}

/** The same command, for people to approve, with an id for the key that it is to make. @throws KmsError */
export async function prepareIntoKey<O extends SecretOperation>(
  kms: Kms,
  caller: Caller,
  use: IntoUse<O>,
): Promise<Call> {
  await assertMayMake(kms, caller, use)
  const template = await templateOf(kms, caller, use.into, classOf(use.input))
  return callInto(use, { key: parseKeyId(newId('key')), version: 1, template })
}

/** @throws KmsError ACCESS_DENIED, ARGUMENT_INVALID */
async function assertMayMake<O extends SecretOperation>(
  kms: Kms,
  caller: Caller,
  { namespace, operation, input }: IntoUse<O>,
): Promise<void> {
  const permission = operation === 'unwrap' ? 'keys:import' : 'keys:create'
  await assertPermission(kms, caller, namespace, permission)
  if ('lengthBytes' in input && input.lengthBytes !== undefined) {
    throw new KmsError('ARGUMENT_INVALID', 'the length of a new key is its own lengthBytes')
  }
}

function callInto<O extends SecretOperation>(
  { operation, key, input }: IntoUse<O>,
  made: KeyToMake,
): Call {
  const row: SecretRow<O> = rows[operation]
  const used = choose(key, operation, input as Choice)
  const target = operation === 'unwrap' ? { ...made, class: classOf(input) } : made
  const args = { ...used, into: target, ...row.more?.(input) }
  return command(row.command, args, row.parts(key, input))
}

function classOf(input: UseInputs[SecretOperation]): 'secret' | 'private' {
  return 'class' in input ? input.class : 'secret'
}

/** unwrapKey answers the key itself, the others under a name. */
function madeOf(result: object): NewKey {
  return ('made' in result ? result.made : result) as NewKey
}
