/**
 * A module with one extra command: it raises the same wall as the module, and then tries from inside
 * what it is asked to try. A line on the door names an attack, a line comes back with what happened.
 * Functions for raw system calls are found before the wall, as an attacker who waits inside would.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { dlopen, getRawPointer } from 'node:ffi'
import net from 'node:net'
import { raiseWall } from '../../src/hsm/wall.ts'
import { callWorker, startWorker } from '../../src/hsm/worker-pool.ts'
import { mixedLoad } from './load.ts'
import { rawCalls } from './raw-calls.ts'
import { scriptAttacks } from './script-attacks.ts'

const size = 'uint64'
const { functions: libc } = dlopen(null, {
  syscall: { return: 'int64', arguments: [size, size, size, size, size, size, size] },
  __errno_location: { return: 'pointer', arguments: [] },
  memcpy: { return: 'pointer', arguments: ['pointer', 'pointer', size] },
})
const memory = Buffer.alloc(4096)
const address = getRawPointer(memory)
memory.write('/etc/hostname\0')

const garbage: unknown[] = []

const commands: Readonly<Record<string, (argument: string) => unknown>> = {
  script: async (name) => {
    const attack = scriptAttacks[name]
    assert(attack, name)
    try {
      await attack()
      return 'done'
    } catch (error) {
      const { code, name: kind } = error as NodeJS.ErrnoException
      return code ?? kind
    }
  },
  raw: (name) => {
    const call = rawCalls[name]
    assert(call, name)
    const [number, ...given] = call(address)
    const [a = 0n, b = 0n, c = 0n, d = 0n, e = 0n, f = 0n] = given
    const result = libc.syscall(number, a, b, c, d, e, f)
    libc.memcpy(address + 1024n, libc.__errno_location(), 4n)
    return result === -1n ? `errno ${memory.readInt32LE(1024)}` : `done ${result}`
  },
  load: (durationMs) => mixedLoad(Number(durationMs)),
  bug: () => {
    setImmediate(() => assert.fail('a bug'))
  },
  workerBug: () => {
    callWorker({ kind: 'nonsense' } as never).catch(() => undefined)
  },
  memory: () => {
    for (;;) garbage.push(Array.from({ length: 1_000 }, () => ({})))
  },
}

await startWorker()
const report = await raiseWall()
const door = new net.Socket({ fd: 3, readable: true, writable: true })
door.write(`${JSON.stringify(report)}\n`)
let text = ''
door.setEncoding('utf8')
door.on('data', async (chunk: string) => {
  text += chunk
  const lines = text.split('\n')
  text = lines.pop() ?? ''
  for (const line of lines) {
    const [command = '', argument = ''] = line.split(' ')
    const answer = await commands[command]?.(argument)
    door.write(`${JSON.stringify(answer ?? null)}\n`)
  }
})
await once(door, 'end')
door.end()
