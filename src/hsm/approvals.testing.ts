/**
 * People for tests, who sign as docs/formats/approval.md says: what they sign is put together here from
 * that text and nothing else, and signed by openssl or node:crypto.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Approval, ApprovalTerms } from './contract/approval.ts'
import type { DomainChangeAsked, PersonAsked } from './contract/domain-commands.ts'
import type { PersonRole, Rule } from './contract/domain-state.ts'
import type { HsmErrorCode } from './contract/errors.ts'
import { type Ask, Caller } from './door.testing.ts'

type SigningKind = 'ed25519' | 'p-256' | 'ml-dsa-65'

export interface Signer {
  readonly asked: PersonAsked
  readonly approve: (statement: Buffer) => Approval
}

/** A person with a new key who signs by node:crypto, or by the system's openssl. */
export function newSigner(
  name: string,
  { kind = 'ed25519', roles = ['officer'], by = 'node' }: SignerOptions = {},
): Signer {
  const { privateKey, publicKey } = keyPair(kind)
  const spki = publicKey.export({ format: 'der', type: 'spki' }).toString('base64')
  const signBytes = by === 'node' ? nodeSign : opensslSign
  return {
    asked: { name, roles, credential: { kind, publicKey: spki } },
    approve: (statement) => ({
      person: name,
      signature: signBytes(kind, privateKey, statement).toString('base64'),
    }),
  }
}

interface SignerOptions {
  readonly kind?: SigningKind
  readonly roles?: readonly PersonRole[]
  readonly by?: 'node' | 'openssl'
}

function keyPair(kind: SigningKind) {
  if (kind === 'p-256') return generateKeyPairSync('ec', { namedCurve: 'P-256' })
  return kind === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-65')
}

function nodeSign(kind: SigningKind, key: KeyObject, statement: Buffer): Buffer {
  return sign(kind === 'p-256' ? 'sha256' : null, statement, key)
}

function opensslSign(kind: SigningKind, key: KeyObject, statement: Buffer): Buffer {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-approval-'))
  const [keyFile = '', message = '', signature = ''] = ['key.pem', 'message', 'signature'].map(
    (name) => path.join(folder, name),
  )
  try {
    writeFileSync(keyFile, key.export({ format: 'pem', type: 'pkcs8' }))
    writeFileSync(message, statement)
    const args =
      kind === 'p-256'
        ? ['dgst', '-sha256', '-sign', keyFile, '-out', signature, message]
        : ['pkeyutl', '-sign', '-rawin', '-inkey', keyFile, '-in', message, '-out', signature]
    const { status, stderr } = spawnSync('openssl', args)
    if (status !== 0) throw new Error(String(stderr))
    return readFileSync(signature)
  } finally {
    rmSync(folder, { recursive: true })
  }
}

/** As docs/formats/approval.md section 1 says. */
export function statementBytes(domain: string, ask: Ask, terms: ApprovalTerms): Buffer {
  const parts = Object.entries(ask.parts ?? {})
    .filter(([name]) => !['approvals', 'wrapped', 'targetWrapped'].includes(name))
    .map(([name, part]) => [name, createHash('sha256').update(part).digest('hex')])
  const statement = {
    format: 'keyhold approval v1',
    domain,
    command: ask.command,
    arguments: ask.arguments ?? {},
    parts: Object.fromEntries(parts),
    ...terms,
  }
  return Buffer.from(JSON.stringify(statement, sortMembers))
}

function sortMembers(_: string, value: unknown): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return value
  return Object.fromEntries(Object.entries(value).toSorted(([a], [b]) => (a < b ? -1 : 1)))
}

type AnyCaller = Pick<Caller, 'ok'>

/** What approvals of a command at this module are good for now, asked for by "anna". */
export async function termsFor(caller: AnyCaller, command: string): Promise<ApprovalTerms> {
  const { moduleId } = (await caller.ok({ command: 'getStatus' })).result
  const now = Date.now()
  const terms = {
    module: String(moduleId),
    requester: 'anna',
    notBefore: now - 1_000,
    expires: now + 60_000,
  }
  if (command === 'changeDomain') {
    const { result } = await caller.ok({ command: 'getDomainState' })
    return { ...terms, challenge: '', predecessor: String(result.hash) }
  }
  const asked = { command: 'getChallenge', arguments: { command } }
  const { challenge } = (await caller.ok(asked)).result
  return { ...terms, challenge: String(challenge), predecessor: '' }
}

/** The command with these people's approvals under these terms. */
export async function signedAsk(
  caller: AnyCaller,
  ask: Ask,
  terms: ApprovalTerms,
  signers: readonly Signer[],
): Promise<Ask> {
  const { domainId } = (await caller.ok({ command: 'getStatus' })).result
  const statement = statementBytes(String(domainId), ask, terms)
  const approvals = signers.map(({ approve }) => approve(statement))
  return withPart(ask, { ...terms, approvals })
}

export function withPart(ask: Ask, approvals: object): Ask {
  return { ...ask, parts: { ...ask.parts, approvals: Buffer.from(JSON.stringify(approvals)) } }
}

/** As signedAsk, under the terms that are right. */
export async function approved(
  caller: AnyCaller,
  ask: Ask,
  ...signers: readonly Signer[]
): Promise<Ask> {
  return signedAsk(caller, ask, await termsFor(caller, ask.command), signers)
}

/** Two of any officers; the requester counts. */
export const twoOfficers: Rule = { approvals: 2, roles: ['officer'], excludeRequester: false }

/** The first version of people and rules: nobody has to approve it. */
export async function enrol(caller: AnyCaller, change: DomainChangeAsked): Promise<void> {
  await caller.ok({ command: 'changeDomain', arguments: { change } })
}

/** A domain whose people are anna, ben and carl, officers, with these rules behind two of them. */
export async function peopled(
  rules: DomainChangeAsked['rules'] = {},
  options: ConstructorParameters<typeof Caller>[0] = {},
): Promise<{ caller: Caller; anna: Signer; ben: Signer; carl: Signer }> {
  const caller = await Caller.founded(options)
  const [anna, ben, carl] = [newSigner('anna'), newSigner('ben'), newSigner('carl')] as const
  const people = [anna, ben, carl].map(({ asked }) => asked)
  await enrol(caller, { people, rules: { officers: twoOfficers, ...rules } })
  return { caller, anna, ben, carl }
}

/** It is refused with the code, nothing has changed (invariant 11), and the refusal is a leaf. */
export async function refusesAndRecords(
  caller: Caller,
  code: HsmErrorCode,
  ask: Ask,
): Promise<void> {
  const standing = () => {
    const { keys, open, state } = caller.module
    return [keys.size, open.floor.size, open.ledger.encode().toString(), state]
  }
  const before = standing()
  const { items, leaves, changes } = await caller.ask(ask)
  const { error } = items[0] ?? {}
  assert.equal(error?.code, code, String(error?.message))
  assert.deepEqual(standing(), before, 'invariant 11')
  assert.equal(changes.length, 0)
  assert.deepEqual(
    leaves.map(({ command, outcome }) => [command, outcome]),
    [[ask.command, code]],
  )
}
