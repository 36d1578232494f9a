/** Sensors together, the clock, and signs that come by themselves. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { HsmError } from '../../hsm/contract/errors.ts'
import { LauncherError } from '../../launcher/errors.ts'
import { HostError } from '../errors.ts'
import { clockSensor } from './clock.ts'
import type { Finding, SensorEvent } from './sensor.ts'
import { Sensors } from './sensors.ts'
import { signalOfEnd, signalOfRefusal } from './signals.ts'

const finding = (about: string): Finding => ({
  signal: 'voltage-outside',
  about,
  detail: `${about} \u001b[31m\n${'x'.repeat(200)}`,
})

suite('sensors', () => {
  test('what stays wrong is told once, and again after it was right', async () => {
    const script = [['a'], ['a'], ['a', 'b'], [], ['b'], ['b']]
    const events: SensorEvent[] = []
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = async (): Promise<Finding[]> => {
      const now = script.shift()
      if (now === undefined) resolve()
      return (now ?? []).map(finding)
    }
    await using _ = new Sensors({
      sensors: [{ name: 'script', everyMs: 0, look }],
      signal: (event) => events.push(event),
      log: ({ message }) => assert.fail(message),
      now: () => 7,
    })
    const alive = setInterval(() => undefined, 1_000)
    await promise
    clearInterval(alive)
    assert.deepEqual(
      events.map(({ detail }) => detail[0]),
      ['a', 'b', 'b'],
    )
    for (const { signal, detail, time } of events) {
      assert.equal(signal, 'voltage-outside')
      assert.equal(time, 7)
      assert.match(detail, /^[\x20-\x7e]{1,120}$/)
    }
  })

  test('a sensor that breaks is logged once, stops nobody, and is looked at again', async () => {
    const logged: string[] = []
    const events: SensorEvent[] = []
    let looked = 0
    const { promise, resolve } = Promise.withResolvers<void>()
    const look = async (): Promise<Finding[]> => {
      looked += 1
      if (looked < 5) throw new Error('no folder')
      if (looked > 5) resolve()
      return [finding('a')]
    }
    await using _ = new Sensors({
      sensors: [{ name: 'broken', everyMs: 0, look }],
      signal: (event) => events.push(event),
      log: ({ message }) => logged.push(message),
    })
    const alive = setInterval(() => undefined, 1_000)
    await promise
    clearInterval(alive)
    assert.deepEqual(logged, ['sensor broken: no folder'])
    assert.equal(events.length, 1)
  })
})

suite('clock', () => {
  /** Looks once a second while the time of day is moved by these milliseconds each time. */
  async function details(...moves: readonly number[]): Promise<string[]> {
    let [now, monotonic] = [1_000_000_000_000, 5_000]
    const sensor = clockSensor({ now: () => now, monotonic: () => monotonic })
    const all: string[] = []
    for (const move of moves) {
      now += 1_000 + move
      monotonic += 1_000
      all.push(...(await sensor.look()).map(({ detail }) => detail))
    }
    return all
  }

  test('going on, a leap second, a slew and a jump forward are no signal', async () => {
    assert.deepEqual(await details(0, 0, -1_000, 0, 3_600_000, 0, -20_000), [])
    assert.deepEqual(await details(...Array(3_600).fill(-0.5)), [])
  })

  test('going back is one, at once or in steps', async () => {
    assert.deepEqual(await details(0, -3_600_000, 0), ['the time of day went back by 3600000 ms'])
    assert.equal((await details(-25_000, -25_000, -25_000)).length, 1)
    assert.equal((await details(86_400_000, -86_400_000)).length, 1)
  })

  test('the clock of this machine, unmoved, is none', async () => {
    const sensor = clockSensor()
    for (let look = 0; look < 100; look += 1) assert.deepEqual(await sensor.look(), [])
  })
})

suite('signs without a sensor', () => {
  test('of the ends of a module, the wall alone', () => {
    const end = { code: null, signal: null, output: '' }
    assert.equal(signalOfEnd({ ...end, kind: 'wall' }, 3)?.signal, 'wall-hit')
    for (const kind of ['asked', 'bug', 'memory', 'killed', 'zeroised'] as const) {
      assert.equal(signalOfEnd({ ...end, kind }), undefined)
    }
  })

  test('of refusals, those that say that something was put back, broken or changed', () => {
    const signalOf = (error: unknown) => signalOfRefusal(error, 3)?.signal
    assert.equal(signalOf(new HsmError('STATE_INVALID', 'x')), 'state-back')
    assert.equal(signalOf(new HsmError('RECORD_INVALID', 'x')), 'record-broken')
    assert.equal(signalOf(new HostError('FOLDER_TORN', 'x')), 'record-broken')
    assert.equal(signalOf(new LauncherError('SOURCE_CHANGED', 'x')), 'source-changed')
    assert.equal(signalOf(new HsmError('SEAL_INVALID', 'x')), undefined)
    assert.equal(signalOf(new HostError('MODULE_ENDED', 'x')), undefined)
    assert.equal(signalOf(new Error('x')), undefined)
    assert.equal(signalOf('STATE_INVALID'), undefined)
  })
})
