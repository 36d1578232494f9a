/**
 * A module that ends by the wall, by a bug or by a lack of memory: the host tells them apart, writes each
 * into `host.events`, logs the first as an error, and brings the module back each time.
 */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import type { HostLogEntry } from '../../src/host/options.ts'
import type { Call } from '../../src/hsm/contract/commands.ts'
import { claimOf, openAt, random, readRecord, withFolder } from './open.ts'

const isTried = process.platform === 'linux' && process.arch === 'x64'
const skip = isTried ? false : 'the wall is tried on Linux on x86-64'

suite('ends of the module', { skip }, () => {
  test(
    'each is recorded for what it was, and work goes on',
    withFolder(async (folder) => {
      const logged: HostLogEntry[] = []
      const entry = path.join(import.meta.dirname, 'ending-entry.ts')
      await using host = await openAt(folder, { entry, log: (line) => logged.push(line) })
      for (const command of ['tryWall', 'haveBug', 'runOutOfMemory']) {
        const call = { command, arguments: {}, parts: {} } as unknown as Call
        await assert.rejects(host.call(claimOf(command), [call]), { code: 'MODULE_ENDED' })
        assert.equal((await host.call(claimOf(`after ${command}`), [random])).length, 1)
      }
      const ends = (await host.events.read(100)).filter(({ event }) => event === 'module ended')
      assert.deepEqual(
        ends.map(({ kind, code, signal }) => [kind, code, signal]),
        [
          ['wall', null, 'SIGSYS'],
          ['bug', 1, null],
          ['memory', null, 'SIGABRT'],
        ],
      )
      assert.match(String(ends[1]?.output), /^fatal: AssertionError at /)
      assert.doesNotMatch(String(ends[1]?.output), /must not be printed/)
      const levels = logged.filter(({ message }) => message.startsWith('the module ended'))
      assert.deepEqual(
        levels.map(({ level, message }) => `${level}: ${message}`),
        [
          'error: the module ended: wall',
          'warn: the module ended: bug',
          'warn: the module ended: memory',
        ],
      )
      const file = readFileSync(path.join(folder, 'host.events'), 'utf8')
      assert.equal(file.match(/"kind":"wall"/g)?.length, 1)
      // What ended it is in no record: there was no answer. What came after is.
      const ids = (await readRecord(host)).map(({ requestId }) => requestId)
      assert(ids.includes('after runOutOfMemory'))
    }),
  )
})
