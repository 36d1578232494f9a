/**
 * The one worker, and the line of jobs in front of it (`worker-jobs.ts`): it exists so that a slow call
 * without a callback form never holds up a fast command. It is started before the wall, which allows no
 * further thread. If it dies, that is a bug, and the module ends with it.
 */

import assert from 'node:assert/strict'
import { Worker } from 'node:worker_threads'
import { HsmError, type HsmErrorCode } from './contract/errors.ts'
import { secretCopy } from './contract/secret-memory.ts'
import { runJob, type WorkerJob, type WorkerResult, type WorkerResults } from './worker-jobs.ts'

/** Jobs that wait or run; more are refused. */
export const workerJobsMax = 1_024

/** What the worker answers to each job, after it has once said that it is ready. */
export type WorkerAnswer =
  | { readonly id: number; readonly result: WorkerResult }
  | { readonly id: number; readonly code: HsmErrorCode; readonly message: string }

interface Waiting {
  readonly resolve: (result: WorkerResult) => void
  readonly reject: (error: HsmError) => void
}

/** A release runs with its types stripped beforehand. */
const workerName = import.meta.url.endsWith('.js') ? 'worker.js' : 'worker.ts'

let worker: Worker | undefined
let jobsPosted = 0
const waiting = new Map<number, Waiting>()

/** Resolves when the worker has loaded its code and given up its own rights. Once per process. */
export async function startWorker(): Promise<void> {
  assert(!worker, 'there is one worker')
  const started = new Worker(new URL(workerName, import.meta.url), { env: {} })
  started.once('error', endWithBug)
  started.once('exit', (code) => endWithBug(new Error(`the worker ended with code ${code}`)))
  await new Promise((resolve) => started.once('message', resolve))
  started.on('message', settle)
  // An idle worker does not keep the process alive; callWorker holds it while there is work.
  started.unref()
  worker = started
}

/**
 * @throws HsmError MODULE_BUSY when the line is full, and what `runJob` throws
 */
export async function callWorker<Job extends WorkerJob>(
  job: Job,
): Promise<WorkerResults[Job['kind']]> {
  if (!worker) return runJob(job) as WorkerResults[Job['kind']]
  // Of collections there are never more than two, and a destruction must not fail half-way.
  if (waiting.size >= workerJobsMax && job.kind !== 'collect') {
    throw new HsmError('MODULE_BUSY', `more than ${workerJobsMax} slow calls are waiting`)
  }
  if (waiting.size === 0) worker.ref()
  const id = jobsPosted
  jobsPosted += 1
  const own = withOwnBytes(job)
  // Handed over, not copied once more: the worker's bytes are the only ones besides the caller's.
  worker.postMessage({ id, job: own }, buffersOf(own))
  const result = await new Promise<WorkerResult>((resolve, reject) => {
    waiting.set(id, { resolve, reject })
  })
  return result as WorkerResults[Job['kind']]
}

/**
 * The job with bytes in memory of their own. A view travels with all of the memory that it looks at:
 * of a frame, what others asked for as well.
 */
export function withOwnBytes<Job extends WorkerJob>(job: Job): Job {
  const members = Object.entries(job).map(([name, value]) => [
    name,
    value instanceof Uint8Array ? secretCopy(value) : value,
  ])
  return Object.fromEntries(members) as Job
}

function buffersOf(job: WorkerJob): ArrayBuffer[] {
  const members: readonly unknown[] = Object.values(job)
  return members
    .filter((value) => value instanceof Uint8Array)
    .map(({ buffer }) => buffer as ArrayBuffer)
}

function settle(answer: WorkerAnswer): void {
  const caller = waiting.get(answer.id)
  assert(caller, 'an answer without a question')
  waiting.delete(answer.id)
  if (waiting.size === 0) worker?.unref()
  if ('result' in answer) caller.resolve(answer.result)
  else caller.reject(new HsmError(answer.code, answer.message))
}

/** Thrown outside of any promise, so that nothing can catch it and the process ends with code 1. */
function endWithBug(error: unknown): void {
  setImmediate(() => {
    throw error
  })
}
