/**
 * What Node's permission model allowed for loading the code, given up for good: native functions and
 * addresses, further threads, the reading of files. It holds per thread, so each one does it for itself.
 * Functions that were found before go on working, with addresses and numbers as arguments.
 */

import assert from 'node:assert/strict'

const dropped = ['ffi', 'worker', 'fs.read'] as const

/** Does nothing in a process that was started without the permission model: a test of single files. */
export function dropPermissions(): readonly string[] {
  const { permission } = process
  if (!permission) return []
  for (const name of dropped) {
    permission.drop(name)
    assert(!permission.has(name), `the permission ${name} was not given up`)
  }
  return dropped
}
