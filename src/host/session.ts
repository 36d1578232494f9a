/**
 * One life of the module's process as the host sees it: from being started to its end. Whatever the
 * process sent is taken before its end is reported, so that nothing durable is called lost.
 */

import { DoorClient } from './door-client.ts'
import { HostError } from './errors.ts'
import { collectHostEntropy, giveHostEntropy } from './host-entropy.ts'
import type { ModuleFiles } from './module-files.ts'
import type { ModuleEnd, ModuleLink } from './module-process.ts'
import type { HostMeter } from './options.ts'
import { prepareModule, type ReadyModule } from './start-up.ts'
import type { Zeroisation } from './zeroise.ts'

/** A start that takes longer is given up. */
const startMsMax = 60_000

export class Session {
  readonly process: ModuleLink
  readonly door: DoorClient
  /** How the process ended; when it resolves, every request that it did not answer was refused. */
  readonly ended: Promise<ModuleEnd>
  /** Whether the host brought it to where it was to be: its end is then a reason to start another. */
  served = false
  /** Whether it is operational. */
  unlocked = false
  readonly #leaving: () => void
  /** Collected while the module starts. */
  readonly #hostEntropy = collectHostEntropy()
  #ready: ReadyModule | undefined
  /** What it said last, if it has zeroised itself. */
  zeroised: Zeroisation | undefined
  /** Why the host ended the process, if it did. */
  #broken = ''

  /** `leaving` is called before the first request is refused because of the end. */
  constructor(files: ModuleFiles, process: ModuleLink, leaving: () => void, meter?: HostMeter) {
    this.#leaving = leaving
    this.process = process
    this.door = new DoorClient(this.process.door, {
      arrived: (answer) => files.keep(answer),
      head: (note) => files.keepHead(note),
      zeroised: (certificate) => {
        this.zeroised = { certificate: Uint8Array.from(certificate), arrived: performance.now() }
        this.process.kill()
      },
      broken: (reason) => this.#break(reason),
      meter,
    })
    this.ended = this.process.ended.then((end) => {
      this.#leave()
      return end
    })
  }

  /** Why the host ended the process itself; empty when it did not. */
  get broken(): string {
    return this.#broken
  }

  /** Undefined until everything is staged. */
  get ready(): ReadyModule | undefined {
    return this.#ready
  }

  /** Stages what is kept. @throws HsmError, HostError MODULE_ENDED */
  async prepare(files: ModuleFiles): Promise<ReadyModule> {
    const timer = setTimeout(() => this.#break('it took too long to start'), startMsMax)
    try {
      const ready = await prepareModule(this.door, files)
      await giveHostEntropy(this.door, await this.#hostEntropy)
      this.#ready = ready
      return ready
    } finally {
      clearTimeout(timer)
    }
  }

  /** What the promise gives, unless the process ends first. @throws HostError MODULE_ENDED */
  whileAlive<T>(promise: Promise<T>): Promise<T> {
    const gone = this.ended.then(() => {
      throw endedError()
    })
    return Promise.race([promise, gone])
  }

  #break(reason: unknown): void {
    this.#broken = reason instanceof Error ? reason.message : String(reason)
    this.process.kill()
    this.#leave()
  }

  #leave(): void {
    this.#leaving()
    this.door.end(endedError())
  }
}

function endedError(): HostError {
  return new HostError(
    'MODULE_ENDED',
    'the module ended before it answered: whether the command took effect is not known. ' +
      'Read back what it was to change before trying again.',
  )
}
