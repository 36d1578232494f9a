/**
 * The wall: what the kernel takes from the module, for good, before it reads a byte from the door. Not
 * dumpable, no new privileges, and a filter over the system calls of all its threads (`wall-filter.ts`);
 * then Node's permissions for native functions, threads and files are given up too. It is raised when
 * all code is loaded and all threads run, because afterwards neither a file opens nor a thread starts.
 *
 * On a system that is not Linux there is Node's permission model alone, and the report says so.
 */

import assert from 'node:assert/strict'
import { randomFill } from 'node:crypto'
import { filterSystemCalls, forbidDumping, forbidNewPrivileges, isFiltered } from './native.ts'
import { dropPermissions } from './permissions.ts'
import { wallFilter } from './wall-filter.ts'

export interface WallReport {
  /** What status says: where the filter has run in tests, where it is only written, where it is not. */
  readonly summary: 'kernel filter' | 'kernel filter, untested here' | 'permission model only'
  readonly filtered: boolean
  readonly dumpable: boolean
  readonly permissionsDropped: readonly string[]
}

/** What the module is started without; the rest is given up here. */
const neverPermitted = ['fs.write', 'net', 'child', 'addons', 'wasi', 'inspector'] as const

/** Once per process, after `startWorker`. What is refused on the way is a bug: the module must not serve. */
export async function raiseWall(): Promise<WallReport> {
  const { permission } = process
  assert(permission, 'the module is started with the permission model')
  for (const never of neverPermitted) assert(!permission.has(never), `${never} is permitted`)
  await startPoolThreads()
  const isLinux = process.platform === 'linux'
  if (isLinux) {
    assert(isFiltered(), 'the module is started by stage one (start.ts)')
    forbidDumping()
    forbidNewPrivileges()
    filterSystemCalls(wallFilter(process.arch, process.pid))
  }
  const permissionsDropped = dropPermissions()
  return { summary: summary(isLinux), filtered: isLinux, dumpable: !isLinux, permissionsDropped }
}

function summary(isLinux: boolean): WallReport['summary'] {
  if (!isLinux) return 'permission model only'
  return process.arch === 'x64' ? 'kernel filter' : 'kernel filter, untested here'
}

/** The first job makes libuv start all threads of the pool. */
async function startPoolThreads(): Promise<void> {
  await new Promise<void>((resolve, reject) => {
    randomFill(Buffer.alloc(1), (error) => (error ? reject(error) : resolve()))
  })
}
