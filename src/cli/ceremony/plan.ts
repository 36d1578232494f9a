/**
 * What a founding ceremony is to do: security level, custodians, people, quorum rules, seal. It comes from
 * the interactive questions or from a declarative file (docs/ceremony.md), and is one thing from then on:
 * public keys are read in, so that nothing can change between the decision and the founding. It holds no
 * secret. The module parses all of it again.
 */

import { createPublicKey, type KeyObject } from 'node:crypto'
import path from 'node:path'
import * as z from 'zod'
import { clientError } from '../../client/errors.ts'
import { parseCustodianPublicKey } from '../../hsm/contract/custodian-key.ts'
import {
  approvalsMax,
  type Credential,
  peopleMax,
  personNameLengthMax,
  personRoles,
  type Rule,
  type RuleName,
  ruleNames,
} from '../../hsm/contract/domain-state.ts'
import { sharesMax, thresholdMin } from '../../hsm/contract/share.ts'
import { type TamperResponse, type TamperSignal, tamperSignals } from '../../hsm/contract/tamper.ts'
import { readPasskey } from '../passkey/passkey-file.ts'
import { readSmallFile } from '../small-file.ts'

export const planFormat = 'keyhold ceremony v1'
export const planBytesMax = 256 * 1024
const keyFileBytesMax = 16 * 1024

const name = z.string().min(1).max(personNameLengthMax)
const fileName = z.string().min(1).max(1_024)
const credential = z.discriminatedUnion('kind', [
  z.strictObject({ kind: z.enum(['ed25519', 'p-256', 'ml-dsa-65']), publicKey: z.base64() }),
  z.strictObject({
    kind: z.literal('passkey'),
    publicKey: z.base64(),
    relyingParty: z.string(),
    origin: z.string(),
  }),
])
const rule = z.strictObject({
  approvals: z.int().min(1).max(approvalsMax),
  roles: z.array(z.enum(personRoles)).min(1),
  excludeRequester: z.boolean().default(false),
})
const tamperNames = Object.keys(tamperSignals) as [TamperSignal, ...TamperSignal[]]

/** Of the declarative file; file names are relative to it. */
export const ceremonyFile = z
  .strictObject({
    format: z.literal(planFormat).describe('says what this file is'),
    level: z.literal([1, 2, 3, 4]).describe('security level; docs/security-levels.md'),
    seal: z
      .enum(['passphrase', 'none'])
      .default('none')
      .describe('a seal beside the shares, for starts without custodians'),
    custodians: z
      .strictObject({
        threshold: z.int().min(thresholdMin).max(sharesMax).describe('shares that it takes'),
        people: z
          .array(
            z.union([
              z.strictObject({ name, publicKeyFile: fileName }),
              z.strictObject({ name, publicKey: z.string() }),
              z.strictObject({ name, passphrase: z.literal(true) }),
            ]),
          )
          .min(thresholdMin)
          .max(sharesMax),
      })
      .nullable()
      .describe('who keeps the shares, in their order; null: nobody, the seal alone opens'),
    people: z
      .array(
        z.union([
          z.strictObject({
            name,
            roles: z.array(z.enum(personRoles)).min(1),
            publicKeyFile: fileName,
          }),
          z.strictObject({ name, roles: z.array(z.enum(personRoles)).min(1), credential }),
        ]),
      )
      .max(peopleMax)
      .describe('whose signatures count: public keys, as PEM or passkey file or with their kind'),
    rules: z.partialRecord(z.enum(ruleNames), rule).describe('what takes how many signatures'),
    tamper: z
      .partialRecord(z.enum(tamperNames), z.literal([1, 2]))
      .default({})
      .describe("responses to tamper signals that differ from the level's"),
  })
  .describe('a founding ceremony')

export type CeremonyFile = z.input<typeof ceremonyFile>

export type PlannedCustodian =
  | { readonly name: string; readonly kind: 'key'; readonly publicKey: string }
  | { readonly name: string; readonly kind: 'passphrase' }

export interface CeremonyPlan {
  readonly format: typeof planFormat
  readonly level: 1 | 2 | 3 | 4
  readonly seal: 'passphrase' | 'none'
  readonly custodians: {
    readonly threshold: number
    /** Public keys in their text form. */
    readonly people: readonly PlannedCustodian[]
  } | null
  readonly people: readonly {
    readonly name: string
    readonly roles: readonly (typeof personRoles)[number][]
    readonly credential: Credential
  }[]
  readonly rules: Readonly<Partial<Record<RuleName, Rule>>>
  readonly tamper: Readonly<Partial<Record<TamperSignal, TamperResponse>>>
}

/** @throws ClientError FILE_INVALID, with every mistake in it; FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readPlan(file: string): Promise<CeremonyPlan> {
  const text = await readSmallFile(file, planBytesMax)
  let untrusted: unknown
  try {
    untrusted = JSON.parse(text.toString('utf8'))
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is not JSON`, { cause })
  }
  return resolvePlan(untrusted, path.dirname(file))
}

/** Reads in the key files. @throws ClientError FILE_INVALID, FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function resolvePlan(untrusted: unknown, folder: string): Promise<CeremonyPlan> {
  const parsed = ceremonyFile.safeParse(untrusted)
  if (!parsed.success) throw invalid(z.prettifyError(parsed.error))
  const { custodians, people, rules, ...rest } = parsed.data
  const plan: CeremonyPlan = {
    ...rest,
    custodians: custodians && {
      threshold: custodians.threshold,
      people: await Promise.all(custodians.people.map((person) => custodianOf(person, folder))),
    },
    people: await Promise.all(
      people.map(async ({ name, roles, ...key }) => ({
        name,
        roles,
        credential:
          'credential' in key
            ? key.credential
            : await readCredential(path.resolve(folder, key.publicKeyFile)),
      })),
    ),
    // A rule that is left out is no member with the value undefined.
    rules: JSON.parse(JSON.stringify(rules)) as CeremonyPlan['rules'],
    tamper: JSON.parse(JSON.stringify(rest.tamper)) as CeremonyPlan['tamper'],
  }
  assertPlan(plan)
  return plan
}

type CustodianOfFile = NonNullable<z.output<typeof ceremonyFile>['custodians']>['people'][number]

async function custodianOf(given: CustodianOfFile, folder: string): Promise<PlannedCustodian> {
  if ('passphrase' in given) return { name: given.name, kind: 'passphrase' }
  const text =
    'publicKey' in given
      ? given.publicKey
      : await readCustodianKey(path.resolve(folder, given.publicKeyFile))
  return { name: given.name, kind: 'key', publicKey: custodianKey(text, given.name) }
}

/** @throws ClientError FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readCustodianKey(file: string): Promise<string> {
  return (await readSmallFile(file, keyFileBytesMax)).toString('latin1')
}

/** The text form, checked. @throws ClientError FILE_INVALID */
export function custodianKey(text: string, name: string): string {
  try {
    parseCustodianPublicKey(text)
    return text.trim()
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : ''
    throw clientError('FILE_INVALID', `the key of ${name}: ${why}`, { cause })
  }
}

/** A public key in PEM or DER, or a passkey's file. @throws ClientError FILE_INVALID, FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readCredential(file: string): Promise<Credential> {
  const bytes = await readSmallFile(file, keyFileBytesMax)
  // createPublicKey would take the public half of a private key, which nobody should carry around.
  if (bytes.includes('PRIVATE KEY')) throw invalid(`${file} is a private key: give its public half`)
  if (bytes[0] === 0x7b) return (await readPasskey(file)).credential
  let key: KeyObject
  try {
    const isPem = bytes.includes('-----BEGIN')
    key = createPublicKey(isPem ? bytes : { key: bytes, format: 'der', type: 'spki' })
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is no public key in PEM or DER`, { cause })
  }
  const kind = kindOf(key)
  if (!kind) throw invalid(`${file}: a person signs with Ed25519, P-256, ML-DSA-65 or a passkey`)
  const publicKey = key.export({ format: 'der', type: 'spki' }).toString('base64')
  return { kind, publicKey }
}

/** Undefined for a key with which nobody signs here. */
export function kindOf(key: KeyObject): 'ed25519' | 'p-256' | 'ml-dsa-65' | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details } = key
  if (type === 'ec') return details?.namedCurve === 'prime256v1' ? 'p-256' : undefined
  return type === 'ed25519' || type === 'ml-dsa-65' ? type : undefined
}

/** As the declarative file has it, with the keys in it. */
export function fileOfPlan({ custodians, ...plan }: CeremonyPlan): CeremonyFile {
  const people = (custodians?.people ?? []).map((person) =>
    person.kind === 'key'
      ? { name: person.name, publicKey: person.publicKey }
      : { name: person.name, passphrase: true as const },
  )
  const file = { ...plan, custodians: custodians && { ...custodians, people } }
  return JSON.parse(JSON.stringify(file)) as CeremonyFile
}

/**
 * What no schema says: names and keys are different, there are people enough for each rule, somebody can
 * open the domain. @throws ClientError FILE_INVALID
 */
export function assertPlan({ custodians, people, rules, seal }: CeremonyPlan): void {
  if (!custodians && seal === 'none')
    throw invalid('neither custodians nor a seal could open this domain')
  const holders = custodians?.people ?? []
  if (custodians && custodians.threshold > holders.length) {
    throw invalid(`${custodians.threshold} shares are needed, but there are ${holders.length}`)
  }
  const keys = holders.flatMap((holder) => (holder.kind === 'key' ? [holder.publicKey] : []))
  assertDifferent(
    holders.map((holder) => holder.name),
    'two custodians have one name',
  )
  assertDifferent(keys, 'two custodians have one key')
  assertDifferent(
    people.map((person) => person.name),
    'two people have one name',
  )
  assertDifferent(
    people.map((person) => person.credential.publicKey),
    'two people have one public key',
  )
  for (const [ruleName, { approvals, roles, excludeRequester }] of Object.entries(rules)) {
    const able = people.filter((person) => person.roles.some((role) => roles.includes(role)))
    const needed = approvals + (excludeRequester ? 1 : 0)
    if (able.length < needed) {
      throw invalid(
        `the rule "${ruleName}" needs ${needed} people who may sign, not ${able.length}`,
      )
    }
  }
}

function assertDifferent(texts: readonly string[], mistake: string): void {
  if (new Set(texts).size < texts.length) throw invalid(mistake)
}

function invalid(message: string): Error {
  return clientError('FILE_INVALID', message)
}
