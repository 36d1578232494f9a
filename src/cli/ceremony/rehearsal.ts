/**
 * A throwaway place for a rehearsal: a folder in memory where the system has one (/dev/shm), else among the
 * temporary files, for a ceremony and a scratch module. Nothing outside of it is written, and it goes away.
 */

import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

const memory = '/dev/shm'

export class RehearsalFolder implements Disposable {
  readonly path: string

  constructor() {
    this.path = mkdtempSync(path.join(isWritable(memory) ? memory : tmpdir(), 'keyhold-rehearsal-'))
  }

  get ceremony(): string {
    return path.join(this.path, 'ceremony')
  }

  get data(): string {
    return path.join(this.path, 'data')
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}
