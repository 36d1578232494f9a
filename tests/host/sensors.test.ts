/** What the host sees of real processes and files: each signal, caused. Needs root, for tracers. */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { ModuleProcess } from '../../src/host/module-process.ts'
import { tracerSensor } from '../../src/host/sensors/processes.ts'
import { signalOfEnd, signalOfRefusal } from '../../src/host/sensors/signals.ts'
import { assertRoot } from '../invariants/scan.ts'
import { claimOf, openAt, random, withFolder } from './open.ts'

/** Attaches strace to a process until it is disposed. */
async function traced(pid: number): Promise<AsyncDisposable> {
  const child = spawn('strace', ['-q', '-e', 'trace=none', '-p', String(pid)], {
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const ended = once(child, 'close')
  const status = () => readFileSync(`/proc/${pid}/status`, 'utf8')
  while (/^TracerPid:\s+0$/m.test(status())) {
    assert(child.exitCode === null, 'strace did not attach')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
  return {
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGTERM')
      await ended
    },
  }
}

suite('what the host sees', () => {
  test(
    'a debugger on the module, and one on the host itself',
    withFolder(async (folder) => {
      assertRoot()
      await using host = await openAt(folder)
      await host.call(claimOf('x'), [random])
      const sensor = tracerSensor({ modulePid: () => host.pid })
      assert.deepEqual(await sensor.look(), [])
      {
        await using _ = await traced(host.pid)
        const [found, ...others] = await sensor.look()
        assert.deepEqual(others, [])
        assert.equal(found?.signal, 'debugger-attached')
        assert.equal(found?.about, 'module')
      }
      assert.deepEqual(await sensor.look(), [])
      {
        await using _ = await traced(process.pid)
        assert.equal((await sensor.look())[0]?.about, 'host')
      }
      assert.deepEqual(await tracerSensor({ modulePid: () => 0 }).look(), [])
    }),
  )

  test(
    'a module that the kernel ended',
    withFolder(async (folder) => {
      const entry = `${folder}.mjs`
      const program = 'process.kill(process.pid, "SIGSYS"); setInterval(() => undefined, 1000)'
      writeFileSync(entry, program)
      const module = new ModuleProcess({ entry })
      module.door.resume()
      assert.equal(signalOfEnd(await module.ended)?.signal, 'wall-hit')
    }),
  )

  test(
    'a state that was put back, and a record with one bit changed',
    withFolder(async (folder) => {
      const first = await openAt(folder)
      for (const id of ['1', '2']) {
        const args = { key: `key_${id.repeat(32)}`, version: 1 }
        await first.call(claimOf(id), [{ command: 'destroyKey', arguments: args, parts: {} }])
      }
      await first[Symbol.asyncDispose]()
      const signalOfOpening = async (): Promise<string | undefined> => {
        const refusal = await openAt(folder).then(
          () => assert.fail('it opened'),
          (error: unknown) => error,
        )
        return signalOfRefusal(refusal)?.signal
      }
      const changes = path.join(folder, 'module', 'changes.1')
      const good = readFileSync(changes)
      writeFileSync(changes, good.subarray(12 + good.readUInt32BE(0)))
      assert.equal(await signalOfOpening(), 'state-back')
      writeFileSync(changes, good)
      const groups = path.join(folder, 'record', 'groups')
      const bytes = readFileSync(groups)
      bytes[20] = (bytes[20] ?? 0) ^ 1
      writeFileSync(groups, bytes)
      assert.equal(await signalOfOpening(), 'record-broken')
    }),
  )
})
