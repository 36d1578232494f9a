/**
 * A passkey's signature over a challenge (WebAuthn level 3 section 7.2, the steps that apply without a
 * session): the client data is of a get, has this challenge and the pinned origin and is not of another
 * origin's frame; the authenticator data is of the pinned relying party, with user present and verified;
 * the signature is over both. There is no attestation and no CBOR here: the public key was enrolled by
 * approval, and extensions are not asked for. Counters are not looked at: synchronised passkeys have none.
 */

import { createPublicKey, hash, verify } from 'node:crypto'
import type { Credential } from './domain-state.ts'

export interface PasskeyAssertion {
  readonly authenticatorData: Uint8Array
  readonly clientData: Uint8Array
  readonly signature: Uint8Array
}

type Passkey = Extract<Credential, { kind: 'passkey' }>

/** RP id hash (32), flags (1), counter (4); extensions would follow and make it longer. */
const authenticatorDataBytes = 37
const flagUserPresent = 0x01
const flagUserVerified = 0x04
const flagBackupEligible = 0x08
const flagBackupState = 0x10
/** Attested credential data and extensions: there is no room for either. */
const flagsOfMore = 0x40 | 0x80
const clientDataBytesMax = 4_096

/** False for whatever is not right, in one way. */
export function verifyPasskey(
  { publicKey, relyingParty, origin }: Passkey,
  challenge: Uint8Array,
  { authenticatorData, clientData, signature }: PasskeyAssertion,
): boolean {
  if (authenticatorData.length !== authenticatorDataBytes) return false
  const expectedParty = hash('sha256', relyingParty, 'buffer')
  if (!expectedParty.equals(authenticatorData.subarray(0, 32))) return false
  if (!areFlagsRight(authenticatorData[32] ?? 0)) return false
  if (!isClientDataOf(clientData, challenge, origin)) return false
  const signed = Buffer.concat([authenticatorData, hash('sha256', clientData, 'buffer')])
  const key = createPublicKey({
    key: Buffer.from(publicKey, 'base64'),
    format: 'der',
    type: 'spki',
  })
  return verify(key.asymmetricKeyType === 'ec' ? 'sha256' : null, signed, key, signature)
}

/** Steps 15 to 18: present, verified, and backed up only if that can be. */
function areFlagsRight(flags: number): boolean {
  const needed = flagUserPresent | flagUserVerified
  if ((flags & needed) !== needed || (flags & flagsOfMore) !== 0) return false
  return (flags & flagBackupState) === 0 || (flags & flagBackupEligible) !== 0
}

function isClientDataOf(clientData: Uint8Array, challenge: Uint8Array, origin: string): boolean {
  if (clientData.length > clientDataBytesMax) return false
  try {
    const data: unknown = JSON.parse(Buffer.from(clientData).toString())
    if (typeof data !== 'object' || data === null || Array.isArray(data)) return false
    const members = data as Readonly<Record<string, unknown>>
    return (
      members.type === 'webauthn.get' &&
      members.challenge === Buffer.from(challenge).toString('base64url') &&
      members.origin === origin &&
      (members.crossOrigin === undefined || members.crossOrigin === false) &&
      members.topOrigin === undefined
    )
  } catch {
    return false
  }
}
