/**
 * Tamper signals (design section 4), who can cause them, and so how far the response may go. Whatever an
 * outsider, an application, storage or the data folder can cause stops the module at most: nobody gets to
 * wipe it with bad input.
 */

/** Who or what can bring a signal about, if everything else works. */
export type TamperCause = 'outsider' | 'application' | 'storage' | 'host' | 'hardware' | 'officer'

/** The signals of design section 4, and who can cause them. */
export const tamperSignals = {
  'source-changed': { cause: 'host' },
  'debugger-attached': { cause: 'host' },
  /** A system call outside of the wall's list: perhaps the end of a way in that began at the door. */
  'wall-hit': { cause: 'application' },
  /** Time comes by network, from whoever answers. */
  'clock-back': { cause: 'outsider' },
  'state-back': { cause: 'storage' },
  'record-broken': { cause: 'storage' },
  'entropy-failed': { cause: 'hardware' },
  'logins-failed': { cause: 'outsider' },
  'wrapped-keys-forged': { cause: 'storage' },
  'canary-used': { cause: 'application' },
  'chassis-opened': { cause: 'hardware' },
  'temperature-outside': { cause: 'hardware' },
  'voltage-outside': { cause: 'hardware' },
  'officer-command': { cause: 'officer' },
} as const satisfies Record<string, { readonly cause: TamperCause }>
export type TamperSignal = keyof typeof tamperSignals

/** Nobody gets to wipe a module with bad input: these never exceed level 1, at no security level. */
const causesThatOnlyStop: readonly TamperCause[] = ['outsider', 'application', 'storage']

/** 1: the module stops until an officer acknowledges it. 2: it zeroises. */
export type TamperResponse = 1 | 2

/** The strongest response that a signal may have, whatever a domain asks for. */
export function tamperResponseMax(signal: TamperSignal): TamperResponse {
  return causesThatOnlyStop.includes(tamperSignals[signal].cause) ? 1 : 2
}

/** What stopped the module, until an officer acknowledges it. */
export interface TamperMark {
  readonly signal: TamperSignal
  /** One sentence, no secret. */
  readonly detail: string
  /** Milliseconds since 1970. */
  readonly time: number
}
