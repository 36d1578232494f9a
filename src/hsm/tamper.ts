/**
 * What the module does at a tamper signal (contract/tamper.ts): the profile of its security level, or the
 * domain state where that says more, decides between stopping until an officer acknowledges it, which
 * survives a restart, and zeroising. Some signals are seen here; the host reports what only it can see.
 *
 * Zeroising overwrites root key, KEK, state key, identity, record and transport key and the state of the
 * generator where this module owns their memory, says so in one last frame, and ends the process: what the engine and OpenSSL hold of keys
 * goes with it, and the host removes the sealed state.
 */

import { Burst } from './burst.ts'
import { canonicalJson } from './contract/canonical-json.ts'
import { HsmError } from './contract/errors.ts'
import type { KeyAttributes } from './contract/keys.ts'
import { type TamperResponse, type TamperSignal, tamperResponseMax } from './contract/tamper.ts'
import { levelProfiles } from './levels.ts'
import type { Module } from './module.ts'
import { eraseGenerator } from './random.ts'

/** Wrapped keys that do not open, within a minute: storage that tries, rather than one that rots. */
export const wrappedKeysRefusedMax = 256
const minuteMs = 60_000
/** How far the wall clock may fall behind the monotonic one: a correction, not a deception. */
export const clockBackMsMax = 60_000

export const detailLengthMax = 120

const zeroisationFormat = 'keyhold zeroisation v1'

/** What the module signs last, by Ed25519 alone: ML-DSA-65 would take longer than overwriting may. */
export interface ZeroisationStatement {
  readonly format: typeof zeroisationFormat
  readonly domain: string
  readonly module: string
  readonly signal: TamperSignal
  readonly detail: string
  readonly time: number
  /** From the signal until the secrets were overwritten. */
  readonly overwrittenMicros: number
}

export class Tamper {
  readonly #module: Module
  /** From the moment on at which the secrets are gone. */
  isZeroised = false
  readonly #refused = new Burst(wrappedKeysRefusedMax, minuteMs)
  /** The most that the wall clock was ever ahead of the monotonic one. */
  #clockOffsetMs: number | undefined
  /** Called with the certificate once everything is overwritten: writes it and ends the process. */
  onZeroised: (certificate: Uint8Array) => void = () => undefined

  constructor(module: Module) {
    this.#module = module
  }

  /** 1 or 2, the stronger of level and domain state; never beyond what the signal's cause permits. */
  responseTo(signal: TamperSignal): TamperResponse {
    const { level, opened } = this.#module
    const own = opened?.ledger.domainState.tamper[signal] ?? 1
    const ofLevel = levelProfiles[level].tamper[signal]
    const response = own > ofLevel ? own : ofLevel
    return response > tamperResponseMax(signal) ? 1 : response
  }

  /** Does what the signal calls for. Before there are secrets there is nothing to protect. */
  signal(signal: TamperSignal, detail: string): void {
    const { state } = this.#module
    if (state !== 'operational' && state !== 'tampered') return
    if (this.responseTo(signal) === 2) this.zeroise(signal, detail)
    else if (!this.#module.open.ledger.tamper) this.#stop(signal, detail)
  }

  /** An officer has looked into it. */
  acknowledge(): Uint8Array {
    this.#module.freshness.acknowledge()
    return this.#module.open.ledger.putTamper(null)
  }

  zeroise(signal: TamperSignal, detail: string): void {
    const start = performance.now()
    const module = this.#module
    this.isZeroised = true
    const { domain, sealedState } = module.open
    const sign = domain.lastSignature()
    domain[Symbol.dispose]()
    sealedState[Symbol.dispose]()
    module.letGoOfNext()
    module.transport[Symbol.dispose]()
    eraseGenerator()
    const overwrittenMicros = Math.ceil((performance.now() - start) * 1_000)
    // The more there are, the longer it takes; without the KEK nobody could load them again.
    module.keys[Symbol.dispose]()
    this.#addLeaf(signal)
    const statement: ZeroisationStatement = {
      format: zeroisationFormat,
      domain: domain.domainId.toString('hex'),
      module: domain.moduleId.toString('hex'),
      ...{ signal, detail, time: module.now(), overwrittenMicros },
    }
    const text = canonicalJson(statement)
    const ed25519 = sign(Buffer.from(text)).toString('base64')
    this.onZeroised(Buffer.from(JSON.stringify({ statement: text, signature: { ed25519 } })))
  }

  /** Runs the unwrapping of a key, and counts what does not authenticate. */
  watchUnwrap<T>(unwrap: () => T): T {
    try {
      return unwrap()
    } catch (error) {
      if (error instanceof HsmError && error.code === 'WRAPPED_KEY_INVALID') this.#wrappedRefused()
      throw error
    }
  }

  /** @throws HsmError MODULE_TAMPERED: nobody gets an answer from a canary */
  canaryUsed({ key }: KeyAttributes): never {
    this.signal('canary-used', key)
    throw new HsmError('MODULE_TAMPERED', 'the module has stopped')
  }

  /** Once a second: whether the wall clock has fallen behind the monotonic one, at once or bit by bit. */
  watchClock(monotonicMs: number): void {
    const offsetMs = this.#wallMs() - monotonicMs
    const backMs = (this.#clockOffsetMs ?? offsetMs) - offsetMs
    if (backMs <= clockBackMsMax) {
      this.#clockOffsetMs = offsetMs + Math.max(0, backMs)
      return
    }
    this.#clockOffsetMs = offsetMs
    this.signal('clock-back', `by ${Math.round(backMs / 1_000)} seconds`)
  }

  /** At unlocking: whether the wall clock is before the last leaf of the record. */
  watchRecord(lastMicros: number): void {
    const backMs = Math.floor(lastMicros / 1_000) - this.#wallMs()
    if (backMs <= clockBackMsMax) return
    this.signal('clock-back', `by ${Math.round(backMs / 1_000)} seconds since the last command`)
  }

  /** At founding and unlocking: what failed before was no signal, because there was nothing to protect. */
  watchSources(): void {
    for (const { name, lastFailure } of this.#module.failedSources()) {
      this.signal('entropy-failed', `${name}: ${lastFailure}`)
    }
  }

  #wallMs(): number {
    return Math.floor(this.#module.wallClock() / 1_000)
  }

  #wrappedRefused(): void {
    if (!this.#refused.add(this.#module.now())) return
    this.signal('wrapped-keys-forged', `${wrappedKeysRefusedMax} did not open within a minute`)
  }

  #stop(signal: TamperSignal, detail: string): void {
    const module = this.#module
    const mark = { signal, detail: detail.slice(0, detailLengthMax), time: module.now() }
    module.changesWaiting.push(module.open.ledger.putTamper(mark))
    module.keys[Symbol.dispose]()
    this.#addLeaf(signal)
  }

  #addLeaf(signal: TamperSignal): void {
    const { leaves } = this.#module
    leaves.add({
      ...{ command: 'tamper', outcome: signal, key: '', version: 0 },
      ...{ identity: '', requestId: '', protocol: '', address: '' },
      argumentsDigest: leaves.digest([]),
    })
  }
}
