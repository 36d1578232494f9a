/**
 * A server under a load of creations, rotations, changes of state, destructions and uses over REST, that
 * is killed at random moments: its module, or all of it. Keeps what was answered, and what was asked
 * and not answered, so that a test can say afterwards what must be there and what may be.
 */

import assert from 'node:assert/strict'
import { existsSync } from 'node:fs'
import { setTimeout as delay } from 'node:timers/promises'
import { Installation, keysPath } from '../rest/people.ts'
import type { Answer } from '../server.ts'

export type Change = 'create' | 'rotate' | 'disable' | 'enable' | 'destroy'

/** What a key went through, in this order. */
export interface Life {
  readonly acknowledged: Change[]
  /** Asked without an answer: it may have been done. Nothing was asked of this key afterwards. */
  unanswered: Change | undefined
}

const lives: readonly (readonly Change[])[] = [
  ['create', 'rotate', 'rotate'],
  ['create', 'disable', 'enable', 'rotate', 'destroy'],
  ['create', 'rotate', 'disable'],
  ['create', 'destroy'],
]
const workers = 12
/** A module that ends too often within a minute is given up: so many, and then the whole server. */
const moduleKillsPerServer = 2

export class KilledServer implements AsyncDisposable {
  readonly installation: Installation
  readonly keys = new Map<string, Life>()
  /** Request ids of what was answered with success and went through the module. */
  readonly answered: string[] = []
  readonly kills = { module: 0, server: 0 }
  acknowledged = 0
  #asked = 0
  #isOver = false
  #restarting: Promise<void> | undefined

  private constructor(installation: Installation) {
    this.installation = installation
  }

  static async start(): Promise<KilledServer> {
    return new KilledServer(await Installation.start())
  }

  /** Until so many changes were acknowledged and each kind of kill has come so many times. */
  async run(changes: number, killsOfEach: number): Promise<void> {
    const isEnough = () =>
      this.acknowledged >= changes &&
      this.kills.module >= killsOfEach &&
      this.kills.server >= killsOfEach
    const work = Array.from({ length: workers }, (_, index) => this.#work(index))
    while (!isEnough()) {
      for (let count = 0; count < moduleKillsPerServer; count += 1) {
        await this.#goOnForAWhile()
        this.#killModule()
      }
      await this.#goOnForAWhile()
      this.#restarting = this.#killServer()
      await this.#restarting
      this.#restarting = undefined
    }
    this.#isOver = true
    await Promise.all(work)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isOver = true
    await this.installation[Symbol.asyncDispose]()
  }

  /** Something was acknowledged since, so that not only starts are killed; then any moment. */
  async #goOnForAWhile(): Promise<void> {
    const before = this.acknowledged
    while (this.acknowledged < before + workers) await delay(10)
    await delay(Math.random() * 800)
  }

  #killModule(): void {
    const [pid] = this.installation.server.modulePids()
    // Between two modules there is none.
    if (pid === undefined) return
    process.kill(pid, 'SIGKILL')
    this.kills.module += 1
  }

  /** The module sees that its host is gone and ends by itself; nobody has to kill it. */
  async #killServer(): Promise<void> {
    const { server } = this.installation
    const modules = server.modulePids()
    await server.stop('SIGKILL')
    for (const pid of modules) {
      const deadline = performance.now() + 5_000
      while (existsSync(`/proc/${pid}/maps`) && performance.now() < deadline) await delay(5)
      assert(!existsSync(`/proc/${pid}`), 'a module outlives its host')
    }
    await server.restart()
    this.kills.server += 1
  }

  async #work(worker: number): Promise<void> {
    for (let count = 0; !this.#isOver; count += 1) {
      const name = `w${worker}-${count}`
      const life: Life = { acknowledged: [], unanswered: undefined }
      for (const change of lives[count % lives.length] ?? []) {
        if (this.#isOver) break
        this.keys.set(name, life)
        life.unanswered = change
        if (!(await this.#ask(...requestFor(change, name)))) break
        life.acknowledged.push(change)
        life.unanswered = undefined
        this.acknowledged += 1
      }
      await this.#ask('POST', '/v1/random', { lengthBytes: 16 })
      await this.#restarting
    }
  }

  /** False when there was no answer, or one that says that it is not known what happened. */
  async #ask(method: string, route: string, body: object | undefined): Promise<boolean> {
    this.#asked += 1
    const id = `ask-${this.#asked}`
    const headers = { 'x-request-id': id, 'idempotency-key': id }
    let answer: Answer
    try {
      answer = await this.installation.server.call(method, route, body, { headers })
    } catch {
      return false
    }
    if (answer.status === 503) return false
    assert(answer.status === 200 || answer.status === 201, `${route}: ${answer.text}`)
    this.answered.push(id)
    return true
  }
}

function requestFor(change: Change, name: string): [string, string, object | undefined] {
  const record = { name, owner: 'Ada', purpose: 'load', type: 'P-256' }
  if (change === 'create') return ['POST', keysPath, record]
  const body = change === 'destroy' ? { confirm: name } : undefined
  return ['POST', `${keysPath}/${name}/${change}`, body]
}
