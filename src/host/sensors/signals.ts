/**
 * What the host learns without looking: how a module ended, and why what is kept did not open. What is
 * none of these is no sign of tampering.
 */

import { HsmError } from '../../hsm/contract/errors.ts'
import { LauncherError } from '../../launcher/errors.ts'
import { HostError, messageOf } from '../errors.ts'
import type { ModuleEnd } from '../module-process.ts'
import { plainDetail, type SensorEvent } from './sensor.ts'

/** A system call outside of the wall's list, for which the kernel ended the module. */
export function signalOfEnd({ kind }: ModuleEnd, time = Date.now()): SensorEvent | undefined {
  if (kind !== 'wall') return undefined
  return { signal: 'wall-hit', detail: 'the kernel ended the module: SIGSYS', time }
}

const signals = {
  STATE_INVALID: 'state-back',
  RECORD_INVALID: 'record-broken',
  FOLDER_TORN: 'record-broken',
  SOURCE_CHANGED: 'source-changed',
  NODE_CHANGED: 'source-changed',
  MANIFEST_SIGNATURE_INVALID: 'source-changed',
} as const

/** What a module, the data folder or the check of the release refused when a module was started. */
export function signalOfRefusal(error: unknown, time = Date.now()): SensorEvent | undefined {
  const hasCode =
    error instanceof HsmError || error instanceof HostError || error instanceof LauncherError
  if (!hasCode) return undefined
  const code = Object.keys(signals).find((name) => name === error.code) as keyof typeof signals
  if (code === undefined) return undefined
  return { signal: signals[code], detail: plainDetail(`${code}: ${messageOf(error)}`), time }
}
