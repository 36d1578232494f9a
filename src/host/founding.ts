/**
 * A host for one founding (docs/ceremony.md): holds a new data folder, starts a module in it, relays `found`,
 * and lets the domain come to be only when its caller says that what has to be handed out is kept. Until
 * then nothing is founded, and the next try sets aside what this one left.
 */

import type { Call, Commands } from '../hsm/contract/commands.ts'
import { DataFolder } from './data-folder.ts'
import { explained, HostError } from './errors.ts'
import { ModuleFiles } from './module-files.ts'
import type { StartModule } from './module-process.ts'
import type { HostLogEntry } from './options.ts'
import { Session } from './session.ts'
import { type Answer, ask, call, hostClaim } from './start-up.ts'

export interface FoundingOptions {
  readonly folder: string
  readonly log: (entry: HostLogEntry) => void
  /** How the module is started: by the launcher from security level 3. */
  readonly startModule: StartModule
}

type Found = Commands['found']

export class FoundingHost implements AsyncDisposable {
  readonly #folder: DataFolder
  readonly #files: ModuleFiles
  readonly #session: Session
  /** Of this start of the module; the challenge, in hex, is one for `found`. */
  readonly sealingKey: { readonly transportKey: Uint8Array; readonly challenge: string }
  #answer: Answer<'found'> | undefined

  private constructor(
    folder: DataFolder,
    files: ModuleFiles,
    session: Session,
    sealingKey: FoundingHost['sealingKey'],
  ) {
    this.#folder = folder
    this.#files = files
    this.#session = session
    this.sealingKey = sealingKey
  }

  /** @throws HostError FOLDER_… also for a folder that has a domain; MODULE_ENDED */
  static async open({ folder: place, log, startModule }: FoundingOptions): Promise<FoundingHost> {
    await using owned = new AsyncDisposableStack()
    const options = { development: false, foundIfEmpty: true }
    const folder = owned.use(await DataFolder.open(place, options))
    if (folder.domain) {
      throw new HostError('FOLDER_FOREIGN', `there is a domain already in ${place}`)
    }
    const files = await ModuleFiles.open({
      folder: folder.path,
      founded: false,
      committed: () => undefined,
      failed: (error) => log({ level: 'error', message: error.message }),
      recovered: () => undefined,
    })
    owned.defer(() => files.close())
    const session = new Session(files, await startModule(), () => undefined)
    owned.defer(async () => {
      await session.process.stop()
    })
    try {
      const { transportKey } = await session.prepare(files)
      const asked = call('getChallenge', { command: 'found' }, {})
      const { challenge } = (await ask(session.door, hostClaim, asked)).result
      owned.move()
      return new FoundingHost(folder, files, session, { transportKey, challenge })
    } catch (error) {
      session.process.kill()
      const { output } = await session.ended
      throw explained(error, session.broken || output)
    }
  }

  /** Once. @throws HsmError what the module refuses; HostError MODULE_ENDED */
  async found(args: Found['arguments'], parts: Found['parts']): Promise<Answer<'found'>> {
    const command: Call<'found'> = { command: 'found', arguments: args, parts }
    this.#answer = await ask(this.#session.door, hostClaim, command)
    return this.#answer
  }

  /** From here on there is a domain. @throws HostError STORAGE_FAILED */
  async commit(sealKind: 'passphrase' | undefined): Promise<void> {
    if (!this.#answer) throw new TypeError('nothing was founded')
    const { result, parts } = this.#answer
    if (sealKind && parts.seal) await this.#files.writeSeal(sealKind, parts.seal)
    await this.#files.foundState(parts.snapshot)
    await this.#files.record.removeTakenPreludes()
    await this.#files.commit.idle()
    const { domainId, moduleId } = result
    await this.#folder.commitFounding({ domainId, moduleId })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#session.process.stop()
    await this.#files.close()
    this.#folder[Symbol.dispose]()
  }
}
