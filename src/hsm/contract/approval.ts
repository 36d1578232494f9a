/**
 * Approvals (docs/formats/approval.md): what people sign so that a command runs. The statement names the
 * command with all of its arguments and the digests of its parts, the domain, the module, and either a
 * challenge that this module issued or the version of the domain state that it changes: so it is good
 * for one time, here, and for nothing else. Module and people make it each for themselves; what travels
 * is only what neither knows: terms and signatures.
 */

import { hash, type KeyObject, sign } from 'node:crypto'
import { canonicalJson } from './canonical-json.ts'

export const approvalFormat = 'keyhold approval v1'
/** JSON of the part `approvals` that a command may bring. */
export const approvalsBytesMax = 64 * 1024
/** Parts that bring a key which the arguments name: they are no part of what is signed. */
const keyParts: ReadonlySet<string> = new Set(['wrapped', 'targetWrapped'])
/** Commands that make the next version of the domain state: its predecessor binds their approvals. */
const boundByVersion: ReadonlySet<string> = new Set([...['changeDomain', 'setPin', 'beginEpoch']])

export function isBoundByVersion(command: string): boolean {
  return boundByVersion.has(command)
}

/** From issue to expiry, whatever the terms say. */
export const approvalMsMax = 7 * 24 * 60 * 60 * 1_000

/** What every signature of one set is under. */
export interface ApprovalTerms {
  /** Module id in hex, or "any" where the domain state is what binds. */
  readonly module: string
  /** 32 bytes in hex, issued by the module for this command; empty beside a predecessor. */
  readonly challenge: string
  /** SHA-256 of the domain state in force, in hex; empty beside a challenge. */
  readonly predecessor: string
  /** The person who asks. */
  readonly requester: string
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly expires: number
}

export interface Approval {
  readonly person: string
  /** Base64: 64 bytes of Ed25519, DER of ECDSA with SHA-256, 3,309 bytes of ML-DSA-65. */
  readonly signature: string
  /** Of a passkey, base64 (WebAuthn level 3 sections 6.1 and 5.8.1). */
  readonly authenticatorData?: string | undefined
  readonly clientData?: string | undefined
}

/** The part `approvals` of a command. */
export interface Approvals extends ApprovalTerms {
  readonly approvals: readonly Approval[]
}

/** What is approved. */
export interface ApprovedCommand {
  readonly command: string
  readonly arguments: unknown
  readonly parts: Readonly<Record<string, Uint8Array>>
}

/** The bytes that each person signs. @throws HsmError ARGUMENT_INVALID for what has no canonical form */
export function approvalStatement(
  domain: string,
  { command, arguments: args, parts }: ApprovedCommand,
  terms: ApprovalTerms,
): Buffer {
  const { module, challenge, predecessor, requester, notBefore, expires } = terms
  const digests: Record<string, string> = {}
  for (const [name, part] of Object.entries(parts)) {
    if (name !== 'approvals' && !keyParts.has(name)) digests[name] = hash('sha256', part, 'hex')
  }
  return Buffer.from(
    canonicalJson({
      format: approvalFormat,
      domain,
      command,
      arguments: args,
      parts: digests,
      ...{ module, challenge, predecessor, requester, notBefore, expires },
    }),
  )
}

/** The challenge that a passkey signs for a statement: its SHA-256. */
export function passkeyChallenge(statement: Uint8Array): Buffer {
  return hash('sha256', statement, 'buffer')
}

/** By a person's own key, Ed25519, P-256 or ML-DSA-65. */
export function signApproval(statement: Uint8Array, person: string, key: KeyObject): Approval {
  const digest = key.asymmetricKeyType === 'ec' ? 'sha256' : null
  return { person, signature: sign(digest, statement, key).toString('base64') }
}
