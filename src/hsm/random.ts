/**
 * Random bytes of the module: keys, scalars, seeds, nonces, salts. Every caller comes here. They are
 * those of the module's own generator over its own noise sources, combined with OpenSSL's
 * (`entropy/generator.ts`, docs/entropy.md). What OpenSSL generates by itself, primes of RSA and nonces of
 * ECDSA, comes from its CTR_DRBG, which ours is stirred into.
 *
 * One generator for the process, on its main thread, started when it is first asked for or, in the
 * module, before anything else (`startGenerator`).
 */

import assert from 'node:assert/strict'
import { randomFillSync } from 'node:crypto'
import type { EntropyStatus, SourceStatus } from './contract/entropy.ts'
import { secretMemory } from './contract/secret-memory.ts'
import { Generator } from './entropy/generator.ts'
import { Jitter } from './entropy/jitter.ts'
import { type FailureReport, MonitoredSource } from './entropy/monitored-source.ts'
import { type NoiseSource, operatingSystem, processorGenerator } from './entropy/noise-source.ts'
import { Pool, poolBytes } from './entropy/pool.ts'
import { addEntropy } from './native.ts'

/** What a module says that has failed for this reason. */
export const noSourceLeft = 'no source of entropy is left'

export interface EntropyEvents {
  /** A source failed: a signal, whether or not it passed its tests again afterwards. */
  readonly sourceFailed?: (report: FailureReport) => void
  /** None is left: nothing random comes out any more. */
  readonly exhausted: () => void
}

interface Running {
  readonly generator: Generator
  readonly sources: readonly MonitoredSource[]
}

let running: Running | undefined
let events: EntropyEvents | undefined
/** Failures that nobody was there to hear: those of the start. */
let unheard: FailureReport[] = []
const pool = new Pool()

export type FailedSource = Pick<SourceStatus, 'name' | 'lastFailure'>

export interface RandomOptions {
  /** Fresh entropy goes in first, and nothing comes from what was made ahead. */
  readonly predictionResistance?: boolean
}

/**
 * Fresh memory outside the shared pool, so that filling it with zero leaves no copy behind.
 * @throws HsmError MODULE_FAILED when no source of entropy is left
 */
export function randomBytes(length: number, options: RandomOptions = {}): Buffer {
  assert(Number.isSafeInteger(length) && length >= 0)
  const { generator } = start()
  const bytes = secretMemory(length)
  if (options.predictionResistance || length > poolBytes / 2) generator.generate(bytes, options)
  else pool.take(generator, bytes)
  return bytes
}

let nonceBlock: Buffer = Buffer.alloc(0)
let noncesUsed = 0

/**
 * Random bytes that are going to be public: IVs and nonces. They are cut from a block of their own, and
 * not erased behind whoever uses them.
 * @throws HsmError MODULE_FAILED when no source of entropy is left
 */
export function randomNonce(length: number): Buffer {
  assert(length > 0 && length <= poolBytes)
  if (noncesUsed + length > nonceBlock.length) {
    nonceBlock = randomBytes(poolBytes)
    noncesUsed = 0
  }
  noncesUsed += length
  return nonceBlock.subarray(noncesUsed - length, noncesUsed)
}

/**
 * Runs the sources' start-up tests, once. False if none passed, and nothing random will come.
 * @param noiseSources other than the module's own: tests have some that fail
 */
export function startGenerator(noiseSources?: readonly NoiseSource[]): boolean {
  return start(noiseSources).sources.some(({ state }) => state === 'healthy')
}

/** From now on failures go there; those from before as well. */
export function listenToEntropy(listener: EntropyEvents): void {
  events = listener
  for (const report of unheard) listener.sourceFailed?.(report)
  unheard = []
  if (running && !startGenerator()) listener.exhausted()
}

/** Bytes from the host: mixed in, never counted, also into OpenSSL's. @throws HsmError MODULE_FAILED */
export function mixHostEntropy(bytes: Uint8Array): void {
  start().generator.mix(bytes)
  addEntropy(bytes, 0)
}

/** Before OpenSSL generates what we cannot: fresh bytes of ours for it. @throws HsmError MODULE_FAILED */
export function stirOpenssl(): void {
  const bytes = randomBytes(64)
  addEntropy(bytes, 0)
  bytes.fill(0)
}

/** The start-up tests again, of each source, also of one that has failed (SP 800-90B section 4.2). */
export function testSources(): boolean {
  const { sources } = start()
  for (const source of sources) source.startUp()
  return startGenerator()
}

/** Whether a hardware source that was assessed is there and healthy: what level 3 asks for. */
export function hasHealthyHardwareSource(): boolean {
  return start().sources.some(({ isPhysical, state }) => isPhysical && state === 'healthy')
}

/** Those that give nothing any more, also from before anybody listened. */
export function failedSources(): readonly FailedSource[] {
  const failed = start().sources.filter(({ state }) => state === 'failed')
  return failed.map(({ status: { name, lastFailure } }) => ({ name, lastFailure }))
}

export function entropyStatus(): EntropyStatus {
  const { generator, sources } = start()
  return { generator: generator.status, sources: sources.map(({ status }) => status) }
}

/** Overwrites the generator's state and what was made ahead. Whoever asks again starts another. */
export function eraseGenerator(): void {
  pool[Symbol.dispose]()
  noncesUsed = nonceBlock.fill(0).length
  running?.generator[Symbol.dispose]()
  running = undefined
}

function start(noiseSources?: readonly NoiseSource[]): Running {
  running ??= startFrom(noiseSources ?? ownSources())
  return running
}

function ownSources(): NoiseSource[] {
  const all = [operatingSystem(), new Jitter(), processorGenerator()]
  return all.filter((source) => source !== undefined)
}

function startFrom(noiseSources: readonly NoiseSource[]): Running {
  const report = (failure: FailureReport) => {
    if (events) events.sourceFailed?.(failure)
    else unheard.push(failure)
  }
  const sources = noiseSources.map((source) => new MonitoredSource(source, report))
  const instance = `keyhold module ${process.pid} ${Date.now()} ${process.hrtime.bigint()}`
  const generator = new Generator({
    sources,
    clock: () => performance.now(),
    personalisation: Buffer.from(instance),
    other: (target) => void randomFillSync(target),
    stir: (bytes) => addEntropy(bytes, 0),
    exhausted: () => events?.exhausted(),
  })
  return { generator, sources }
}
