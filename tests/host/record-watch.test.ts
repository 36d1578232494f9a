/** A module whose record is taken away under it stops. */

import assert from 'node:assert/strict'
import { rmSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { recordSensor } from '../../src/host/sensors/record.ts'
import { TamperWatch } from '../../src/host/sensors/watch.ts'
import { call, claimOf, openAt, random, withFolder } from './open.ts'

suite('the record under a running server', () => {
  test(
    'goes on without a false alarm, and a module whose record disappears stops within seconds',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      const sensor = recordSensor(host.record, 50)
      await using _ = new TamperWatch(host, { sensors: [sensor], log: () => undefined })
      const status = async () => {
        const { result } = await host.run(claimOf('look'), call('getStatus', {}, {}))
        return result
      }
      for (let turn = 0; turn < 20; turn += 1) {
        await host.call(claimOf('request'), [random])
        if (turn % 5 === 0) await host.log.signHead(claimOf('head'))
        await setTimeout(20)
      }
      assert.equal((await status()).state, 'operational')
      rmSync(path.join(folder, 'record/groups'))
      const begun = performance.now()
      while ((await status()).state !== 'tampered') await setTimeout(20)
      assert(performance.now() - begun < 5_000)
      assert.match((await status()).reason, /record-broken/)
    }),
  )
})
