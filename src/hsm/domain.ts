/**
 * What makes a module a member of a security domain: the domain root key, the key-encryption key of the
 * epoch, and the keys that are this module's own (design section 4). The root key is what a seal opens;
 * from it come, by HKDF-SHA-256 (RFC 5869), the key that seals this module's state and the key that
 * wraps the KEK. The module's own keys are random and live in the sealed state: identity (Ed25519 and
 * ML-DSA-65), record key, arguments key. Whether the domain is for development is part of the same
 * bytes, so that it stays so for ever (invariant 10). Disposing overwrites every secret.
 *
 *   flags (1) || epoch (4) || sealed KEK (72) || record key (32) || arguments key (32)
 *     || Ed25519 private key (32) || ML-DSA-65 seed (32)
 */

import assert from 'node:assert/strict'
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import { type Checkpoint, checkpointOrigin, signCheckpoint } from './contract/checkpoint.ts'
import {
  type DoubleSignature,
  type IdentityPublicKeys,
  signDouble,
} from './contract/double-signature.ts'
import { HsmError } from './contract/errors.ts'
import { type KeyId, keyIdBytes } from './contract/keys.ts'
import { onThreadPool } from './primitives/implementation.ts'
import { randomBytes } from './random.ts'
import { SealingKey, sealingOverheadBytes } from './sealing.ts'
import { Secret } from './secret.ts'

export const domainIdBytes = 16
export const moduleIdBytes = 16
const keyBytes = 32
const sealedKekBytes = keyBytes + sealingOverheadBytes
const flagDevelopment = 1

/** Length of what encode() gives. */
const domainBytes = 1 + 4 + sealedKekBytes + 4 * keyBytes

/** Who the module is; both ids are random and stand in the clear in what the module seals. */
export interface ModuleIds {
  readonly domainId: Buffer
  readonly moduleId: Buffer
}

interface Keys {
  readonly root: Secret
  readonly kek: Secret
  readonly sealedKek: Buffer
  readonly recordKey: Secret
  readonly argumentsKey: Secret
  readonly ed25519: Secret
  readonly mlDsa: Secret
}

export class Domain implements Disposable {
  readonly domainId: Buffer
  readonly moduleId: Buffer
  readonly development: boolean
  readonly epoch: number
  /** The domain root key; only sealing it under a further secret asks for it. */
  readonly root: Secret
  /** Chains the groups of the record. */
  readonly recordKey: Secret
  /** Makes the digests of arguments, so that nobody else can guess at one. */
  readonly argumentsKey: Secret
  /** Seals this module's state. */
  readonly stateKey: Secret
  /** Ed25519, 32 bytes. */
  readonly identityPublicKey: Buffer
  /** ML-DSA-65, 1952 bytes. */
  readonly mlDsaPublicKey: Buffer
  readonly #keys: Keys
  #identityKey: KeyObject | undefined

  private constructor(ids: ModuleIds, kind: { development: boolean; epoch: number }, keys: Keys) {
    this.domainId = ids.domainId
    this.moduleId = ids.moduleId
    this.development = kind.development
    this.epoch = kind.epoch
    this.root = keys.root
    this.recordKey = keys.recordKey
    this.argumentsKey = keys.argumentsKey
    this.stateKey = deriveStateKey(keys.root, ids)
    this.#keys = keys
    this.#identityKey = keys.ed25519.expose(ed25519Key)
    this.identityPublicKey = rawPublicKey(this.#identityKey)
    this.mlDsaPublicKey = rawPublicKey(keys.mlDsa.expose(mlDsaKey))
  }

  /** A new domain with this module as its first member, in epoch 1. */
  static found({ development }: { readonly development: boolean }): Domain {
    const ids = { domainId: randomBytes(domainIdBytes), moduleId: randomBytes(moduleIdBytes) }
    const epoch = 1
    const root = new Secret(randomBytes(keyBytes, { predictionResistance: true }))
    const kek = new Secret(randomBytes(keyBytes, { predictionResistance: true }))
    const { domainId } = ids
    using wrappingKey = deriveKekWrappingKey(root, domainId, epoch)
    using wrapping = new SealingKey(wrappingKey)
    const domain = new Domain(
      ids,
      { development, epoch },
      {
        root,
        kek,
        sealedKek: kek.expose((bytes) => wrapping.seal(kekContext(domainId, epoch), bytes)),
        recordKey: new Secret(randomBytes(keyBytes)),
        argumentsKey: new Secret(randomBytes(keyBytes)),
        ed25519: new Secret(randomBytes(keyBytes)),
        mlDsa: new Secret(randomBytes(keyBytes)),
      },
    )
    domain.#assertPairs()
    return domain
  }

  /**
   * From what encode() gave. Takes ownership of the root key, also when it refuses.
   * @throws HsmError STATE_INVALID
   */
  static decode(root: Secret, ids: ModuleIds, encoded: Uint8Array): Domain {
    using owned = new DisposableStack()
    owned.use(root)
    if (encoded.length !== domainBytes) throw invalid()
    const bytes = Buffer.from(encoded.buffer, encoded.byteOffset, encoded.length)
    const flags = bytes.readUInt8(0)
    const epoch = bytes.readUInt32BE(1)
    if ((flags & ~flagDevelopment) !== 0 || epoch === 0) throw invalid()
    const sealedKek = Buffer.from(bytes.subarray(5, 5 + sealedKekBytes))
    const own = Array.from({ length: 4 }, (_, index) => {
      const start = 5 + sealedKekBytes + index * keyBytes
      return owned.use(Secret.copyOf(bytes.subarray(start, start + keyBytes)))
    })
    const [recordKey, argumentsKey, ed25519, mlDsa] = own
    assert(recordKey && argumentsKey && ed25519 && mlDsa)
    const kek = owned.use(openKek(root, ids.domainId, epoch, sealedKek))
    const keys = { root, kek, sealedKek, recordKey, argumentsKey, ed25519, mlDsa }
    const development = (flags & flagDevelopment) !== 0
    const domain = new Domain(ids, { development, epoch }, keys)
    owned.move()
    return domain
  }

  /** domainBytes in the form above. */
  encode(): Secret {
    const { sealedKek, recordKey, argumentsKey, ed25519, mlDsa } = this.#keys
    const bytes = Buffer.allocUnsafeSlow(domainBytes)
    bytes.writeUInt8(this.development ? flagDevelopment : 0, 0)
    bytes.writeUInt32BE(this.epoch, 1)
    bytes.set(sealedKek, 5)
    for (const [index, key] of [recordKey, argumentsKey, ed25519, mlDsa].entries()) {
      key.expose((raw) => bytes.set(raw, 5 + sealedKekBytes + index * keyBytes))
    }
    return new Secret(bytes)
  }

  /** The key that wraps one key: derived from the KEK of the epoch, so that none wraps two. */
  wrappingKey(keyId: KeyId): Secret {
    return derive(this.#keys.kek, this.domainId, 'keyhold wrapped key v1', keyIdBytes(keyId))
  }

  /** The origin line of this module's heads. */
  get origin(): string {
    return checkpointOrigin(this.domainId, this.moduleId)
  }

  /** A signed note (contract/checkpoint.ts). @throws TypeError after it was disposed */
  signHead(checkpoint: Checkpoint): string {
    if (!this.#identityKey) throw new TypeError('domain used after it was disposed')
    return signCheckpoint(checkpoint, this.#identityKey, this.identityPublicKey)
  }

  /** As the domain state names a member. */
  get identityPublicKeys(): IdentityPublicKeys {
    return {
      ed25519: this.identityPublicKey.toString('hex'),
      mlDsa65: this.mlDsaPublicKey.toString('hex'),
    }
  }

  /** By both identity keys, over the bytes as they are. @throws TypeError after it was disposed */
  signStatement(statement: Uint8Array): DoubleSignature {
    if (!this.#identityKey) throw new TypeError('domain used after it was disposed')
    return signDouble(statement, {
      ed25519: this.#identityKey,
      mlDsa65: this.#keys.mlDsa.expose(mlDsaKey),
    })
  }

  /** The same, the slower signature on another thread. @throws TypeError after it was disposed */
  async signStatementLater(statement: Uint8Array): Promise<DoubleSignature> {
    if (!this.#identityKey) throw new TypeError('domain used after it was disposed')
    const ed25519 = sign(null, statement, this.#identityKey).toString('base64')
    const key = this.#keys.mlDsa.expose(mlDsaKey)
    const mlDsa65 = await onThreadPool<Buffer>((callback) => sign(null, statement, key, callback))
    return { ed25519, mlDsa65: mlDsa65.toString('base64') }
  }

  /** Signs once more, by Ed25519, after the domain was disposed: what a zeroised module says last. */
  lastSignature(): (statement: Uint8Array) => Buffer {
    const key = this.#identityKey
    if (!key) throw new TypeError('domain used after it was disposed')
    return (statement) => sign(null, statement, key)
  }

  /** HMAC-SHA-256 that only members of the domain can make: 32 bytes in hex. */
  stateMac(statement: Uint8Array): string {
    using key = derive(this.root, this.domainId, 'keyhold domain state v1', Buffer.alloc(0))
    return key.expose((bytes) => createHmac('sha256', bytes).update(statement).digest('hex'))
  }

  [Symbol.dispose](): void {
    const { root, kek, recordKey, argumentsKey, ed25519, mlDsa } = this.#keys
    for (const secret of [root, kek, recordKey, argumentsKey, ed25519, mlDsa, this.stateKey]) {
      secret[Symbol.dispose]()
    }
    this.#identityKey = undefined
  }

  /** Pairwise consistency of the new identity keys (FIPS 140-3 IG 10.3.A). */
  #assertPairs(): void {
    const message = Buffer.concat([this.domainId, this.moduleId])
    for (const key of [this.#keys.ed25519.expose(ed25519Key), this.#keys.mlDsa.expose(mlDsaKey)]) {
      assert(verify(null, message, createPublicKey(key), sign(null, message, key)))
    }
  }
}

/** The key that seals the state of one module of a domain. */
export function deriveStateKey(root: Secret, { domainId, moduleId }: ModuleIds): Secret {
  return derive(root, domainId, 'keyhold sealed state v1', moduleId)
}

function deriveKekWrappingKey(root: Secret, domainId: Uint8Array, epoch: number): Secret {
  return derive(root, domainId, 'keyhold key-encryption key v1', epochBytes(epoch))
}

function openKek(root: Secret, domainId: Buffer, epoch: number, sealed: Uint8Array): Secret {
  using wrappingKey = deriveKekWrappingKey(root, domainId, epoch)
  using wrapping = new SealingKey(wrappingKey)
  try {
    return new Secret(wrapping.open(kekContext(domainId, epoch), sealed))
  } catch (cause) {
    throw new HsmError('STATE_INVALID', 'the sealed state is not whole', { cause })
  }
}

/** HKDF-SHA-256 with the domain id as salt; info is the label followed by the context. */
function derive(key: Secret, domainId: Uint8Array, label: string, context: Uint8Array): Secret {
  const info = Buffer.concat([Buffer.from(label), context])
  return key.expose(
    (bytes) => new Secret(new Uint8Array(hkdfSync('sha256', bytes, domainId, info, keyBytes))),
  )
}

function kekContext(domainId: Uint8Array, epoch: number): Buffer {
  return Buffer.concat([domainId, epochBytes(epoch)])
}

function epochBytes(epoch: number): Buffer {
  const bytes = Buffer.alloc(4)
  bytes.writeUInt32BE(epoch)
  return bytes
}

function ed25519Key(privateKey: Uint8Array): KeyObject {
  const key = Buffer.from(privateKey.buffer, privateKey.byteOffset, privateKey.length)
  return createPrivateKey({ key, format: 'raw-private', asymmetricKeyType: 'ed25519' })
}

function mlDsaKey(seed: Uint8Array): KeyObject {
  const key = Buffer.from(seed.buffer, seed.byteOffset, seed.length)
  return createPrivateKey({ key, format: 'raw-seed', asymmetricKeyType: 'ml-dsa-65' })
}

function rawPublicKey(privateKey: KeyObject): Buffer {
  return createPublicKey(privateKey).export({ format: 'raw-public' })
}

function invalid(): HsmError {
  return new HsmError('STATE_INVALID', 'the sealed state is not whole')
}
