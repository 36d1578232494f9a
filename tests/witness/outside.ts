/** A witness in this process, over HTTP, whose answers a test may turn. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import http from 'node:http'
import type { AddressInfo } from 'node:net'
import type { WitnessPlace } from '../../src/host/witnesses/client.ts'
import type { NoteKey } from '../../src/hsm/contract/signed-note.ts'
import { addCheckpoint } from '../../src/witness/add-checkpoint.ts'
import { WitnessKey } from '../../src/witness/key.ts'
import { WitnessStore } from '../../src/witness/store.ts'

/** What a witness answers a body with; `good` is what a witness should. */
export type Answer = (
  good: () => { status: number; type: string; body: string },
  response: http.ServerResponse,
) => void

export class Outside implements AsyncDisposable {
  readonly key: WitnessKey
  readonly store: WitnessStore
  readonly #server: http.Server
  answer: Answer | undefined
  now = Math.floor(Date.now() / 1_000)
  asked = 0

  private constructor(key: WitnessKey, store: WitnessStore) {
    this.key = key
    this.store = store
    this.#server = http.createServer(async (request, response) => {
      const pieces: Buffer[] = []
      for await (const piece of request) pieces.push(piece)
      this.asked += 1
      const good = () => addCheckpoint(Buffer.concat(pieces), { key, store, now: () => this.now })
      if (this.answer) return this.answer(good, response)
      const { status, type, body } = good()
      response.writeHead(status, { 'content-type': type }).end(body)
    })
  }

  static async start(
    folder: string,
    logs: readonly NoteKey[] = [],
    name = 'witness.example/w',
  ): Promise<Outside> {
    const key = await WitnessKey.make(folder, name)
    const store = new WitnessStore(folder, key.keys)
    for (const log of logs) store.addLog(log)
    const outside = new Outside(key, store)
    outside.#server.listen(0, '127.0.0.1')
    await once(outside.#server, 'listening')
    return outside
  }

  place(type = 0): WitnessPlace {
    const key = this.key.keys[type]
    assert(key)
    const { port } = this.#server.address() as AddressInfo
    return { key, url: `http://127.0.0.1:${port}` }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#server.closeAllConnections()
    this.#server.close()
    this.store[Symbol.dispose]()
  }
}
