/**
 * What a key may be that is made from another one. Whoever may use a key can have the same bytes made from
 * it a second time with another template, so a template alone protects nothing here; what holds for both
 * copies is what the key allows that they are made with, and the command that makes them:
 *
 * - What a key may not let out, what is made from it may not either: not in plaintext, and not under a key
 *   of the caller's. Else a key that never leaves would leave as its exportable twin.
 * - What is agreed or transported is a generic secret and only derives (SP 800-56A revision 3 section 5.8:
 *   a shared secret is no key before a derivation). What is derived or unwrapped never derives. Else one
 *   copy would derive a key, and its twin would answer with the bytes of that key as a MAC.
 *
 * tests/invariants/safe-use.test.ts tries every sequence of commands against these rules.
 */

import { HsmError } from '../contract/errors.ts'
import type { KeyAttributes, KeyTemplate } from '../contract/keys.ts'

/** The commands that make a key from another one. */
export const makingCommands = [
  'deriveKey',
  'unwrapKey',
  'agree',
  'encapsulate',
  'decapsulate',
] as const

export type MakingCommand = (typeof makingCommands)[number]

const derivesAfterwards: Readonly<Record<MakingCommand, boolean>> = {
  deriveKey: false,
  unwrapKey: false,
  agree: true,
  encapsulate: true,
  decapsulate: true,
}

/** That this command makes keys of this kind. @throws HsmError KEY_USE_NOT_PERMITTED */
export function assertMakes(command: MakingCommand, { uses }: Pick<KeyTemplate, 'uses'>): void {
  if (derivesAfterwards[command] && uses.some((use) => use !== 'derive')) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', `what ${command} makes only derives other keys`)
  }
  if (!derivesAfterwards[command] && uses.includes('derive')) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', `what ${command} makes does not derive other keys`)
  }
}

/**
 * That what is made from a key does not let out what the key itself may not.
 * @throws HsmError KEY_USE_NOT_PERMITTED
 */
export function assertInherits(
  template: Pick<KeyTemplate, 'exportable' | 'plaintextRelease'>,
  parent: KeyAttributes,
): void {
  if (template.plaintextRelease && !parent.plaintextRelease) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', 'the key would release what its origin may not')
  }
  if (template.exportable && !parent.exportable && !parent.plaintextRelease) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', 'the key would leave where its origin may not')
  }
}
