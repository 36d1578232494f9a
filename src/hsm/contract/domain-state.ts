/**
 * The domain state (design section 3): what a domain is and who decides in it, as one document in
 * versions. Each version names the SHA-256 of the one before it, is signed by the module that made it
 * (Ed25519 and ML-DSA-65), and lies in that module's sealed state under a MAC of the domain's own.
 * docs/formats/domain-state.md has the bytes.
 */

import { hash } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'
import { type DoubleSignature, verifyDouble } from './double-signature.ts'
import type { TamperResponse, TamperSignal } from './tamper.ts'

export const domainStateFormat = 'keyhold domain state v1'
/** The predecessor of version 1. */
export const noPredecessor = '0'.repeat(64)

export const securityLevels = [1, 2, 3, 4] as const
export type SecurityLevel = (typeof securityLevels)[number]

/** What the module knows of a person: whose signature counts for what. */
export const personRoles = ['officer', 'operator', 'auditor'] as const
export type PersonRole = (typeof personRoles)[number]

/** How a person signs. Public keys are SPKI in base64, one encoding. */
export type Credential =
  | { readonly kind: 'ed25519' | 'p-256' | 'ml-dsa-65'; readonly publicKey: string }
  | {
      readonly kind: 'passkey'
      readonly publicKey: string
      readonly relyingParty: string
      readonly origin: string
    }

/** A second factor, checked in the module: Argon2id of the PIN or passphrase, in base64. */
export interface PinVerifier {
  readonly salt: string
  readonly hash: string
}

export interface Person {
  readonly name: string
  readonly roles: readonly PersonRole[]
  readonly credential: Credential
  readonly pin: PinVerifier | null
}

/** What a rule can stand in front of; a key can ask for approvals of its uses by itself. */
export const ruleNames = [
  'founding',
  'officers',
  'rules',
  'export',
  'restore',
  'join',
  'destroy',
  'floor',
  'unlock',
  'level',
  'epoch',
  'tamper',
] as const
export type RuleName = (typeof ruleNames)[number]

export interface Rule {
  /** Signatures of different people that it takes. */
  readonly approvals: number
  /** Who may sign: any of these roles. */
  readonly roles: readonly PersonRole[]
  /** True: the signature of the person who asks does not count. */
  readonly excludeRequester: boolean
}

export interface Custodians {
  /** Of this splitting of the root key, 16 bytes in hex. */
  readonly shareSet: string
  readonly threshold: number
  /** In the order of their shares, the first has index 1. */
  readonly names: readonly string[]
}

export interface Member extends IdentityOfMember {
  /** 16 bytes in hex. */
  readonly module: string
}

interface IdentityOfMember {
  readonly ed25519: string
  readonly mlDsa65: string
}

/** That a policy became weaker, and what that destroyed: every key that was wrapped by then. */
export interface Weakening {
  /** Of the domain state, with which it did. */
  readonly version: number
  /** Milliseconds since 1970. */
  readonly time: number
  /** `level`, `rule export`, `response to chassis-opened`. */
  readonly policies: readonly string[]
  readonly epoch: number
  /** Generation of the KEK that was overwritten. Older ones were gone by then. */
  readonly kek: number
}

export interface DomainState {
  readonly format: typeof domainStateFormat
  readonly domain: string
  readonly version: number
  readonly predecessor: string
  readonly development: boolean
  readonly level: SecurityLevel
  readonly epoch: number
  readonly members: readonly Member[]
  readonly people: readonly Person[]
  readonly rules: Readonly<Partial<Record<RuleName, Rule>>>
  readonly custodians: Custodians | null
  /** The stronger of what stands here and in the profile of the level holds. */
  readonly tamper: Readonly<Partial<Record<TamperSignal, TamperResponse>>>
  /** The last one; there is no member before the first. */
  readonly weakening?: Weakening
  /** The module that signed this version. */
  readonly maker: string
  /** Milliseconds since 1970. */
  readonly time: number
}

/** What whoever wants to check it needs: the statement byte for byte, and its signatures. */
export interface SignedDomainState {
  readonly statement: string
  readonly signature: DoubleSignature
}

export const domainStateBytesMax = 256 * 1024
export const peopleMax = 64
export const personNameLengthMax = 64
export const approvalsMax = 16

export function encodeDomainState(state: DomainState): Buffer {
  return Buffer.from(canonicalJson(state))
}

/** What the next version names as its predecessor, and what approvals of a change bind: hex. */
export function domainStateHash(statement: Uint8Array): string {
  return hash('sha256', statement, 'hex')
}

/**
 * The document, if it was signed by the member that it names as its maker. That this member belongs to
 * the domain is known from the version before it, or from whoever handed over the first.
 * @returns undefined when it is not whole
 */
export function openSignedDomainState(signed: SignedDomainState): DomainState | undefined {
  const statement = Buffer.from(signed.statement)
  let state: DomainState
  try {
    state = JSON.parse(signed.statement) as DomainState
    if (canonicalJson(state) !== signed.statement) return undefined
  } catch {
    return undefined
  }
  if (state.format !== domainStateFormat || !Array.isArray(state.members)) return undefined
  const maker = state.members.find(({ module }) => module === state.maker)
  return maker && verifyDouble(statement, signed.signature, maker) ? state : undefined
}
