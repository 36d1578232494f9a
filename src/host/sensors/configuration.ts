/**
 * The ranges of the machine's sensors from a file of the administrator's, JSON:
 *
 *   { "hwmon": { "nct6798/in0": { "min": 900, "max": 1100 }, "nct6798/temp3": "ignore" } }
 *
 * in millivolts and thousandths of a degree Celsius. It is refused as a whole when anything in it is not
 * understood: a range that is silently left out protects nobody.
 */

import { readFile } from 'node:fs/promises'
import type { Range } from './hwmon.ts'

export type Ranges = Readonly<Record<string, Range | 'ignore'>>

const bytesMax = 256 * 1024
const channelPattern = /^[\x21-\x2e\x30-\x7e]{1,64}\/(in|temp|intrusion)\d{1,3}$/

/** @throws Error that says what is wrong with which part of the file */
export async function readRanges(file: string): Promise<Ranges> {
  const text = await readFile(file, 'utf8')
  if (text.length > bytesMax) throw new Error(`${file} is too long`)
  try {
    return parseRanges(JSON.parse(text))
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${file}: ${reason}`, { cause })
  }
}

export function parseRanges(value: unknown): Ranges {
  const { hwmon, ...others } = asObject(value, 'the file')
  refuseOthers(others, 'the file')
  const ranges = Object.entries(asObject(hwmon, 'hwmon')).map(([channel, range]) => {
    if (!channelPattern.test(channel))
      throw new Error(`${channel} is no "chip/in0" or "chip/temp1"`)
    return [channel, range === 'ignore' ? range : parseRange(channel, range)] as const
  })
  return Object.fromEntries(ranges)
}

function parseRange(channel: string, value: unknown): Range {
  const { min, max, ...others } = asObject(value, channel)
  refuseOthers(others, channel)
  const isLimit = (limit: unknown) => limit === undefined || Number.isSafeInteger(limit)
  const range = { min: min as number | undefined, max: max as number | undefined }
  const { min: from = Number.NEGATIVE_INFINITY, max: to = Number.POSITIVE_INFINITY } = range
  const isRange = isLimit(min) && isLimit(max) && (min ?? max) !== undefined && from < to
  if (!isRange) throw new Error(`${channel}: a range has min below max, whole numbers`)
  return range
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new Error(`${what} is no object`)
}

function refuseOthers(others: object, what: string): void {
  const [unknown] = Object.keys(others)
  if (unknown !== undefined) throw new Error(`${what}: ${unknown} is not known`)
}
