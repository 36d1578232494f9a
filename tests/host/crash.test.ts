/**
 * Invariants 4 and 5 at the host: the module, or the whole process with the host in it, is killed in the
 * middle of a load. What was answered is in the record, which has no gap, and work goes on by itself.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { suite, test } from 'node:test'
import { HostError } from '../../src/host/errors.ts'
import type { Host } from '../../src/host/host.ts'
import { call, claimOf, openAt, random, readRecord, secret, withFolder } from './open.ts'

/** Asks until there are as many answers; gives the ids that were answered and those that were not. */
async function load(host: Host, name: string, answers: number, each: (count: number) => void) {
  const answered: string[] = []
  const unknown: string[] = []
  let next = 0
  const worker = async (): Promise<void> => {
    while (answered.length < answers) {
      const id = `${name} ${next}`
      next += 1
      try {
        await host.call(claimOf(id), [random])
        answered.push(id)
        each(answered.length)
      } catch (error) {
        assert(error instanceof HostError)
        // What comes while the module is started again waits, and never fails.
        assert.equal(error.code, 'MODULE_ENDED')
        unknown.push(id)
      }
    }
  }
  await Promise.all(Array.from({ length: 32 }, worker))
  return { answered, unknown }
}

suite('crashes', () => {
  test(
    'invariant 5: the module is killed under load; every answer is in the record, and it goes on',
    withFolder(async (folder) => {
      let asked = 0
      const askSecret = async () => {
        asked += 1
        return Buffer.from(secret)
      }
      await using host = await openAt(folder, { secret: askSecret })
      const kills = new Set([200, 777, 1_500])
      const { answered, unknown } = await load(host, 'load', 2_000, (count) => {
        if (kills.delete(count)) process.kill(host.pid, 'SIGKILL')
      })
      assert.equal(kills.size, 0)
      assert.equal(host.generation, 4)
      assert.equal(asked, 4)
      const ids = new Set((await readRecord(host)).map(({ requestId }) => requestId))
      for (const id of answered) assert(ids.has(id), id)
      // At most what was in flight at each of the three ends.
      assert(unknown.length <= 3 * 32)
      const ends = (await host.events.read(1_000)).filter(({ event }) => event === 'module ended')
      assert.deepEqual(
        ends.map(({ kind }) => kind),
        ['killed', 'killed', 'killed'],
      )
    }),
  )

  test(
    'a module that ends again and again is given up, until it is asked for',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      while (host.status().state !== 'unavailable') {
        const { pid } = host
        if (pid !== 0 && host.status().state === 'operational') process.kill(pid, 'SIGKILL')
        await host.call(claimOf('probe'), [random]).catch(() => undefined)
      }
      assert.equal(host.generation, 6)
      await assert.rejects(host.call(claimOf('late'), [random]), { code: 'MODULE_UNAVAILABLE' })
      await host.start()
      assert.equal((await host.call(claimOf('again'), [random])).length, 1)
      await readRecord(host)
    }),
  )

  test(
    'invariant 4: the process with the host is killed under load; every answer is in the record',
    withFolder(async (folder) => {
      const answered: string[] = []
      for (const round of [1, 2, 3]) {
        const child = startLoad(folder, `round ${round}`)
        const ended = once(child, 'exit')
        for await (const line of createInterface({ input: child.stdout })) {
          answered.push(line)
          if (answered.length >= round * 400) break
        }
        child.kill('SIGKILL')
        await ended
      }
      await using host = await openAt(folder, { foundIfEmpty: false })
      const record = await readRecord(host)
      const ids = new Set(record.map(({ requestId }) => requestId))
      for (const id of answered) assert(ids.has(id), id)
      await host.run(claimOf('on'), call('random', { lengthBytes: 1 }, {}))
    }),
  )
})

/** A process with a host that prints the id of every answer that it got. */
function startLoad(folder: string, name: string) {
  const open = JSON.stringify(path.join(import.meta.dirname, 'open.ts'))
  const program = `
    const { openAt, claimOf, random } = await import(${open})
    const host = await openAt(${JSON.stringify(folder)})
    const worker = async (number) => {
      for (let count = 0; ; count += 1) {
        const id = ${JSON.stringify(name)} + ' ' + number + ' ' + count
        await host.call(claimOf(id), [random])
        process.stdout.write(id + '\\n')
      }
    }
    await Promise.all(Array.from({ length: 32 }, (_, number) => worker(number)))`
  return spawn(process.execPath, ['--input-type=module', '--eval', program], {
    stdio: ['ignore', 'pipe', 'inherit'],
  })
}
