/** Sensors in a folder of the form of /sys/class/hwmon: what is wrong, when it is told, and what is not. */

import assert from 'node:assert/strict'
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { afterEach, beforeEach, suite, test } from 'node:test'
import { type HwmonOptions, hwmonSensor } from './hwmon.ts'
import type { Finding } from './sensor.ts'

let folder: string

beforeEach(() => {
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-hwmon-'))
})
afterEach(() => rmSync(folder, { recursive: true }))

/** Files of a chip, as the kernel writes them: with a new line. */
function chip(number: number, name: string, files: Readonly<Record<string, number | string>>) {
  const place = path.join(folder, `hwmon${number}`)
  mkdirSync(place, { recursive: true })
  for (const [file, value] of Object.entries({ name, ...files })) {
    writeFileSync(path.join(place, file), `${value}\n`)
  }
}

async function looks(count: number, options: HwmonOptions = {}): Promise<readonly Finding[]> {
  const sensor = hwmonSensor({ folder, ...options })
  for (let look = 1; look < count; look += 1) await sensor.look()
  return sensor.look()
}

const board = { in0_input: 1008, in0_min: 900, in0_max: 1100, temp1_input: 41000 }

suite('hwmon', () => {
  test('nothing is wrong inside the ranges, without ranges, and with limits that make none', async () => {
    chip(0, 'coretemp', { temp1_input: 62000, temp1_max: 90000, temp1_crit: 100000 })
    chip(1, 'nct6798', { ...board, intrusion0_alarm: 0, in1_input: 700, in1_min: 0, in1_max: 0 })
    assert.deepEqual(await looks(3), [])
  })

  test('voltage and temperature outside of the driver’s limits, at the second look', async () => {
    chip(0, 'coretemp', { temp1_input: 100001, temp1_max: 90000, temp1_crit: 100000 })
    chip(1, 'nct6798', { ...board, in0_input: 899 })
    assert.deepEqual(await looks(1), [])
    const found = await looks(2)
    assert.deepEqual(
      found.map(({ signal, about }) => [signal, about]),
      [
        ['temperature-outside', 'coretemp/temp1'],
        ['voltage-outside', 'nct6798/in0'],
      ],
    )
    assert.match(found[1]?.detail ?? '', /^nct6798\/in0: 899 mV is outside 900 to 1100$/)
  })

  test('lower limits: cold is a way in too', async () => {
    chip(0, 'board', { temp1_input: -20000, temp1_lcrit: -10000, temp1_min: 0 })
    assert.equal((await looks(2))[0]?.signal, 'temperature-outside')
  })

  test('the configuration’s range comes before the driver’s; what it ignores is ignored', async () => {
    chip(0, 'nct6798', board)
    const narrow = { 'nct6798/in0': { min: 1010 }, 'nct6798/temp1': { max: 40000 } }
    assert.equal((await looks(2, { ranges: narrow })).length, 2)
    chip(0, 'nct6798', { in0_input: 2000 })
    assert.deepEqual(await looks(2, { ranges: { 'nct6798/in0': 'ignore' } }), [])
    assert.deepEqual(await looks(2, { ranges: { 'nct6798/in0': { min: 900, max: 2000 } } }), [])
  })

  test('an opened chassis is told at the first look', async () => {
    chip(0, 'nct6798', { intrusion0_alarm: 1 })
    assert.deepEqual(await looks(1), [
      {
        signal: 'chassis-opened',
        about: 'nct6798/intrusion0',
        detail: 'nct6798/intrusion0: the chassis was opened',
      },
    ])
  })

  test('one value outside between two inside is a glitch', async () => {
    const sensor = hwmonSensor({ folder })
    for (const value of [1000, 1200, 1000, 1200, 1000]) {
      chip(0, 'nct6798', { ...board, in0_input: value })
      assert.deepEqual(await sensor.look(), [])
    }
  })

  test('a sensor with a range in the configuration that goes away is outside of it', async () => {
    chip(0, 'nct6798', board)
    const ranges = { 'nct6798/in0': { min: 900 }, 'gone/temp1': { max: 80000 } }
    const found = await looks(2, { ranges })
    assert.deepEqual(
      found.map(({ detail }) => detail),
      ['gone/temp1: the sensor is gone'],
    )
  })

  test('what is no number, cannot be read or is no channel is left out', async () => {
    chip(0, 'odd', {
      in0_input: 'N/A',
      in1_input: '1e9',
      in2_input: '',
      temp1_input: '99999999999999999999',
      fan1_input: 0,
      in0_min: 5,
      intrusion0_alarm: 'x',
    })
    mkdirSync(path.join(folder, 'hwmon0', 'temp2_input'))
    mkdirSync(path.join(folder, 'power'))
    writeFileSync(path.join(folder, 'hwmon7'), 'no folder')
    assert.deepEqual(await looks(3), [])
  })
})
