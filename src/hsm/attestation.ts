/**
 * The statements that this module signs about itself, its keys and its domain (contract/attestation.ts,
 * docs/formats/attestation.md). Everything in them is what the module knows itself, but for the digest of
 * the source manifest: behind the wall it cannot read its own files, so that digest is the word of
 * whoever started it, given as an argument of the process, and `unverified` when there was none.
 */

import { hash } from 'node:crypto'
import { isApproved, strengthBits } from './approved.ts'
import {
  domainFormat,
  encodeSigned,
  encodeStatement,
  keyFormat,
  type ModuleStatement,
  moduleFormat,
  notice,
  type Statement,
  sourceUnverified,
} from './contract/attestation.ts'
import { domainStateHash } from './contract/domain-state.ts'
import {
  floorEntriesMax,
  frameBytesMax,
  itemsMax,
  leavesPerHeadMax,
  leavesUnstoredMax,
  loadedKeysMax,
  randomBytesMax,
  requestsInFlightMax,
  stagedBytesMax,
} from './contract/limits.ts'
import type { Domain } from './domain.ts'
import { checkValue } from './keys/check-value.ts'
import type { LoadedKey } from './keys/loaded.ts'
import type { Module } from './module.ts'
import { entropyStatus } from './random.ts'

export const moduleVersion = '0.1.0'

const limits = {
  floorEntriesMax,
  frameBytesMax,
  itemsMax,
  leavesPerHeadMax,
  leavesUnstoredMax,
  loadedKeysMax,
  randomBytesMax,
  requestsInFlightMax,
  stagedBytesMax,
}

/** The argument by which the launcher says which manifest it checked the source against. */
const manifestArgument = /^--source-manifest=([0-9a-f]{64})$/

/** @param args of the process; anything but one well-formed digest counts for nothing */
export function sourceManifestOf(args: readonly string[]): string {
  const [found, ...more] = args.flatMap((text) => manifestArgument.exec(text)?.[1] ?? [])
  return found !== undefined && more.length === 0 ? found : sourceUnverified
}

/** The signed file about the module as it is now. @param nonce in lower-case hex */
export function attestModule(module: Module, nonce: string): Promise<Buffer> {
  const { domain, ledger, record } = module.open
  const { signedDomainState, domainState } = ledger
  const { size, root } = record.head
  const statement = {
    ...heading(module, nonce),
    format: moduleFormat,
    state: module.state,
    tamper: ledger.tamper ? { signal: ledger.tamper.signal, time: ledger.tamper.time } : null,
    identity: domain.identityPublicKeys,
    domainState: {
      version: domainState.version,
      hash: domainStateHash(Buffer.from(signedDomainState.statement)),
    },
    software: {
      version: moduleVersion,
      node: process.versions.node,
      openssl: process.versions.openssl,
      sourceManifest: module.sourceManifest,
    },
    wall: module.wall,
    limits,
    selfTests: selfTestsOf(module),
    entropy: entropy(),
    freshness: module.freshness.state(ledger),
    record: { size, root: root.toString('hex') },
    transportKey: hash('sha256', module.transport.publicKey, 'hex'),
  } as const
  return signed(domain, statement)
}

/** The signed file about a key that the module holds. @param nonce in lower-case hex */
export function attestKey(
  module: Module,
  { attributes, material }: LoadedKey,
  nonce: string,
): Promise<Buffer> {
  const statement = {
    ...heading(module, nonce),
    format: keyFormat,
    attributes,
    checkValue: checkValue(material),
    approved: isApproved(attributes),
    strengthBits: strengthBits(attributes.type, material.secretBytes),
  } as const
  return signed(module.open.domain, statement)
}

/**
 * The signed extract of the domain state that outsiders pin: members, and whose approvals count. The
 * state itself stays inside, because it has what checks people's PINs.
 */
export function domainStatement({ open: { domain, ledger } }: Module): Promise<Buffer> {
  const { signedDomainState, domainState } = ledger
  const { development, level, version, members, people, time } = domainState
  const statement = {
    format: domainFormat,
    domain: domainState.domain,
    development,
    level,
    version,
    stateHash: domainStateHash(Buffer.from(signedDomainState.statement)),
    members,
    people: people.map(({ name, roles, credential }) => ({ name, roles, credential })),
    maker: domain.moduleId.toString('hex'),
    time,
  } as const
  return signed(domain, statement)
}

function entropy(): ModuleStatement['entropy'] {
  const { generator, sources } = entropyStatus()
  return {
    mechanism: generator.mechanism,
    sources: sources.map(({ name, physical, state, entropyBits, failures }) => ({
      name,
      physical,
      state,
      millibits: Math.floor(entropyBits * 1_000),
      failures,
    })),
  }
}

async function signed(domain: Domain, statement: Statement): Promise<Buffer> {
  return encodeSigned(statement, await domain.signStatementLater(encodeStatement(statement)))
}

function heading(module: Module, nonce: string) {
  const { domain } = module.open
  return {
    domain: domain.domainId.toString('hex'),
    module: domain.moduleId.toString('hex'),
    development: domain.development,
    level: module.level,
    epoch: domain.epoch,
    time: module.now(),
    nonce,
    notice,
  } as const
}

function selfTestsOf({ selfTests }: Module): { passed: number; failed: number } {
  const { passed, failed } = selfTests.status
  return { passed, failed }
}
