/**
 * A host with its module, as a process of its own, that tells what its own user can see of the module:
 * whether the memory opens, and which of the files that the host was handed down it has open too.
 */

import { spawn } from 'node:child_process'
import { mkdtempSync, openSync, readdirSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { openAt } from '../host/open.ts'

function openMemory(pid: number | undefined): string {
  try {
    openSync(`/proc/${pid}/mem`, 'r')
    return 'opened'
  } catch (error) {
    return String((error as NodeJS.ErrnoException).code)
  }
}

/** How many descriptors are this file; undefined where the kernel does not let this process look. */
function countFiles(pid: number, file: string): number | undefined {
  try {
    return readdirSync(`/proc/${pid}/fd`).filter((name) => linkOf(pid, name) === file).length
  } catch {
    return undefined
  }
}

/** Undefined for the descriptor by which the folder itself is read. */
function linkOf(pid: number, name: string): string | undefined {
  try {
    return readlinkSync(`/proc/${pid}/fd/${name}`)
  } catch {
    return undefined
  }
}

const [handedDown = ''] = process.argv.slice(2)
const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-look-'))
const other = spawn(process.execPath, ['--eval', 'setInterval(() => 0, 1e6)'])
try {
  await using host = await openAt(path.join(parent, 'data'))
  const report = {
    memory: { other: openMemory(other.pid), module: openMemory(host.pid) },
    files: { host: countFiles(process.pid, handedDown), module: countFiles(host.pid, handedDown) },
  }
  process.stdout.write(JSON.stringify(report))
} finally {
  other.kill('SIGKILL')
  rmSync(parent, { recursive: true })
}
