/**
 * For each command of the module one request that is well-formed, with real keys of one domain: what an
 * operational module of that domain answers with OK. The same requests go to modules in other states.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import type { CommandName } from '../../src/hsm/contract/commands.ts'
import type { HsmErrorCode } from '../../src/hsm/contract/errors.ts'
import {
  type Ask,
  Caller,
  type FrameAnswer,
  newKeyId,
  p256,
  requestFor,
  type SealingCommand,
  template,
} from '../../src/hsm/door.testing.ts'

const byKeyFile = { seal: 'key-file' }

type Parts = Readonly<Record<string, Uint8Array>>
type Asks = Readonly<Record<CommandName, Omit<Ask, 'command'>>>

const secret = Buffer.alloc(32, 7)
const data = Buffer.from('hello')
const nonce = 'aa'.repeat(16)
const release = { plaintextRelease: true }
const templates = {
  p256,
  aes: template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt']),
  hmac: template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'], { lengthBytes: 32 }),
  wrapping: template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap']),
  target: template('AES-256', ['AES-256-GCM'], ['encrypt'], { exportable: true }),
  hkdf: template('generic-secret', ['HKDF-SHA-256'], ['derive'], { ...release, lengthBytes: 32 }),
  x25519: template('X25519', ['X25519'], ['agree'], release),
  mlKem: template('ML-KEM-768', ['ML-KEM-768'], ['encapsulate', 'decapsulate'], release),
} as const

interface Key {
  readonly reference: { readonly key: string; readonly version: number }
  readonly wrapped: Uint8Array
  readonly publicKey: Uint8Array | undefined
}

type KeyName = keyof typeof templates
type Keys = Readonly<Record<KeyName, Key>>
/** What the keys made: for verify, decrypt, unwrapKey and decapsulate to read. */
type Made = Readonly<Record<string, Parts>>

const challenge = '0'.repeat(64)
const nobody = { person: 'nobody', challenge }

/** What needs a challenge or a person comes to this where the state permits it. */
export const refusedThere: Readonly<Partial<Record<CommandName, HsmErrorCode>>> = {
  offerShare: 'CHALLENGE_INVALID',
  confirmCounter: 'CHALLENGE_INVALID',
  confirmWitness: 'ARGUMENT_INVALID',
  setPin: 'PERSON_NOT_FOUND',
  login: 'CHALLENGE_INVALID',
  resetLogin: 'PERSON_NOT_FOUND',
  // Out of turn: no epoch was begun.
  takeEpochSnapshot: 'MODULE_STATE_INVALID',
  commitEpoch: 'MODULE_STATE_INVALID',
}

/** A caller at the door of a module in this process, or of one in its own. */
type AnyCaller = Pick<Caller, 'ok'> & {
  sealed(...of: Parameters<Caller['sealed']>): Buffer | Promise<Buffer>
  sealedKey(...of: Parameters<Caller['sealedKey']>): Buffer | Promise<Buffer>
}

/** What a host would have. */
interface Kept {
  readonly seal: Uint8Array
  readonly stages: readonly Ask[]
}

/** A domain with a key for every command, and what a host would have kept of it. */
export class MatrixDomain {
  readonly #kept: Kept
  readonly #keys: Keys
  readonly #made: Made

  private constructor(kept: Kept, keys: Keys, made: Made) {
    this.#kept = kept
    this.#keys = keys
    this.#made = made
  }

  static async found(): Promise<MatrixDomain> {
    const caller = new Caller()
    const kept = keptOf(await caller.ask({ command: 'found', ...(await foundAsk(caller)) }))
    const keys: Partial<Record<KeyName, Key>> = {}
    for (const [name, of] of Object.entries(templates)) {
      keys[name as KeyName] = await generate(caller, of)
    }
    const all = keys as Keys
    const { reference: target, wrapped: targetWrapped } = all.target
    const make = async (command: string, key: Key, args: object, parts: Parts) =>
      (await caller.ok({ command, ...useOf(key, parts, args) })).parts
    const made = {
      signature: await make('sign', all.p256, {}, { data }),
      request: { request: requestFor(all.p256.publicKey) },
      mac: await make('mac', all.hmac, {}, { data }),
      encrypted: await make('encrypt', all.aes, {}, { plaintext: data }),
      wrapped: await make('wrapKey', all.wrapping, { target }, { targetWrapped }),
      encapsulated: await make('encapsulate', all.mlKem, {}, {}),
    }
    return new MatrixDomain(kept, all, made)
  }

  /** Stages everything that unlocking needs. */
  async lock<C extends AnyCaller>(caller: C): Promise<C> {
    for (const stage of this.#kept.stages) await caller.ok(stage)
    return caller
  }

  async unlock<C extends AnyCaller>(caller: C): Promise<C> {
    await this.lock(caller)
    await caller.ok({ command: 'unlock', ...(await this.asks(caller)).unlock })
    return caller
  }

  /** What is to be sealed is sealed to this caller's module. */
  async asks(caller: AnyCaller): Promise<Asks> {
    const { p256: signing, aes, hmac, wrapping, target, hkdf, x25519, mlKem } = this.#keys
    const made = this.#made
    const fresh = { key: newKeyId(), version: 1 }
    const template = { ...templates.target, exportable: false }
    const into = { ...fresh, template, class: 'secret' } as const
    const peer = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })
    const loaded = { arguments: signing.reference, parts: { wrapped: signing.wrapped } }
    return {
      getStatus: {},
      selfTest: {},
      getEntropyStatus: {},
      addEntropy: { arguments: { source: 'tpm' }, parts: { bytes: data } },
      sampleNoise: { arguments: { source: 'jitter', form: 'raw', count: 100 } },
      getTransportKey: {},
      found: await foundAsk(caller),
      stage: { arguments: { kind: 'group' }, parts: { data } },
      unlock: {
        arguments: byKeyFile,
        parts: { seal: this.#kept.seal, ...(await sealedTo(caller, 'unlock')) },
      },
      offerShare: { arguments: { challenge }, parts: { share: data } },
      lock: {},
      getChallenge: { arguments: { command: 'sign' } },
      getDomainState: {},
      changeDomain: { arguments: { change: { tamper: { 'chassis-opened': 2 } } } },
      setPin: { arguments: nobody, parts: { pin: data } },
      login: { arguments: nobody, parts: { pin: data } },
      resetLogin: { arguments: { person: 'nobody' } },
      reportTamper: { arguments: { signal: 'clock-back', detail: 'by hand' } },
      confirmCounter: { arguments: { challenge }, parts: { attestation: data, signature: data } },
      signStart: { arguments: { pin: true } },
      confirmWitness: { parts: { starts: data, record: data } },
      acknowledgeTamper: {},
      zeroise: { arguments: { reason: 'by hand' } },
      addSeal: { arguments: byKeyFile, parts: await sealedTo(caller, 'addSeal') },
      removeSeal: { arguments: byKeyFile },
      takeSnapshot: { arguments: { piece: 0 } },
      signHead: {},
      attest: { arguments: { nonce } },
      attestKey: { ...loaded, arguments: { ...signing.reference, nonce } },
      getDomainStatement: {},
      beginEpoch: { arguments: byKeyFile, parts: await sealedTo(caller, 'beginEpoch') },
      takeEpochSnapshot: { arguments: { piece: 0 } },
      commitEpoch: {},
      abortEpoch: {},
      rotateKek: {},
      rewrapKey: loaded,
      retireKek: {},
      generateKey: { arguments: { ...fresh, template: p256 } },
      importKey: { arguments: into, parts: { sealed: await caller.sealedKey(into, secret) } },
      loadKey: loaded,
      unloadKey: { arguments: signing.reference },
      changeKey: {
        ...loaded,
        arguments: { ...signing.reference, change: { state: 'suspended' } },
      },
      raiseFloor: loaded,
      destroyKey: { arguments: signing.reference },
      sign: useOf(signing, { data }),
      signRequest: useOf(signing, made.request ?? {}),
      verify: useOf(signing, { data, ...made.signature }),
      encrypt: useOf(aes, { plaintext: data }),
      decrypt: useOf(aes, made.encrypted ?? {}),
      mac: useOf(hmac, { data }),
      verifyMac: useOf(hmac, { data, ...made.mac }),
      wrapKey: useOf(wrapping, { targetWrapped: target.wrapped }, { target: target.reference }),
      unwrapKey: useOf(wrapping, made.wrapped ?? {}, { into }),
      deriveKey: useOf(hkdf, {}, { lengthBytes: 32 }),
      agree: useOf(x25519, { peer }),
      encapsulate: useOf(mlKem, {}),
      decapsulate: useOf(mlKem, { ciphertext: made.encapsulated?.ciphertext ?? data }),
      random: { arguments: { lengthBytes: 1 } },
    }
  }
}

async function sealedTo(caller: AnyCaller, command: SealingCommand) {
  return { secret: await caller.sealed(command, 'key-file', secret) }
}

async function foundAsk(caller: AnyCaller): Promise<Omit<Ask, 'command'>> {
  return {
    arguments: { development: true, seal: 'key-file' },
    parts: await sealedTo(caller, 'found'),
  }
}

/** A use that brings its key. */
function useOf({ reference, wrapped }: Key, parts: Parts, args = {}): Omit<Ask, 'command'> {
  return { arguments: { ...reference, ...args }, parts: { wrapped, ...parts } }
}

async function generate(caller: Caller, of: object): Promise<Key> {
  const reference = { key: newKeyId(), version: 1 }
  const ask = { command: 'generateKey', arguments: { ...reference, template: of } }
  const { wrapped, publicKey } = (await caller.ok(ask)).parts
  assert(wrapped)
  return { reference, wrapped, publicKey }
}

function keptOf({ items, group }: FrameAnswer): Kept {
  const { seal, snapshot } = items[0]?.parts ?? {}
  assert(seal && snapshot)
  const length = Buffer.alloc(4)
  length.writeUInt32BE(group.length)
  const staged = { snapshot, group: Buffer.concat([length, group]) }
  const stages = Object.entries(staged).map(([kind, bytes]) => ({
    command: 'stage',
    arguments: { kind },
    parts: { data: bytes },
  }))
  return { seal, stages }
}
