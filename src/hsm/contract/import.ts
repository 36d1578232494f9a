/**
 * A key on its way in: sealed to the module's transport key together with what it is to be, so that who
 * carries it cannot give it another id, class or attributes (docs/formats/door.md section 7).
 */

import { type KeyClass, keyUses } from './algorithms.ts'
import { canonicalJson } from './canonical-json.ts'
import type { KeyTemplate } from './keys.ts'
import { sealToTransportKey } from './transport.ts'

/** The arguments of the command importKey. */
export interface ImportTerms {
  readonly key: string
  readonly version: number
  readonly class: KeyClass
  readonly template: KeyTemplate
}

/** What the sealed bytes are bound to: every member of the template stands in it, with uses in their order. */
export function importContext({ key, version, class: keyClass, template }: ImportTerms): Buffer {
  const uses = keyUses.filter((use) => template.uses.includes(use))
  const whole = { approvals: 0, canary: false, usesMax: 0, ...template, uses }
  return Buffer.from(canonicalJson({ class: keyClass, key, template: whole, version }))
}

/** @throws HsmError ARGUMENT_INVALID when the public key is not one of a module */
export function sealKeyToImport(
  publicKey: Uint8Array,
  terms: ImportTerms,
  bytes: Uint8Array,
): Buffer {
  return sealToTransportKey(publicKey, 'import key', bytes, importContext(terms))
}
