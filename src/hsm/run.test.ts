/**
 * The module as a process, started as its host starts it, behind the wall: it answers, says nothing
 * outside of its door, ends with 0 when the door closes and with 1 at a bug.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { suite, test } from 'node:test'
import { type Frame, FrameReader } from './contract/frame.ts'
import { decodeAnswer, encodeAsks } from './door.testing.ts'

const folder = import.meta.dirname

class ModuleProcess {
  readonly door: Duplex
  readonly closed: Promise<unknown[]>
  output = ''
  readonly #frames: Frame[] = []
  #wake = () => {}

  constructor(entry?: string) {
    const flags = ['--permission', '--allow-ffi', `--allow-fs-read=${folder}`]
    const warnings = ['--disable-warning=PERM0003', '--disable-warning=ExperimentalWarning']
    const args = [...flags, ...warnings, path.join(folder, 'start.ts'), ...(entry ? [entry] : [])]
    const child = spawn(process.execPath, args, {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.door = child.stdio[3] as Duplex
    this.door.on('error', () => undefined)
    this.closed = once(child, 'close')
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => {
        this.output += bytes.toString('latin1')
      })
    }
    const reader = new FrameReader(
      (frame) => {
        this.#frames.push(frame)
        this.#wake()
      },
      (error) => assert.fail(error),
    )
    this.door.on('data', (chunk: Buffer) => reader.push(chunk))
  }

  async ask(command: string): Promise<Frame> {
    this.door.write(encodeAsks(1, [{ command }]))
    await new Promise<void>((resolve) => {
      this.#wake = resolve
    })
    const frame = this.#frames.shift()
    assert(frame)
    return frame
  }
}

suite('the module as a process', () => {
  test('it answers behind its wall, is silent otherwise, and ends with its door', async () => {
    const module = new ModuleProcess()
    const [item] = decodeAnswer(await module.ask('getStatus')).items
    assert.partialDeepStrictEqual(item?.result, { state: 'uninitialised' })
    if (process.platform === 'linux') assert.match(String(item?.result.wall), /^kernel filter/)
    module.door.end()
    assert.deepEqual(await module.closed, [0, null])
    assert.equal(module.output, '')
  })

  test('a bug ends it with 1 and one line that says where, without an answer', async () => {
    const module = new ModuleProcess(path.join(folder, 'run.testing.ts'))
    module.door.write(encodeAsks(1, [{ command: 'bug' }]))
    assert.deepEqual(await module.closed, [1, null])
    assert.match(module.output, /^fatal: AssertionError at [^\n]*run\.testing\.ts[^\n]*\n$/)
    assert.doesNotMatch(module.output, /must not be printed/)
  })
})
