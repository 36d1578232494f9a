/** A transcript as a file: read strictly, signed by one more person, told to people. */

import { createPublicKey, type KeyObject, sign } from 'node:crypto'
import * as z from 'zod'
import { clientError } from '../../client/errors.ts'
import { type Credential, peopleMax } from '../../hsm/contract/domain-state.ts'
import {
  eventsMax,
  isSignedBy,
  type ParticipantSignature,
  participantMessage,
  type Transcript,
  transcriptBytesMax,
  transcriptFormat,
  type VerifiedTranscript,
  verifyTranscript,
} from '../../hsm/contract/transcript.ts'
import { type Words, wordsOf } from '../approvals/words.ts'
import { fields, time } from '../output.ts'
import { readSmallFile } from '../small-file.ts'

const doubleSignature = z.strictObject({ ed25519: z.string(), mlDsa65: z.string() })
const signed = z.strictObject({ statement: z.string(), signature: doubleSignature })
const transcriptFile = z.strictObject({
  format: z.literal(transcriptFormat),
  founding: signed,
  domainState: signed,
  events: z
    .array(z.strictObject({ time: z.int().min(0), event: z.string(), name: z.string() }))
    .max(eventsMax),
  signatures: z
    .array(
      z.strictObject({
        name: z.string(),
        signature: z.string(),
        authenticatorData: z.string().optional(),
        clientData: z.string().optional(),
      }),
    )
    .max(peopleMax),
})

export function encodeTranscript(transcript: Transcript): Buffer {
  return Buffer.from(`${JSON.stringify(transcript, null, 2)}\n`)
}

/** @throws ClientError FILE_INVALID, FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readTranscript(file: string): Promise<Transcript> {
  const text = await readSmallFile(file, transcriptBytesMax)
  try {
    return transcriptFile.parse(JSON.parse(text.toString('utf8')))
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is no transcript of a founding`, { cause })
  }
}

/** @throws ClientError TRANSCRIPT_INVALID, with the reason */
export function verified(transcript: Transcript): VerifiedTranscript {
  const found = verifyTranscript(transcript)
  if (typeof found !== 'string') return found
  throw clientError('TRANSCRIPT_INVALID', `the transcript does not hold: ${found}`)
}

/**
 * With the signature of this person, whose earlier one is replaced.
 * @throws ClientError FILE_INVALID for a key that is none or somebody else's; TRANSCRIPT_INVALID
 */
export function signTranscript(
  transcript: Transcript,
  name: string,
  privateKey: KeyObject,
): Transcript {
  const spki = createPublicKey(privateKey).export({ format: 'der', type: 'spki' })
  const { kind } = credentialIn(transcript, name, spki.toString('base64'))
  const message = participantMessage(transcript)
  const signature = sign(kind === 'p-256' ? 'sha256' : null, message, privateKey)
  return withSignature(transcript, { name, signature: signature.toString('base64') })
}

/** What the domain state has of this person. @throws ClientError FILE_INVALID, TRANSCRIPT_INVALID */
export function credentialIn(transcript: Transcript, name: string, publicKey: string): Credential {
  const person = verified(transcript).domainState.people.find((known) => known.name === name)
  if (!person) throw clientError('FILE_INVALID', `${name} is not one of the domain's people`)
  if (person.credential.publicKey === publicKey) return person.credential
  throw clientError('FILE_INVALID', `the key is not that of ${name}`)
}

/** In the place of an earlier one. @throws ClientError FILE_INVALID, TRANSCRIPT_INVALID */
export function withSignature(transcript: Transcript, own: ParticipantSignature): Transcript {
  const { name } = own
  const person = verified(transcript).domainState.people.find((known) => known.name === name)
  if (!person || !isSignedBy(person.credential, participantMessage(transcript), own)) {
    throw clientError('FILE_INVALID', `with the key of ${name} no transcript can be signed`)
  }
  const others = transcript.signatures.filter((other) => other.name !== name)
  return { ...transcript, signatures: [...others, own] }
}

/** For people. */
export function describeTranscript(transcript: Transcript, found: VerifiedTranscript): string {
  return fields(rowsOf(transcript, found))
}

/** For whoever is about to sign it. */
export function transcriptWords(transcript: Transcript): Words {
  const found = verified(transcript)
  const headline = `Sign what happened when the domain ${found.statement.domain} was founded.`
  const rows = rowsOf(transcript, found).filter(([, value]) => value !== undefined && value !== '')
  return wordsOf(
    headline,
    rows.map(([name, value]) => [name, String(value)]),
  )
}

function rowsOf(
  { events }: Transcript,
  { statement, domainState, signed, missing }: VerifiedTranscript,
): (readonly [string, unknown])[] {
  const { custodians, seals } = statement
  const { level, people, rules, development } = domainState
  const ruleTexts = Object.entries(rules).map(([name, { approvals }]) => `${name} ${approvals}`)
  return [
    ['domain', development ? `${statement.domain}, for development` : statement.domain],
    ['module', statement.module],
    ['founded', time(statement.time)],
    ['security level', level],
    ['seals', seals.join(', ') || 'none: shares alone open the domain'],
    ['people', people.map(({ name, roles }) => `${name} (${roles.join(', ')})`).join(', ')],
    ['signatures needed', ruleTexts.join(', ') || 'for nothing'],
    ['shares', custodians ? `${custodians.threshold} of ${custodians.shares.length}` : 'none'],
    ...(custodians?.shares ?? []).map(
      ({ index, name, protection, check }) =>
        [`share ${index}`, `${name}, by ${protection}, check value ${check}`] as const,
    ),
    ...events.map(
      ({ time: at, event, name }) => [time(at) ?? '', `${event} ${name}`.trim()] as const,
    ),
    ['signed by', ['the module', ...signed].join(', ')],
    ['not signed by', missing.join(', ')],
  ]
}
