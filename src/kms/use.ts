/**
 * Use of keys: the way of every signature and every encryption. Find the key, ask for the grant, choose
 * version and algorithm, send one frame with a command for each input, and answer an outcome for each.
 * While the caches know, nothing is awaited before the frame goes out. Roles count for nothing here: only
 * a grant for this key and this operation lets anybody use it.
 */

import { createHash } from 'node:crypto'
import type { Outcome } from '../hsm/contract/commands.ts'
import { accessDenied, grantedOperations, isPermitted } from './access/access.ts'
import type { Operation } from './access/operations.ts'
import { type StatementRequest, statementsFor, withApprovals } from './approvals.ts'
import { asKmsError } from './commands.ts'
import { KmsError } from './errors.ts'
import { assertIdempotencyKey } from './idempotency.ts'
import { keyNotFound } from './keys/find.ts'
import { type KnownKey, knownKey } from './keys/known-keys.ts'
import { getKey } from './keys/record.ts'
import { isDestroyed } from './keys/rows.ts'
import type { Caller, Creation, Kms } from './kms.ts'
import { batchBytesMax, batchItemsMax } from './limits.ts'
import { prepare, prepareWrap, type ReadyUse } from './use/calls.ts'
import type { Choice, UseInputs, UseResults } from './use/inputs.ts'
import {
  type IntoUse,
  intoOf,
  isSecretOperation,
  prepareIntoKey,
  prepareRelease,
  type SecretOperation,
  useIntoKey,
} from './use/secrets.ts'
import { sendUses } from './use/send.ts'

export interface UseTarget<O extends Operation> {
  readonly namespace: string
  /** Id, name or alias. */
  readonly key: string
  readonly operation: O
}

export type UseOutcome<O extends Operation> =
  | { readonly result: UseResults[O] }
  | { readonly error: KmsError }

/**
 * One outcome for each input, in their order.
 *
 * @throws KmsError what refuses all of them: ACCESS_DENIED, KEY_NOT_FOUND, KEY_DESTROYED,
 *   KEY_STATE_INVALID, ARGUMENT_INVALID for too large a batch, MODULE_UNAVAILABLE, OVERLOADED
 */
export async function useKey<O extends Operation>(
  kms: Kms,
  caller: Caller,
  target: UseTarget<O>,
  inputs: readonly UseInputs[O][],
  creation: Creation = {},
): Promise<UseOutcome<O>[]> {
  if (inputs.length !== 1) assertBatch(inputs)
  const found = findUsable(kms, caller, target)
  const known = found instanceof Promise ? await found : found
  const { operation } = target
  if (isSecretOperation(operation)) {
    const uses: KnownTarget<SecretOperation> = { ...target, operation, known }
    const given = inputs as readonly UseInputs[SecretOperation][]
    return useSecrets(kms, caller, uses, given, creation) as Promise<UseOutcome<O>[]>
  }
  const prepared =
    operation === 'wrap'
      ? await prepareWraps(kms, caller, { ...target, known }, inputs as readonly WrapInput[])
      : inputs.map((input) =>
          attempt(() => prepareOne(operation as Prepared, known, input as never)),
        )
  return settle<O>(kms, caller, approvedUses(prepared as readonly Ready<O>[], inputs))
}

/** Each with what people have signed for it, if they have. */
function approvedUses<O extends Operation>(
  uses: readonly Ready<O>[],
  inputs: readonly Choice[],
): readonly Ready<O>[] {
  if (inputs.every(({ approvals }) => approvals === undefined)) return uses
  return uses.map((use, index) =>
    use instanceof KmsError
      ? use
      : { ...use, call: withApprovals(use.call, inputs[index]?.approvals) },
  )
}

/**
 * What people sign so that the module permits this use, where the key or a rule asks for it. For a use that
 * makes a key the statement names its id, which comes with the use then.
 *
 * @throws KmsError as useKey
 */
export async function useStatement<O extends Operation>(
  kms: Kms,
  caller: Caller,
  target: UseTarget<O>,
  { input, ...request }: StatementRequest & { readonly input: UseInputs[O] },
): Promise<string[]> {
  const known = await findUsable(kms, caller, target)
  const { namespace, operation } = target
  const into = intoOf(input)
  if (into !== undefined && isSecretOperation(operation)) {
    const given = input as UseInputs[SecretOperation]
    const use: IntoUse<SecretOperation> = { namespace, operation, key: known, input: given, into }
    return statementsFor(kms, caller, [await prepareIntoKey(kms, caller, use)], request)
  }
  const [use] = isSecretOperation(operation)
    ? [attempt(() => prepareRelease(operation, known, input as never))]
    : operation === 'wrap'
      ? await prepareWraps(kms, caller, { namespace, operation, known }, [input as WrapInput])
      : [attempt(() => prepareOne(operation as Prepared, known, input as never))]
  if (use === undefined) throw new TypeError('one input is one use')
  if (use instanceof KmsError) throw use
  return statementsFor(kms, caller, [use.call], request)
}

type Prepared = keyof typeof prepare
type WrapInput = UseInputs['wrap']
type Ready<O extends Operation> = ReadyUse<UseResults[O]> | KmsError

/** One input. @throws KmsError its own error, and what refuses all */
export async function useKeyOnce<O extends Operation>(
  kms: Kms,
  caller: Caller,
  target: UseTarget<O>,
  input: UseInputs[O],
  creation: Creation = {},
): Promise<UseResults[O]> {
  const [outcome] = await useKey(kms, caller, target, [input], creation)
  if (outcome === undefined) throw new TypeError('one input has one outcome')
  if ('error' in outcome) throw outcome.error
  return outcome.result
}

/** @throws KmsError ARGUMENT_INVALID */
function assertBatch(inputs: readonly object[]): void {
  if (inputs.length === 0 || inputs.length > batchItemsMax) {
    throw new KmsError('ARGUMENT_INVALID', `a batch has 1 to ${batchItemsMax} items`)
  }
  let bytes = 0
  for (const input of inputs) {
    for (const member of Object.values(input)) {
      if (member instanceof Uint8Array) bytes += member.length
    }
  }
  if (bytes > batchBytesMax) {
    throw new KmsError('ARGUMENT_INVALID', `a batch has at most ${batchBytesMax} bytes of input`)
  }
}

function prepareOne<O extends Prepared>(
  operation: O,
  key: KnownKey,
  input: UseInputs[O],
): ReadyUse<UseResults[O]> {
  return prepare[operation](key, input)
}

/** The key, if it can be used and the caller has the grant; a promise when a cache does not know. */
export function findUsable(
  kms: Kms,
  caller: Caller,
  target: UseTarget<Operation>,
): KnownKey | Promise<KnownKey> {
  const key = knownKey(kms, target.namespace, target.key)
  if (key === undefined || key instanceof Promise) return findLater(kms, caller, target, key)
  const granted = grantedOperations(kms, caller.identity.id, key.id)
  if (granted instanceof Promise) return findLater(kms, caller, target, Promise.resolve(key))
  if (!granted.has(target.operation)) throw notGranted(target)
  assertUsable(key, target.operation)
  return key
}

async function findLater(
  kms: Kms,
  caller: Caller,
  target: UseTarget<Operation>,
  finding: Promise<KnownKey | undefined> | undefined,
): Promise<KnownKey> {
  const key = await finding
  if (key === undefined) {
    // Who may not read keys does not learn which there are.
    const { namespace } = target
    const mayKnow = await isPermitted(kms, caller, namespace, 'keys:read')
    throw mayKnow ? keyNotFound(namespace, target.key) : notGranted(target)
  }
  const granted = await grantedOperations(kms, caller.identity.id, key.id)
  if (!granted.has(target.operation)) throw notGranted(target)
  assertUsable(key, target.operation)
  return key
}

/** In the same words whether there is such a key or not. */
export function notGranted({
  namespace,
  operation,
}: Pick<UseTarget<Operation>, 'namespace' | 'operation'>): KmsError {
  return accessDenied(`${operation} with this key of namespace ${namespace}`)
}

/**
 * What the module would refuse for an active version it refuses by itself; a disabled key's deactivated
 * versions, which cannot be suspended, are refused here.
 */
function assertUsable({ state }: KnownKey, operation: Operation): void {
  if (isDestroyed(state)) throw new KmsError('KEY_DESTROYED', 'the key was destroyed')
  if (state === 'suspended' && operation !== 'verify' && operation !== 'verifyMac') {
    throw new KmsError('KEY_STATE_INVALID', `a key that is suspended does not ${operation}`)
  }
}

interface KnownTarget<O extends Operation> extends Omit<UseTarget<O>, 'key'> {
  readonly known: KnownKey
}

/** Each with a target that the caller may see; the wrapping key's grant permits nothing about others. */
async function prepareWraps(
  kms: Kms,
  caller: Caller,
  { namespace, known }: KnownTarget<'wrap' | Operation>,
  inputs: readonly WrapInput[],
): Promise<Ready<'wrap'>[]> {
  return Promise.all(
    inputs.map(async (input) => {
      try {
        await getKey(kms, caller, namespace, input.target)
        const target = await knownKey(kms, namespace, input.target)
        if (target === undefined) throw keyNotFound(namespace, input.target)
        if (isDestroyed(target.state))
          throw new KmsError('KEY_DESTROYED', 'the target was destroyed')
        return prepareWrap(known, target, input)
      } catch (error) {
        if (error instanceof KmsError) return error
        throw error
      }
    }),
  )
}

/** What is released goes in one frame; each new key is made by itself, as every key is. */
async function useSecrets<O extends SecretOperation>(
  kms: Kms,
  caller: Caller,
  { namespace, operation, known }: KnownTarget<O>,
  inputs: readonly UseInputs[O][],
  creation: Creation,
): Promise<UseOutcome<O>[]> {
  const making = inputs.map((input, index) => {
    const into = intoOf(input)
    if (into === undefined) return undefined
    const use = { namespace, operation, key: known, input, into }
    const own = creationOf(creation, index, inputs.length)
    return outcomeLater(useIntoKey(kms, caller, use, own))
  })
  const released = inputs.filter((input) => intoOf(input) === undefined)
  const releasing = approvedUses<O>(
    released.map((input) => attempt(() => prepareRelease(operation, known, input))),
    released,
  )
  const [made, outcomes] = await Promise.all([
    Promise.all(making),
    settle<O>(kms, caller, releasing),
  ])
  const inOrder = outcomes.values()
  return made.map((outcome) => {
    const one = outcome ?? inOrder.next().value
    if (one === undefined) throw new TypeError('every input has an outcome')
    return one
  })
}

async function outcomeLater<O extends Operation>(
  work: Promise<UseResults[O]>,
): Promise<UseOutcome<O>> {
  try {
    return { result: await work }
  } catch (error) {
    const refused = asKmsError(error)
    if (refused instanceof KmsError) return { error: refused }
    throw error
  }
}

/** What was refused here stays refused; the others go in one frame. */
async function settle<O extends Operation>(
  kms: Kms,
  caller: Caller,
  prepared: readonly Ready<O>[],
): Promise<UseOutcome<O>[]> {
  const ready = prepared.filter((use): use is ReadyUse<UseResults[O]> => !(use instanceof KmsError))
  const outcomes = ready.length === 0 ? [] : await sendUses(kms, caller, ready)
  let next = 0
  return prepared.map((use) => {
    if (use instanceof KmsError) return { error: use }
    const outcome = outcomes[next]
    next += 1
    return outcomeOf(use, outcome)
  })
}

function outcomeOf<O extends Operation>(
  use: ReadyUse<UseResults[O]>,
  outcome: Outcome | undefined,
): UseOutcome<O> {
  if (outcome === undefined) throw new TypeError('every command has an outcome')
  if ('error' in outcome) return { error: new KmsError(outcome.error.code, outcome.error.message) }
  return { result: use.result(outcome) }
}

/** @throws what is not a KmsError */
function attempt<T>(make: () => T): T | KmsError {
  try {
    return make()
  } catch (error) {
    if (error instanceof KmsError) return error
    throw error
  }
}

/** Each item of a batch that makes a key has an idempotency key of its own, made from the batch's. */
function creationOf({ idempotencyKey }: Creation, index: number, count: number): Creation {
  if (idempotencyKey === undefined || count === 1) return { idempotencyKey }
  assertIdempotencyKey(idempotencyKey)
  const digest = createHash('sha256').update(idempotencyKey).digest('base64url')
  return { idempotencyKey: `${digest}.${index}` }
}
