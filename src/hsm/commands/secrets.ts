/**
 * Commands that make secrets: deriveKey, agree, encapsulate, decapsulate, random. What is made becomes a
 * new key, or leaves in plaintext if the key that it was made with permits that (plaintextRelease).
 */

import { type KeyType, keyTypes } from '../contract/algorithms.ts'
import type { NewKey } from '../contract/commands.ts'
import { HsmError } from '../contract/errors.ts'
import type { KeyAttributes, KeyTemplate } from '../contract/keys.ts'
import { randomBytesMax } from '../contract/limits.ts'
import { assertClass, attributesOf, parseTemplate, secretBytesDefault } from '../keys/attributes.ts'
import { assertInherits, assertMakes, type MakingCommand } from '../keys/inheritance.ts'
import { KeyMaterial } from '../keys/material.ts'
import type { Module } from '../module.ts'
import {
  type KeyReference,
  parseBoolean,
  parseInteger,
  parseKeyReference,
  parseObject,
  type Untrusted,
} from '../parse.ts'
import type { Maybe } from '../primitives/implementation.ts'
import { randomBytes } from '../random.ts'
import type { Secret } from '../secret.ts'
import { newKey } from './keys.ts'
import { command, contextBytesMax, type Done, keyBytesMax, unrestricted } from './row.ts'
import {
  assertRelease,
  parseUseMembers,
  permitUse,
  type UseArguments,
  useMembers,
  wrappedPart,
} from './use-of-key.ts'

const operational = ['operational'] as const
const none = new Uint8Array()
/** What HKDF makes at most with the longest hash. */
const derivedBytesMax = 255 * 64
const contextPart = { bytesMax: contextBytesMax, optional: true } as const

const members = useMembers(['into', 'lengthBytes'])
const derivingMembers = useMembers(['into', 'lengthBytes', 'iterations'])
/** No algorithm takes more; how many one takes is its own to say. */
const iterationsMax = 10_000_000

interface SecretArguments extends UseArguments {
  readonly into?: KeyReference & { readonly template: KeyTemplate }
  readonly lengthBytes?: number
}

interface DerivingArguments extends SecretArguments {
  readonly iterations: number
}

type SecretDone = Done<
  { readonly made?: NewKey },
  { readonly wrapped?: Uint8Array; readonly secret?: Uint8Array }
>

export const deriveKey = command({
  name: 'deriveKey',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    salt: contextPart,
    info: contextPart,
    label: contextPart,
    context: contextPart,
  },
  parse: parseDeriving,
  run: (module, args, parts) => {
    const { wrapped, salt = none, info = none, label = none, context = none } = parts
    const key = permitUse(module, args, wrapped, { use: 'derive', operation: 'derive' })
    assertTarget(module, args, key.attributes)
    const counts = { lengthBytes: derivedBytes(args), iterations: args.iterations }
    const secret = key.operation(key.material, { salt, info, label, context, ...counts })
    return placeLater(module, args, secret)
  },
})

export const agree = command({
  name: 'agree',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: { wrapped: wrappedPart, peer: { bytesMax: keyBytesMax } },
  parse: (untrusted) => parseSecretArguments(untrusted, 'agree'),
  run: (module, args, { wrapped, peer }) => {
    const key = permitUse(module, args, wrapped, { use: 'agree', operation: 'agree' })
    assertTarget(module, args, key.attributes)
    return placeLater(module, args, key.operation(key.material, peer))
  },
})

export const encapsulate = command({
  name: 'encapsulate',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: { wrapped: wrappedPart },
  parse: (untrusted) => parseSecretArguments(untrusted, 'encapsulate'),
  run: async (module, args, { wrapped }) => {
    const key = permitUse(module, args, wrapped, { use: 'encapsulate', operation: 'encapsulate' })
    assertTarget(module, args, key.attributes)
    const { sharedSecret, ciphertext } = await key.operation(key.material)
    const done = placeSecret(module, args, sharedSecret)
    return { ...done, parts: { ...done.parts, ciphertext } }
  },
})

export const decapsulate = command({
  name: 'decapsulate',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: { wrapped: wrappedPart, ciphertext: { bytesMax: keyBytesMax } },
  parse: (untrusted) => parseSecretArguments(untrusted, 'decapsulate'),
  run: (module, args, { wrapped, ciphertext }) => {
    const key = permitUse(module, args, wrapped, { use: 'decapsulate', operation: 'decapsulate' })
    assertTarget(module, args, key.attributes)
    return placeLater(module, args, key.operation(key.material, ciphertext))
  },
})

export const random = command({
  name: 'random',
  states: operational,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['lengthBytes', 'predictionResistance'], 'arguments')
    const { lengthBytes, predictionResistance = false } = args
    const range = { name: 'lengthBytes', min: 1, max: randomBytesMax }
    return {
      lengthBytes: parseInteger(lengthBytes, range),
      predictionResistance: parseBoolean(predictionResistance, 'predictionResistance'),
    }
  },
  run: (_module, { lengthBytes, predictionResistance }) => ({
    result: {},
    parts: { bytes: randomBytes(lengthBytes, { predictionResistance }) },
    erase: true,
  }),
})

function parseDeriving(untrusted: unknown): DerivingArguments {
  const args = parseObject(untrusted, derivingMembers, 'arguments')
  const { iterations } = args
  const range = { name: 'iterations', min: 1, max: iterationsMax }
  const count = iterations === undefined ? 0 : parseInteger(iterations, range)
  return { ...parseSecretMembers(args, 'deriveKey'), iterations: count }
}

function parseSecretArguments(untrusted: unknown, by: MakingCommand): SecretArguments {
  return parseSecretMembers(parseObject(untrusted, members, 'arguments'), by)
}

function parseSecretMembers(args: Untrusted, by: MakingCommand): SecretArguments {
  const use = parseUseMembers(args)
  const { into, lengthBytes } = args
  if (into === undefined) {
    const range = { name: 'lengthBytes', min: 1, max: derivedBytesMax }
    return lengthBytes === undefined
      ? use
      : { ...use, lengthBytes: parseInteger(lengthBytes, range) }
  }
  if (lengthBytes !== undefined) {
    throw new HsmError('ARGUMENT_INVALID', 'the length of a new key is in its template')
  }
  const target = parseObject(into, ['key', 'version', 'template'], 'into')
  const template = parseTemplate(target.template, 'derived')
  assertClass(template, 'secret')
  assertMakes(by, template)
  return { ...use, into: { ...parseKeyReference(target), template } }
}

/** Before anything is computed: that the secret may go where it is meant to go. */
function assertTarget(module: Module, { into }: SecretArguments, parent: KeyAttributes): void {
  if (into) {
    assertInherits(into.template, parent)
    module.assertNew(into)
  } else {
    assertRelease(parent)
  }
}

function derivedBytes({ into, lengthBytes }: SecretArguments): number {
  if (into) {
    const { lengthBytes: fixed }: KeyType = keyTypes[into.template.type]
    return fixed ?? (into.template.lengthBytes || secretBytesDefault)
  }
  if (lengthBytes !== undefined) return lengthBytes
  throw new HsmError('ARGUMENT_INVALID', 'lengthBytes says how much is to be derived')
}

function placeLater(
  module: Module,
  args: SecretArguments,
  secret: Maybe<Secret>,
): Maybe<SecretDone> {
  return secret instanceof Promise
    ? secret.then((made) => placeSecret(module, args, made))
    : placeSecret(module, args, secret)
}

/**
 * The secret as a new key or as bytes. It is as long as the operation made it: shortening one is a
 * derivation. Takes ownership.
 * @throws HsmError ARGUMENT_INVALID when it has not the length that was asked for or that the type has
 */
function placeSecret(
  module: Module,
  { into, lengthBytes }: SecretArguments,
  secret: Secret,
): SecretDone {
  using owned = secret
  if (into) {
    const material = KeyMaterial.fromBytes(into.template.type, 'secret', owned)
    const origin = { keyClass: 'secret', provenance: 'derived' } as const
    const attributes = attributesOf(into, into.template, origin, module.now())
    const { result, parts, key } = newKey(module, attributes, material)
    return { result: { made: result }, parts: { wrapped: parts.wrapped }, key }
  }
  if (lengthBytes !== undefined && lengthBytes !== owned.length) {
    throw new HsmError('ARGUMENT_INVALID', `the secret has ${owned.length} bytes`)
  }
  const bytes = owned.expose((exposed) => Uint8Array.from(exposed))
  return { result: {}, parts: { secret: bytes }, erase: true }
}
