/**
 * One encoding of a JSON value (RFC 8785, for what this project signs: texts, integers, booleans, null,
 * lists and objects): members in the order of their UTF-16 code units, no space, integers within 2^53.
 * Two who mean the same sign the same bytes.
 */

import { HsmError } from './errors.ts'

export type Json =
  | string
  | number
  | boolean
  | null
  | readonly Json[]
  | { readonly [member: string]: Json }

/** @throws HsmError ARGUMENT_INVALID for what has no such encoding: fractions, lone surrogates, undefined */
export function canonicalJson(value: unknown): string {
  if (value === null || typeof value === 'boolean') return String(value)
  if (typeof value === 'number' && Number.isSafeInteger(value)) return String(value)
  if (typeof value === 'string' && value.isWellFormed()) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`
  if (typeof value === 'object') {
    const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
    const texts = members.map(([name, member]) => `${canonicalJson(name)}:${canonicalJson(member)}`)
    return `{${texts.join(',')}}`
  }
  throw new HsmError('ARGUMENT_INVALID', 'a value that cannot be signed: use texts and integers')
}
