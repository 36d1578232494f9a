/**
 * What a key may do: decided when it is made, bound to its bytes in the wrapped key, and checked at each
 * use. Combinations that would leak a key are not representable, because parseTemplate is the only way
 * to attributes and a change can only take away:
 *
 * - One key, one purpose (SP 800-57 part 1 revision 5 section 5.2). A key that wraps and decrypts would
 *   hand out every wrapped key in plaintext; one that encrypts and unwraps would let anybody put in a key
 *   that he knows; a MAC under a key that also derives, or that XAES-256-GCM derives from by CMAC, would
 *   answer with the derived key itself.
 * - A cipher that does not authenticate stands alone under its key. CTR computes the block cipher itself
 *   for whoever may decrypt, and with it the keys that XAES-256-GCM derives; and a GCM ciphertext that
 *   is passed off as CTR would come back in plaintext, altered and unnoticed. So does a wrapping that has an
 *   ephemeral key of its own in front: by OAEP alone that key would be unwrapped to decrypt what follows it.
 * - Only a key that was generated or imported may wrap or unwrap. A secret that is derived, agreed,
 *   decapsulated or unwrapped can be made a second time with another template, so that one copy would wrap
 *   what the other decrypts. For the same reason such a key does not leave: it could come back to decrypt.
 * - Nothing that was refused at birth is granted later: exportable, externalIv and plaintextRelease are
 *   fixed, uses shrink, and a key that came from outside says so in its provenance for ever. What is made
 *   from a key is no freer than the key (inheritance.ts).
 * - A key is wrapped only under one that is at least as strong (SP 800-57 part 1 section 5.6.2).
 */

import {
  type AlgorithmName,
  type AlgorithmRow,
  algorithms as algorithmRows,
  isKeyTypeName,
  isKeyUse,
  type KeyClass,
  type KeyType,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
  keyUses,
} from '../contract/algorithms.ts'
import { approvalsMax } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import {
  type KeyAttributes,
  type KeyChange,
  type KeyState,
  type KeyTemplate,
  keyStates,
  type Provenance,
  usesByState,
} from '../contract/keys.ts'
import {
  type KeyReference,
  parseAlgorithm,
  parseBoolean,
  parseChoice,
  parseInteger,
  parseList,
  parseObject,
  parseTime,
  revisionMax,
} from '../parse.ts'
import { secretBytesMax, secretBytesMin } from './material.ts'

const templateMembers = [
  'type',
  'algorithms',
  'uses',
  'exportable',
  'externalIv',
  'plaintextRelease',
  'notBefore',
  'notAfter',
  'lengthBytes',
  'approvals',
  'canary',
  'usesMax',
]
const changeMembers = ['state', 'uses', 'notBefore', 'notAfter']

/** Of a generic secret that is made without saying how long: its template says 0. */
export const secretBytesDefault = 32
/** More than any type of key has. */
export const algorithmsPerKeyMax = 64

/** A key's uses are all from one of these. */
const purposes: readonly (readonly KeyUse[])[] = [
  ['encrypt', 'decrypt'],
  ['wrap', 'unwrap'],
  ['sign', 'verify'],
  ['mac', 'verifyMac'],
  ['encapsulate', 'decapsulate'],
  ['derive'],
  ['agree'],
]
const usesOfPublicKeys: readonly KeyUse[] = ['encrypt', 'wrap', 'verify', 'encapsulate']
const usesOfFirstHandKeys: readonly KeyUse[] = ['wrap', 'unwrap']
const firstHand: readonly Provenance[] = ['generated', 'imported']
const releasingUses: readonly KeyUse[] = ['derive', 'agree', 'encapsulate', 'decapsulate']

/** How the key that the template is for comes to be. */
export interface Origin {
  readonly keyClass: KeyClass
  readonly provenance: Provenance
}

/** The class that a key of this type has when it is made here. */
export function generatedClass(type: KeyTypeName): KeyClass {
  return keyTypes[type].family === 'secret' ? 'secret' : 'private'
}

/** @throws HsmError ARGUMENT_INVALID, ALGORITHM_NOT_SUPPORTED, KEY_USE_NOT_PERMITTED, KEY_TOO_WEAK */
export function parseTemplate(value: unknown, provenance: Provenance): KeyTemplate {
  const untrusted = parseObject(value, templateMembers, 'template')
  const { type } = untrusted
  if (!isKeyTypeName(type)) {
    throw new HsmError('ALGORITHM_NOT_SUPPORTED', 'there is no such type of key')
  }
  const template = {
    type,
    algorithms: parseList(
      untrusted.algorithms,
      { name: 'algorithms', lengthMax: algorithmsPerKeyMax },
      parseAlgorithm,
    ),
    uses: parseUses(untrusted.uses),
    exportable: parseBoolean(untrusted.exportable, 'exportable'),
    externalIv: parseBoolean(untrusted.externalIv, 'externalIv'),
    plaintextRelease: parseBoolean(untrusted.plaintextRelease, 'plaintextRelease'),
    notBefore: parseTime(untrusted.notBefore, 'notBefore'),
    notAfter: parseTime(untrusted.notAfter, 'notAfter'),
    lengthBytes: parseLength(type, untrusted.lengthBytes),
    approvals: parseApprovals(untrusted.approvals),
    canary: untrusted.canary === undefined ? false : parseBoolean(untrusted.canary, 'canary'),
    usesMax: parseUsesMax(untrusted.usesMax),
  }
  assertPurpose(template)
  assertPublicOnly(template, provenance)
  assertFlags(template)
  assertDates(template)
  if (!firstHand.includes(provenance) && has(template.uses, usesOfFirstHandKeys)) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', `a key that was ${provenance} does not wrap keys`)
  }
  if (provenance === 'unwrapped' && template.plaintextRelease) throw releaseNotPermitted()
  return template
}

/** That a key of this class can be what the template says. @throws HsmError ARGUMENT_INVALID */
export function assertClass({ type, uses }: KeyTemplate, keyClass: KeyClass): void {
  if ((keyTypes[type].family === 'secret') !== (keyClass === 'secret')) {
    throw invalid(`a key of type ${type} is not ${keyClass}`)
  }
  const { publicOnly }: KeyType = keyTypes[type]
  if (publicOnly && keyClass !== 'public') {
    throw invalid(`only public keys of type ${type} are taken in`)
  }
  if (keyClass === 'public' && uses.some((use) => !usesOfPublicKeys.includes(use))) {
    throw invalid(`a public key does no more than ${usesOfPublicKeys.join(', ')}`)
  }
}

/** The attributes of a new key, active from now on. */
export function attributesOf(
  { key, version }: KeyReference,
  template: KeyTemplate,
  { keyClass, provenance }: Origin,
  now: number,
): KeyAttributes {
  const { lengthBytes: _, approvals = 0, canary = false, usesMax = 0, ...granted } = template
  return {
    key,
    version,
    revision: 1,
    class: keyClass,
    state: 'active',
    provenance,
    created: now,
    ...granted,
    approvals,
    canary,
    usesMax,
    home: '',
  }
}

/** @throws HsmError ARGUMENT_INVALID */
export function parseChange(value: unknown): KeyChange {
  const { state, uses, notBefore, notAfter } = parseObject(value, changeMembers, 'change')
  const change = {
    ...(state === undefined ? {} : { state: parseChoice(state, keyStates, 'state') }),
    ...(uses === undefined ? {} : { uses: parseUses(uses) }),
    ...(notBefore === undefined ? {} : { notBefore: parseTime(notBefore, 'notBefore') }),
    ...(notAfter === undefined ? {} : { notAfter: parseTime(notAfter, 'notAfter') }),
  }
  if (Object.keys(change).length === 0) throw invalid('a change that changes nothing')
  return change
}

/** SP 800-57 part 1 section 7, figure 3: nobody comes back from deactivated or compromised. */
const nextStates: Readonly<Record<KeyState, readonly KeyState[]>> = {
  'pre-active': ['pre-active', 'active', 'compromised'],
  active: ['active', 'suspended', 'deactivated', 'compromised'],
  suspended: ['suspended', 'active', 'deactivated', 'compromised'],
  deactivated: ['deactivated', 'compromised'],
  compromised: ['compromised'],
}

/**
 * The next revision of a key's attributes.
 * @throws HsmError KEY_STATE_INVALID, KEY_USE_NOT_PERMITTED when uses would grow, ARGUMENT_INVALID
 */
export function changeAttributes(attributes: KeyAttributes, change: KeyChange): KeyAttributes {
  const changed = { ...attributes, ...change, revision: attributes.revision + 1 }
  if (changed.revision > revisionMax) {
    throw new HsmError('KEY_STATE_INVALID', 'the key was changed too often')
  }
  if (!nextStates[attributes.state].includes(changed.state)) {
    throw new HsmError('KEY_STATE_INVALID', `a key that is ${attributes.state} stays so`)
  }
  if (!changed.uses.every((use) => attributes.uses.includes(use))) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', 'the uses of a key can only become fewer')
  }
  assertDates(changed)
  return changed
}

/**
 * The algorithm of a use that is permitted now: the one that was asked for, or the first that fits.
 * @param now milliseconds since 1970
 * @throws HsmError KEY_STATE_INVALID, KEY_USE_NOT_PERMITTED
 */
export function assertUse(
  attributes: KeyAttributes,
  use: KeyUse,
  asked: AlgorithmName | undefined,
  now: number,
): AlgorithmName {
  const { state, uses, notBefore, notAfter } = attributes
  const left: readonly KeyUse[] = usesByState[state]
  if (!left.includes(use)) {
    throw new HsmError('KEY_STATE_INVALID', `a key that is ${state} does not ${use}`)
  }
  if (now < notBefore || (notAfter !== 0 && now > notAfter)) {
    throw new HsmError('KEY_STATE_INVALID', 'the key is not used outside of its dates')
  }
  if (!uses.includes(use)) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', `the key is not permitted to ${use}`)
  }
  const algorithm = asked ?? attributes.algorithms.find((name) => serves(name, use))
  if (
    algorithm === undefined ||
    !attributes.algorithms.includes(algorithm) ||
    !serves(algorithm, use)
  ) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', `the key is not permitted to ${use} like this`)
  }
  return algorithm
}

/**
 * That the target may leave the module under a key of the wrapping type. A generic secret is as strong
 * as it is long, up to the 256 bits that count.
 * @throws HsmError KEY_NOT_EXPORTABLE, KEY_TOO_WEAK, KEY_STATE_INVALID
 */
export function assertExport(
  wrappingType: KeyTypeName,
  target: KeyAttributes,
  targetBytes: number,
): void {
  if (!target.exportable) {
    throw new HsmError('KEY_NOT_EXPORTABLE', 'the key was made never to leave the module')
  }
  if (target.state === 'pre-active' || target.state === 'compromised') {
    throw new HsmError('KEY_STATE_INVALID', `a key that is ${target.state} is not exported`)
  }
  const { strengthBits } = keyTypes[target.type]
  const targetBits =
    target.type === 'generic-secret' ? Math.min(strengthBits, targetBytes * 8) : strengthBits
  if (keyTypes[wrappingType].strengthBits < targetBits) {
    throw new HsmError('KEY_TOO_WEAK', 'the wrapping key is weaker than the key it would wrap')
  }
}

/** In the order of keyUses, which is the one that a wrapped key has. */
function parseUses(value: unknown): KeyUse[] {
  const uses = parseList(value, { name: 'uses', lengthMax: keyUses.length }, (use) => {
    if (!isKeyUse(use)) throw invalid('there is no such use of a key')
    return use
  })
  return keyUses.filter((use) => uses.includes(use))
}

function parseApprovals(value: unknown): number {
  if (value === undefined) return 0
  return parseInteger(value, { name: 'approvals', min: 0, max: approvalsMax })
}

function parseUsesMax(value: unknown): number {
  if (value === undefined) return 0
  return parseInteger(value, { name: 'usesMax', min: 0, max: Number.MAX_SAFE_INTEGER })
}

function parseLength(type: KeyTypeName, value: unknown): number {
  const { family, lengthBytes }: KeyType = keyTypes[type]
  const name = 'lengthBytes'
  if (family !== 'secret' || lengthBytes !== undefined) {
    return parseInteger(value, { name: `${name} of ${type}`, min: 0, max: 0 })
  }
  const length = parseInteger(value, { name, min: 0, max: secretBytesMax })
  if (length !== 0 && length < secretBytesMin) {
    throw new HsmError('KEY_TOO_WEAK', `a secret has at least ${secretBytesMin} bytes (112 bits)`)
  }
  return length
}

function assertPurpose({ type, algorithms, uses }: KeyTemplate): void {
  for (const name of algorithms) {
    const { keyTypes: types }: AlgorithmRow = algorithmRows[name]
    if (!types.includes(type)) {
      throw new HsmError('ALGORITHM_NOT_SUPPORTED', `${name} does not work with ${type} keys`)
    }
  }
  const alone = algorithms.find(standsAlone)
  if (alone && algorithms.length > 1) throw invalid(`${alone} is the only algorithm of its key`)
  for (const use of uses) {
    if (!algorithms.some((name) => serves(name, use))) {
      throw invalid(`no permitted algorithm can ${use}`)
    }
  }
  if (!purposes.some((purpose) => uses.every((use) => purpose.includes(use)))) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', 'a key has one purpose; these uses are of several')
  }
}

/** Legacy verification: there is no private key here, however it would come to be. */
function assertPublicOnly({ type, uses }: KeyTemplate, provenance: Provenance): void {
  const { publicOnly }: KeyType = keyTypes[type]
  if (!publicOnly) return
  if (provenance === 'imported' && uses.every((use) => use === 'verify')) return
  throw new HsmError('KEY_USE_NOT_PERMITTED', `keys of type ${type} are imported, and only verify`)
}

function assertFlags(template: KeyTemplate): void {
  const { type, algorithms, uses, exportable, externalIv, plaintextRelease, usesMax } = template
  // Whoever imports it elsewhere would not count.
  if (usesMax && exportable) throw invalid('a key whose uses are limited does not leave the module')
  if (exportable && has(uses, usesOfFirstHandKeys)) {
    throw new HsmError('KEY_USE_NOT_PERMITTED', 'a key that wraps others does not leave the module')
  }
  const isCipherKey = keyTypes[type].family === 'secret' && has(uses, ['encrypt', 'decrypt'])
  if (externalIv && !isCipherKey) throw invalid('only a cipher has an IV from outside')
  // An IV of the caller's choice makes the block cipher compute what another mode keeps to itself.
  if (externalIv && algorithms.length > 1) {
    throw invalid('a key with IVs from outside has one algorithm')
  }
  if (plaintextRelease && !has(uses, releasingUses)) {
    throw invalid(`only keys that ${releasingUses.join(', ')} release secrets`)
  }
}

function assertDates({ notBefore, notAfter }: Pick<KeyTemplate, 'notBefore' | 'notAfter'>): void {
  if (notAfter !== 0 && notBefore > notAfter) throw invalid('notAfter lies before notBefore')
}

function serves(name: AlgorithmName, use: KeyUse): boolean {
  const { uses }: AlgorithmRow = algorithmRows[name]
  return uses.includes(use)
}

function standsAlone(name: AlgorithmName): boolean {
  const { alone }: AlgorithmRow = algorithmRows[name]
  return alone === true
}

function has(uses: readonly KeyUse[], some: readonly KeyUse[]): boolean {
  return uses.some((use) => some.includes(use))
}

function releaseNotPermitted(): HsmError {
  return new HsmError('KEY_USE_NOT_PERMITTED', 'the key would release what its origin may not')
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
