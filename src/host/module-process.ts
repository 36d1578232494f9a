/**
 * The module as a process of the host's own: started with no environment of ours, no standard input, the
 * door as descriptor 3 and nothing else (module-command.ts). What it prints is bounded and escaped before
 * anybody reads it. How it ended is told apart, because a bug, a lack of memory and a hit on the wall are
 * different news.
 */

import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import type { Duplex } from 'node:stream'
import { zeroisedExitCode } from '../hsm/contract/limits.ts'
import { LastWords, type ModuleCode, spawnModule } from '../launcher/module-command.ts'
import { uncheckedCode } from '../launcher/release.ts'
import type { LaunchedSecret } from './start-up.ts'

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

/** A module's process, whoever started it. */
export interface ModuleLink {
  readonly pid: number
  readonly door: Duplex
  /** Resolves when the process is gone and everything that it sent was read. */
  readonly ended: Promise<ModuleEnd>
  /** The seal's secret, or null without one, if it is the launcher's matter: the host never has it. */
  readonly fed?: LaunchedSecret | null | undefined
  /** Closes the door, at which the module ends by itself, and ends it if it does not. */
  stop(): Promise<ModuleEnd>
  kill(): void
}

/** Starts a module. @throws LauncherError when what would be started is not as released */
export type StartModule = () => Promise<ModuleLink>

export interface ModuleProcessOptions {
  /** The first file of stage two, if it is not to be the module's own. */
  readonly entry?: string | undefined
  readonly code?: ModuleCode | undefined
}

/** Between asking the module to end and ending it. */
const stopMsMax = 2_000

export class ModuleProcess implements ModuleLink {
  readonly pid: number
  readonly door: Duplex
  readonly ended: Promise<ModuleEnd>
  readonly #child: ChildProcess

  constructor({ entry, code = uncheckedCode() }: ModuleProcessOptions = {}) {
    const child = spawnModule({ code, entry })
    const lastWords = new LastWords(child)
    this.#child = child
    this.ended = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        resolve({ kind: endKind(code, signal), code, signal, output: lastWords.printable })
      })
    })
    // A process that could not be started has no pid and is reported by 'error' alone.
    child.once('error', () => undefined)
    assert(child.pid !== undefined, 'the module could not be started')
    this.pid = child.pid
    this.door = child.stdio[3] as Duplex
    // A module that ended refuses what is still being written; `ended` tells of it.
    this.door.on('error', () => undefined)
  }

  stop(): Promise<ModuleEnd> {
    return stopModule(this)
  }

  kill(): void {
    this.#child.kill('SIGKILL')
  }
}

/** Closes the door, waits for the end, and brings it about when it takes too long. */
export async function stopModule(module: ModuleLink): Promise<ModuleEnd> {
  module.door.end()
  const timer = setTimeout(() => module.kill(), stopMsMax)
  try {
    return await module.ended
  } finally {
    clearTimeout(timer)
  }
}

export function endKind(code: number | null, signal: NodeJS.Signals | null): EndKind {
  if (code === 0) return 'asked'
  if (code === zeroisedExitCode) return 'zeroised'
  if (code !== null) return 'bug'
  if (signal === 'SIGABRT') return 'memory'
  return signal === 'SIGSYS' ? 'wall' : 'killed'
}
