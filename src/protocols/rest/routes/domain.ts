/** Routes about the security domain: its state and changes, its people's logins, tampering. */

import { z } from 'zod'
import { certificateBytesMax } from '../../../hsm/contract/certificate.ts'
import type { DomainChangeAsked } from '../../../hsm/contract/domain-commands.ts'
import {
  approvalsMax,
  peopleMax,
  personRoles,
  ruleNames,
  securityLevels,
} from '../../../hsm/contract/domain-state.ts'
import { tamperSignals } from '../../../hsm/contract/tamper.ts'
import {
  acknowledgeTamper,
  challengeFor,
  changeDomain,
  domainCommands,
  domainState,
  domainStatement,
  logIn,
  resetLogin,
  setPin,
  zeroise,
} from '../../../kms/domain.ts'
import { approvals, challenge, personName, statementRequest, statements } from '../approvals.ts'
import { noContent, type Route, route } from '../route.ts'
import { bytes, time } from '../schemas.ts'

const sealedPinBytesMax = 4_096
/** Of a command that people approve: sealed secrets, what a TPM certified. */
const partBytesMax = 8_192
const approved = { approvals: approvals.optional() }

const credential = z.union([
  z.strictObject({
    kind: z.enum(['ed25519', 'p-256', 'ml-dsa-65']),
    publicKey: z.string().max(4_096),
  }),
  z.strictObject({
    kind: z.literal('passkey'),
    publicKey: z.string().max(4_096),
    relyingParty: z.string().max(253),
    origin: z.string().max(512),
  }),
])
const person = z.strictObject({
  name: personName,
  roles: z.array(z.enum(personRoles)).min(1),
  credential,
})
const rule = z.strictObject({
  approvals: z.int().min(1).max(approvalsMax),
  roles: z.array(z.enum(personRoles)).min(1),
  excludeRequester: z.boolean(),
})
const level = z.union(securityLevels.map((number) => z.literal(number)))
const response = z.union([z.literal(1), z.literal(2)])

const change = z
  .strictObject({
    level: level.optional(),
    people: z.array(person).max(peopleMax).optional(),
    rules: members(ruleNames, rule).optional(),
    tamper: members(namesOf(tamperSignals), response).optional(),
    destroysKeys: z.boolean().optional(),
  })
  .meta({ id: 'DomainChange' })

const state = z
  .strictObject({
    version: z.int().min(1),
    hash: challenge,
    statement: z.string(),
    signature: z.strictObject({ ed25519: z.string(), mlDsa65: z.string() }),
    certificate: bytes(certificateBytesMax).optional(),
    destroyed: z.strictObject({ epoch: z.int(), kek: z.int() }).optional(),
  })
  .meta({ id: 'DomainState' })

const sealedPin = z.strictObject({
  person: personName,
  challenge,
  pin: bytes(sealedPinBytesMax),
  ...approved,
})

const stateRoutes: readonly Route[] = [
  route({
    name: 'getDomainState',
    method: 'GET',
    path: '/v1/domain/state',
    summary: 'The version of the domain state in force, with its signatures',
    permission: ['domain:read'],
    result: state,
    handle: ({ kms, caller }) => domainState(kms, caller),
  }),
  route({
    name: 'changeDomain',
    method: 'POST',
    path: '/v1/domain/changes',
    summary:
      'The next version of the domain state; what weakens a policy has destroysKeys, and destroys every key',
    permission: ['domain:change'],
    timeoutMs: 60_000,
    body: z.strictObject({ change, confirm: z.string().max(64).optional(), ...approved }),
    result: state,
    handle: ({ kms, caller, body }) =>
      changeDomain(kms, caller, {
        approvals: body.approvals,
        confirm: body.confirm,
        // In JSON a member is there or is not.
        change: body.change as DomainChangeAsked,
      }),
  }),
  route({
    name: 'acknowledgeTamper',
    method: 'POST',
    path: '/v1/domain/tamper/acknowledgement',
    summary: 'Let a module work again that a tamper signal has stopped',
    permission: ['domain:change'],
    body: z.strictObject(approved),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => acknowledgeTamper(kms, caller, body),
  }),
  route({
    name: 'zeroise',
    method: 'POST',
    path: '/v1/domain/zeroisation',
    summary: "End this module and overwrite its secrets; confirm is the domain's id",
    permission: ['domain:zeroise'],
    body: z.strictObject({
      reason: z.string().regex(/^[\x20-\x7e]{0,120}$/),
      confirm: z.string().max(64),
      ...approved,
    }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => zeroise(kms, caller, body),
  }),
]

const approvalRoutes: readonly Route[] = [
  route({
    name: 'getChallenge',
    method: 'POST',
    path: '/v1/domain/challenges',
    summary: 'A challenge of the module for one command, to seal a PIN for it',
    permission: ['approvals:request'],
    body: z.strictObject({ command: z.string().regex(/^[a-zA-Z]{1,64}$/) }),
    result: z.strictObject({ challenge, expires: time }),
    handle: ({ kms, caller, body }) => challengeFor(kms, caller, body.command),
  }),
  route({
    name: 'domainStatement',
    method: 'POST',
    path: '/v1/domain/statements',
    summary: 'What people sign so that a command of the domain runs',
    permission: ['approvals:request'],
    body: z.strictObject({
      command: z.enum(domainCommands),
      arguments: z.record(z.string(), z.unknown()),
      parts: z.record(z.string().max(32), bytes(partBytesMax)).optional(),
      ...statementRequest,
    }),
    result: statements,
    handle: async ({ kms, caller, body: { requester, validSeconds, ...command } }) => ({
      statements: await domainStatement(kms, caller, command, { requester, validSeconds }),
    }),
  }),
]

const loginRoutes: readonly Route[] = [
  route({
    name: 'logIn',
    method: 'POST',
    path: '/v1/domain/logins',
    summary: "A person's PIN, sealed to the module for a challenge: good for 15 minutes",
    permission: ['domain:login'],
    body: sealedPin,
    result: z.strictObject({ expires: time }),
    handle: ({ kms, caller, body }) => logIn(kms, caller, body),
  }),
  route({
    name: 'setPin',
    method: 'POST',
    path: '/v1/domain/pins',
    summary: "Set a person's PIN, sealed to the module for a challenge",
    permission: ['domain:login'],
    body: sealedPin,
    result: state,
    handle: ({ kms, caller, body }) => setPin(kms, caller, body),
  }),
  route({
    name: 'resetLogin',
    method: 'POST',
    path: '/v1/domain/logins/reset',
    summary: 'Forget the failed logins of a person who is locked out',
    permission: ['domain:change'],
    body: z.strictObject({ person: personName, ...approved }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => resetLogin(kms, caller, body),
  }),
]

export const domainRoutes: readonly Route[] = [...stateRoutes, ...approvalRoutes, ...loginRoutes]

/** Any of these names, each with such a value. */
function members<N extends string, V extends z.ZodType>(names: readonly N[], value: V) {
  const shape = Object.fromEntries(names.map((name) => [name, value.optional()]))
  return z.strictObject(shape as { [K in N]: z.ZodOptional<V> })
}

function namesOf<N extends string>(table: Readonly<Record<N, unknown>>): readonly N[] {
  return Object.keys(table) as N[]
}
