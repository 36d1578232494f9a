/**
 * The host's part of zeroising: the process is killed and reaped, everything that the module kept sealed is
 * removed, and what it said last is written beside the record, which stays. From then on the folder has no
 * domain that could be opened; its keys are ciphertext under a root key that this host no longer has.
 */

import { readdir, rm } from 'node:fs/promises'
import path from 'node:path'
import { readIfThere, syncFolder, writeDurably } from './durable-file.ts'
import { HostError, messageOf } from './errors.ts'
import type { EventFile } from './events.ts'
import type { Gate } from './gate.ts'
import type { HostLogEntry } from './options.ts'

const zeroisationFile = 'zeroised.json'

/** What the module said last: JSON of a statement and its signature. */
export interface Zeroisation {
  readonly certificate: Uint8Array
  /** When the frame arrived, of performance.now(). */
  readonly arrived: number
}

interface Place {
  readonly folder: string
  readonly gate: Gate
  readonly events: EventFile
}

/** Nothing is sent any more, and what was sealed goes; a disk that refuses is asked again at the next start. */
export async function finishZeroising(
  { folder, gate, events }: Place,
  { certificate, arrived }: Zeroisation,
  log: (entry: HostLogEntry) => void,
): Promise<void> {
  const reapedMs = performance.now() - arrived
  const { message } = zeroisedError(certificate)
  if (gate.state !== 'closed') gate.close('unavailable', message)
  log({ level: 'error', message })
  try {
    const said = JSON.parse(Buffer.from(certificate).toString()) as object
    const text = `${JSON.stringify(said, undefined, 2)}\n`
    await writeDurably(path.join(folder, zeroisationFile), [Buffer.from(text)])
    await removeSealedState(folder)
    const removedMs = performance.now() - arrived
    events.add('module zeroised', { reapedMs, removedMs })
  } catch (error) {
    events.add('sealed state not removed', { reason: messageOf(error) })
    log({ level: 'error', message: `sealed state could not be removed: ${messageOf(error)}` })
  }
}

/** Seals, snapshot and changes; the record stays. */
async function removeSealedState(folder: string): Promise<void> {
  const place = path.join(folder, 'module')
  for (const name of await readdir(place)) await rm(path.join(place, name), { recursive: true })
  await syncFolder(place)
}

/** For a folder whose module was zeroised; it finishes what a crash left undone. @throws HostError FOLDER_ZEROISED */
export async function assertNotZeroised(folder: string): Promise<void> {
  const text = await readIfThere(path.join(folder, zeroisationFile))
  if (text === undefined) return
  await removeSealedState(folder)
  throw zeroisedError(text)
}

/** Why, in the words of the statement. */
function zeroisedError(certificate: Uint8Array): HostError {
  const { statement } = JSON.parse(Buffer.from(certificate).toString()) as { statement: string }
  const { signal, detail, time } = JSON.parse(statement) as {
    readonly signal: string
    readonly detail: string
    readonly time: number
  }
  const when = new Date(time).toISOString()
  return new HostError(
    'FOLDER_ZEROISED',
    `the module was zeroised on ${when} (${signal}: ${detail}). Its domain opens only from a copy of the ` +
      'folder, with a seal or shares; a new domain is founded in another folder.',
  )
}
