/**
 * The secrets of an epoch (design section 3): the domain root key, the key-encryption key, and the backup
 * key. The root seals the other two under keys that HKDF-SHA-256 (RFC 5869) derives from it, so what
 * encode() gives is no secret. KEKs are numbered from the founding on, also over epochs. While keys are
 * re-wrapped the KEK before is held as well, sealed under the root that is in force: it opens wrapped keys
 * and wraps none.
 *
 *   epoch (4) || generation of the KEK (4) || sealed KEK (72) || sealed backup key (72)
 *     || epoch (4), generation (4) and sealed KEK (72) of the one before, all zeros when there is none
 */

import { hkdfSync } from 'node:crypto'
import { HsmError } from './contract/errors.ts'
import { randomBytes } from './random.ts'
import { SealingKey, sealingOverheadBytes } from './sealing.ts'
import { Secret } from './secret.ts'

const keyBytes = 32
const sealedBytes = keyBytes + sealingOverheadBytes
const kekBytes = 8 + sealedBytes

/** Length of what encode() gives. */
export const epochKeysBytes = kekBytes + sealedBytes + kekBytes

/** Which KEK a wrapped key names. */
export interface KekName {
  readonly epoch: number
  /** From 1. */
  readonly generation: number
}

interface Kek extends KekName {
  readonly key: Secret
  readonly sealed: Buffer
}

interface Keys {
  readonly root: Secret
  readonly kek: Kek
  readonly backupKey: Secret
  readonly sealedBackupKey: Buffer
  readonly before: Kek | undefined
}

export class EpochKeys implements Disposable {
  readonly #domainId: Buffer
  readonly #keys: Keys

  private constructor(domainId: Buffer, keys: Keys) {
    this.#domainId = domainId
    this.#keys = keys
  }

  /** Of epoch 1. */
  static found(domainId: Buffer): EpochKeys {
    return EpochKeys.#renewed(domainId, { epoch: 1, generation: 1 }, undefined)
  }

  /**
   * From what encode() gave. Takes ownership of the root key, also when it refuses.
   * @throws HsmError STATE_INVALID
   */
  static decode(root: Secret, domainId: Buffer, encoded: Uint8Array): EpochKeys {
    using owned = new DisposableStack()
    owned.use(root)
    if (encoded.length !== epochKeysBytes) throw invalid()
    const bytes = Buffer.from(encoded)
    const backupEnd = kekBytes + sealedBytes
    const sealedBackupKey = bytes.subarray(kekBytes, backupEnd)
    const name = nameAt(bytes, 0)
    if (name.epoch === 0 || name.generation === 0) throw invalid()
    const wrapping = owned.use(sealingKeys(root, domainId, name.epoch))
    const kek = openKek(wrapping.kek, domainId, bytes.subarray(0, kekBytes))
    owned.use(kek.key)
    const context = backupContext(domainId, name.epoch)
    const backupKey = owned.use(openSecret(wrapping.backup, context, sealedBackupKey))
    const rest = bytes.subarray(backupEnd)
    const before = isZero(rest) ? undefined : openKek(wrapping.kek, domainId, rest)
    owned.move()
    wrapping[Symbol.dispose]()
    return new EpochKeys(domainId, { root, kek, backupKey, sealedBackupKey, before })
  }

  get root(): Secret {
    return this.#keys.root
  }

  get epoch(): number {
    return this.#keys.kek.epoch
  }

  /** The KEK that wraps. */
  get kek(): KekName {
    const { epoch, generation } = this.#keys.kek
    return { epoch, generation }
  }

  /** The KEK that still opens; undefined but for a time in which keys are re-wrapped. */
  get kekBefore(): KekName | undefined {
    const { before } = this.#keys
    return before && { epoch: before.epoch, generation: before.generation }
  }

  /** Encrypts backups of this epoch. */
  get backupKey(): Secret {
    return this.#keys.backupKey
  }

  /** The bytes of that KEK; undefined when it is neither of the two. */
  keyOf({ epoch, generation }: KekName): Secret | undefined {
    const { kek, before } = this.#keys
    return [kek, before].find((one) => one?.epoch === epoch && one.generation === generation)?.key
  }

  /** With a KEK of the next generation; the one in force is the one before from then on. */
  withNextKek(): EpochKeys {
    const { root, kek, backupKey, sealedBackupKey } = this.#keys
    using wrapping = sealingKeys(root, this.#domainId, kek.epoch)
    const next = newKek(wrapping.kek, this.#domainId, {
      epoch: kek.epoch,
      generation: kek.generation + 1,
    })
    return new EpochKeys(this.#domainId, {
      root: copy(root),
      kek: next,
      backupKey: copy(backupKey),
      sealedBackupKey,
      before: { ...kek, key: copy(kek.key) },
    })
  }

  /** Everything new; the KEK in force is the one before from then on. */
  nextEpoch(): EpochKeys {
    const { kek } = this.#keys
    const next = { epoch: kek.epoch + 1, generation: kek.generation + 1 }
    return EpochKeys.#renewed(this.#domainId, next, kek)
  }

  /** Without the KEK before: what it wrapped does not open any more. */
  withoutKekBefore(): EpochKeys {
    const { root, kek, backupKey, sealedBackupKey } = this.#keys
    return new EpochKeys(this.#domainId, {
      root: copy(root),
      kek: { ...kek, key: copy(kek.key) },
      backupKey: copy(backupKey),
      sealedBackupKey,
      before: undefined,
    })
  }

  /** epochKeysBytes in the form above. */
  encode(): Buffer {
    const { kek, sealedBackupKey, before } = this.#keys
    const last = before ? encodeKek(before) : Buffer.alloc(kekBytes)
    return Buffer.concat([encodeKek(kek), sealedBackupKey, last])
  }

  [Symbol.dispose](): void {
    const { root, kek, backupKey, before } = this.#keys
    for (const secret of [root, kek.key, backupKey, before?.key]) secret?.[Symbol.dispose]()
  }

  static #renewed(domainId: Buffer, name: KekName, before: Kek | undefined): EpochKeys {
    const root = newSecret()
    const backupKey = newSecret()
    using wrapping = sealingKeys(root, domainId, name.epoch)
    const context = backupContext(domainId, name.epoch)
    return new EpochKeys(domainId, {
      root,
      kek: newKek(wrapping.kek, domainId, name),
      backupKey,
      sealedBackupKey: backupKey.expose((bytes) => wrapping.backup.seal(context, bytes)),
      before: before && resealed(wrapping.kek, domainId, before),
    })
  }
}

/** Whether encode() of a domain's epoch holds a KEK before the one in force. */
export function encodedHoldsKekBefore(encoded: Uint8Array): boolean {
  return !isZero(encoded.subarray(kekBytes + sealedBytes, epochKeysBytes))
}

interface SealingKeys extends Disposable {
  readonly kek: SealingKey
  readonly backup: SealingKey
}

function sealingKeys(root: Secret, domainId: Buffer, epoch: number): SealingKeys {
  const made = ['keyhold key-encryption key v1', 'keyhold backup key v1'].map((label) => {
    using key = derive(root, domainId, label, uint32(epoch))
    return new SealingKey(key)
  })
  const [kek, backup] = made as [SealingKey, SealingKey]
  return { kek, backup, [Symbol.dispose]: () => disposeAll(made) }
}

function disposeAll(keys: readonly Disposable[]): void {
  for (const key of keys) key[Symbol.dispose]()
}

function newKek(wrapping: SealingKey, domainId: Buffer, name: KekName): Kek {
  return sealed(wrapping, domainId, { ...name, key: newSecret() })
}

function resealed(wrapping: SealingKey, domainId: Buffer, { key, ...name }: Kek): Kek {
  return sealed(wrapping, domainId, { ...name, key: copy(key) })
}

function sealed(wrapping: SealingKey, domainId: Buffer, kek: Omit<Kek, 'sealed'>): Kek {
  const context = kekContext(domainId, kek)
  return { ...kek, sealed: kek.key.expose((bytes) => wrapping.seal(context, bytes)) }
}

/** With fresh entropy: everything else hangs from these. */
function newSecret(): Secret {
  return new Secret(randomBytes(keyBytes, { predictionResistance: true }))
}

function openKek(wrapping: SealingKey, domainId: Buffer, encoded: Buffer): Kek {
  const name = nameAt(encoded, 0)
  const sealedKey = encoded.subarray(8, kekBytes)
  const key = openSecret(wrapping, kekContext(domainId, name), sealedKey)
  return { ...name, key, sealed: sealedKey }
}

function encodeKek({ epoch, generation, sealed: sealedKey }: Kek): Buffer {
  return Buffer.concat([uint32(epoch), uint32(generation), sealedKey])
}

function nameAt(bytes: Buffer, offset: number): KekName {
  return { epoch: bytes.readUInt32BE(offset), generation: bytes.readUInt32BE(offset + 4) }
}

function openSecret(wrapping: SealingKey, context: Buffer, sealedKey: Uint8Array): Secret {
  try {
    return new Secret(wrapping.open(context, sealedKey))
  } catch (cause) {
    throw invalid({ cause })
  }
}

/** HKDF-SHA-256 with the domain id as salt; info is the label followed by the context. */
export function derive(
  key: Secret,
  domainId: Uint8Array,
  label: string,
  context: Uint8Array,
): Secret {
  const info = Buffer.concat([Buffer.from(label), context])
  return key.expose(
    (bytes) => new Secret(new Uint8Array(hkdfSync('sha256', bytes, domainId, info, keyBytes))),
  )
}

function kekContext(domainId: Uint8Array, { epoch, generation }: KekName): Buffer {
  return Buffer.concat([domainId, uint32(epoch), uint32(generation)])
}

function backupContext(domainId: Uint8Array, epoch: number): Buffer {
  return Buffer.concat([domainId, uint32(epoch)])
}

function copy(secret: Secret): Secret {
  return secret.expose((bytes) => Secret.copyOf(bytes))
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(value)
  return bytes
}

function isZero(bytes: Uint8Array): boolean {
  return bytes.every((byte) => byte === 0)
}

function invalid(options?: ErrorOptions): HsmError {
  return new HsmError('STATE_INVALID', 'the sealed state is not whole', options)
}
