/**
 * A secret that goes with one command, sealed to the module's transport key (transport.ts) for that command,
 * for what it does with the secret, and for a challenge that the module issued for it. The challenge
 * stands in front, so that it goes wherever the sealed bytes go, as into a request that people approve.
 *
 *   challenge (32) || what transport.ts describes
 */

import { canonicalJson } from './canonical-json.ts'
import type { CommandName } from './commands.ts'
import type { SealKind } from './domain-commands.ts'
import { sealToTransportKey, type TransportPurpose, transportOverheadBytes } from './transport.ts'

const challengeBytes = 32
export const sealedPartOverheadBytes = challengeBytes + transportOverheadBytes

/** What a secret is for. */
export interface Destination {
  readonly command: CommandName
  readonly purpose: TransportPurpose
  /** Of the command's arguments, what decides about the secret: JSON. */
  readonly terms: object
}

/** The secret of a seal of this kind. */
export function sealSecretFor(
  command: 'found' | 'unlock' | 'addSeal' | 'beginEpoch',
  seal: SealKind,
): Destination {
  return { command, purpose: 'seal secret', terms: { seal } }
}

/** The passphrases of those custodians who have one, as one list (share.ts). */
export function passphrasesFor(command: 'found' | 'beginEpoch'): Destination {
  return { command, purpose: 'custodian passphrases', terms: {} }
}

/** What the sealed bytes are bound to. @param challenge hex */
export function destinationContext({ command, terms }: Destination, challenge: string): Buffer {
  return Buffer.from(canonicalJson({ ...terms, challenge, command }))
}

/**
 * @param challenge hex, of getChallenge for this command
 * @throws HsmError ARGUMENT_INVALID when the public key is not one of a module
 */
export function sealForCommand(
  publicKey: Uint8Array,
  challenge: string,
  destination: Destination,
  secret: Uint8Array,
): Buffer {
  const context = destinationContext(destination, challenge)
  const sealed = sealToTransportKey(publicKey, destination.purpose, secret, context)
  return Buffer.concat([Buffer.from(challenge, 'hex'), sealed])
}

/** The challenge, in hex, and what is sealed. */
export function cutSealedPart(part: Uint8Array): {
  readonly challenge: string
  readonly sealed: Uint8Array
} {
  const challenge = Buffer.from(part.subarray(0, challengeBytes)).toString('hex')
  return { challenge, sealed: part.subarray(challengeBytes) }
}
