/** How the texts of options become values; what does not fit is a usage error before anything is asked. */

import { InvalidArgumentError } from 'commander'
import { type AlgorithmName, isAlgorithmName } from '../hsm/contract/algorithms.ts'

const dayMs = 24 * 60 * 60 * 1_000

/** A whole number within these bounds. */
export function integer(minimum: number, maximum: number): (text: string) => number {
  return (text) => {
    const value = Number(text)
    if (!/^\d{1,15}$/.test(text) || value < minimum || value > maximum) {
      throw new InvalidArgumentError(`a whole number from ${minimum} to ${maximum}`)
    }
    return value
  }
}

/** "sign,verify" or several options. */
export function list(text: string, before: readonly string[] | undefined): string[] {
  const given = text.split(',').map((part) => part.trim())
  if (given.includes('')) throw new InvalidArgumentError('names, separated by commas')
  return [...(before ?? []), ...given]
}

/** "name=value", several times. */
export function pair(
  text: string,
  before: Readonly<Record<string, string>> | undefined,
): Record<string, string> {
  const at = text.indexOf('=')
  if (at < 1) throw new InvalidArgumentError('name=value')
  const name = text.slice(0, at)
  if (before && Object.hasOwn(before, name)) {
    throw new InvalidArgumentError(`"${name}" is given twice`)
  }
  return { ...before, [name]: text.slice(at + 1) }
}

/** A day or a moment in ISO 8601, as milliseconds since 1970. */
export function moment(text: string): number {
  const isIso = /^\d{4}-\d\d-\d\d(T\d\d:\d\d(:\d\d)?(Z|[+-]\d\d:\d\d))?$/.test(text)
  const value = Date.parse(text)
  if (!isIso || Number.isNaN(value)) {
    throw new InvalidArgumentError('a day like 2027-01-31 or a moment like 2027-01-31T12:00:00Z')
  }
  return value
}

const unitMs = { m: 60_000, h: 3_600_000, d: dayMs }

/** A moment, or how long before now: 30m, 2h, 7d. */
export function ago(text: string): (now: number) => number {
  const [, count, unit] = /^(\d{1,6})([mhd])$/.exec(text) ?? []
  if (unit !== undefined)
    return (now) => Math.max(0, now - Number(count) * unitMs[unit as keyof typeof unitMs])
  const at = moment(text)
  return () => at
}

/** One of these. */
export function oneOf<T extends string>(names: readonly T[]): (text: string) => T {
  return (text) => {
    const found = names.find((name) => name === text)
    if (found === undefined) throw new InvalidArgumentError(`one of ${names.join(', ')}`)
    return found
  }
}

/** Bytes in hex. */
export function hex(text: string): Buffer {
  if (!/^([0-9a-fA-F]{2})+$/.test(text)) throw new InvalidArgumentError('bytes in hex')
  return Buffer.from(text, 'hex')
}

/** One of the registry's. */
export function algorithmName(text: string): AlgorithmName {
  if (!isAlgorithmName(text)) throw new InvalidArgumentError('no such algorithm')
  return text
}

/** "in 7 days", for people. */
export function daysFrom(now: number, then: number): string {
  const days = Math.round((then - now) / dayMs)
  return days === 1 ? 'in 1 day' : `in ${days} days`
}
