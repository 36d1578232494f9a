/**
 * The sensors of a host, each looked at in its own time, one look after the other, until it is disposed.
 * A look that takes too long or fails is told in the log once, and is no tamper signal: a sensor that
 * breaks must not stop a module.
 */

import { messageOf } from '../errors.ts'
import type { HostLogEntry } from '../options.ts'
import { plainDetail, type Sensor, type SensorEvent } from './sensor.ts'

export interface SensorsOptions {
  readonly sensors: readonly Sensor[]
  readonly signal: (event: SensorEvent) => void
  readonly log: (entry: HostLogEntry) => void
  readonly now?: () => number
}

const lookMsMax = 30_000

export class Sensors implements AsyncDisposable {
  readonly #options: SensorsOptions
  readonly #stop = new AbortController()
  readonly #watching: readonly Promise<void>[]

  constructor(options: SensorsOptions) {
    this.#options = options
    this.#watching = options.sensors.map((sensor) => this.#watch(sensor))
  }

  /** Resolves when no look is under way any more. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    await Promise.all(this.#watching)
  }

  async #watch(sensor: Sensor): Promise<void> {
    /** What was wrong at the last look. */
    let before = new Set<string>()
    let failed = false
    while (!this.#stop.signal.aborted) {
      try {
        const findings = await within(sensor.look(), lookMsMax)
        if (this.#stop.signal.aborted) return
        for (const { signal, about, detail } of findings) {
          if (before.has(about)) continue
          const time = this.#options.now?.() ?? Date.now()
          this.#options.signal({ signal, detail: plainDetail(detail), time })
        }
        before = new Set(findings.map(({ about }) => about))
        failed = false
      } catch (error) {
        const message = `sensor ${sensor.name}: ${messageOf(error)}`
        if (!failed) this.#options.log({ level: 'warn', message })
        failed = true
      }
      await pause(sensor.everyMs, this.#stop.signal)
    }
  }
}

async function within<T>(work: Promise<T>, msMax: number): Promise<T> {
  const { promise, reject } = Promise.withResolvers<never>()
  const timer = setTimeout(() => reject(new Error(`took more than ${msMax} ms`)), msMax)
  timer.unref()
  try {
    return await Promise.race([work, promise])
  } finally {
    clearTimeout(timer)
  }
}

/** Does not keep the process alive. */
function pause(ms: number, stop: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (stop.aborted) return resolve()
    const end = (): void => {
      clearTimeout(timer)
      stop.removeEventListener('abort', end)
      resolve()
    }
    const timer = setTimeout(end, ms)
    timer.unref()
    stop.addEventListener('abort', end)
  })
}
