/**
 * The worker's side of `worker-pool.ts`. It loads the code of its jobs, gives up every right that it
 * needed for that, says that it is ready, and answers jobs one after the other. Results are handed
 * over, not copied. What is not an HsmError is a bug: it ends the worker, and with it the module.
 */

import assert from 'node:assert/strict'
import { parentPort } from 'node:worker_threads'
import { HsmError } from './contract/errors.ts'
import { dropPermissions } from './permissions.ts'
import { runJob, type WorkerJob } from './worker-jobs.ts'
import type { WorkerAnswer } from './worker-pool.ts'

const port = parentPort
assert(port, 'this file runs as a worker')

dropPermissions()

port.on('message', ({ id, job }: { id: number; job: WorkerJob }) => {
  const answer = answerJob(id, job)
  const isBytes = 'result' in answer && answer.result instanceof Uint8Array
  port.postMessage(answer, isBytes ? [answer.result.buffer as ArrayBuffer] : [])
})
port.postMessage('ready')

function answerJob(id: number, job: WorkerJob): WorkerAnswer {
  try {
    return { id, result: runJob(job) }
  } catch (error) {
    if (!(error instanceof HsmError)) throw error
    return { id, code: error.code, message: error.message }
  }
}
