/**
 * Strict parsers for what arrives at the door: each turns something untrusted into a typed value, once,
 * or throws. Unknown members are refused, nothing is converted, every number and every list is bounded.
 * Messages name what is wrong and repeat nothing of what was sent.
 */

import { type AlgorithmName, isAlgorithmName } from './contract/algorithms.ts'
import { HsmError } from './contract/errors.ts'
import { type KeyId, parseKeyId } from './contract/keys.ts'

export type Untrusted = Readonly<Record<string, unknown>>

/** The last millisecond of ECMAScript's time (ECMA-262 section 21.4.1.1). */
const timeMsMax = 8.64e15
/** u32, and the greatest is the mark of a destroyed key in the floor. */
export const revisionMax = 0xffff_fffe
const versionMax = 0xffff_ffff

/** @throws HsmError ARGUMENT_INVALID unless it is an object of which every member is known */
export function parseObject(value: unknown, members: readonly string[], name: string): Untrusted {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${name} must be an object`)
  }
  for (const member in value) {
    if (!members.includes(member)) throw invalid(`${name} has an unknown member`)
  }
  return value as Untrusted
}

/** @throws HsmError ARGUMENT_INVALID */
export function parseBoolean(value: unknown, name: string): boolean {
  if (typeof value !== 'boolean') throw invalid(`${name} must be true or false`)
  return value
}

/** @throws HsmError ARGUMENT_INVALID */
export function parseInteger(
  value: unknown,
  { name, min, max }: { readonly name: string; readonly min: number; readonly max: number },
): number {
  if (!isInteger(value) || value < min || value > max) {
    throw invalid(`${name} must be an integer from ${min} to ${max}`)
  }
  return value
}

/** One of the names in the list. @throws HsmError ARGUMENT_INVALID */
export function parseChoice<T extends string>(
  value: unknown,
  choices: readonly T[],
  name: string,
): T {
  const choice = choices.find((known) => known === value)
  if (choice === undefined) throw invalid(`${name} must be one of: ${choices.join(', ')}`)
  return choice
}

const hexPattern = /^[0-9a-f]*$/

/** So many bytes, in lower-case hex. @throws HsmError ARGUMENT_INVALID */
export function parseHex(value: unknown, bytes: number, name: string): string {
  if (typeof value === 'string' && value.length === 2 * bytes && hexPattern.test(value))
    return value
  throw invalid(`${name} is ${bytes} bytes in hex`)
}

/** Milliseconds since 1970; 0 for none. @throws HsmError ARGUMENT_INVALID */
export function parseTime(value: unknown, name: string): number {
  return parseInteger(value, { name, min: 0, max: timeMsMax })
}

/** A list without repetition, not empty. @throws HsmError ARGUMENT_INVALID, or what parse throws */
export function parseList<T>(
  value: unknown,
  { name, lengthMax }: { readonly name: string; readonly lengthMax: number },
  parse: (item: unknown) => T,
): T[] {
  if (!Array.isArray(value) || value.length === 0 || value.length > lengthMax) {
    throw invalid(`${name} must be a list of 1 to ${lengthMax}`)
  }
  const items = value.map((item) => parse(item))
  if (new Set(items).size !== items.length) throw invalid(`${name} must not repeat itself`)
  return items
}

export interface KeyReference {
  readonly key: KeyId
  readonly version: number
}

/** The members key and version of something that parseObject took. @throws HsmError ARGUMENT_INVALID */
export function parseKeyReference({ key, version }: Untrusted): KeyReference {
  return { key: parseKeyId(key), version: parseVersion(version) }
}

/** @throws HsmError ARGUMENT_INVALID */
export function parseVersion(value: unknown): number {
  return parseInteger(value, { name: 'version', min: 1, max: versionMax })
}

/** @throws HsmError ALGORITHM_NOT_SUPPORTED */
export function parseAlgorithm(value: unknown): AlgorithmName {
  if (!isAlgorithmName(value)) {
    throw new HsmError('ALGORITHM_NOT_SUPPORTED', 'there is no such algorithm')
  }
  return value
}

/** Nothing at all. @throws HsmError ARGUMENT_INVALID */
export function parseNothing(untrusted: unknown): Readonly<Record<never, never>> {
  return parseObject(untrusted, [], 'arguments')
}

/** What a record may say of a command that was refused unparsed: its key, if it is one. */
export function keyReferenceOrNone(untrusted: unknown): { key: string; version: number } {
  const { key, version } = (
    typeof untrusted === 'object' && untrusted !== null ? untrusted : {}
  ) as Untrusted
  try {
    return { key: parseKeyId(key), version: parseVersion(version) }
  } catch {
    return { key: '', version: 0 }
  }
}

/**
 * A string of the claim: bounded, well-formed Unicode, no control character.
 * @throws HsmError FRAME_INVALID
 */
export function parseClaimText(value: unknown, bytesMax: number): string {
  if (typeof value !== 'string' || value.length > bytesMax) throw claimInvalid(bytesMax)
  let isAscii = true
  for (let index = 0; index < value.length; index += 1) {
    const unit = value.charCodeAt(index)
    if (unit < 0x20 || (unit >= 0x7f && unit < 0xa0)) throw claimInvalid(bytesMax)
    if (unit >= 0x80) isAscii = false
  }
  if (!isAscii && (Buffer.byteLength(value) > bytesMax || !value.isWellFormed())) {
    throw claimInvalid(bytesMax)
  }
  return value
}

function claimInvalid(bytesMax: number): HsmError {
  return new HsmError('FRAME_INVALID', `a claim is text of at most ${bytesMax} bytes`)
}

function isInteger(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
