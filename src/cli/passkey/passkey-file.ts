/**
 * What a person keeps of a passkey (docs/formats/approval.md section 6): the credential as the domain state
 * names it, and the id by which the authenticator finds it. It holds no secret: without the
 * authenticator and its user's verification nothing is signed.
 */

import * as z from 'zod'
import { clientError } from '../../client/errors.ts'
import type { Credential } from '../../hsm/contract/domain-state.ts'
import { parseCredential } from '../../hsm/people.ts'
import { readSmallFile } from '../small-file.ts'

const format = 'keyhold passkey v1'
const bytesMax = 16 * 1024

export type PasskeyCredential = Extract<Credential, { kind: 'passkey' }>

export interface Passkey {
  /** Of the credential, base64. */
  readonly id: string
  readonly credential: PasskeyCredential
}

/** Base64 of at most 1,023 bytes (WebAuthn level 3 section 4). */
export const credentialId = z.base64().min(1).max(1_364)

const passkeyFile = z.strictObject({
  format: z.literal(format),
  id: credentialId,
  credential: z.unknown(),
})

/** Of the pages that src/cli/passkey/browser.ts serves. */
export function originOf(port: number): string {
  return `http://localhost:${port}`
}

/** @throws ClientError FILE_INVALID for a passkey that answers to pages of somewhere else */
export function portOf({ relyingParty, origin }: PasskeyCredential): number {
  const port = Number(URL.parse(origin)?.port)
  if (relyingParty === 'localhost' && origin === originOf(port)) return port
  throw clientError('FILE_INVALID', `this passkey answers to ${origin}, not to this program`)
}

export function encodePasskey({ id, credential }: Passkey): Buffer {
  return Buffer.from(`${JSON.stringify({ format, id, credential }, undefined, 2)}\n`)
}

/** @throws ClientError FILE_INVALID, FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readPasskey(file: string): Promise<Passkey> {
  const bytes = await readSmallFile(file, bytesMax)
  try {
    const { id, credential } = passkeyFile.parse(JSON.parse(bytes.toString('utf8')))
    return { id, credential: parsePasskey(credential) }
  } catch (cause) {
    throw clientError('FILE_INVALID', `${file} is no passkey file`, { cause })
  }
}

/** By the module's own parser. @throws HsmError ARGUMENT_INVALID */
export function parsePasskey(untrusted: unknown): PasskeyCredential {
  const credential = parseCredential(untrusted)
  if (credential.kind === 'passkey') return credential
  throw clientError('FILE_INVALID', 'the credential is of another kind')
}
