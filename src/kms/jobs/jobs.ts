/**
 * The manager's jobs, once a minute: what a module that went away left unfinished (a rotation of the KEK
 * among it), keys whose waiting period is over, answers and tokens that nobody needs any more. What is due is in the database, not in
 * a timer, so that nothing is lost by a restart; one that fails is tried again the next minute.
 */

import { deleteAnswersBefore } from '../../storage/answers.ts'
import { keysDue } from '../../storage/keys.ts'
import { deleteTokensEndedBefore } from '../../storage/tokens.ts'
import { finishRotation } from '../domain/rotation.ts'
import { destroyIfDue } from '../keys/destruction.ts'
import type { Kms } from '../kms.ts'
import { answerKeptMs, endedTokensKeptMs } from '../limits.ts'
import { finishIntents } from '../recovery.ts'

const intervalMs = 60_000
const destructionsPerRun = 256

/** The first run is a minute from now; disposing waits for the one that is going on. */
export function startJobs(kms: Kms): AsyncDisposable {
  let running: Promise<void> | undefined
  const timer = setInterval(() => {
    running ??= runJobs(kms).finally(() => {
      running = undefined
    })
  }, intervalMs)
  return {
    [Symbol.asyncDispose]: async () => {
      clearInterval(timer)
      await running
    },
  }
}

/** All of them once. What fails goes into the log and does not keep the others. */
export async function runJobs(kms: Kms): Promise<void> {
  const jobs: Readonly<Record<string, () => Promise<void>>> = {
    'finish what was left': () => finishIntents(kms),
    'destroy keys that are due': () => destroyDue(kms),
    'finish a rotation of the KEK': () => finishRotation(kms),
    'forget old answers': () =>
      kms.db.write((query) => deleteAnswersBefore(query, kms.now() - answerKeptMs)),
    'forget ended tokens': () =>
      kms.db.write((query) => deleteTokensEndedBefore(query, kms.now() - endedTokensKeptMs)),
  }
  for (const [name, job] of Object.entries(jobs)) {
    try {
      await job()
    } catch (error) {
      kms.log({ level: 'error', message: `job failed: ${name}`, error })
    }
  }
}

/** One key that cannot be destroyed now does not keep the others. */
async function destroyDue(kms: Kms): Promise<void> {
  const due = await keysDue(kms.db.query, { now: kms.now(), limit: destructionsPerRun })
  for (const { keyId: key } of due) {
    try {
      if (!(await destroyIfDue(kms, key))) continue
      kms.log({ level: 'info', message: 'a key was destroyed after its waiting period', key })
    } catch (error) {
      kms.log({ level: 'error', message: 'a key that is due could not be destroyed', key, error })
    }
  }
}
