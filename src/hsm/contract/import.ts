/**
 * A key on its way in: sealed to the module's transport key together with what it is to be, so that who
 * carries it cannot give it another id, class or attributes (docs/formats/door.md section 7).
 */

import { type KeyClass, keyUses } from './algorithms.ts'
import type { KeyTemplate } from './keys.ts'
import { type Destination, sealForCommand } from './sealed-part.ts'

/** The arguments of the command importKey. */
export interface ImportTerms {
  readonly key: string
  readonly version: number
  readonly class: KeyClass
  readonly template: KeyTemplate
}

/** Every member of the template stands in what the bytes are bound to, with uses in their order. */
export function importDestination(args: ImportTerms): Destination {
  const { key, version, class: keyClass, template } = args
  const uses = keyUses.filter((use) => template.uses.includes(use))
  const whole = { approvals: 0, canary: false, usesMax: 0, ...template, uses }
  const terms = { class: keyClass, key, template: whole, version }
  return { command: 'importKey', purpose: 'import key', terms }
}

/**
 * @param challenge hex, of getChallenge for importKey
 * @throws HsmError ARGUMENT_INVALID when the public key is not one of a module
 */
export function sealKeyToImport(
  publicKey: Uint8Array,
  challenge: string,
  terms: ImportTerms,
  bytes: Uint8Array,
): Buffer {
  return sealForCommand(publicKey, challenge, importDestination(terms), bytes)
}
