/**
 * The module as a process: started with an empty environment, no standard input, the door as descriptor
 * 3 and nothing else (design section 4). What it prints is bounded here and escaped before anybody reads
 * it. How it ended is told apart, because a bug, a lack of memory and a hit on the wall are different
 * news.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import type { Duplex } from 'node:stream'
import { zeroisedExitCode } from '../hsm/contract/limits.ts'

/**
 * asked: it ended because its door was closed. bug: an assertion or an uncaught error. memory: V8 or the
 * kernel gave up on its memory. wall: it tried what the kernel was told to stop. zeroised: it has overwritten
 * its secrets, by command or because it was tampered with. killed: any other way.
 */
export type EndKind = 'asked' | 'bug' | 'memory' | 'wall' | 'zeroised' | 'killed'

export interface ModuleEnd {
  readonly kind: EndKind
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** The last that it printed, printable ASCII. */
  readonly output: string
}

const moduleFolder = path.join(import.meta.dirname, '../hsm')
const outputBytesMax = 8 * 1024
/** Between asking the module to end and ending it. */
const stopMsMax = 2_000

/** Flags of stage one (src/hsm/start.ts), which executes Node again with those of stage two. */
const flags = [
  '--permission',
  '--allow-ffi',
  `--allow-fs-read=${moduleFolder}`,
  '--disallow-code-generation-from-strings',
  '--disable-proto=delete',
  // Both warn of what the wall then takes away.
  '--disable-warning=ExperimentalWarning',
  '--disable-warning=SecurityWarning',
]

export class ModuleProcess {
  readonly pid: number
  readonly door: Duplex
  /** Resolves when the process is gone and everything that it sent was read. */
  readonly ended: Promise<ModuleEnd>
  readonly #child: ChildProcess
  #output = Buffer.alloc(0)

  /**
   * @param entry the first file of stage two, if it is not to be the module's own
   * @param sourceManifest SHA-256 in hex of the manifest that the source was checked against
   */
  constructor(entry?: string, sourceManifest?: string) {
    const stageOne = path.join(moduleFolder, 'start.ts')
    const manifest = sourceManifest ? [`--source-manifest=${sourceManifest}`] : []
    const given = [...(entry ? [entry] : []), ...manifest]
    const child = spawn(process.execPath, [...flags, stageOne, ...given], {
      env: {},
      cwd: '/',
      stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    })
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ kind: endKind(code, signal), code, signal, output: printable(this.#output) })
      })
    })
    // A process that could not be started has no pid and is reported by 'error' alone.
    child.once('error', () => undefined)
    assert(child.pid !== undefined, 'the module could not be started')
    this.pid = child.pid
    this.door = child.stdio[3] as Duplex
    // A module that ended refuses what is still being written; `ended` tells of it.
    this.door.on('error', () => undefined)
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => this.#keep(bytes))
    }
  }

  /** Closes the door, at which the module ends by itself, and ends it if it does not. */
  async stop(): Promise<ModuleEnd> {
    this.door.end()
    const timer = setTimeout(() => this.kill(), stopMsMax)
    try {
      return await this.ended
    } finally {
      clearTimeout(timer)
    }
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }

  #keep(bytes: Buffer): void {
    this.#output = Buffer.concat([this.#output, bytes.subarray(-outputBytesMax)]).subarray(
      -outputBytesMax,
    )
  }
}

function endKind(code: number | null, signal: NodeJS.Signals | null): EndKind {
  if (code === 0) return 'asked'
  if (code === zeroisedExitCode) return 'zeroised'
  if (code !== null) return 'bug'
  if (signal === 'SIGABRT') return 'memory'
  return signal === 'SIGSYS' ? 'wall' : 'killed'
}

/** Whatever the bytes are, what comes out neither moves a cursor nor begins a line. */
function printable(bytes: Buffer): string {
  return bytes
    .toString('latin1')
    .replaceAll(/[^\x20-\x7e]/g, (character) =>
      character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
    )
}
