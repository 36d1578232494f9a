/**
 * The manager on a real module in a throwaway folder, with one person for each role, for tests of what
 * the two do together. A call of the module can be cut off before or behind it, as a crash would.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import type { Host } from '../../src/host/host.ts'
import type { HostOptions } from '../../src/host/options.ts'
import type { Call, Claim, Outcome } from '../../src/hsm/contract/commands.ts'
import { bootstrap } from '../../src/kms/access/bootstrap.ts'
import { createIdentity } from '../../src/kms/access/identities.ts'
import { createNamespace } from '../../src/kms/access/namespaces.ts'
import { type Role, roles } from '../../src/kms/access/permissions.ts'
import { setRoles } from '../../src/kms/access/roles.ts'
import { KmsError, type KmsErrorCode } from '../../src/kms/errors.ts'
import type { NewKeyInput } from '../../src/kms/keys/new-key.ts'
import type { Caller, Kms, LogEntry, ModuleHost } from '../../src/kms/kms.ts'
import { openKms } from '../../src/kms/open.ts'
import { openAt } from '../host/open.ts'

export const namespace = 'acme'

/** Where a crash cuts: at which call of the module, and whether the module still runs it. */
export interface Cut {
  readonly at: number
  readonly side: 'before' | 'behind'
}

export class TestKms implements AsyncDisposable {
  readonly folder: string
  readonly people = new Map<Role | 'nobody', Caller>()
  readonly logged: LogEntry[] = []
  /** Milliseconds that the clock is ahead. */
  aheadMs = 0
  #host: Host | undefined
  #first: Caller | undefined
  #kms: Kms | undefined

  private constructor(folder: string) {
    this.folder = folder
  }

  static async open(options: Partial<HostOptions> = {}): Promise<TestKms> {
    const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-kms-'))
    const opened = new TestKms(path.join(parent, 'data'))
    opened.#host = await openAt(opened.folder, options)
    await opened.reopen()
    await opened.#addPeople()
    return opened
  }

  get kms(): Kms {
    assert(this.#kms)
    return this.#kms
  }

  get host(): Host {
    assert(this.#host)
    return this.#host
  }

  /** The administrator of every namespace. */
  get first(): Caller {
    assert(this.#first)
    return this.#first
  }

  as(role: Role | 'nobody'): Caller {
    const caller = this.people.get(role)
    assert(caller)
    return caller
  }

  /** A person with this role in every namespace, and in what concerns the whole installation. */
  async everywhere(role: Role): Promise<Caller> {
    const input = { name: `${role}-everywhere`, kind: 'person' } as const
    const identity = await createIdentity(this.kms, this.first, input)
    await setRoles(this.kms, this.first, '*', identity.id, [role])
    return callerOf(identity)
  }

  /** As a new process would, with the module as it is, or through another host. */
  async reopen(host: ModuleHost = this.host): Promise<void> {
    await this.#kms?.[Symbol.asyncDispose]()
    this.#kms = await openKms({
      folder: this.folder,
      host,
      now: () => Date.now() + this.aheadMs,
      log: (entry) => this.logged.push(entry),
    })
  }

  /** The host, with calls of the module that go this way. */
  through(call: ModuleHost['call']): ModuleHost {
    const { host } = this
    return {
      call,
      renewEpoch: (claim, request) => host.renewEpoch(claim, request),
      epochCall: (request) => host.epochCall(request),
      seals: host.seals,
      freshness: host.freshness,
      lock: (claim) => host.lock(claim),
    }
  }

  /** The module ends as well, and comes back with nothing loaded. */
  async restart(): Promise<void> {
    await this.#kms?.[Symbol.asyncDispose]()
    this.#kms = undefined
    await this.host[Symbol.asyncDispose]()
    this.#host = await openAt(this.folder)
    await this.reopen()
  }

  /** Runs the work until the cut; whatever it waits for then never comes. False when it ended before. */
  async cutOff(cut: Cut, work: (kms: Kms) => Promise<unknown>): Promise<boolean> {
    const { promise: isCut, resolve } = Promise.withResolvers<true>()
    let calls = 0
    const through = this.through(
      async (claim: Claim, asked: readonly Call[]): Promise<Outcome[]> => {
        calls += 1
        if (calls !== cut.at) return this.host.call(claim, asked)
        if (cut.side === 'behind') await this.host.call(claim, asked)
        resolve(true)
        return new Promise(() => undefined)
      },
    )
    await this.reopen(through)
    return Promise.race([isCut, work(this.kms).then(() => false)])
  }

  /** The refusal, which has changed no row and nothing that the module seals. */
  async refuses(code: KmsErrorCode, work: () => Promise<unknown>): Promise<void> {
    const before = await this.state()
    await assert.rejects(work, (error: unknown) => {
      assert(error instanceof KmsError, `not a KmsError: ${String(error)}`)
      assert.equal(error.code, code, error.message)
      return true
    })
    assert.deepEqual(await this.state(), before)
  }

  /** Every row of what a call can change, and what the module has sealed and loaded. */
  async state(): Promise<unknown> {
    const { query } = this.kms.db
    const rows = []
    for (const table of ['keys', 'keyNames', 'keyVersions', 'intents', 'answers'] as const) {
      rows.push(await query.selectFrom(table).selectAll().execute())
    }
    const { result } = await this.ask({ command: 'getStatus', arguments: {}, parts: {} })
    assert('floorEntries' in result)
    const { floorEntries, loadedKeys } = result
    return { rows, floorEntries, loadedKeys }
  }

  /** Asks the module itself. */
  async ask(call: Call): Promise<Exclude<Outcome, { error: unknown }>> {
    const claim = { identity: 'id_test', requestId: 'test', protocol: 'test', address: '' }
    const [outcome] = await this.host.call(claim, [call])
    assert(outcome)
    if ('error' in outcome) throw new KmsError(outcome.error.code, outcome.error.message)
    return outcome
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#kms?.[Symbol.asyncDispose]()
    await this.#host?.[Symbol.asyncDispose]()
    rmSync(path.dirname(this.folder), { recursive: true })
  }

  async #addPeople(): Promise<void> {
    const { kms } = this
    const first = await bootstrap(kms, { name: 'first', roles: ['administrator'] })
    assert(first)
    const administrator = callerOf(first.identity)
    this.#first = administrator
    await createNamespace(kms, administrator, { name: namespace })
    for (const role of [...roles, 'nobody'] as const) {
      const name = `a-${role}`
      const identity = await createIdentity(kms, administrator, { name, kind: 'person' })
      if (role !== 'nobody') await setRoles(kms, administrator, namespace, identity.id, [role])
      this.people.set(role, callerOf(identity))
    }
  }
}

function callerOf(identity: Caller['identity']): Caller {
  return { identity, requestId: 'test', protocol: 'test', address: '127.0.0.1' }
}

export function keyInput(name: string, more: Partial<NewKeyInput> = {}): NewKeyInput {
  return { name, owner: 'Ada', purpose: 'tests', ...more }
}
