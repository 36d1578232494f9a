/**
 * The module's sealed state (docs/formats/sealed-state.md sections 2 and 3): a snapshot in pieces, and
 * changes behind it, each sealed as it happens, so that a destruction costs the same however many there
 * were. The host keeps both and reads neither.
 *
 * Changes are numbered and chained from the founding on, and a snapshot says where in that chain it was
 * taken. So a snapshot takes exactly the changes that came after it, also over a later snapshot that was
 * never finished; what is altered, dropped, swapped, of another module or of another time is refused.
 * Cutting off the newest changes cannot show in the state alone: snapshot and changes name the length of
 * the record as it was durable then, and a shorter record is refused.
 */

import { hash } from 'node:crypto'
import { HsmError } from './contract/errors.ts'
import { chunkBytesMax } from './contract/limits.ts'
import { Domain, deriveStateKey, domainIdBytes, type ModuleIds, moduleIdBytes } from './domain.ts'
import { Floor, floorEntryBytes } from './floor.ts'
import { Ledger } from './ledger.ts'
import { SealingKey, sealingOverheadBytes } from './sealing.ts'
import { Secret } from './secret.ts'
import { applyChange, type ChangeTarget } from './state-change.ts'

/** What the state needs to know of the record: how much the host has durably, and the last leaf's time. */
export interface RecordProgress {
  readonly storedSize: number
  readonly lastMicros: number
}

/** Where the state stands. */
export interface StatePosition {
  /** Snapshots so far. */
  readonly generation: number
  /** Changes since the founding. */
  readonly changes: number
  /** 32 bytes: hash over all sealed changes since the founding. */
  readonly chain: Uint8Array
  /** The record holds at least so many leaves, the last no younger than this. */
  readonly record: RecordProgress
}

/** What the host kept, as it was staged. */
export interface StoredState {
  readonly snapshot: readonly Uint8Array[]
  readonly changes: Iterable<Uint8Array>
}

export interface OpenedState {
  readonly domain: Domain
  readonly floor: Floor
  readonly ledger: Ledger
  readonly position: StatePosition
}

export interface SnapshotPiece {
  readonly bytes: Uint8Array
  readonly pieces: number
  readonly generation: number
}

const snapshotMagic = Buffer.from('KHST')
const changeMagic = Buffer.from('KHSC')
const version = 2
const chainBytes = 32
/** Magic, version, domain id, module id, generation, index of the piece, number of pieces. */
const pieceHeaderBytes = 4 + 1 + domainIdBytes + moduleIdBytes + 8 + 4 + 4
/**
 * Number of changes, chain, record size, record time, number of floor entries, length of the domain,
 * number of floor entries of the epoch before.
 */
const positionBytes = 8 + chainBytes + 8 + 8 + 4 + 4 + 4
/** Magic, version, number of this change, record size, record time. */
const changeHeaderBytes = 4 + 1 + 8 + 8 + 8
const pieceEntriesMax = Math.floor(
  (chunkBytesMax - pieceHeaderBytes - sealingOverheadBytes) / floorEntryBytes,
)

const foundingPosition: StatePosition = {
  generation: 0,
  changes: 0,
  chain: new Uint8Array(chainBytes),
  record: { storedSize: 0, lastMicros: 0 },
}

/** A snapshot that is being handed out. */
interface Frozen {
  readonly generation: number
  readonly pieces: number
  readonly first: Buffer
  readonly entries: Buffer
}

export class SealedState implements Disposable {
  #domain: Domain
  readonly #floor: Floor
  readonly #ledger: Ledger
  readonly #record: RecordProgress
  readonly #sealing: SealingKey
  #generation: number
  #changes: number
  #chain: Uint8Array
  #frozen: Frozen | undefined

  /** Goes on from a position; without one the domain is new. */
  constructor(
    { domain, floor, ledger }: Omit<OpenedState, 'position'>,
    record: RecordProgress,
    position: StatePosition = foundingPosition,
  ) {
    this.#domain = domain
    this.#floor = floor
    this.#ledger = ledger
    this.#record = record
    this.#sealing = new SealingKey(domain.stateKey)
    this.#generation = position.generation
    this.#changes = position.changes
    this.#chain = position.chain
  }

  /** Where it stands, for a state of the next epoch to go on from. */
  get position(): StatePosition {
    const { storedSize, lastMicros } = this.#record
    return {
      ...{ generation: this.#generation, changes: this.#changes, chain: this.#chain },
      record: { storedSize, lastMicros },
    }
  }

  /** The same domain with another KEK: what is sealed from now on holds its secrets. */
  useDomain(domain: Domain): void {
    this.#domain = domain
  }

  /** Seals what `stateChange` made; to be stored in this order. */
  sealChange(change: Uint8Array): Uint8Array {
    const header = Buffer.allocUnsafe(changeHeaderBytes)
    changeMagic.copy(header)
    header.writeUInt8(version, 4)
    writeUint64(header, this.#changes, 5)
    writeUint64(header, this.#record.storedSize, 13)
    writeUint64(header, this.#record.lastMicros, 21)
    const aad = Buffer.concat([header, this.#domain.domainId, this.#domain.moduleId, this.#chain])
    const sealed = Buffer.concat([header, this.#sealing.seal(aad, change)])
    this.#changes += 1
    this.#chain = nextChain(this.#chain, sealed)
    return sealed
  }

  /**
   * Piece 0 freezes the state under the next generation; the others come from what was frozen, however
   * the state goes on meanwhile. After the last one, it is let go.
   * @throws HsmError ARGUMENT_INVALID when there is no such piece
   */
  snapshotPiece(piece: number): SnapshotPiece {
    if (piece === 0) this.#frozen = this.#freeze()
    const frozen = this.#frozen
    if (!frozen || !Number.isSafeInteger(piece) || piece < 0 || piece >= frozen.pieces) {
      throw new HsmError('ARGUMENT_INVALID', 'no such piece: a snapshot begins with piece 0')
    }
    const { generation, pieces } = frozen
    if (piece + 1 === pieces) this.#frozen = undefined
    return { bytes: this.#piece(frozen, piece), pieces, generation }
  }

  [Symbol.dispose](): void {
    this.#sealing[Symbol.dispose]()
    this.#frozen = undefined
  }

  #freeze(): Frozen {
    this.#generation += 1
    const generation = this.#generation
    const entries = this.#floor.copyEntries()
    const pieces = 1 + Math.ceil(this.#floor.size / pieceEntriesMax)
    const header = encodePieceHeader(this.#domain, { generation, pieces }, 0)
    using plaintext = this.#encodeFirst()
    const sealed = plaintext.expose((bytes) => this.#sealing.seal(header, bytes))
    return { generation, pieces, first: Buffer.concat([header, sealed]), entries }
  }

  #encodeFirst(): Secret {
    using domain = this.#domain.encode()
    const ledger = this.#ledger.encode()
    const bytes = Buffer.allocUnsafeSlow(positionBytes + domain.length + ledger.length)
    writeUint64(bytes, this.#changes, 0)
    bytes.set(this.#chain, 8)
    writeUint64(bytes, this.#record.storedSize, 40)
    writeUint64(bytes, this.#record.lastMicros, 48)
    bytes.writeUInt32BE(this.#floor.size, 56)
    bytes.writeUInt32BE(domain.length, 60)
    bytes.writeUInt32BE(this.#floor.sizeBefore, 64)
    domain.expose((encoded) => bytes.set(encoded, positionBytes))
    ledger.copy(bytes, positionBytes + domain.length)
    return new Secret(bytes)
  }

  #piece(frozen: Frozen, piece: number): Buffer {
    if (piece === 0) return frozen.first
    const header = encodePieceHeader(this.#domain, frozen, piece)
    const aad = Buffer.concat([header, sha256(frozen.first)])
    const start = (piece - 1) * pieceEntriesMax * floorEntryBytes
    const entries = frozen.entries.subarray(start, start + pieceEntriesMax * floorEntryBytes)
    return Buffer.concat([header, this.#sealing.seal(aad, entries)])
  }
}

/**
 * Opens what the host kept. Takes ownership of the root key, also when it refuses.
 * @throws HsmError STATE_INVALID
 */
export function openSealedState(root: Secret, domainId: Buffer, stored: StoredState): OpenedState {
  using owned = new DisposableStack()
  owned.use(root)
  try {
    const snapshot = readSnapshotHeader(domainId, stored.snapshot)
    using stateKey = deriveStateKey(root, snapshot.ids)
    using sealing = new SealingKey(stateKey)
    const [first = new Uint8Array(), ...rest] = stored.snapshot
    using plaintext = new Secret(openPiece(sealing, snapshot, 0, first))
    const { position, entries, entriesBefore, ledger, secrets } = plaintext.expose((bytes) =>
      decodeFirst(bytes, snapshot),
    )
    const floor = openFloor(sealing, { ...snapshot, first, entriesBefore }, rest)
    const target: ChangeTarget = { floor, ledger, secrets }
    owned.defer(() => target.secrets[Symbol.dispose]())
    if (floor.size !== entries) throw invalid()
    const last = applyChanges({ sealing, ids: snapshot.ids, target }, position, stored.changes)
    const domain = target.secrets.expose((bytes) => Domain.decode(root, snapshot.ids, bytes))
    target.secrets[Symbol.dispose]()
    owned.move()
    return { domain, floor, ledger, position: last }
  } catch (error) {
    if (error instanceof HsmError) throw invalid(error)
    throw error
  }
}

interface Snapshot {
  readonly ids: ModuleIds
  readonly generation: number
  readonly pieces: number
}

/** What the first piece says of itself, which is checked when it is opened. */
function readSnapshotHeader(domainId: Buffer, pieces: readonly Uint8Array[]): Snapshot {
  const header = view(pieces[0] ?? new Uint8Array()).subarray(0, pieceHeaderBytes)
  if (header.length < pieceHeaderBytes) throw invalid()
  const moduleId = Buffer.from(header.subarray(21, 37))
  return { ids: { domainId, moduleId }, generation: readUint64(header, 37), pieces: pieces.length }
}

/** @param first the first piece, as sealed, for all others */
function openPiece(
  sealing: SealingKey,
  snapshot: Snapshot & { readonly first?: Uint8Array },
  index: number,
  piece: Uint8Array,
): Buffer {
  const header = encodePieceHeader(snapshot.ids, snapshot, index)
  if (!header.equals(piece.subarray(0, pieceHeaderBytes))) throw invalid()
  const aad = snapshot.first ? Buffer.concat([header, sha256(snapshot.first)]) : header
  return sealing.open(aad, piece.subarray(pieceHeaderBytes))
}

interface First {
  readonly position: StatePosition
  readonly entries: number
  readonly entriesBefore: number
  readonly secrets: Secret
  readonly ledger: Ledger
}

function decodeFirst(plaintext: Uint8Array, { generation }: Snapshot): First {
  const bytes = view(plaintext)
  if (bytes.length < positionBytes) throw invalid()
  const domainEnd = positionBytes + bytes.readUInt32BE(60)
  if (domainEnd > bytes.length) throw invalid()
  const ledger = Ledger.decode(bytes.subarray(domainEnd))
  const position = {
    generation,
    changes: readUint64(bytes, 0),
    chain: Buffer.from(bytes.subarray(8, 8 + chainBytes)),
    record: { storedSize: readUint64(bytes, 40), lastMicros: readUint64(bytes, 48) },
  }
  const secrets = Secret.copyOf(bytes.subarray(positionBytes, domainEnd))
  const [entries, entriesBefore] = [bytes.readUInt32BE(56), bytes.readUInt32BE(64)]
  return { position, entries, entriesBefore, secrets, ledger }
}

function openFloor(
  sealing: SealingKey,
  snapshot: Snapshot & { readonly first: Uint8Array; readonly entriesBefore: number },
  pieces: readonly Uint8Array[],
): Floor {
  const floor = new Floor()
  for (const [index, piece] of pieces.entries()) {
    const entries = openPiece(sealing, snapshot, 1 + index, piece)
    for (let start = 0; start < entries.length; start += floorEntryBytes) {
      floor.apply(entries.subarray(start, start + floorEntryBytes))
      if (floor.size === snapshot.entriesBefore) floor.beginEpoch()
    }
  }
  if (floor.sizeBefore !== snapshot.entriesBefore) throw invalid()
  return floor
}

interface OpenedChanges {
  readonly sealing: SealingKey
  readonly ids: ModuleIds
  readonly target: ChangeTarget
}

/** Applies them in order and tells where the state stands then. */
function applyChanges(
  { sealing, ids, target }: OpenedChanges,
  position: StatePosition,
  sealedChanges: Iterable<Uint8Array>,
): StatePosition {
  let { changes, chain, record } = position
  for (const sealed of sealedChanges) {
    const header = view(sealed).subarray(0, changeHeaderBytes)
    if (
      sealed.length < changeHeaderBytes ||
      !changeMagic.equals(header.subarray(0, 4)) ||
      header[4] !== version ||
      readUint64(header, 5) !== changes
    ) {
      throw invalid()
    }
    const aad = Buffer.concat([header, ids.domainId, ids.moduleId, chain])
    const change = sealing.open(aad, sealed.subarray(changeHeaderBytes))
    applyChange(target, change)
    change.fill(0)
    changes += 1
    chain = nextChain(chain, sealed)
    record = { storedSize: readUint64(header, 13), lastMicros: readUint64(header, 21) }
  }
  return { generation: position.generation, changes, chain, record }
}

/** Of a piece of a snapshot, as it says. */
export function domainIdOf(piece: Uint8Array): Uint8Array {
  return piece.subarray(5, 5 + domainIdBytes)
}

function encodePieceHeader(
  { domainId, moduleId }: ModuleIds,
  { generation, pieces }: Pick<Snapshot, 'generation' | 'pieces'>,
  index: number,
): Buffer {
  const header = Buffer.alloc(pieceHeaderBytes)
  snapshotMagic.copy(header)
  header.writeUInt8(version, 4)
  header.set(domainId, 5)
  header.set(moduleId, 21)
  writeUint64(header, generation, 37)
  header.writeUInt32BE(index, 45)
  header.writeUInt32BE(pieces, 49)
  return header
}

function nextChain(chain: Uint8Array, sealed: Uint8Array): Buffer {
  return hash('sha256', Buffer.concat([chain, sealed]), 'buffer')
}

function sha256(bytes: Uint8Array): Buffer {
  return hash('sha256', bytes, 'buffer')
}

function view(bytes: Uint8Array): Buffer {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length)
}

function writeUint64(bytes: Buffer, value: number, offset: number): void {
  bytes.writeUInt32BE(Math.floor(value / 0x1_0000_0000), offset)
  bytes.writeUInt32BE(value % 0x1_0000_0000, offset + 4)
}

/** @throws HsmError STATE_INVALID beyond 2^53 */
function readUint64(bytes: Buffer, offset: number): number {
  const value = bytes.readUInt32BE(offset) * 0x1_0000_0000 + bytes.readUInt32BE(offset + 4)
  if (!Number.isSafeInteger(value)) throw invalid()
  return value
}

function invalid(cause?: unknown): HsmError {
  const options = cause === undefined ? undefined : { cause }
  return new HsmError(
    'STATE_INVALID',
    'the sealed state is not whole, or not of this module',
    options,
  )
}
