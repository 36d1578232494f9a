/**
 * Commands that carry keys under keys: wrapKey lets an exportable key out under another, unwrapKey takes
 * one in. Their formats are those of SP 800-38F, SP 800-38D and PKCS #1, for others to read; they carry
 * no attributes, so what comes in by unwrapKey is marked as such for ever, and does not leave again.
 */

import type { KeyUse } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import type { KeyTemplate } from '../contract/keys.ts'
import { assertUseApproved } from '../gate.ts'
import { assertClass, assertExport, attributesOf, parseTemplate } from '../keys/attributes.ts'
import { assertInherits, assertMakes } from '../keys/inheritance.ts'
import { KeyMaterial } from '../keys/material.ts'
import { type KeyReference, parseChoice, parseKeyReference, parseObject } from '../parse.ts'
import type { Encrypted } from '../primitives/implementation.ts'
import { newKey } from './keys.ts'
import { command, ivBytesMax, keyBytesMax, underRule, unrestricted } from './row.ts'
import {
  parseUseMembers,
  permitUse,
  type UseArguments,
  useMembers,
  wrappedPart,
} from './use-of-key.ts'

const operational = ['operational'] as const
const none = new Uint8Array()
/** A wrapped key in a foreign format: IV, tag and padding come on top of the key. */
const foreignBytesMax = keyBytesMax + 1_024
const unwrappedClasses = ['secret', 'private'] as const

const wrapMembers = useMembers(['target'])
const unwrapMembers = useMembers(['into'])

export const wrapKey = command({
  name: 'wrapKey',
  states: operational,
  ...underRule('export'),
  uses: true,
  record: 'key',
  parts: { wrapped: wrappedPart, targetWrapped: wrappedPart },
  parse: (untrusted): UseArguments & { readonly target: KeyReference } => {
    const args = parseObject(untrusted, wrapMembers, 'arguments')
    const target = parseObject(args.target, ['key', 'version'], 'target')
    return { ...parseUseMembers(args), target: parseKeyReference(target) }
  },
  run: (module, args, { wrapped, targetWrapped }) => {
    const key = permitUse(module, args, wrapped, { use: 'wrap', operation: 'wrap' })
    const target = module.key(args.target, targetWrapped)
    assertUseApproved(module, target.attributes)
    if (target.attributes.canary) module.tamper.canaryUsed(target.attributes)
    if (target.attributes.class === 'public') {
      throw new HsmError('ARGUMENT_INVALID', 'a public key needs no wrapping')
    }
    const bytes = target.material.toBytes()
    using owned = new DisposableStack()
    owned.use(bytes)
    assertExport(key.attributes.type, target.attributes, bytes.length)
    const encrypted = key.operation(key.material, bytes)
    if (!(encrypted instanceof Promise)) return wrappedDone(encrypted)
    // The key's bytes live until the other thread is done with them.
    owned.move()
    return encrypted.then(wrappedDone).finally(() => bytes[Symbol.dispose]())
  },
})

type UnwrappedClass = (typeof unwrappedClasses)[number]

interface UnwrapArguments extends UseArguments {
  readonly into: KeyReference & { readonly template: KeyTemplate; readonly class: UnwrappedClass }
}

export const unwrapKey = command({
  name: 'unwrapKey',
  states: operational,
  ...unrestricted,
  uses: true,
  record: 'key',
  parts: {
    wrapped: wrappedPart,
    ciphertext: { bytesMax: foreignBytesMax },
    iv: { bytesMax: ivBytesMax, optional: true },
  },
  parse: (untrusted): UnwrapArguments => {
    const args = parseObject(untrusted, unwrapMembers, 'arguments')
    const into = parseObject(args.into, ['key', 'version', 'template', 'class'], 'into')
    const template = parseTemplate(into.template, 'unwrapped')
    const keyClass = parseChoice(into.class, unwrappedClasses, 'class')
    assertClass(template, keyClass)
    assertMakes('unwrapKey', template)
    return {
      ...parseUseMembers(args),
      into: { ...parseKeyReference(into), template, class: keyClass },
    }
  },
  run: async (module, args, { wrapped, ciphertext, iv = none }) => {
    const use: KeyUse = 'unwrap'
    const key = permitUse(module, args, wrapped, { use, operation: 'unwrap' })
    const { into } = args
    assertInherits(into.template, key.attributes)
    module.assertNew(into)
    using bytes = await key.operation(key.material, { iv, ciphertext })
    const material = await KeyMaterial.importBytes(into.template.type, into.class, bytes)
    const origin = { keyClass: into.class, provenance: 'unwrapped' } as const
    return newKey(module, attributesOf(into, into.template, origin, module.now()), material)
  },
})

function wrappedDone({ iv, ciphertext }: Encrypted) {
  return { result: {}, parts: { iv, ciphertext } }
}
