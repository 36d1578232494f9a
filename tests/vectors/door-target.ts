/**
 * Runs published cases through the door of a real module process: the key is imported, sealed to the
 * transport key, and used by the command. What a published case asks for and the module never does (a
 * secret under 112 bits, a key wrapped by a weaker one, a target of odd length) runs against the
 * implementations instead, and is counted.
 */

import assert from 'node:assert/strict'
import { createHash, createHmac, randomBytes } from 'node:crypto'
import type { Host } from '../../src/host/host.ts'
import type {
  AlgorithmName,
  KeyClass,
  KeyTypeName,
  KeyUse,
} from '../../src/hsm/contract/algorithms.ts'
import type { Call, CommandName, Outcome } from '../../src/hsm/contract/commands.ts'
import { sealKeyToImport } from '../../src/hsm/contract/import.ts'
import { type KeyId, type KeyTemplate, parseKeyId } from '../../src/hsm/contract/keys.ts'
import type { VectorCase, VectorCommand, VectorOutcome, VectorTarget } from './case.ts'
import { implementationsTarget } from './implementations-target.ts'

const claim = { identity: 'id_vectors', requestId: 'vectors', protocol: 'test', address: '' }
const probe = Buffer.from('is it this key?')
/** What the module accepts as a generic secret. */
const secretBytes = { min: 14, max: 512 }

const uses: Readonly<Record<VectorCommand, KeyUse>> = {
  sign: 'sign',
  verify: 'verify',
  encrypt: 'encrypt',
  decrypt: 'decrypt',
  mac: 'mac',
  verifyMac: 'verifyMac',
  wrapKey: 'wrap',
  unwrapKey: 'unwrap',
  agree: 'agree',
  derive: 'derive',
  decapsulate: 'decapsulate',
  publicKey: 'sign',
}

interface ImportedKey {
  readonly key: KeyId
  readonly wrapped: Uint8Array
  /** SPKI of a pair. */
  readonly publicKey?: Uint8Array
}
type Imported = ImportedKey | { readonly error: Refusal }
type Refusal = Extract<Outcome, { error: unknown }>['error']
type Parts = Readonly<Record<string, Uint8Array>>

interface ToImport {
  readonly type: KeyTypeName
  readonly class: KeyClass
  readonly algorithm: AlgorithmName
  readonly use: KeyUse
  readonly material: Uint8Array
  readonly more?: Partial<KeyTemplate>
}

export class DoorTarget implements VectorTarget {
  readonly #host: Host
  readonly #transportKey: Uint8Array
  /** By what is imported: a source uses one key for many cases. */
  readonly #imported = new Map<string, Promise<Imported>>()
  /** Cases that ran against the implementations. */
  aside = 0

  private constructor(host: Host, transportKey: Uint8Array) {
    this.#host = host
    this.#transportKey = transportKey
  }

  static async open(host: Host): Promise<DoorTarget> {
    const call = { command: 'getTransportKey', arguments: {}, parts: {} } as const
    const [outcome] = await host.call(claim, [call])
    assert(outcome && 'parts' in outcome)
    return new DoorTarget(host, (outcome.parts as { publicKey: Uint8Array }).publicKey)
  }

  async run(vector: VectorCase): Promise<VectorOutcome> {
    const { keyType: type, keyClass, algorithm, command, material } = vector
    if (isNeverDone(vector)) {
      this.aside += 1
      return implementationsTarget.run(vector)
    }
    const releases = command === 'agree' || command === 'derive' || command === 'decapsulate'
    const more = { externalIv: command === 'encrypt', plaintextRelease: releases }
    const wanted = { type, class: keyClass, algorithm, use: uses[command], material, more }
    const imported = await this.#import(wanted)
    if ('error' in imported) return { refused: imported.error.code }
    if (command === 'publicKey') return { bytes: imported.publicKey ?? Buffer.alloc(0) }
    if (command === 'wrapKey') return this.#wrap(vector, imported)
    if (command === 'unwrapKey') return this.#unwrap(vector, imported)
    const { name, args, parts } = commandOf(vector)
    const outcome = await this.#use(imported, name, args, parts)
    if ('error' in outcome) return { refused: outcome.error.code }
    if ('valid' in outcome.result) return { valid: outcome.result.valid === true }
    const made = outcome.parts as Parts
    const bytes = made.signature ?? made.ciphertext ?? made.plaintext ?? made.mac ?? made.secret
    assert(bytes, vector.id)
    return { bytes }
  }

  /** The target becomes a key of the module first: nothing else is wrapped there. */
  async #wrap({ inputs }: VectorCase, imported: Extract<Imported, { key: KeyId }>) {
    const target = await this.#import({
      ...{ type: 'generic-secret', class: 'secret', algorithm: 'HMAC-SHA-256', use: 'mac' },
      material: inputs.target ?? Buffer.alloc(0),
      more: { exportable: true },
    })
    if ('error' in target) return { refused: target.error.code }
    const reference = { target: { key: target.key, version: 1 } }
    const parts = { targetWrapped: target.wrapped }
    const outcome = await this.#use(imported, 'wrapKey', reference, parts)
    if ('error' in outcome) return { refused: outcome.error.code }
    return { bytes: (outcome.parts as { ciphertext: Uint8Array }).ciphertext }
  }

  /** What comes in never comes out: that it is the published key is shown by its MAC. */
  async #unwrap({ inputs, expect }: VectorCase, imported: Extract<Imported, { key: KeyId }>) {
    const key = newKey()
    const template = templateOf({
      ...{ type: 'generic-secret', algorithm: 'HMAC-SHA-256', use: 'mac' },
    })
    const into = { key, version: 1, template, class: 'secret' }
    const parts = { ciphertext: inputs.ciphertext ?? Buffer.alloc(0), ...optional('iv', inputs.iv) }
    const unwrapped = await this.#use(imported, 'unwrapKey', { into }, parts)
    if ('error' in unwrapped) return { refused: unwrapped.error.code }
    const { wrapped } = unwrapped.parts as { wrapped: Uint8Array }
    const outcome = await this.#use({ key, wrapped }, 'mac', {}, { data: probe })
    assert('parts' in outcome)
    const { mac } = outcome.parts as { mac: Uint8Array }
    const expected = 'bytes' in expect ? expect.bytes : Buffer.alloc(0)
    const isTheKey = createHmac('sha256', expected).update(probe).digest().equals(mac)
    return { bytes: isTheKey ? expected : mac }
  }

  #import(wanted: ToImport): Promise<Imported> {
    const { material, ...rest } = wanted
    const name = createHash('sha256').update(JSON.stringify(rest)).update(material).digest('hex')
    const known = this.#imported.get(name) ?? this.#importAnew(wanted)
    this.#imported.set(name, known)
    return known
  }

  async #importAnew(wanted: ToImport): Promise<Imported> {
    const key = newKey()
    const args = { key, version: 1, class: wanted.class, template: templateOf(wanted) }
    const asked = await this.#call({
      command: 'getChallenge',
      arguments: { command: 'importKey' },
      parts: {},
    })
    assert('result' in asked && 'challenge' in asked.result)
    const { challenge } = asked.result
    const sealed = sealKeyToImport(this.#transportKey, challenge, args, wanted.material)
    const outcome = await this.#call({ command: 'importKey', arguments: args, parts: { sealed } })
    if ('error' in outcome) return outcome
    return { key, ...(outcome.parts as Omit<ImportedKey, 'key'>) }
  }

  /** By handle; with its wrapped key when it had to make room. */
  async #use(
    { key, wrapped }: { readonly key: KeyId; readonly wrapped: Uint8Array },
    command: CommandName,
    args: object,
    parts: Parts,
  ): Promise<Outcome> {
    const call = { command, arguments: { key, version: 1, ...args }, parts }
    const outcome = await this.#call(call)
    if (!('error' in outcome) || outcome.error.code !== 'KEY_NOT_LOADED') return outcome
    return this.#call({ ...call, parts: { wrapped, ...parts } })
  }

  async #call(call: object): Promise<Outcome> {
    const [outcome] = await this.#host.call(claim, [call as Call])
    assert(outcome)
    return outcome
  }
}

function isNeverDone({ command, inputs, expect, keyType }: VectorCase): boolean {
  // HPKE: what commands wrap has neither info nor associated data.
  if (command === 'unwrapKey' && inputs.info !== undefined) return true
  const isOdd = (bytes: Uint8Array) =>
    bytes.length < secretBytes.min || bytes.length > secretBytes.max
  if (command === 'wrapKey') {
    const { target = Buffer.alloc(0) } = inputs
    return isOdd(target) || Math.min(target.length, 32) * 8 > Number(keyType.slice(4))
  }
  return command === 'unwrapKey' && 'bytes' in expect && isOdd(expect.bytes)
}

function commandOf({ command, options, inputs }: VectorCase) {
  const { input, format, lengthBytes, iterations } = options
  const args = {
    ...(command === 'sign' || command === 'verify'
      ? { ...optional('input', input), ...optional('format', format) }
      : {}),
    ...(command === 'mac' || command === 'derive' ? optional('lengthBytes', lengthBytes) : {}),
    ...(command === 'derive' ? optional('iterations', iterations) : {}),
  }
  const parts = Object.fromEntries(
    Object.entries(inputs).filter(([, bytes]) => bytes !== undefined),
  )
  assert(command !== 'publicKey')
  const name: CommandName = command === 'derive' ? 'deriveKey' : command
  return { name, args, parts }
}

function templateOf({
  type,
  algorithm,
  use,
  more,
}: Omit<ToImport, 'class' | 'material'>): KeyTemplate {
  return {
    ...{ type, algorithms: [algorithm], uses: [use], exportable: false, externalIv: false },
    ...{ plaintextRelease: false, notBefore: 0, notAfter: 0, lengthBytes: 0 },
    ...(type.startsWith('RSA') ? { ...more, externalIv: false } : more),
  }
}

function newKey(): KeyId {
  return parseKeyId(`key_${randomBytes(16).toString('hex')}`)
}

function optional<T>(name: string, value: T | undefined): Readonly<Record<string, T>> {
  return value === undefined ? {} : { [name]: value }
}
