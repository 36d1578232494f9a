/**
 * Every way the host can fail, as stable codes. What the module refuses is not among them: that is an
 * outcome with the module's own code. Each message says what happened and what to do next.
 */

export const hostErrorCodes = [
  /** The data folder exists, is not empty and is not one of ours. */
  'FOLDER_FOREIGN',
  /** No domain was founded in the folder yet, and founding was not asked for. */
  'FOLDER_EMPTY',
  /** Another server works on the folder. */
  'FOLDER_LOCKED',
  /** What is kept is damaged or does not fit together; nothing was changed. */
  'FOLDER_TORN',
  /** Owner or mode let others at the folder. */
  'FOLDER_UNSAFE',
  /** Its module was zeroised: what was sealed is gone. */
  'FOLDER_ZEROISED',
  /** A newer version of this program wrote the folder. */
  'FOLDER_NEWER',
  /** A development domain was to be opened as another, or the reverse. */
  'FOLDER_DEVELOPMENT',
  /** There is no seal of the kind that was asked for. */
  'SEAL_MISSING',
  /** The only seal that there is cannot be removed. */
  'SEAL_LAST',
  /** The module ended while it worked: whether the command took effect is not known. */
  'MODULE_ENDED',
  /** No module takes commands: it is starting, stopped, or ended too often. Nothing was sent. */
  'MODULE_UNAVAILABLE',
  /** The module waits for its secret. Nothing was sent. */
  'MODULE_LOCKED',
  /** Too much is in flight. Nothing was sent; try again. */
  'OVERLOADED',
  /** From security level 3 the launcher starts host and module, and there is none. */
  'LAUNCHER_MISSING',
  /** The launcher did not start a module: what would be started is not as released. */
  'LAUNCHER_REFUSED',
  /** The record or the sealed state could not be made durable: no answer is released until it is. */
  'STORAGE_FAILED',
] as const

export type HostErrorCode = (typeof hostErrorCodes)[number]

/** An expected failure of the host. A bug throws AssertionError. */
export class HostError extends Error {
  override readonly name = 'HostError'
  readonly code: HostErrorCode

  constructor(code: HostErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export function isHostError(error: unknown, ...codes: readonly HostErrorCode[]): boolean {
  return error instanceof HostError && codes.includes(error.code)
}

/** For a log line. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The module's own last words, when it ended before it was ready. */
export function explained(error: unknown, words: string): unknown {
  if (!isHostError(error, 'MODULE_ENDED') || words === '') return error
  const message = `the module ended while it was started: ${words}`
  return new HostError('MODULE_ENDED', message, { cause: error })
}

export function notLocked(state: string): HostError {
  return new HostError('MODULE_UNAVAILABLE', `the module is ${state}, not locked.`)
}

export function noSecret(): HostError {
  return new HostError('SEAL_MISSING', 'a domain is not founded without a secret for its seal.')
}

export function launcherMissing(level?: number): HostError {
  const found = level === undefined ? 'there is no launcher' : `the domain has level ${level}`
  return new HostError(
    'LAUNCHER_MISSING',
    `${found}: from security level 3 the launcher starts host and module. See docs/deploy.md.`,
  )
}
