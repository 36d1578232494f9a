/**
 * Erasing what only the collector can free. A KeyObject has no destructor to call: OpenSSL cleanses its
 * bytes when the collector finds that nothing refers to it, which in a quiet module may be never. So
 * whoever has to be sure that a key is gone has both threads collect, because the worker holds
 * references of its own, and waits for that. It takes some 10 ms, during which nothing else runs:
 * therefore everybody who asks while one collection runs shares the next.
 */

import { callWorker } from './worker-pool.ts'

let last: Promise<void> = Promise.resolve()
let next: Promise<void> | undefined

/** Resolves when whatever was unreachable at the time of the call is freed, in order of the calls. */
export function collectGarbage(): Promise<void> {
  next ??= runAfter(last)
  last = next
  return next
}

async function runAfter(previous: Promise<void>): Promise<void> {
  await previous
  // What the caller's stack still refers to is given up by then.
  await new Promise((resolve) => setImmediate(resolve))
  next = undefined
  // Only a process that was started with --expose-gc has it: tests of single files have not.
  globalThis.gc?.()
  await callWorker({ kind: 'collect' })
}
