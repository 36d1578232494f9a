/**
 * The machine's own sensors by Linux hwmon (kernel documentation, hwmon/sysfs-interface): folders
 * `hwmon<n>` with a file `name`, voltages `in<n>_input` in millivolts, temperatures `temp<n>_input` in
 * thousandths of a degree, and `intrusion<n>_alarm`, which stays 1 once the chassis was opened.
 *
 * A range comes from the configuration or, where it says nothing, from the driver: `_lcrit` or `_min`,
 * `_crit` or `_max`; limits that make no range (many boards have 0 for both) are left out. A value has to
 * be outside at two looks in a row; a channel that has a range in the configuration has to be there.
 */

import { readdir, readFile } from 'node:fs/promises'
import path from 'node:path'
import { namesIfThere } from '../durable-file.ts'
import type { Finding, Sensor } from './sensor.ts'

/** In the unit of the file: millivolts, or thousandths of a degree Celsius. */
export interface Range {
  readonly min?: number | undefined
  readonly max?: number | undefined
}

export interface HwmonOptions {
  /** `/sys/class/hwmon`, or a folder of the same form. */
  readonly folder?: string
  /** By "chip/channel", as "nct6798/in0" or "coretemp/temp1"; "ignore" for what says nonsense. */
  readonly ranges?: Readonly<Record<string, Range | 'ignore'>>
  readonly everyMs?: number
}

const chipsMax = 64
const filesMax = 1_024
const looksOutside = 2
const channelPattern = /^(in|temp)(\d{1,3})_input$|^(intrusion)(\d{1,3})_alarm$/

interface Reading {
  /** "chip/channel". */
  readonly about: string
  readonly kind: 'in' | 'temp' | 'intrusion'
  readonly value: number
  readonly range: Range
}

/** How often in a row, by channel. */
type Counts = Map<string, number>

export function hwmonSensor({
  folder = '/sys/class/hwmon',
  ranges = {},
  everyMs = 5_000,
}: HwmonOptions = {}): Sensor {
  const outside: Counts = new Map()
  return {
    name: 'hwmon',
    everyMs,
    look: async () => {
      const readings = await readAll(folder, ranges)
      const found = readings.flatMap(judge)
      const there = new Set(readings.map(({ about }) => about))
      const missing = Object.keys(ranges).filter(
        (about) => ranges[about] !== 'ignore' && !there.has(about),
      )
      return inARow(outside, [...found, ...missing.map(gone)])
    },
  }
}

/** Those that were found as often as they have to be; an opened chassis counts at once. */
function inARow(counts: Counts, found: readonly Finding[]): Finding[] {
  const abouts = new Set(found.map(({ about }) => about))
  for (const about of counts.keys()) if (!abouts.has(about)) counts.delete(about)
  return found.filter(({ about, signal }) => {
    const count = (counts.get(about) ?? 0) + 1
    counts.set(about, count)
    return signal === 'chassis-opened' || count >= looksOutside
  })
}

function judge({ about, kind, value, range }: Reading): Finding[] {
  if (kind === 'intrusion') {
    if (value === 0) return []
    return [{ signal: 'chassis-opened', about, detail: `${about}: the chassis was opened` }]
  }
  const { min = Number.NEGATIVE_INFINITY, max = Number.POSITIVE_INFINITY } = range
  if (value >= min && value <= max) return []
  const unit = kind === 'in' ? 'mV' : 'mC'
  const detail = `${about}: ${value} ${unit} is outside ${range.min ?? ''} to ${range.max ?? ''}`
  return [{ signal: signalOf(kind), about, detail }]
}

function gone(about: string): Finding {
  const kind = about.split('/')[1]?.startsWith('in') ? 'in' : 'temp'
  return { signal: signalOf(kind), about, detail: `${about}: the sensor is gone` }
}

const signalOf = (kind: 'in' | 'temp') =>
  kind === 'in' ? 'voltage-outside' : 'temperature-outside'

async function readAll(
  folder: string,
  ranges: Readonly<Record<string, Range | 'ignore'>>,
): Promise<Reading[]> {
  const names = (await namesIfThere(folder)) ?? []
  const chips = names.filter((name) => /^hwmon\d{1,4}$/.test(name)).sort()
  const readings: Reading[] = []
  for (const chip of chips.slice(0, chipsMax)) {
    const place = path.join(folder, chip)
    const name = (await readShort(path.join(place, 'name'))) ?? chip
    const files = (await readdir(place).catch(() => [])).slice(0, filesMax)
    for (const file of files) {
      const reading = await readChannel(place, name, file, ranges)
      if (reading !== undefined) readings.push(reading)
    }
  }
  return readings
}

/** Undefined for what is no channel, is not to be watched, or gives no number now. */
async function readChannel(
  place: string,
  chip: string,
  file: string,
  ranges: Readonly<Record<string, Range | 'ignore'>>,
): Promise<Reading | undefined> {
  const match = channelPattern.exec(file)
  if (match === null) return undefined
  const kind = (match[1] ?? match[3]) as Reading['kind']
  const channel = `${kind}${match[2] ?? match[4]}`
  const about = `${chip}/${channel}`
  const asked = ranges[about]
  if (asked === 'ignore') return undefined
  const value = await readNumber(path.join(place, file))
  if (value === undefined) return undefined
  const limit = (suffix: string) => readNumber(path.join(place, `${channel}_${suffix}`))
  const range = kind === 'intrusion' ? {} : (asked ?? (await driversRange(limit)))
  return { about, kind, value, range }
}

async function driversRange(
  limit: (suffix: string) => Promise<number | undefined>,
): Promise<Range> {
  const min = (await limit('lcrit')) ?? (await limit('min'))
  const max = (await limit('crit')) ?? (await limit('max'))
  if (min !== undefined && max !== undefined && min >= max) return {}
  return max === 0 ? { min } : { min, max }
}

async function readNumber(file: string): Promise<number | undefined> {
  const text = await readShort(file)
  return text !== undefined && /^-?\d{1,12}$/.test(text) ? Number(text) : undefined
}

/** Undefined when it cannot be read: a sensor may be busy, asleep or broken. */
async function readShort(file: string): Promise<string | undefined> {
  try {
    return (await readFile(file, { encoding: 'latin1' })).slice(0, 64).trim()
  } catch {
    return undefined
  }
}
