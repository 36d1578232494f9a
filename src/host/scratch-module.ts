/**
 * A module of one's own for a short while: started, asked, and ended, with no folder behind it. What it
 * wants kept is dropped, so it is good for commands that need no domain.
 */

import type { CommandName, Commands } from '../hsm/contract/commands.ts'
import { DoorClient } from './door-client.ts'
import { HostError } from './errors.ts'
import { ModuleProcess } from './module-process.ts'
import { type Answer, ask, call, hostClaim } from './start-up.ts'

export class ScratchModule implements AsyncDisposable {
  readonly #process = new ModuleProcess()
  readonly #door: DoorClient

  constructor() {
    this.#door = new DoorClient(this.#process.door, {
      arrived: ({ settle }) => settle(undefined),
      head: () => undefined,
      zeroised: () => this.#process.kill(),
      broken: () => this.#process.kill(),
    })
    void this.#process.ended.then(({ output }) => {
      this.#door.end(new HostError('MODULE_ENDED', `the module has ended. ${output}`.trim()))
    })
  }

  /** @throws HsmError what the module refused; HostError MODULE_ENDED */
  run<N extends CommandName>(
    name: N,
    args: Commands[N]['arguments'],
    parts: Commands[N]['parts'],
  ): Promise<Answer<N>> {
    return ask(this.#door, hostClaim, call(name, args, parts))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#process.stop()
  }
}
