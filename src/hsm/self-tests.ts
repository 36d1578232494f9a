/**
 * The module's self-tests: known answers from published sources, each able to fail. What unlocking needs
 * runs at every start, before the door opens. Each row of the registry is tested before its first use, or
 * in the background within the first minute, one row a turn; after that everything again within 24 hours,
 * spread over them (FIPS 140-3 section 7.10); all of it, or what is named, on demand. Argon2id and Shamir's
 * sharing are tested before their first use as well (seals.ts, shares.ts). One test that is not met ends in
 * the state `failed`.
 */

import type { AlgorithmName } from './contract/algorithms.ts'
import { HsmError } from './contract/errors.ts'
import { argon2idTests } from './self-tests/argon2id.ts'
import { generatorTests } from './self-tests/generator.ts'
import { type KnownAnswer, runKnownAnswers } from './self-tests/known-answer.ts'
import { noiseTests } from './self-tests/noise.ts'
import { rowTests } from './self-tests/rows.ts'
import { shamirTests } from './self-tests/shamir.ts'
import { unlockingTests } from './self-tests/unlocking.ts'

/** One that belongs to a row of the registry says so. */
export interface SelfTest extends KnownAnswer {
  readonly algorithm?: AlgorithmName
  /** Before the door opens. */
  readonly atStart?: true
}

const startTests = [...unlockingTests, ...generatorTests]

export const allTests: readonly SelfTest[] = [
  ...startTests.map((test) => ({ ...test, atStart: true }) as const),
  ...rowTests,
  ...argon2idTests,
  ...shamirTests,
  ...noiseTests,
]

/** Milliseconds. */
export interface SelfTestTimes {
  /** From the start to the first turn: what a module that has just started has other things to do in. */
  readonly firstTurn: number
  /** Between turns until everything was tested once. */
  readonly turn: number
  /** From one test of a row to its next. */
  readonly period: number
}

/** With 90 turns the first round ends before its first minute does. */
export const selfTestTimes: SelfTestTimes = {
  firstTurn: 12_000,
  turn: 400,
  period: 24 * 60 * 60 * 1_000,
}

/** Thrown by a use whose row was not tested yet: it is begun again when that is done (commands.ts). */
export class Untested extends Error {
  readonly algorithm: AlgorithmName

  constructor(algorithm: AlgorithmName) {
    super(`${algorithm} was not tested yet`)
    this.algorithm = algorithm
  }
}

export interface SelfTestOptions {
  /** Other tests than the module's: an entry for tests has some that fail. */
  readonly tests?: readonly SelfTest[]
  readonly times?: SelfTestTimes
  /** Milliseconds since 1970. */
  readonly now?: () => number
}

export class SelfTests implements Disposable {
  /** Told once for each test that was not met. */
  failed: (reason: string) => void = () => {}
  readonly #tests: readonly SelfTest[]
  readonly #turns: readonly (readonly SelfTest[])[]
  readonly #times: SelfTestTimes
  readonly #now: () => number
  readonly #met = new Set<SelfTest>()
  readonly #testedRows = new Set<AlgorithmName>()
  readonly #underTest = new Map<AlgorithmName, Promise<void>>()
  #all: Promise<readonly string[]> | undefined
  #passed = 0
  #failed = 0
  #lastRun = 0
  #nextTurn = 0
  #timer: NodeJS.Timeout | undefined

  constructor({ tests = allTests, times = selfTestTimes, now = Date.now }: SelfTestOptions = {}) {
    this.#tests = tests
    this.#times = times
    this.#now = now
    this.#turns = turnsOf(tests)
  }

  /** Known answers that were met, and not met, since the start; those that wait for their first time. */
  get status() {
    return {
      passed: this.#passed,
      failed: this.#failed,
      pending: this.#tests.length - this.#met.size,
      /** Of the last test, in milliseconds since 1970; 0 before the first. */
      lastRun: this.#lastRun,
    }
  }

  /** What must be met before the module answers anything. @throws HsmError MODULE_FAILED */
  runAtStart(): Promise<readonly string[]> {
    return this.#run(this.#tests.filter(({ atStart }) => atStart))
  }

  /**
   * All tests, or those of these algorithms and names. Who asks for all while they run gets their outcome.
   * @returns their names; all of them were met
   * @throws HsmError MODULE_FAILED; ARGUMENT_INVALID when there is no such test
   */
  run(names?: readonly string[]): Promise<readonly string[]> {
    if (names !== undefined) return this.#run(this.#named(names))
    this.#all ??= this.#run(this.#tests).finally(() => {
      this.#all = undefined
    })
    return this.#all
  }

  /** On the way of every use. @throws Untested */
  assertTested(algorithm: AlgorithmName): void {
    if (!this.#testedRows.has(algorithm)) throw new Untested(algorithm)
  }

  /** Resolves when the row was tested: once, however many wait for it. @throws HsmError MODULE_FAILED */
  testRow(algorithm: AlgorithmName): Promise<void> {
    const begun = this.#underTest.get(algorithm)
    if (begun !== undefined) return begun
    const ended = this.#testRow(algorithm).finally(() => this.#underTest.delete(algorithm))
    this.#underTest.set(algorithm, ended)
    return ended
  }

  /** From now on by itself. */
  begin(): void {
    this.#wait(this.#times.firstTurn)
  }

  [Symbol.dispose](): void {
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  async #testRow(algorithm: AlgorithmName): Promise<void> {
    const tests = this.#tests.filter((test) => test.algorithm === algorithm)
    if (tests.length === 0) throw this.#fail(`self-test failed: ${algorithm} has none`)
    await this.#run(tests)
    this.#testedRows.add(algorithm)
  }

  async #run(tests: readonly SelfTest[]): Promise<readonly string[]> {
    for (const test of tests) {
      this.#lastRun = this.#now()
      try {
        await runKnownAnswers([test])
      } catch (error) {
        if (!(error instanceof HsmError)) throw error
        throw this.#fail(error.message)
      }
      this.#passed += 1
      this.#met.add(test)
    }
    return tests.map(({ name }) => name)
  }

  #fail(reason: string): HsmError {
    this.#failed += 1
    this.failed(reason)
    return new HsmError('MODULE_FAILED', reason)
  }

  #named(names: readonly string[]): readonly SelfTest[] {
    const asked = names.flatMap((name) => {
      const found = this.#tests.filter((test) => test.name === name || test.algorithm === name)
      if (found.length > 0) return found
      throw new HsmError('ARGUMENT_INVALID', 'there is no self-test of this name')
    })
    return [...new Set(asked)]
  }

  /** The next turn that is due: of the first round, those not met yet; then all, one after the other. */
  async #turn(): Promise<void> {
    const missing = this.#turns.find((turn) => !turn.every((test) => this.#met.has(test)))
    const turn = missing ?? this.#turns[this.#nextTurn % this.#turns.length] ?? []
    if (!missing) this.#nextTurn += 1
    const algorithm = turn[0]?.algorithm
    try {
      await (algorithm ? this.testRow(algorithm) : this.#run(turn))
    } catch (error) {
      if (error instanceof HsmError) return
      throw error
    }
    const isFirstRound = this.#met.size < this.#tests.length
    this.#wait(isFirstRound ? this.#times.turn : this.#times.period / this.#turns.length)
  }

  /** The door keeps the process alive, not this. What a turn throws is a bug, and ends the process. */
  #wait(milliseconds: number): void {
    this.#timer = setTimeout(() => void this.#turn(), milliseconds)
    this.#timer.unref()
  }
}

/** The tests of a row together, every other by itself. */
function turnsOf(tests: readonly SelfTest[]): readonly (readonly SelfTest[])[] {
  const rows = Map.groupBy(tests, ({ name, algorithm }) => algorithm ?? name)
  return [...rows.values()]
}
