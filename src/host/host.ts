/**
 * The host of one module, as a library in the server's process: opens the data folder, starts the
 * module, brings it to where it was, relays commands, releases each answer when its leaf is durable,
 * and starts the module again when it ends. The host never sees a key; it can lose what it keeps, but
 * not change it unseen.
 */

import path from 'node:path'
import type { Call, Claim, CommandName, Outcome } from '../hsm/contract/commands.ts'
import { comeBack } from './come-back.ts'
import { DataFolder } from './data-folder.ts'
import type { LeafSpan } from './door-client.ts'
import { Epochs } from './epochs.ts'
import { explained, type HostError, messageOf, noSecret, notLocked } from './errors.ts'
import { EventFile } from './events.ts'
import { HostFreshness } from './freshness.ts'
import { Gate } from './gate.ts'
import { measuresOf } from './measures.ts'
import { ModuleFiles } from './module-files.ts'
import { ModuleLog } from './module-log.ts'
import type { ModuleEnd, StartModule } from './module-process.ts'
import { feed, newDomain, openDomain, type Place, secretFor } from './open-domain.ts'
import type { EpochRequest, HostMeasures, HostOptions, HostStatus } from './options.ts'
import type { RecordReader } from './record-files.ts'
import { RestartLimit } from './restart-limit.ts'
import { Seals } from './seals.ts'
import type { SensorEvent } from './sensors/sensor.ts'
import { signalOfEnd, signalOfRefusal } from './sensors/signals.ts'
import { Session } from './session.ts'
import { Snapshots } from './snapshot.ts'
import { startOwnModule } from './start-own-module.ts'
import { type Answer, answerOf, ask, call, hostClaim, sealingAt } from './start-up.ts'
import type { EpochResult } from './turn-epoch.ts'
import { finishZeroising } from './zeroise.ts'

/**
 * @throws HostError FOLDER_…, SEAL_MISSING, MODULE_UNAVAILABLE, STORAGE_FAILED
 * @throws HsmError SEAL_INVALID, STATE_INVALID, RECORD_INVALID and whatever else the module refuses
 */
export async function openHost(options: HostOptions): Promise<Host> {
  const { development, foundIfEmpty = false } = options
  const folder = await DataFolder.open(options.folder, { development, foundIfEmpty })
  try {
    return await Host.open(options, folder)
  } catch (error) {
    folder[Symbol.dispose]()
    throw error
  }
}

export class Host implements AsyncDisposable {
  /** What opens the domain, side by side. */
  readonly seals: Seals
  /** What happened to the module's process, for who looks for the cause later. */
  readonly events: EventFile
  readonly freshness: HostFreshness
  /** The record as a transparency log. */
  readonly log: ModuleLog
  readonly #options: HostOptions
  readonly #folder: DataFolder
  readonly #files: ModuleFiles
  readonly #gate: Gate
  readonly #listeners: ((generation: number) => void)[] = []
  readonly #signalListeners: ((event: SensorEvent) => void)[] = []
  readonly #restarts = new RestartLimit()
  readonly #startModule: StartModule
  #session: Session | undefined
  #generation = 0
  #recordSize = 0
  /** Whether the module is to stay locked when it is started. */
  #locked = false
  #comingBack: Promise<void> | undefined
  readonly #snapshots: Snapshots
  readonly #epochs: Epochs

  private constructor(options: HostOptions, folder: DataFolder, files: ModuleFiles) {
    this.#options = options
    this.#folder = folder
    this.#files = files
    this.#recordSize = files.record.size
    this.log = new ModuleLog(files.record, this)
    this.#gate = new Gate(() => files.commit.failure)
    const door = () => this.#gate.openDoor
    const { log: record } = this
    this.freshness = new HostFreshness({ ...options, folder: folder.path, door, record })
    this.#snapshots = new Snapshots(options.log)
    this.#startModule = options.startModule ?? startOwnModule(options)
    this.events = new EventFile(
      path.join(folder.path, 'host.events'),
      () => new Date(),
      (error) => options.log({ level: 'warn', message: `host.events: ${messageOf(error)}` }),
    )
    this.#epochs = new Epochs({
      ...{ options, files, gate: this.#gate },
      session: () => this.#session,
      snapshotTaken: () => this.#snapshots.settled,
      turned: ({ epoch, kek }) => this.events.add('epoch turned', { epoch, kek }),
    })
    const beside = { epochs: this.#epochs, events: this.events, tpm: options.counter }
    this.seals = new Seals(this, { folder: folder.path, ...beside })
  }

  get #place(): Place {
    const { freshness } = this
    return { options: this.#options, folder: this.#folder, files: this.#files, freshness }
  }

  static async open(options: HostOptions, folder: DataFolder): Promise<Host> {
    const files = await ModuleFiles.open({
      folder: folder.path,
      founded: folder.domain !== undefined,
      ...{ calls: options.disk, meter: options.meter },
      committed: (recordSize) => host.#committed(recordSize),
      failed: (error) => host.#storageFailed(error),
      recovered: () => host.#storageRecovered(),
    })
    const host = new Host(options, folder, files)
    try {
      host.events.add('host opened', { pid: process.pid })
      await host.#bringUp()
      return host
    } catch (error) {
      host.#gate.close('closed')
      await host.#files.close()
      await host.events.settled()
      throw error
    }
  }

  /** Process id of the module; 0 while there is none. */
  get pid(): number {
    return this.#session?.process.pid ?? 0
  }

  /** Counts the module's starts to operational; keys loaded under an earlier one are gone. */
  get generation(): number {
    return this.#generation
  }

  /** Resolves when the module is locked the next time. */
  whenLocked(): Promise<void> {
    return this.#gate.whenLocked()
  }

  /** Called each time a module has become operational after this. */
  onGeneration(listener: (generation: number) => void): void {
    this.#listeners.push(listener)
  }

  /** Called with each sign of tampering that comes without a sensor (sensors/signals.ts). */
  onSignal(listener: (event: SensorEvent) => void): void {
    this.#signalListeners.push(listener)
  }

  status(): HostStatus {
    return {
      state: this.#gate.state,
      reason: this.#gate.reason,
      development: this.#folder.development,
      domainId: this.#folder.domain?.domainId ?? '',
      moduleId: this.#folder.domain?.moduleId ?? '',
      pid: this.pid,
      generation: this.#generation,
      recordSize: this.#recordSize,
      inFlight: this.#session?.door.inFlight ?? 0,
    }
  }

  measures(): HostMeasures {
    return measuresOf(this.#files, this.#gate, this.#session?.door, this.#recordSize)
  }

  /**
   * One outcome for each call, in their order, once their leaves and changes of state are durable. A
   * rejection with MODULE_ENDED or STORAGE_FAILED means that nobody knows whether they took effect; with
   * any other code nothing was sent. `leaves` takes in which leaves of the record they are.
   * @throws HostError
   */
  call(claim: Claim, calls: readonly Call[], leaves?: LeafSpan[]): Promise<Outcome[]> {
    return this.#gate.call(claim, calls, leaves)
  }

  /** One command. @throws HsmError what the module refused; HostError */
  async run<N extends CommandName>(claim: Claim, command: Call<N>): Promise<Answer<N>> {
    const outcomes = await this.call(claim, [command as Call])
    return answerOf<N>(outcomes[0])
  }

  /** For this start of the module (contract/transport.ts). @throws HostError MODULE_UNAVAILABLE */
  async transportPublicKey(): Promise<Uint8Array> {
    await this.#comingBack
    const ready = this.#session?.ready
    if (!ready) throw this.#gate.unavailable()
    return ready.transportKey
  }

  /** The next epoch: new root key, seal and sealed state; calls wait. @throws HsmError, HostError */
  async renewEpoch(claim: Claim, request: EpochRequest): Promise<EpochResult> {
    const { seal, sealed } = request
    const keeper = seal === 'tpm' && sealed ? await this.seals.keeperOf(sealed) : undefined
    return this.#epochs.renew(claim, request, keeper)
  }

  /** The command that renewEpoch begins with, for people to approve. @throws HsmError, HostError */
  epochCall(request: EpochRequest): Promise<Call<'beginEpoch'>> {
    return this.#epochs.callFor(request)
  }

  /** What is durable of the record, at most 1,000 leaves or heads at a time. */
  get record(): RecordReader {
    return this.#files.record
  }

  /** Another process takes the place of the module, locked. What is in flight is answered or MODULE_ENDED. @throws HostError */
  async lock(claim: Claim): Promise<void> {
    const session = this.#session
    if (this.#gate.door === undefined || session === undefined) throw this.#gate.unavailable()
    await this.#renew(session, () => ask(session.door, claim, call('lock', {}, {})))
  }

  /** Another process in place of a locked one; shares are offered to it anew. @throws HostError */
  renewLocked(): Promise<void> {
    return this.#renew(this.#lockedSession(), async () => undefined)
  }

  async #renew(session: Session, last: () => Promise<unknown>): Promise<void> {
    this.#gate.close('restarting')
    this.#locked = true
    session.served = false
    await last().finally(() => session.process.stop().finally(() => this.#comeBack()))
    await this.#comingBack
  }

  /** Overwrites the bytes of the secret. @throws HsmError SEAL_INVALID; HostError MODULE_UNAVAILABLE */
  async unlock(claim: Claim, secret: Uint8Array): Promise<void> {
    const { state } = this.#gate
    const session = state === 'locked' ? this.#session : undefined
    if (!session?.ready) {
      secret.fill(0)
      throw notLocked(state)
    }
    const { sealKind } = this.#options
    const sealing = sealingAt(session.door, session.ready.transportKey)
    await this.openLocked(claim, await feed(sealing, 'unlock', sealKind, secret))
  }

  /** A command that a locked module answers. @throws HsmError; HostError MODULE_UNAVAILABLE unless it is locked */
  async askLocked<N extends CommandName>(claim: Claim, command: Call<N>): Promise<Answer<N>> {
    return ask(this.#lockedSession().door, claim, command)
  }

  /** By a seal's secret, or the shares that were offered. @throws HsmError, HostError as unlock */
  async openLocked(claim: Claim, opening: Parameters<typeof openDomain>[3]): Promise<void> {
    const session = this.#lockedSession()
    await openDomain(session, this.#place, claim, opening)
    this.#locked = false
    this.#operational(session)
  }

  #lockedSession(): Session {
    if (this.#gate.state === 'locked' && this.#session) return this.#session
    throw notLocked(this.#gate.state)
  }

  /** Asks for the module again after it ended too often. @throws HostError MODULE_UNAVAILABLE */
  async start(): Promise<void> {
    if (this.#gate.state === 'unavailable') {
      this.#restarts.forget()
      this.#comeBack()
    }
    await this.#comingBack
    if (!['operational', 'locked'].includes(this.#gate.state)) throw this.#gate.unavailable()
  }

  /** Ends the module and gives the folder back; what arrived is made durable first. */
  async [Symbol.asyncDispose](): Promise<void> {
    if (this.#gate.state === 'closed') return
    const isOrderly = this.#gate.state === 'operational'
    this.#gate.close('closed')
    await this.#epochs.settled()
    if (isOrderly && this.#session) await this.freshness.confirmEnd(this.#session.door)
    await this.#session?.process.stop()
    await this.#comingBack
    await this.#snapshots.settled
    await this.#files.close()
    await this.events.settled()
    this.#folder[Symbol.dispose]()
  }

  /**
   * From nothing to a module that is where the last one was, or locked if that is wanted. When it fails
   * the process is gone again.
   */
  async #bringUp(): Promise<void> {
    await this.#epochs.settled()
    await this.#files.commit.idle()
    const started = await this.#startModule()
    if (this.#gate.state === 'closed') {
      started.kill()
      throw this.#gate.unavailable()
    }
    const { meter } = this.#options
    const session: Session = new Session(this.#files, started, () => this.#leave(session), meter)
    this.#session = session
    void session.ended.then((end) => this.#ended(session, end))
    this.events.add('module started', { pid: session.process.pid })
    try {
      const ready = await session.prepare(this.#files)
      const isFounded = this.#folder.domain !== undefined
      const command = isFounded ? 'unlock' : 'found'
      const fed = this.#locked ? null : await secretFor(session, ready, this.#options, command)
      if (fed === null) {
        if (!isFounded) throw noSecret()
        session.served = true
        this.#locked = true
        this.#gate.close('locked')
        return
      }
      if (isFounded) await openDomain(session, this.#place, hostClaim, fed)
      else this.events.add('domain founded', { ...(await newDomain(session, this.#place, fed)) })
    } catch (error) {
      session.process.kill()
      const { output } = await session.ended
      throw explained(error, session.broken || output)
    }
    this.#operational(session)
  }

  #operational(session: Session): void {
    session.served = true
    session.unlocked = true
    this.#generation += 1
    for (const listener of this.#listeners) listener(this.#generation)
    this.#gate.open(session.door)
  }

  /** Calls wait from here on. */
  #leave(session: Session): void {
    if (this.#session === session) this.#gate.leave()
  }

  #ended(session: Session, end: ModuleEnd): void {
    const reason = session.broken
    this.events.add('module ended', { pid: session.process.pid, ...end, reason })
    if (this.#session === session) this.#session = undefined
    if (session.zeroised) {
      const place = { folder: this.#folder.path, gate: this.#gate, events: this.events }
      this.#comingBack = finishZeroising(place, session.zeroised, this.#options.log)
      return
    }
    if (this.#gate.state === 'closed' || (!session.served && end.kind === 'asked')) return
    const level = end.kind === 'wall' ? 'error' : 'warn'
    this.#options.log({ level, message: `the module ended: ${end.kind}`, ...end, reason })
    this.#signal(signalOfEnd(end))
    this.#restarts.ended()
    if (session.served) this.#comeBack()
  }

  #comeBack(): void {
    this.#gate.close('restarting')
    this.#comingBack = comeBack({
      gate: this.#gate,
      restarts: this.#restarts,
      storageFailure: () => this.#files.commit.failure,
      bringUp: () => this.#bringUp(),
      refused: (error) => this.#signal(signalOfRefusal(error)),
      givenUp: (reason) => this.#givenUp(reason),
    })
  }

  #signal(event: SensorEvent | undefined): void {
    if (event) for (const listener of this.#signalListeners) listener(event)
  }

  #givenUp(reason: string): void {
    this.events.add('module given up', { reason })
    this.#options.log({ level: 'error', message: `the module is not started again: ${reason}` })
  }

  #committed(recordSize: number): void {
    this.#recordSize = Math.max(this.#recordSize, recordSize)
    const { door } = this.#gate
    if (door === undefined) return
    door.acknowledge(this.#recordSize)
    this.#snapshots.committed(door, this.#files.state)
  }

  #storageFailed(error: HostError): void {
    this.#options.log({ level: 'error', message: error.message })
    if (this.#gate.state === 'operational') this.#gate.close('storage-failed', error.message)
  }

  #storageRecovered(): void {
    this.#options.log({ level: 'info', message: 'the record can be made durable again' })
    if (this.#gate.state !== 'storage-failed') return
    if (this.#session?.unlocked) this.#gate.open(this.#session.door)
    else this.#comeBack()
  }
}
