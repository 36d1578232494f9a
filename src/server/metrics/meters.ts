/**
 * What is counted while it happens, for as long as the process lives: requests of each protocol, frames and
 * commands of the module, writes to the disk, delays of the event loop. Labels come from the tables of
 * routes, commands and error codes.
 */

import { monitorEventLoopDelay } from 'node:perf_hooks'
import type { HostMeter } from '../../host/options.ts'
import { hsmErrorCodes } from '../../hsm/contract/errors.ts'
import { problems } from '../../protocols/rest/errors.ts'
import { routes } from '../../protocols/rest/routes.ts'
import { commandNames } from './command-names.ts'
import { CountTable, HistogramTable } from './tables.ts'

const secondsBounds = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 10]
const diskSecondsBounds = [0.0001, 0.00025, ...secondsBounds]
const frameBounds = [1, 2, 4, 8, 16, 32, 64, 128, 256]
/** Between two looks; each measures how long it was, so this is what a loop that is never late shows. */
export const eventLoopResolutionMs = 10

export class Meters implements Disposable {
  /** By protocol: of each operation, outcomes and how long it took. */
  readonly protocols = {
    rest: {
      outcomes: new CountTable(
        routes.map(({ name }) => name),
        ['ok', ...Object.keys(problems)],
      ),
      seconds: new HistogramTable(
        routes.map(({ name }) => name),
        secondsBounds,
      ),
    },
  }
  readonly commands = new CountTable(commandNames, ['ok', ...hsmErrorCodes, 'MODULE_ENDED'])
  readonly frameCommands = new HistogramTable([''], frameBounds)
  readonly frameSeconds = new HistogramTable([''], secondsBounds)
  readonly diskSeconds = new HistogramTable([''], diskSecondsBounds)
  readonly eventLoopDelay = monitorEventLoopDelay({ resolution: eventLoopResolutionMs })
  readonly host: HostMeter

  constructor() {
    this.eventLoopDelay.enable()
    this.host = {
      answered: (calls, outcomes, durationMs) => {
        for (let index = 0; index < calls.length; index += 1) {
          const outcome = outcomes[index]
          const code = outcome !== undefined && 'error' in outcome ? outcome.error.code : 'ok'
          this.commands.add(calls[index]?.command ?? '', code)
        }
        this.frameCommands.observe('', calls.length)
        this.frameSeconds.observe('', durationMs / 1_000)
      },
      failed: (calls, code) => {
        for (const { command } of calls) this.commands.add(command, code)
      },
      wrote: (durationMs) => this.diskSeconds.observe('', durationMs / 1_000),
    }
  }

  /** A request of the REST API was answered (protocols/rest/options.ts). */
  answeredRest(route: string, outcome: string, durationMs: number): void {
    const { outcomes, seconds } = this.protocols.rest
    outcomes.add(route, outcome)
    seconds.observe(route, durationMs / 1_000)
  }

  [Symbol.dispose](): void {
    this.eventLoopDelay.disable()
  }
}
