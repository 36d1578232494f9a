/** From a sign of tampering to the module's answer, with the real module: it stops until acknowledged. */

import assert from 'node:assert/strict'
import { mkdirSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { hwmonSensor } from '../../src/host/sensors/hwmon.ts'
import { TamperWatch } from '../../src/host/sensors/watch.ts'
import { call, claimOf, openAt, random, readRecord, withFolder } from './open.ts'

const claim = claimOf('request')

async function stateOf(host: Host): Promise<{ state: string; reason: string }> {
  return (await host.run(claim, call('getStatus', {}, {}))).result
}

/** Waits for the module to be stopped. */
async function stopped(host: Host): Promise<string> {
  for (;;) {
    const { state, reason } = await stateOf(host)
    if (state === 'tampered') return reason
    await new Promise((resolve) => setTimeout(resolve, 10))
  }
}

suite('signs of tampering reach the module', () => {
  test(
    'a voltage outside stops it until an officer acknowledges; record and host.events tell of it',
    withFolder(async (folder) => {
      const chip = path.join(`${folder}-hwmon`, 'hwmon0')
      mkdirSync(chip, { recursive: true })
      const files = { name: 'nct6798', in0_input: '1000', in0_min: '900', in0_max: '1100' }
      const write = () => {
        for (const [file, text] of Object.entries(files)) writeFileSync(path.join(chip, file), text)
      }
      write()
      await using host = await openAt(folder)
      const sensor = hwmonSensor({ folder: path.dirname(chip), everyMs: 20 })
      const logged: string[] = []
      const log = ({ message }: { message: string }) => void logged.push(message)
      await using _ = new TamperWatch(host, { sensors: [sensor], log })
      assert.equal((await stateOf(host)).state, 'operational')
      files.in0_input = '600'
      write()
      assert.match(await stopped(host), /voltage-outside/)
      const [refused] = await host.call(claim, [random])
      assert(refused && 'error' in refused && refused.error.code === 'MODULE_TAMPERED')
      await host.run(claim, call('acknowledgeTamper', {}, {}))
      assert.equal((await stateOf(host)).state, 'operational')
      // It is still outside: that was told, and is told again only after it was inside.
      for (let look = 0; look < 5; look += 1) await sensor.look()
      assert.equal((await stateOf(host)).state, 'operational')
      const commands = (await readRecord(host)).map(({ command }) => command)
      assert.equal(commands.filter((name) => name === 'reportTamper').length, 1)
      const events = (await host.events.read(100)).filter(({ event }) => event === 'tamper signal')
      assert.deepEqual(
        events.map(({ signal }) => signal),
        ['voltage-outside'],
      )
      assert.match(logged.join(), /nct6798\/in0: 600 mV is outside 900 to 1100.*level 1/)
    }),
  )

  test(
    'a module that hit the wall is started again, and stopped',
    { skip: process.arch === 'x64' ? false : 'the wall is tried on Linux on x86-64' },
    withFolder(async (folder) => {
      const entry = path.join(import.meta.dirname, 'ending-entry.ts')
      await using host = await openAt(folder, { entry })
      await using _ = new TamperWatch(host, { sensors: [], log: () => undefined })
      const wall = { command: 'tryWall', arguments: {}, parts: {} }
      await assert.rejects(host.call(claim, [wall as never]), { code: 'MODULE_ENDED' })
      assert.match(await stopped(host), /wall-hit/)
      assert.equal(host.generation, 2)
    }),
  )
})
