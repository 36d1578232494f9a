/**
 * The transcript of a founding (docs/formats/transcript.md): what the module says happened, signed by its
 * identity keys, the domain state that came of it, what the ceremony's program noted, and the signatures
 * of the people who were there over all of it. It holds no secret. Whoever checks it needs nothing else.
 */

import { createPublicKey, hash, verify } from 'node:crypto'
import { passkeyChallenge } from './approval.ts'
import { canonicalJson } from './canonical-json.ts'
import type { SealKind } from './domain-commands.ts'
import {
  type Credential,
  type DomainState,
  domainStateHash,
  openSignedDomainState,
  type SignedDomainState,
} from './domain-state.ts'
import { type DoubleSignature, verifyDouble } from './double-signature.ts'
import { HsmError } from './errors.ts'
import { verifyPasskey } from './passkey.ts'
import type { ShareProtection } from './share.ts'

export const foundingFormat = 'keyhold founding v1'
export const transcriptFormat = 'keyhold founding transcript v1'
export const transcriptBytesMax = 1024 * 1024
export const eventsMax = 1_000

/** One share, as the module made it; bytes are hex. */
export interface ShareEntry {
  readonly index: number
  readonly name: string
  readonly protection: ShareProtection
  /** SHA-256 of the custodian's public key; null for a passphrase. */
  readonly keyDigest: string | null
  /** The check value of the share: what `share check` prints. */
  readonly check: string
}

/** What the module says; it signs the canonical JSON of it. */
export interface FoundingStatement {
  readonly format: typeof foundingFormat
  readonly domain: string
  readonly module: string
  /** SHA-256 of the domain state, version 1. */
  readonly domainState: string
  /** Seals that were made beside the shares. */
  readonly seals: readonly SealKind[]
  readonly custodians: {
    readonly shareSet: string
    readonly threshold: number
    readonly rootCheck: string
    readonly shares: readonly ShareEntry[]
  } | null
  /** Milliseconds since 1970. */
  readonly time: number
}

export interface SignedFounding {
  readonly statement: string
  readonly signature: DoubleSignature
}

/** What the ceremony's program noted: the module knows nothing of it, the people sign it. */
export interface CeremonyEvent {
  /** Milliseconds since 1970. */
  readonly time: number
  readonly event: string
  /** Whom it is about; empty for all. */
  readonly name: string
}

export interface ParticipantSignature {
  /** As in the domain state. */
  readonly name: string
  /** In base64, here and below. */
  readonly signature: string
  /** Of a passkey (WebAuthn level 3 sections 6.1 and 5.8.1). */
  readonly authenticatorData?: string | undefined
  readonly clientData?: string | undefined
}

export interface Transcript {
  readonly format: typeof transcriptFormat
  readonly founding: SignedFounding
  readonly domainState: SignedDomainState
  readonly events: readonly CeremonyEvent[]
  readonly signatures: readonly ParticipantSignature[]
}

/** What is right about a transcript, and who has signed it. */
export interface VerifiedTranscript {
  readonly statement: FoundingStatement
  readonly domainState: DomainState
  readonly signed: readonly string[]
  /** People of the domain state who have not signed. */
  readonly missing: readonly string[]
}

/** What a participant signs. @throws HsmError ARGUMENT_INVALID for events that have no canonical form */
export function participantMessage({
  founding,
  events,
}: Pick<Transcript, 'founding' | 'events'>): Buffer {
  const statement = hash('sha256', founding.statement)
  return Buffer.from(canonicalJson({ format: transcriptFormat, founding: statement, events }))
}

/**
 * Everything that can be checked without asking anybody. @returns the reason, as one sentence, when
 * something in it is wrong
 */
export function verifyTranscript(transcript: Transcript): VerifiedTranscript | string {
  const domainState = openSignedDomainState(transcript.domainState)
  if (!domainState) return 'the domain state is not whole, or not signed by the module'
  const statement = openFounding(transcript.founding, domainState)
  if (typeof statement === 'string') return statement
  const names = transcript.signatures.map(({ name }) => name)
  if (new Set(names).size < names.length) return 'somebody has signed twice'
  const message = participantMessage(transcript)
  for (const { name, ...signed } of transcript.signatures) {
    const person = domainState.people.find((known) => known.name === name)
    if (!person) return `${name} is not one of the domain's people`
    if (!isSignedBy(person.credential, message, signed)) {
      return `the signature of ${name} is wrong`
    }
  }
  const missing = domainState.people.map(({ name }) => name).filter((name) => !names.includes(name))
  return { statement, domainState, signed: names, missing }
}

function openFounding(founding: SignedFounding, state: DomainState): FoundingStatement | string {
  const maker = state.members.find(({ module }) => module === state.maker)
  if (!maker || !verifyDouble(Buffer.from(founding.statement), founding.signature, maker)) {
    return "the module's signature is wrong"
  }
  const statement = JSON.parse(founding.statement) as FoundingStatement
  const ofState = domainStateHash(Buffer.from(canonicalJson(state)))
  const isOfState =
    statement.format === foundingFormat &&
    statement.domain === state.domain &&
    statement.module === state.maker &&
    statement.domainState === ofState
  return isOfState ? statement : 'the domain state is not the one that was founded'
}

/**
 * A signature by the private key of a credential: Ed25519 and ML-DSA-65 over the message, P-256 over its
 * SHA-256 in DER; by a passkey, with the SHA-256 of the message as challenge.
 */
export function isSignedBy(
  credential: Credential,
  message: Uint8Array,
  { authenticatorData, clientData, ...signed }: Omit<ParticipantSignature, 'name'>,
): boolean {
  try {
    const signature = fromBase64(signed.signature)
    if (credential.kind === 'passkey') {
      return verifyPasskey(credential, passkeyChallenge(message), {
        authenticatorData: fromBase64(authenticatorData),
        clientData: fromBase64(clientData),
        signature,
      })
    }
    if (authenticatorData !== undefined || clientData !== undefined) return false
    const der = Buffer.from(credential.publicKey, 'base64')
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    return verify(credential.kind === 'p-256' ? 'sha256' : null, message, key, signature)
  } catch {
    return false
  }
}

/** @throws HsmError ARGUMENT_INVALID for what is not the one encoding of its bytes */
function fromBase64(text: string | undefined): Buffer {
  const bytes = Buffer.from(text ?? '', 'base64')
  if (bytes.toString('base64') === text) return bytes
  throw new HsmError('ARGUMENT_INVALID', 'this is not base64')
}
