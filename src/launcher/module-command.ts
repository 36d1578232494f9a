/**
 * How a module's process is started: no environment of ours, no standard input, the door as descriptor 3
 * and nothing else (design section 4), whoever starts it.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'

/** Which Node runs which files. */
export interface ModuleCode {
  readonly node: string
  readonly folder: string
  /** `.js` when the types were stripped beforehand. */
  readonly extension: '.ts' | '.js'
  /** SHA-256 in hex of the manifest's text that both were checked against, for attestations. */
  readonly sourceManifest?: string | undefined
}

export const moduleSource = path.join(import.meta.dirname, '../hsm')

export interface User {
  readonly uid: number
  readonly gid: number
}

export interface ModuleSpawn {
  readonly code: ModuleCode
  /** The first file of stage two, if it is not to be the module's own: for tests. */
  readonly entry?: string | undefined
  /** Whom it runs as, with no further groups; without, as whoever starts it. */
  readonly user?: User | undefined
}

/** Flags of stage one (src/hsm/start.ts), which executes Node again with those of stage two. */
export function spawnModule({ code, entry, user }: ModuleSpawn): ChildProcess {
  const { node, folder, extension, sourceManifest } = code
  const manifest = sourceManifest ? [`--source-manifest=${sourceManifest}`] : []
  const flags = [
    '--permission',
    '--allow-ffi',
    `--allow-fs-read=${folder}`,
    '--disallow-code-generation-from-strings',
    '--disable-proto=delete',
    // Both warn of what the wall then takes away.
    '--disable-warning=ExperimentalWarning',
    '--disable-warning=SecurityWarning',
  ]
  const stageOne = path.join(folder, `start${extension}`)
  return spawn(node, [...flags, stageOne, ...(entry ? [entry] : []), ...manifest], {
    env: {},
    cwd: '/',
    stdio: ['ignore', 'pipe', 'pipe', 'pipe'],
    ...user,
  })
}

const outputBytesMax = 8 * 1024

/** The last that a process printed, bounded. */
export class LastWords {
  #output = Buffer.alloc(0)

  constructor(child: ChildProcess) {
    for (const stream of [child.stdout, child.stderr]) {
      stream?.on('data', (bytes: Buffer) => this.#keep(bytes))
    }
  }

  /** Whatever the bytes are, what comes out neither moves a cursor nor begins a line. */
  get printable(): string {
    return this.#output
      .toString('latin1')
      .replaceAll(/[^\x20-\x7e]/g, (character) =>
        character === '\n' ? '\\n' : `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`,
      )
  }

  #keep(bytes: Buffer): void {
    const last = [this.#output, bytes.subarray(-outputBytesMax)]
    this.#output = Buffer.concat(last).subarray(-outputBytesMax)
  }
}
