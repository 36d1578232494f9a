/**
 * What makes a module a member of a security domain: the secrets of the epoch (epoch-keys.ts), and the
 * keys that are this module's own (design section 4). The root key is what a seal opens; from it come, by
 * HKDF-SHA-256 (RFC 5869), the key that seals this module's state and those that seal KEK and backup key.
 * The module's own keys are random and live in the sealed state: identity (Ed25519 and ML-DSA-65), record
 * key, arguments key, PIN key. Whether the domain is for development is part of the same bytes, so that it stays
 * so for ever (invariant 10). Disposing overwrites every secret.
 *
 * A domain does not change: what renews its keys makes another one, which takes its place.
 *
 *   flags (1) || secrets of the epoch (232) || record key (32) || arguments key (32)
 *     || Ed25519 private key (32) || ML-DSA-65 seed (32) || PIN key (32)
 */

import assert from 'node:assert/strict'
import {
  createHmac,
  createPrivateKey,
  createPublicKey,
  type KeyObject,
  sign,
  verify,
} from 'node:crypto'
import {
  type Checkpoint,
  checkpointOrigin,
  type LogKeys,
  signCheckpoint,
} from './contract/checkpoint.ts'
import {
  type DoubleSignature,
  type IdentityPublicKeys,
  signDouble,
} from './contract/double-signature.ts'
import { HsmError } from './contract/errors.ts'
import { type KeyId, keyIdBytes } from './contract/keys.ts'
import { secretMemory } from './contract/secret-memory.ts'
import {
  derive,
  EpochKeys,
  encodedHoldsKekBefore,
  epochKeysBytes,
  type KekName,
} from './epoch-keys.ts'
import { onThreadPool } from './primitives/implementation.ts'
import { randomBytes } from './random.ts'
import { Secret } from './secret.ts'

export const domainIdBytes = 16
export const moduleIdBytes = 16
const keyBytes = 32
const flagDevelopment = 1
const ownStart = 1 + epochKeysBytes

/** Who the module is; both ids are random and stand in the clear in what the module seals. */
export interface ModuleIds {
  readonly domainId: Buffer
  readonly moduleId: Buffer
}

/** The module's own keys, in the order in which they are encoded. */
const ownNames = ['recordKey', 'argumentsKey', 'ed25519', 'mlDsa', 'pinKey'] as const
/** Length of what encode() gives. */
const domainBytes = ownStart + ownNames.length * keyBytes
type OwnKeys = Readonly<Record<(typeof ownNames)[number], Secret>>

export class Domain implements Disposable {
  readonly domainId: Buffer
  readonly moduleId: Buffer
  readonly development: boolean
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
  readonly #epochKeys: EpochKeys
  readonly #own: OwnKeys
  #identityKey: KeyObject | undefined

  private constructor(ids: ModuleIds, development: boolean, epochKeys: EpochKeys, own: OwnKeys) {
    this.domainId = ids.domainId
    this.moduleId = ids.moduleId
    this.development = development
    this.recordKey = own.recordKey
    this.argumentsKey = own.argumentsKey
    this.stateKey = deriveStateKey(epochKeys.root, ids)
    this.#epochKeys = epochKeys
    this.#own = own
    this.#identityKey = own.ed25519.expose(ed25519Key)
    this.identityPublicKey = rawPublicKey(this.#identityKey)
    this.mlDsaPublicKey = rawPublicKey(own.mlDsa.expose(mlDsaKey))
  }

  /** A new domain with this module as its first member, in epoch 1. */
  static found({ development }: { readonly development: boolean }): Domain {
    const ids = { domainId: randomBytes(domainIdBytes), moduleId: randomBytes(moduleIdBytes) }
    const own = ownKeys(() => new Secret(randomBytes(keyBytes)))
    const domain = new Domain(ids, development, EpochKeys.found(ids.domainId), own)
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
    const flags = encoded[0] ?? 0xff
    if (encoded.length !== domainBytes || (flags & ~flagDevelopment) !== 0) {
      throw new HsmError('STATE_INVALID', 'the sealed state is not whole')
    }
    const epochKeys = EpochKeys.decode(root, ids.domainId, encoded.subarray(1, ownStart))
    const own = ownKeys((index) => {
      const start = ownStart + index * keyBytes
      return Secret.copyOf(encoded.subarray(start, start + keyBytes))
    })
    const development = (flags & flagDevelopment) !== 0
    const domain = new Domain(ids, development, epochKeys, own)
    owned.move()
    return domain
  }

  get epoch(): number {
    return this.#epochKeys.epoch
  }

  /** The domain root key; only sealing it under a further secret asks for it. */
  get root(): Secret {
    return this.#epochKeys.root
  }

  /** Encrypts backups of this epoch. */
  get backupKey(): Secret {
    return this.#epochKeys.backupKey
  }

  /** The KEK that wraps keys now. */
  get kek(): KekName {
    return this.#epochKeys.kek
  }

  /** The KEK that still opens them, while they are re-wrapped. */
  get kekBefore(): KekName | undefined {
    return this.#epochKeys.kekBefore
  }

  /** The same domain and module with a new KEK, and the one in force as the one before. */
  withNextKek(): Domain {
    return this.#with(this.#epochKeys.withNextKek())
  }

  /** The same domain and module in its next epoch: new root, KEK and backup key. */
  inNextEpoch(): Domain {
    return this.#with(this.#epochKeys.nextEpoch())
  }

  /** The same domain and module without the KEK before. */
  withoutKekBefore(): Domain {
    return this.#with(this.#epochKeys.withoutKekBefore())
  }

  #with(epochKeys: EpochKeys): Domain {
    const own = ownKeys((index) => {
      const name = ownNames[index]
      assert(name)
      return this.#own[name].expose((bytes) => Secret.copyOf(bytes))
    })
    return new Domain(this, this.development, epochKeys, own)
  }

  /** domainBytes in the form above. */
  encode(): Secret {
    const bytes = secretMemory(domainBytes)
    bytes.writeUInt8(this.development ? flagDevelopment : 0, 0)
    bytes.set(this.#epochKeys.encode(), 1)
    for (const [index, name] of ownNames.entries()) {
      this.#own[name].expose((raw) => bytes.set(raw, ownStart + index * keyBytes))
    }
    return new Secret(bytes)
  }

  /**
   * The key that wraps one key: derived from a KEK, so that none wraps two. Undefined unless it is the
   * KEK in force or the one before.
   */
  wrappingKey(keyId: KeyId, kek: KekName): Secret | undefined {
    const key = this.#epochKeys.keyOf(kek)
    return key && derive(key, this.domainId, 'keyhold wrapped key v1', keyIdBytes(keyId))
  }

  /** The origin line of this module's heads. */
  get origin(): string {
    return checkpointOrigin(this.domainId, this.moduleId)
  }

  /** By Ed25519, or by both identity keys. @throws TypeError after it was disposed */
  signHead(checkpoint: Checkpoint, { isPostQuantum }: { readonly isPostQuantum: boolean }): string {
    if (!this.#identityKey) throw new TypeError('domain used after it was disposed')
    const ed25519 = { publicKey: this.identityPublicKey, privateKey: this.#identityKey }
    if (!isPostQuantum) return signCheckpoint(checkpoint, { ed25519 })
    const privateKey = this.#own.mlDsa.expose(mlDsaKey)
    const mlDsa65 = { publicKey: this.mlDsaPublicKey, privateKey }
    return signCheckpoint(checkpoint, { ed25519, mlDsa65 })
  }

  get logKeys(): LogKeys {
    return { ed25519: this.identityPublicKey, mlDsa65: this.mlDsaPublicKey }
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
      mlDsa65: this.#own.mlDsa.expose(mlDsaKey),
    })
  }

  /** The same, the slower signature on another thread. @throws TypeError after it was disposed */
  async signStatementLater(statement: Uint8Array): Promise<DoubleSignature> {
    if (!this.#identityKey) throw new TypeError('domain used after it was disposed')
    const ed25519 = sign(null, statement, this.#identityKey).toString('base64')
    const key = this.#own.mlDsa.expose(mlDsaKey)
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

  /**
   * HMAC-SHA-256 of a stretched PIN: 32 bytes that nobody outside of the module can search for. The key is
   * none of the epoch's: PINs go on into the next one.
   */
  pinMac(stretched: Uint8Array): Buffer {
    return this.#own.pinKey.expose((bytes) =>
      createHmac('sha256', bytes).update(stretched).digest(),
    )
  }

  [Symbol.dispose](): void {
    this.#epochKeys[Symbol.dispose]()
    for (const name of ownNames) this.#own[name][Symbol.dispose]()
    this.stateKey[Symbol.dispose]()
    this.#identityKey = undefined
  }

  /** Pairwise consistency of the new identity keys (FIPS 140-3 IG 10.3.A). */
  #assertPairs(): void {
    const message = Buffer.concat([this.domainId, this.moduleId])
    for (const key of [this.#own.ed25519.expose(ed25519Key), this.#own.mlDsa.expose(mlDsaKey)]) {
      assert(verify(null, message, createPublicKey(key), sign(null, message, key)))
    }
  }
}

/** The key that seals the state of one module of a domain. */
export function deriveStateKey(root: Secret, { domainId, moduleId }: ModuleIds): Secret {
  return derive(root, domainId, 'keyhold sealed state v1', moduleId)
}

/** Whether encode() of a domain holds a KEK before the one in force. */
export function encodedDomainHoldsKekBefore(encoded: Uint8Array): boolean {
  return encodedHoldsKekBefore(encoded.subarray(1, ownStart))
}

function ownKeys(make: (index: number) => Secret): OwnKeys {
  const [recordKey, argumentsKey, ed25519, mlDsa, pinKey] = ownNames.map((_, index) => make(index))
  assert(recordKey && argumentsKey && ed25519 && mlDsa && pinKey)
  return { recordKey, argumentsKey, ed25519, mlDsa, pinKey }
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
