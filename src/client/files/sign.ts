/**
 * Signs and verifies files of any size: hashed here in constant memory, signed by the module over the
 * digest, or over mu for ML-DSA. Ed25519 takes the message itself, up to 1 MiB.
 */

import assert from 'node:assert/strict'
import type { Client } from '../client.ts'
import { ClientError, clientError } from '../errors.ts'
import type { AlgorithmName, Approvals } from '../types.ts'
import {
  digestOf,
  messageOf,
  musOf,
  type SigningInput,
  signingContextBytesMax,
  signingInput,
} from './digest.ts'
import { type FileOptions, InputFile } from './input.ts'

/** How many versions of a key are tried, the newest first, when none is named. */
export const versionsTriedMax = 16

export interface SignWork extends FileOptions {
  readonly namespace: string
  /** Name, alias or id. */
  readonly key: string
  /** A path, or "-" for standard input. */
  readonly input: string
  /** The key's first algorithm that signs when left out. */
  readonly algorithm?: AlgorithmName | undefined
  /** ECDSA only: DER when left out. */
  readonly format?: 'der' | 'p1363' | undefined
  /** ML-DSA only: at most 255 bytes. */
  readonly context?: Uint8Array | undefined
  readonly version?: number | undefined
  /** What people have signed, where the key asks for it. */
  readonly approvals?: Approvals | undefined
}

export interface FileSignature {
  readonly signature: Uint8Array
  readonly algorithm: string
  readonly key: string
  readonly version: number
}

export interface FileVerification {
  readonly valid: boolean
  readonly algorithm: string
  readonly key: string
  /** The version whose signature it is, or the newest that was tried. */
  readonly version: number
}

interface Plan {
  readonly keyId: string
  readonly algorithm: AlgorithmName
  readonly how: SigningInput
  readonly context: Uint8Array
  readonly currentVersion: number
}

/** What one version is asked: the same for all, but for mu, which depends on the public key. */
type Input =
  | { readonly digest: Uint8Array }
  | { readonly mu: Uint8Array }
  | { readonly data: Uint8Array; readonly context?: Uint8Array }

/** @throws ClientError */
export async function signFile(client: Client, work: SignWork): Promise<FileSignature> {
  const { path, body } = await signRequest(client, work)
  return client.call('sign', { path, body: { ...body, approvals: work.approvals } })
}

/** What people sign so that the same call signs this file. @throws ClientError */
export async function signStatements(
  client: Client,
  work: SignWork,
  who: { readonly requester: string; readonly validSeconds?: number | undefined },
): Promise<{ readonly statements: readonly string[] }> {
  const { path, body } = await signRequest(client, work)
  return client.call('signStatement', { path, body: { ...who, request: body } })
}

async function signRequest(client: Client, work: SignWork) {
  const plan = await planFor(client, work)
  const version = work.version ?? plan.currentVersion
  const [input] = await inputsFor(client, work, plan, [version])
  assert(input)
  return {
    path: { namespace: work.namespace, key: plan.keyId },
    body: { ...input, ...choices(work, plan), version },
  }
}

/** @throws ClientError when no version could be asked */
export async function verifyFile(
  client: Client,
  work: SignWork & { readonly signature: Uint8Array },
): Promise<FileVerification> {
  const plan = await planFor(client, work)
  const versions = work.version === undefined ? versionsOf(plan) : [work.version]
  const inputs = await inputsFor(client, work, plan, versions)
  const shared = { ...choices(work, plan), signature: work.signature }
  const { items } = await client.call('verifyBatch', {
    path: { namespace: work.namespace, key: plan.keyId },
    body: {
      items: versions.flatMap((version, index) => {
        const input = inputs[index]
        return input ? [{ ...input, ...shared, version }] : []
      }),
    },
  })
  const answers = items.map((item) => ('result' in item ? item.result : undefined))
  const found = answers.find((answer) => answer?.valid) ?? answers.find((answer) => answer)
  if (found) {
    const { valid, version } = found
    return { valid, version, algorithm: plan.algorithm, key: plan.keyId }
  }
  const [first] = items
  if (first && 'error' in first) throw new ClientError(first.error.code, first.error.detail)
  throw clientError('ANSWER_INVALID', 'the server answered none of the versions')
}

async function planFor(client: Client, work: SignWork): Promise<Plan> {
  const { namespace, key } = work
  const record = await client.call('getKey', { path: { namespace, key } })
  const algorithm = work.algorithm ?? record.algorithms.find(canSign)
  if (algorithm === undefined) {
    throw clientError('FILE_INVALID', `the key ${key} has no algorithm that signs`)
  }
  const context = work.context ?? new Uint8Array()
  if (context.length > signingContextBytesMax) {
    throw clientError('FILE_INVALID', 'a signing context has at most 255 bytes')
  }
  return {
    keyId: record.id,
    algorithm,
    how: signingInput(algorithm),
    context,
    currentVersion: record.currentVersion,
  }
}

function canSign(algorithm: string): boolean {
  return /^(ECDSA-|RSASSA-|ML-DSA-|Ed25519$)/.test(algorithm)
}

function choices(
  { format }: SignWork,
  { algorithm }: Plan,
): { algorithm: AlgorithmName; format?: 'der' | 'p1363' } {
  return { algorithm, ...(format === undefined ? {} : { format }) }
}

/** One reading of the file, whatever the number of versions. */
async function inputsFor(
  client: Client,
  work: SignWork,
  plan: Plan,
  versions: readonly number[],
): Promise<Input[]> {
  const publicKeys =
    plan.how.input === 'mu' ? await publicKeysOf(client, work.namespace, plan, versions) : []
  await using file = await InputFile.open(work.input, work)
  switch (plan.how.input) {
    case 'mu': {
      const mus = await musOf(publicKeys, plan.context, file.read)
      return mus.map((mu) => ({ mu }))
    }
    case 'digest': {
      const digest = await digestOf(plan.how.hash, file.read)
      return versions.map(() => ({ digest }))
    }
    case 'message': {
      const data = await messageOf(file.read, plan.algorithm)
      const context = plan.context.length > 0 ? { context: plan.context } : {}
      return versions.map(() => ({ data, ...context }))
    }
  }
}

async function publicKeysOf(
  client: Client,
  namespace: string,
  { keyId }: Plan,
  versions: readonly number[],
): Promise<Uint8Array[]> {
  const keys: Uint8Array[] = []
  for (const version of versions) {
    const answer = await client.call('getPublicKey', {
      path: { namespace, key: keyId },
      query: { version, format: 'spki' },
    })
    if (!answer.spki) throw clientError('ANSWER_INVALID', 'the answer has no public key')
    keys.push(answer.spki)
  }
  return keys
}

function versionsOf({ currentVersion }: Plan): number[] {
  const count = Math.min(currentVersion, versionsTriedMax)
  return Array.from({ length: count }, (_, index) => currentVersion - index)
}
