/**
 * What is asked of a passkey through the browser: to be made, and to approve. Every answer is checked here
 * as the module is going to check it, by its own code, before anything is written.
 */

import { randomBytes } from 'node:crypto'
import * as z from 'zod'
import { clientError } from '../../client/errors.ts'
import { type Approval, passkeyChallenge } from '../../hsm/contract/approval.ts'
import { verifyPasskey } from '../../hsm/contract/passkey.ts'
import {
  type ParticipantSignature,
  participantMessage,
  type Transcript,
} from '../../hsm/contract/transcript.ts'
import { parseStatement } from '../approvals/request-file.ts'
import { statementWords } from '../approvals/words.ts'
import { transcriptWords } from '../ceremony/transcript-file.ts'
import { askBrowser, type Question, type Where } from './browser.ts'
import { type ApprovePage, approvePage, enrolPage } from './pages.ts'
import {
  credentialId,
  originOf,
  type Passkey,
  type PasskeyCredential,
  parsePasskey,
  portOf,
} from './passkey-file.ts'

const bytes = z.base64().min(1)
const assertion = z.strictObject({ authenticatorData: bytes, clientData: bytes, signature: bytes })
const enrolment = assertion.extend({ id: credentialId, publicKey: bytes })

/** Of authenticator data (WebAuthn level 3 section 6.1). */
const flagsAt = 32
const flagBackupEligible = 0x08

type Assertion = z.output<typeof assertion>

interface Signer {
  readonly person: string
  readonly passkey: Passkey
}

/** The signature of each statement, in their order. @throws ClientError APPROVAL_INVALID, and see askBrowser */
export function approveInBrowser(
  statements: readonly string[],
  { person, passkey }: Signer,
  where: Omit<Where, 'port'>,
): Promise<Approval[]> {
  const { length: count } = statements
  const questions = statements.map((text, index) => {
    const what = count > 1 ? `Command ${index + 1} of ${count}` : 'One command'
    const words = statementWords(parseStatement(text))
    const { html, accept } = questionOf({ person, passkey, what, words, text })
    return { html, accept: (answer: unknown): Approval => ({ person, ...accept(answer) }) }
  })
  return askBrowser(questions, { ...where, port: portOf(passkey.credential) })
}

/** As approveInBrowser, for the transcript of a founding. */
export async function signTranscriptInBrowser(
  transcript: Transcript,
  { person, passkey }: Signer,
  where: Omit<Where, 'port'>,
): Promise<ParticipantSignature> {
  const text = participantMessage(transcript).toString()
  const words = transcriptWords(transcript)
  const question = questionOf({
    person,
    passkey,
    what: 'The transcript of a founding',
    words,
    text,
  })
  const port = portOf(passkey.credential)
  const [signed] = await askBrowser([question], { ...where, port })
  if (signed) return { name: person, ...signed }
  throw clientError('APPROVAL_INVALID', 'nothing was signed')
}

function questionOf(page: Omit<ApprovePage, 'challenge'>): Question<Assertion> {
  const challenge = passkeyChallenge(Buffer.from(page.text))
  const accept = (answer: unknown): Assertion => {
    const { success, data } = assertion.safeParse(answer)
    if (success && isRight(page.passkey.credential, challenge, data)) return data
    const why = 'the passkey did not sign this statement, or did not verify its user'
    throw clientError('APPROVAL_INVALID', why)
  }
  return { html: approvePage({ ...page, challenge }), accept }
}

/** A new one, which has worked once. @throws ClientError ANSWER_INVALID, and see askBrowser */
export async function enrolInBrowser(
  name: string,
  { port, ...where }: Where,
): Promise<{ readonly passkey: Passkey; readonly isSynchronisable: boolean }> {
  const place = { relyingParty: 'localhost', origin: originOf(port) }
  const challenge = randomBytes(32)
  // A new one each time: an authenticator replaces what it has for a user id that it knows.
  const userId = randomBytes(32)
  const accept = (answer: unknown) => {
    const { success, data } = enrolment.safeParse(answer)
    if (!success) throw notEnrolled()
    const { id, publicKey, ...signed } = data
    const credential = parsePasskey({ kind: 'passkey', publicKey, ...place })
    if (!isRight(credential, challenge, signed)) throw notEnrolled()
    const flags = Buffer.from(signed.authenticatorData, 'base64')[flagsAt] ?? 0
    return { passkey: { id, credential }, isSynchronisable: (flags & flagBackupEligible) !== 0 }
  }
  const html = enrolPage({ name, place, challenge, userId })
  const [made] = await askBrowser([{ html, accept }], { ...where, port })
  if (!made) throw notEnrolled()
  return made
}

function isRight(credential: PasskeyCredential, challenge: Uint8Array, signed: Assertion): boolean {
  return verifyPasskey(credential, challenge, {
    authenticatorData: Buffer.from(signed.authenticatorData, 'base64'),
    clientData: Buffer.from(signed.clientData, 'base64'),
    signature: Buffer.from(signed.signature, 'base64'),
  })
}

function notEnrolled(): Error {
  const why = 'the passkey did not work, or did not verify its user: it is not enrolled'
  return clientError('ANSWER_INVALID', why)
}
