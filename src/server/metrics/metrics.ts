/**
 * Metrics as the server hands them out. The module is asked for its status at most every ten seconds,
 * whoever asks here, because each command to it is a leaf of the record; what it does not answer in time is
 * left out, and `keyhold_module_up` says so.
 */

import { stat, statfs } from 'node:fs/promises'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { messageOf } from '../../host/errors.ts'
import type { Host } from '../../host/host.ts'
import type { ModuleStatus } from '../../hsm/contract/commands.ts'
import type { EntropyStatus } from '../../hsm/contract/entropy.ts'
import { answerOf, callModule } from '../../kms/commands.ts'
import type { Caller, Kms } from '../../kms/kms.ts'
import { databaseFile } from '../../kms/open.ts'
import type { RestLoad, RestMetrics } from '../../protocols/rest/options.ts'
import { countIntents } from '../../storage/intents.ts'
import { countKeysDue } from '../../storage/keys.ts'
import type { Sinks } from '../sinks/sinks.ts'
import type { ServerCertificate } from '../tls.ts'
import type { Meters } from './meters.ts'
import { Page } from './page.ts'
import {
  readEntropy,
  readHost,
  readMeters,
  readModule,
  readProcess,
  readServer,
  readSinks,
  readStorage,
  type Storage,
} from './readings.ts'

const moduleAgeMsMax = 10_000
const moduleAnswerMs = 2_000

export interface MetricsOptions {
  readonly folder: string
  readonly host: Host
  readonly kms: Kms
  readonly meters: Meters
  readonly sinks: Sinks
  readonly version: string
  readonly tls: ServerCertificate
}

interface ModuleReadings {
  readonly status: ModuleStatus
  readonly entropy: EntropyStatus
}

export class Metrics implements RestMetrics {
  readonly answered: RestMetrics['answered']
  readonly #options: MetricsOptions
  #tls: ServerCertificate
  #module: Promise<ModuleReadings | undefined> | undefined
  #askedMs = 0
  #askedGeneration = 0

  constructor(options: MetricsOptions) {
    this.#options = options
    this.#tls = options.tls
    const { meters } = options
    this.answered = (route, outcome, durationMs) => meters.answeredRest(route, outcome, durationMs)
  }

  useCertificate(tls: ServerCertificate): void {
    this.#tls = tls
  }

  async read(
    caller: Caller,
    accept: string,
    load: RestLoad,
  ): Promise<{ type: string; text: string }> {
    const { host, meters, sinks, version } = this.#options
    const [module, storage] = await Promise.all([this.#askModule(caller), this.#storage()])
    const page = new Page(accept)
    const { certificate: server, authority } = this.#tls
    readServer(page, { version, certificates: { server, authority } }, load)
    readMeters(page, meters)
    const status = host.status()
    readHost(page, status, host.measures())
    readSinks(page, sinks.status())
    const isUp = status.state === 'operational' && module?.status.state === 'operational'
    page.gauges({
      keyhold_module_up: ['1 if the module answers and is operational.', Number(isUp)],
    })
    if (module) {
      readModule(page, module.status)
      readEntropy(page, module.entropy)
    }
    if (storage) readStorage(page, storage)
    readProcess(page, meters)
    return { type: page.type, text: await page.text() }
  }

  /** Undefined when it does not answer in time. */
  #askModule(caller: Caller): Promise<ModuleReadings | undefined> {
    const now = performance.now()
    const { generation } = this.#options.host
    const isOld = now - this.#askedMs > moduleAgeMsMax || generation !== this.#askedGeneration
    if (this.#module === undefined || isOld) {
      this.#askedMs = now
      this.#askedGeneration = generation
      const asked = this.#readModule(caller)
      this.#module = asked
      void asked.then((found) => {
        if (found === undefined && this.#module === asked) this.#module = undefined
      })
    }
    const late = delay(moduleAnswerMs, undefined, { ref: false })
    return Promise.race([this.#module, late])
  }

  async #readModule(caller: Caller): Promise<ModuleReadings | undefined> {
    const { host, kms } = this.#options
    if (host.status().state !== 'operational') return undefined
    try {
      const [status, entropy] = await callModule(kms, caller, [
        { command: 'getStatus', arguments: {}, parts: {} },
        { command: 'getEntropyStatus', arguments: {}, parts: {} },
      ])
      if (!status || !entropy) return undefined
      return {
        status: answerOf<'getStatus'>(status).result,
        entropy: answerOf<'getEntropyStatus'>(entropy).result,
      }
    } catch (error) {
      kms.log({ level: 'warn', message: `metrics without the module: ${messageOf(error)}` })
      return undefined
    }
  }

  async #storage(): Promise<Storage | undefined> {
    const { folder, kms } = this.#options
    const file = path.join(folder, databaseFile)
    try {
      const [database, log, disk, intents, destructions] = await Promise.all([
        stat(file),
        stat(`${file}-wal`).catch(() => ({ size: 0 })),
        statfs(folder),
        countIntents(kms.db.query),
        countKeysDue(kms.db.query, kms.now()),
      ])
      return {
        databaseBytes: database.size + log.size,
        freeBytes: disk.bavail * disk.bsize,
        sizeBytes: disk.blocks * disk.bsize,
        intents,
        destructions,
      }
    } catch (error) {
      kms.log({ level: 'warn', message: `metrics without storage: ${messageOf(error)}` })
      return undefined
    }
  }
}
