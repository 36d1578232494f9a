/**
 * A new domain: its root key, what opens it again (a seal, custodians' shares, or both), its people and
 * rules, and what the module says of all that for the transcript (docs/formats/transcript.md). Everything
 * that can be refused is, before there is anything; nothing of it is kept by the module that could be
 * asked for later: shares exist for their custodians alone.
 */

import { hash } from 'node:crypto'
import { canonicalJson } from './contract/canonical-json.ts'
import { parseCustodianPublicKey } from './contract/custodian-key.ts'
import type { CustodianAsked, SealKind } from './contract/domain-commands.ts'
import { domainStateHash } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { decodeList, sharesMax, thresholdMin } from './contract/share.ts'
import {
  type FoundingStatement,
  foundingFormat,
  type ShareEntry,
  type SignedFounding,
} from './contract/transcript.ts'
import type { Domain } from './domain.ts'
import type { StoredDomainState } from './ledger.ts'
import { parseChoice, parseInteger, parseList, parseObject } from './parse.ts'
import { parsePersonName } from './people.ts'
import { Secret } from './secret.ts'
import { type CustodianKey, makeShares, type ShareSet } from './shares.ts'

export interface CustodiansAsked {
  readonly threshold: number
  readonly people: readonly CustodianAsked[]
}

const kinds = ['key', 'passphrase'] as const
const publicKeyTextMax = 4_096

/** @throws HsmError ARGUMENT_INVALID */
export function parseCustodians(value: unknown): CustodiansAsked {
  const { threshold, people } = parseObject(value, ['threshold', 'people'], 'custodians')
  const list = parseList(people, { name: 'people', lengthMax: sharesMax }, parseCustodian)
  const names = new Set(list.map(({ name }) => name))
  if (names.size < list.length) throw invalid('no two custodians have one name')
  return {
    threshold: parseInteger(threshold, { name: 'threshold', min: thresholdMin, max: list.length }),
    people: list,
  }
}

function parseCustodian(value: unknown): CustodianAsked {
  const untrusted = parseObject(value, ['name', 'kind', 'publicKey'], 'a custodian')
  const name = parsePersonName(untrusted.name)
  const { publicKey } = untrusted
  if (parseChoice(untrusted.kind, kinds, 'kind') === 'passphrase') {
    if (publicKey !== undefined) throw invalid('a custodian has a key or a passphrase')
    return { name, kind: 'passphrase' }
  }
  if (typeof publicKey !== 'string' || publicKey.length > publicKeyTextMax) {
    throw invalid('publicKey is the text that a custodian key has')
  }
  parseCustodianPublicKey(publicKey)
  return { name, kind: 'key', publicKey }
}

/**
 * Splits the root of the domain for its custodians.
 * @param passphrases as many as there are custodians with one, in their order; the caller erases them
 * @throws HsmError ARGUMENT_INVALID, MODULE_BUSY, MODULE_FAILED
 */
export async function shareRoot(
  domain: Domain,
  { threshold, people }: CustodiansAsked,
  passphrases: Secret | undefined,
): Promise<ShareSet> {
  using typed = new DisposableStack()
  const given = passphrases?.expose((bytes) => decodeList(bytes).map((item) => Secret.copyOf(item)))
  for (const secret of given ?? []) typed.use(secret)
  const left = [...(given ?? [])]
  const custodians = people.map((person): CustodianKey => {
    if (person.kind === 'key') {
      return { kind: 'key', publicKey: parseCustodianPublicKey(person.publicKey) }
    }
    const passphrase = left.shift()
    if (!passphrase) throw invalid('a passphrase is missing')
    return { kind: 'passphrase', passphrase }
  })
  if (left.length > 0) throw invalid('there are more passphrases than custodians who have one')
  const { domainId, epoch } = domain
  return await makeShares(domain.root, { domainId, epoch, threshold }, custodians)
}

/** What the module says of the founding, signed. */
export function signFounding(
  domain: Domain,
  domainState: StoredDomainState,
  made: {
    readonly seal: SealKind | undefined
    readonly custodians: CustodiansAsked | undefined
    readonly shares: ShareSet | undefined
    readonly time: number
  },
): SignedFounding {
  const { seal, custodians, shares, time } = made
  const statement: FoundingStatement = {
    format: foundingFormat,
    domain: domain.domainId.toString('hex'),
    module: domain.moduleId.toString('hex'),
    domainState: domainStateHash(Buffer.from(domainState.statement)),
    seals: seal ? [seal] : [],
    custodians:
      custodians && shares
        ? {
            shareSet: shares.shareSet.toString('hex'),
            threshold: custodians.threshold,
            rootCheck: shares.rootCheck.toString('hex'),
            shares: custodians.people.map((person, position) =>
              entryOf(person, position, shares.checks[position]),
            ),
          }
        : null,
    time,
  }
  const text = canonicalJson(statement)
  return { statement: text, signature: domain.signStatement(Buffer.from(text)) }
}

function entryOf(person: CustodianAsked, position: number, check: Buffer | undefined): ShareEntry {
  const keyDigest =
    person.kind === 'key' ? hash('sha256', parseCustodianPublicKey(person.publicKey), 'hex') : null
  return {
    index: position + 1,
    name: person.name,
    protection: person.kind,
    keyDigest,
    check: check?.toString('hex') ?? '',
  }
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
