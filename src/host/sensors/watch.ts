/**
 * From signs to the module: everything that the host's sensors see, and what it learns from ends and
 * refusals, is written to host.events and reported to the module, which answers it by its security level
 * (contract/tamper.ts). While there is no operational module, reports wait for the next one.
 */

import { isHostError, messageOf } from '../errors.ts'
import type { Host } from '../host.ts'
import type { HostLogEntry } from '../options.ts'
import { call, hostClaim } from '../start-up.ts'
import type { Sensor, SensorEvent } from './sensor.ts'
import { Sensors } from './sensors.ts'

export interface WatchOptions {
  readonly sensors: readonly Sensor[]
  readonly log: (entry: HostLogEntry) => void
}

/** Of reports that wait; the first ones count. */
const waitingMax = 64

export class TamperWatch implements AsyncDisposable {
  readonly #host: Host
  readonly #log: WatchOptions['log']
  readonly #sensors: Sensors
  readonly #waiting: SensorEvent[] = []
  #reporting: Promise<void> | undefined

  constructor(host: Host, { sensors, log }: WatchOptions) {
    this.#host = host
    this.#log = log
    host.onSignal((event) => this.#take(event))
    host.onGeneration(() => setImmediate(() => this.#report()))
    this.#sensors = new Sensors({ sensors, log, signal: (event) => this.#take(event) })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#sensors[Symbol.asyncDispose]()
    await this.#reporting
  }

  #take(event: SensorEvent): void {
    this.#host.events.add('tamper signal', { ...event })
    this.#log({ level: 'error', message: `tamper signal ${event.signal}: ${event.detail}` })
    if (this.#waiting.length < waitingMax) this.#waiting.push(event)
    this.#report()
  }

  #report(): void {
    this.#reporting ??= this.#reportAll().finally(() => {
      this.#reporting = undefined
    })
  }

  async #reportAll(): Promise<void> {
    for (let event = this.#waiting[0]; event !== undefined; event = this.#waiting[0]) {
      if (this.#host.status().state !== 'operational') return
      const { signal, detail } = event
      try {
        const command = call('reportTamper', { signal, detail }, {})
        const { result } = await this.#host.run(hostClaim, command)
        this.#log({ level: 'error', message: `the module answers with level ${result.response}` })
      } catch (error) {
        if (isHostError(error, 'MODULE_UNAVAILABLE', 'MODULE_LOCKED', 'OVERLOADED')) return
        // A module that zeroises has ended before its answer is durable.
        this.#log({ level: 'error', message: `reported ${signal}: ${messageOf(error)}` })
      }
      this.#waiting.shift()
    }
  }
}
