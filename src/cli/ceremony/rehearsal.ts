/**
 * What a rehearsal has of its own. Custodians' keys are not there, so each is replaced by one that is made for it; with
 * these and the passphrases as many shares as it takes open the scratch module again, as they would after
 * a restart.
 *
 * A throwaway place for a rehearsal: a folder in memory where the system has one (/dev/shm), else among the
 * temporary files, for a ceremony and a scratch module. Nothing outside of it is written, and it goes away.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { accessSync, constants, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { readUnlockPlace } from '../../client/config.ts'
import { Connection } from '../../client/connection.ts'
import { clientError } from '../../client/errors.ts'
import { encodeCustodianPublicKey } from '../../hsm/contract/custodian-key.ts'
import { secretCopy } from '../../hsm/contract/secret-memory.ts'
import { type ShareKey, shareFileBytesMax } from '../../hsm/contract/share.ts'
import { XWingPrivateKey } from '../../hsm/contract/x-wing.ts'
import { offerShare } from '../shares/offer.ts'
import { readSmallFile } from '../small-file.ts'
import type { Attendants } from './conduct.ts'
import type { CeremonyFolder } from './folder.ts'
import type { CeremonyPlan } from './plan.ts'

const memory = '/dev/shm'
const levelMax = 2

export class RehearsalFolder implements Disposable {
  readonly path: string

  constructor() {
    this.path = mkdtempSync(path.join(isWritable(memory) ? memory : tmpdir(), 'keyhold-rehearsal-'))
  }

  get ceremony(): string {
    return path.join(this.path, 'ceremony')
  }

  get data(): string {
    return path.join(this.path, 'data')
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true })
  }
}

function isWritable(folder: string): boolean {
  try {
    accessSync(folder, constants.W_OK)
    return true
  } catch {
    return false
  }
}

const logCharactersMax = 16_384
const server = path.join(import.meta.dirname, '../../server/main.ts')

/** The plan with keys of its own, and everything that opens its shares. */
export class RehearsedCustodians {
  readonly plan: CeremonyPlan
  readonly #keys = new Map<string, ShareKey>()

  constructor(plan: CeremonyPlan) {
    const { custodians } = plan
    const people = (custodians?.people ?? []).map((person) => {
      if (person.kind === 'passphrase') return person
      const privateKey = new XWingPrivateKey(randomBytes(32))
      this.#keys.set(person.name, { privateKey })
      return { ...person, publicKey: encodeCustodianPublicKey(privateKey.publicKey) }
    })
    // Above it takes the launcher, which starts nothing from a throwaway folder.
    const level = plan.level > levelMax ? levelMax : plan.level
    this.plan = { ...plan, level, custodians: custodians && { ...custodians, people } }
  }

  /** Those who attend, whose passphrases are kept for the end. */
  attend(attendants: Attendants): Attendants {
    return {
      ...attendants,
      passphrase: async (name) => {
        const passphrase = await attendants.passphrase(name)
        this.#keys.set(name, { passphrase: secretCopy(passphrase) })
        return passphrase
      },
    }
  }

  /** As many as it takes open the scratch module. @throws ClientError when they do not */
  async open(folder: CeremonyFolder): Promise<void> {
    const { custodians } = this.plan
    if (!custodians) return
    const args = [
      '--no-experimental-ffi',
      server,
      '--data',
      folder.state.data,
      '--port=0',
      '--locked',
    ]
    const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'pipe'] })
    try {
      await isLocked(child)
      using connection = new Connection(await readUnlockPlace(folder.state.data))
      const some = custodians.people.slice(-custodians.threshold)
      const first = custodians.people.length - some.length
      let isOpen = false
      for (const [position, { name }] of some.entries()) {
        const share = await readSmallFile(
          folder.shareFiles[first + position] ?? '',
          shareFileBytesMax,
        )
        const key = this.#keys.get(name)
        if (!key) throw clientError('FILE_INVALID', `nothing opens the share of ${name}`)
        isOpen = (await offerShare(connection, share, async (use) => use(key))).unlocked
      }
      if (!isOpen) throw clientError('FILE_INVALID', 'the shares did not open the scratch module')
    } finally {
      const ended = once(child, 'exit')
      child.kill('SIGKILL')
      await ended
      for (const key of this.#keys.values()) if ('passphrase' in key) key.passphrase.fill(0)
    }
  }
}

/** @throws ClientError when the server ends before it waits for custodians */
async function isLocked({ stdout, stderr }: ChildProcess): Promise<void> {
  let log = ''
  stderr?.setEncoding('utf8').on('data', (text: string) => {
    log = (log + text).slice(-logCharactersMax)
  })
  if (stdout) {
    for await (const line of createInterface({ input: stdout })) {
      if (line.startsWith('{"locked":true')) return
    }
  }
  const why = log.trim().split('\n').at(-1) ?? ''
  throw clientError('SERVER_UNREACHABLE', `the scratch module did not start again: ${why}`)
}
