/**
 * Login by PIN or passphrase: the second factor of a person, checked here and nowhere else. What is kept
 * of a PIN is HMAC-SHA-256 of its Argon2id under a key of the module's own, so that nobody who reads the
 * domain state can try PINs outside of it.
 *
 * Whoever guesses has one answer, whatever was wrong. Between guesses for somebody who is no officer the
 * time doubles, in memory; an officer is locked out after five, and stays so over a restart, until the
 * rule `officers` lets him in again. An officer who signs his login as well has guesses of his own, so
 * that whoever lacks his key cannot keep him out.
 */

import { timingSafeEqual } from 'node:crypto'
import { Burst } from './burst.ts'
import type { Person, PinVerifier } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { sealSecretBytesMax } from './contract/limits.ts'
import type { Argon2idCost } from './contract/passphrase-key.ts'
import { loginsCounter } from './ledger.ts'
import type { Module } from './module.ts'
import { randomBytes } from './random.ts'
import { argon2idKey, argon2idTurn, stretchNow } from './seals.ts'
import type { Secret } from './secret.ts'

export const pinBytesMin = 8
/** How long a login counts. */
export const sessionMs = 15 * 60_000
/** Wrong PINs after which an officer is locked out. */
export const officerFailuresMax = 5
const delayMsMax = 5 * 60_000
/** Wrong PINs of anybody within an hour, which are a tamper signal. */
export const failuresPerHourMax = 100
const hourMs = 60 * 60_000
/** People who are no officers, or nobody, of whom failures are remembered. */
const delayedMax = 1_024
const saltBytes = 32
const pinCost: Argon2idCost = { memoryKib: 32 * 1024, passes: 4, lanes: 1 }
/** What is worked on when there is nobody of that name, or he has no PIN. */
const nobody: PinVerifier = {
  salt: Buffer.alloc(saltBytes).toString('base64'),
  hash: Buffer.alloc(32).toString('base64'),
}

interface Session {
  readonly expires: number
  readonly credential: string
  readonly pin: string
}

interface Delay {
  readonly failures: number
  readonly until: number
}

export class Logins {
  readonly #module: Module
  readonly #cost: Argon2idCost
  readonly #sessions = new Map<string, Session>()
  readonly #delays = new Map<string, Delay>()
  readonly #failures = new Burst(failuresPerHourMax, hourMs)

  constructor(module: Module, cost = pinCost) {
    this.#module = module
    this.#cost = cost
  }

  /** Until the session ends, the PIN is another, or the person is. */
  isLoggedIn({ name, credential, pin }: Person): boolean {
    const session = this.#sessions.get(name)
    return (
      session !== undefined &&
      this.#module.now() < session.expires &&
      session.credential === credential.publicKey &&
      session.pin === pin?.hash
    )
  }

  /**
   * Milliseconds since 1970 at which the session ends. The PIN stays the caller's.
   * @param isSigned whether his own signature came with it
   * @throws HsmError LOGIN_FAILED, LOGIN_LOCKED, MODULE_BUSY, MODULE_FAILED
   */
  async login(name: string, pin: Secret, isSigned: boolean): Promise<Login> {
    this.#assertMayTry(name, isSigned)
    // Counted within the turn, so that those behind are not asked before.
    return argon2idTurn(async () => {
      this.#assertMayTry(name, isSigned)
      const person = this.#person(name)
      const verifier = person?.pin ?? nobody
      using key = await stretchNow(pin, Buffer.from(verifier.salt, 'base64'), this.#cost)
      // A failure would be counted in a ledger that is about to be replaced.
      if (this.#module.next) throw new HsmError('MODULE_BUSY', 'the next epoch is being taken up')
      const { domain } = this.#module.open
      const hash = key.expose((bytes) => domain.pinMac(bytes))
      const isRight = timingSafeEqual(hash, Buffer.from(verifier.hash, 'base64'))
      // Whoever has changed meanwhile is somebody else.
      const isSame = this.#person(name)?.credential.publicKey === person?.credential.publicKey
      if (!isRight || !person?.pin || !isSame) return this.#failed(name, isSigned)
      const expires = this.#module.now() + sessionMs
      const credential = person.credential.publicKey
      this.#sessions.set(name, { expires, credential, pin: person.pin.hash })
      return { expires, changes: this.reset(name, isSigned ? ['signed'] : ['plain']) }
    })
  }

  /** What is kept of a new PIN, which stays the caller's. @throws HsmError ARGUMENT_INVALID, MODULE_BUSY */
  async verifierOf(pin: Secret): Promise<PinVerifier> {
    if (pin.length < pinBytesMin || pin.length > sealSecretBytesMax) {
      const range = `${pinBytesMin} to ${sealSecretBytesMax}`
      throw new HsmError('ARGUMENT_INVALID', `a PIN or passphrase has ${range} bytes`)
    }
    const salt = randomBytes(saltBytes)
    using key = await argon2idKey(pin, salt, this.#cost)
    const { domain } = this.#module.open
    const hash = key.expose((bytes) => domain.pinMac(bytes))
    return { salt: salt.toString('base64'), hash: hash.toString('base64') }
  }

  /** As if nobody had failed. @returns changes of the sealed state */
  reset(name: string, kinds: readonly AttemptKind[] = ['plain', 'signed']): Uint8Array[] {
    const { ledger } = this.#module.open
    this.#delays.delete(name)
    const counters = kinds.map((kind) => counterName(name, kind))
    return counters
      .filter((counter) => ledger.counter(counter) !== undefined)
      .map((counter) => ledger.putCounter(counter, undefined))
  }

  #assertMayTry(name: string, isSigned: boolean): void {
    if (this.#isOfficer(name)) {
      if (this.#officerFailures(name, isSigned) < officerFailuresMax) return
      throw new HsmError('LOGIN_LOCKED', 'too many failures: the rule officers resets them')
    }
    const waitMs = (this.#delays.get(name)?.until ?? 0) - this.#module.now()
    if (waitMs <= 0) return
    const seconds = Math.ceil(waitMs / 1_000)
    throw new HsmError('LOGIN_LOCKED', `too many failures: again in ${seconds} seconds`)
  }

  /** @throws HsmError LOGIN_FAILED, in one way */
  #failed(name: string, isSigned: boolean): never {
    const module = this.#module
    const now = module.now()
    const isBurst = this.#failures.add(now)
    if (this.#isOfficer(name)) {
      const failures = this.#officerFailures(name, isSigned) + 1
      const counter = counterName(name, isSigned ? 'signed' : 'plain')
      module.changesWaiting.push(module.open.ledger.putCounter(counter, { failures }))
    } else {
      this.#delay(name, now)
    }
    if (isBurst) {
      module.tamper.signal('logins-failed', `${failuresPerHourMax} within an hour`)
    }
    throw new HsmError('LOGIN_FAILED', 'name or PIN is not right')
  }

  #delay(name: string, now: number): void {
    const failures = (this.#delays.get(name)?.failures ?? 0) + 1
    const delayMs = Math.min(1_000 * 2 ** failures, delayMsMax)
    this.#delays.delete(name)
    this.#delays.set(name, { failures, until: now + delayMs })
    const [oldest] = this.#delays.keys()
    if (this.#delays.size > delayedMax && oldest !== undefined) this.#delays.delete(oldest)
  }

  #person(name: string): Person | undefined {
    return this.#module.open.ledger.domainState.people.find((person) => person.name === name)
  }

  #isOfficer(name: string): boolean {
    return this.#person(name)?.roles.includes('officer') === true
  }

  #officerFailures(name: string, isSigned: boolean): number {
    const counter = counterName(name, isSigned ? 'signed' : 'plain')
    return this.#module.open.ledger.counter(counter)?.failures ?? 0
  }
}

export interface Login {
  readonly expires: number
  /** Of the sealed state. */
  readonly changes: readonly Uint8Array[]
}

type AttemptKind = 'plain' | 'signed'

function counterName(name: string, kind: AttemptKind): string {
  return `${loginsCounter}${kind}: ${name}`
}
