/**
 * Tamper signals (design section 4): what is taken for an attack, who can cause it, and so how far the
 * response may go. Whatever an outsider, an application, storage or the data folder can cause stops the
 * module at most: nobody gets to wipe it with bad input.
 */

export const tamperSignals = {
  /** A file of the module or the Node binary is not that of the signed manifest. */
  sourceChanged: { capped: false },
  /** A tracer is attached to the module. */
  debuggerAttached: { capped: false },
  /** The module made a system call outside of its filter, which ended it. */
  forbiddenSystemCall: { capped: false },
  clockBack: { capped: true },
  /** Sealed state or domain state is older than a counter, peer or witness has seen. */
  stateBack: { capped: true },
  recordBroken: { capped: true },
  entropyFailed: { capped: false },
  loginsFailed: { capped: true },
  wrappedKeysRefused: { capped: true },
  canaryUsed: { capped: true },
  chassisOpened: { capped: false },
  temperatureOutOfRange: { capped: false },
  voltageOutOfRange: { capped: false },
  /** By an officer's command, under the rule `tamper`. */
  officer: { capped: false },
} as const satisfies Record<string, { readonly capped: boolean }>

export type TamperSignal = keyof typeof tamperSignals

/** 0 nothing but a leaf, 1 stop until an officer acknowledges it, 2 zeroise. */
export type TamperResponse = 0 | 1 | 2

export interface TamperMark {
  readonly signal: TamperSignal
  /** One sentence, no secret. */
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly time: number
}
