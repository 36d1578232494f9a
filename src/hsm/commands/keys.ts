/**
 * Commands over the life of a key: generate, import, load, unload, change, destroy. The module keeps no
 * key: what a command makes leaves as a wrapped key, and what it takes away, the floor refuses.
 */

import { collectGarbage } from '../collect.ts'
import type { NewKey } from '../contract/commands.ts'
import { importDestination } from '../contract/import.ts'
import type { KeyAttributes } from '../contract/keys.ts'
import { sealedPartOverheadBytes } from '../contract/sealed-part.ts'
import { destructionCertificate, knownKey } from '../destruction.ts'
import { destroyedRevision } from '../floor.ts'
import { assertLastingApproved } from '../gate.ts'
import {
  assertClass,
  attributesOf,
  changeAttributes,
  generatedClass,
  parseChange,
  parseTemplate,
  secretBytesDefault,
} from '../keys/attributes.ts'
import { checkValue } from '../keys/check-value.ts'
import type { LoadedKey } from '../keys/loaded.ts'
import { KeyMaterial } from '../keys/material.ts'
import { wrap, wrappedKeyBytesMax } from '../keys/wrapped.ts'
import { assertLevelPermits } from '../levels.ts'
import type { Module } from '../module.ts'
import {
  type KeyReference,
  parseBoolean,
  parseChoice,
  parseKeyReference,
  parseObject,
} from '../parse.ts'
import { SealedParts } from '../sealed-parts.ts'
import { command, type Done, keyBytesMax, underRule, unrestricted } from './row.ts'

const operational = ['operational'] as const
const importedClasses = ['secret', 'private', 'public'] as const
const wrappedPart = { bytesMax: wrappedKeyBytesMax }

export const generateKey = command({
  name: 'generateKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: {},
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['key', 'version', 'template'], 'arguments')
    const template = parseTemplate(args.template, 'generated')
    assertClass(template, generatedClass(template.type))
    return { ...parseKeyReference(args), template }
  },
  run: async (module, args) => {
    module.assertNew(args)
    const { type } = args.template
    const options = { lengthBytes: args.template.lengthBytes || secretBytesDefault }
    // Before the time that a pair takes; newKey asks again.
    assertLevelPermits(module.level, args.template, options.lengthBytes)
    // Its consistency test uses them; a secret is only bytes.
    if (generatedClass(type) === 'private') {
      for (const name of args.template.algorithms) module.selfTests.assertTested(name)
    }
    const material = await KeyMaterial.generate(type, options)
    const origin = { keyClass: material.keyClass, provenance: 'generated' } as const
    return newKey(module, attributesOf(args, args.template, origin, module.now()), material)
  },
})

export const importKey = command({
  name: 'importKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { sealed: { bytesMax: keyBytesMax + sealedPartOverheadBytes } },
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['key', 'version', 'template', 'class'], 'arguments')
    const template = parseTemplate(args.template, 'imported')
    const keyClass = parseChoice(args.class, importedClasses, 'class')
    assertClass(template, keyClass)
    return { ...parseKeyReference(args), template, class: keyClass }
  },
  run: async (module, args, { sealed }) => {
    module.assertNew(args)
    using brought = new SealedParts(module)
    const bytes = brought.open(sealed, importDestination(args))
    const material = await KeyMaterial.importBytes(args.template.type, args.class, bytes)
    const origin = { keyClass: args.class, provenance: 'imported' } as const
    const attributes = attributesOf(args, args.template, origin, module.now())
    const done = newKey(module, attributes, material)
    brought.useUp()
    return done
  },
})

export const loadKey = command({
  name: 'loadKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { wrapped: wrappedPart },
  parse: parseReference,
  run: (module, args, { wrapped }) => {
    const { attributes, material } = module.loadWrapped(args, wrapped)
    return { result: describe(attributes, material), parts: publicPart(material) }
  },
})

/** To forget what is not there is no error: the loaded keys are a cache. */
export const unloadKey = command({
  name: 'unloadKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: {},
  parse: parseReference,
  run: (module, args) => {
    module.keys.drop(args)
    return { result: {}, parts: {} }
  },
})

export const changeKey = command({
  name: 'changeKey',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { wrapped: wrappedPart },
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['key', 'version', 'change'], 'arguments')
    return { ...parseKeyReference(args), change: parseChange(args.change) }
  },
  run: (module, args, parts) => {
    const { attributes: before, material } = module.loadWrapped(args, parts.wrapped)
    const attributes = changeAttributes(before, args.change)
    assertLastingApproved(module, before, attributes)
    const wrapped = wrap(module.open.domain, attributes, material)
    const key = { loaded: { attributes, material }, isNew: false }
    return { result: { attributes }, parts: { wrapped }, key }
  },
})

/** Never beyond the wrapped key that it is shown, so that nobody destroys with it. */
export const raiseFloor = command({
  name: 'raiseFloor',
  states: operational,
  ...unrestricted,
  record: 'key',
  parts: { wrapped: wrappedPart },
  parse: parseReference,
  run: (module, args, { wrapped }) => {
    const { revision } = module.loadWrapped(args, wrapped).attributes
    // There is nothing older than the first revision to refuse.
    const changes = revision === 1 ? [] : module.raiseFloor(args, revision)
    return { result: { revision }, parts: {}, changes }
  },
})

/**
 * Asked again, it changes nothing: whoever crashed in between can make sure. Refused from the moment on
 * at which it is asked, and out of the memory of the module when it is answered: uses that were begun
 * before hold the key until they end. A wrapped key that is brought is looked at for the certificate alone.
 */
export const destroyKey = command<'destroyKey', KeyReference & { readonly certify: boolean }>({
  name: 'destroyKey',
  states: operational,
  ...underRule('destroy'),
  isDone: (module, { key, version }) =>
    module.open.floor.lowest(key, version) === destroyedRevision,
  record: 'key',
  parts: { wrapped: { ...wrappedPart, optional: true } },
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['key', 'version', 'certify'], 'arguments')
    const { certify } = args
    const isCertified = certify === undefined ? false : parseBoolean(certify, 'certify')
    return { ...parseKeyReference(args), certify: isCertified }
  },
  run: (module, { certify, ...reference }, { wrapped }) => {
    const known = certify ? knownKey(module, reference, wrapped) : null
    const recordSize = module.open.record.size
    // Only what can be refused no more forgets its uses.
    const raised = module.raiseFloor(reference, destroyedRevision)
    const changes = [...raised, ...module.useCounts.forget(reference)]
    const erased = module.usesBegun.ended().then(collectGarbage)
    if (!certify) return erased.then(() => ({ result: {}, parts: {}, changes }))
    return erased.then(async () => {
      const stated = { known, recordSize }
      const certificate = await destructionCertificate(module, reference, stated)
      return { result: {}, parts: certificate ? { certificate } : {}, changes }
    })
  },
})

/**
 * The answer to every command that makes a key, if the security level permits the key. Takes ownership
 * of the material.
 * @throws HsmError LEVEL_NOT_PERMITTED, KEY_TOO_WEAK
 */
export function newKey(
  module: Module,
  granted: KeyAttributes,
  material: KeyMaterial,
): Done<NewKey, { wrapped: Uint8Array; publicKey?: Uint8Array }> & { readonly key: object } {
  using owned = new DisposableStack()
  owned.use(material)
  const home = granted.usesMax > 0 ? module.open.domain.moduleId.toString('hex') : ''
  const attributes = { ...granted, home }
  assertLevelPermits(module.level, attributes, material.secretBytes)
  const wrapped = wrap(module.open.domain, attributes, material)
  const done = {
    result: describe(attributes, material),
    parts: { wrapped, ...publicPart(material) },
    key: { loaded: { attributes, material } satisfies LoadedKey, isNew: true },
  }
  owned.move()
  return done
}

function describe(attributes: KeyAttributes, material: KeyMaterial): NewKey {
  return { attributes, checkValue: checkValue(material) }
}

function publicPart(material: KeyMaterial): { publicKey?: Uint8Array } {
  return material.keyClass === 'secret' ? {} : { publicKey: material.publicSpki() }
}

function parseReference(untrusted: unknown): KeyReference {
  return parseKeyReference(parseObject(untrusted, ['key', 'version'], 'arguments'))
}
