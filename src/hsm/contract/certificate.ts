/**
 * Certificates of the end of keys (docs/formats/certificate.md): what a module did, signed with both its
 * identity keys, and the check that needs nothing but the file and the domain's public statement
 * (`attestation.ts`). A certificate says what the module did itself. It cannot say that nobody kept a
 * copy of what was outside of it: that stands in the member that names what is not proved.
 */

import { type DomainStatement, openSignedFile, shapes } from './attestation.ts'
import { canonicalJson } from './canonical-json.ts'
import type { Custodians, Weakening } from './domain-state.ts'
import { type DoubleSignature, verifyDouble } from './double-signature.ts'
import { HsmError } from './errors.ts'
import type { KeyId, Provenance } from './keys.ts'

export const shredFormat = 'keyhold shred certificate v1'
export const destructionFormat = 'keyhold destruction certificate v1'
export const weakeningFormat = 'keyhold weakening certificate v1'
export const certificateBytesMax = 64 * 1024

interface Heading {
  /** 16 bytes in hex. */
  readonly domain: string
  readonly module: string
  readonly development: boolean
}

/** That an epoch was shredded: root key, KEK and backup key of it were overwritten in this module. */
export interface ShredCertificate extends Heading {
  readonly format: typeof shredFormat
  readonly epochBefore: number
  readonly epoch: number
  /** Generation of the KEK under which all keys were re-wrapped, by the word of the manager. */
  readonly kek: number
  /** Milliseconds since 1970: when the new root was made, and when the KEK before was overwritten. */
  readonly begun: number
  readonly ended: number
  /** Version of the domain state with which the epoch began or that is in force. */
  readonly domainState: number
  readonly floorEntriesDropped: number
  /** Ids of modules that were not reached, and are members no longer: they may still hold the root before. */
  readonly expelled: readonly string[]
  /** Whoever has kept these and an older sealed state or backup opens that with them. */
  readonly notProvedDestroyed: {
    /** The splitting of the root before among custodians, with their names. */
    readonly shares: Custodians | null
    /** How many seals of each kind were made of the root before. */
    readonly seals: Readonly<Record<string, number>>
  }
}

/** That a version of a key is refused from then on, and in no memory of the module. */
export interface DestructionCertificate extends Heading {
  readonly format: typeof destructionFormat
  readonly epoch: number
  readonly key: KeyId
  readonly version: number
  /** Milliseconds since 1970. */
  readonly time: number
  /** Of the destruction floor: every wrapped copy has a lower one. */
  readonly floorRevision: number
  /** Leaves of the record before that of the destruction. */
  readonly recordSize: number
  /** What the module knew of the key when it was told to destroy it; null when it was not loaded. */
  readonly known: {
    readonly type: string
    readonly provenance: Provenance
    readonly exportable: boolean
    readonly created: number
    readonly checkValue: Readonly<Record<string, string>>
  } | null
  readonly notProvedDestroyed: {
    /** Wrapped copies open until the epoch is shredded, for whoever has its root and an older sealed state. */
    readonly wrappedCopies: 'until the epoch is shredded'
    /** What left the module under another key, or came from outside, is out of its reach. */
    readonly outside: readonly OutsideCopy[]
  }
}

/** That every key of the domain was destroyed because a policy became weaker. */
export interface WeakeningCertificate extends Heading {
  readonly format: typeof weakeningFormat
  readonly weakening: Weakening
  readonly notProvedDestroyed: {
    /** The root is the same: whoever has it and an older sealed state opens the wrapped keys of then. */
    readonly wrappedCopies: 'until the epoch is shredded'
    readonly shares: Custodians | null
    readonly seals: Readonly<Record<string, number>>
    /** The module knows not which keys there were. */
    readonly outside: readonly ['unknown']
  }
}

export const outsideCopies = ['exported', 'imported', 'unwrapped', 'derived', 'unknown'] as const
export type OutsideCopy = (typeof outsideCopies)[number]

export type Certificate = ShredCertificate | DestructionCertificate | WeakeningCertificate

/** The file: one encoding, as an attestation has. */
export function certificateFile(
  certificate: Certificate,
  sign: (statement: Uint8Array) => DoubleSignature,
): Buffer {
  return encodeCertificate(certificate, sign(Buffer.from(canonicalJson(certificate))))
}

export function encodeCertificate(certificate: Certificate, signatures: DoubleSignature): Buffer {
  return Buffer.from(`${canonicalJson({ signatures, statement: certificate })}\n`)
}

/**
 * The certificate, if a member of the domain made it.
 * @throws HsmError ATTESTATION_INVALID, whose message names what is wrong
 */
export function verifyCertificate(file: Uint8Array, domain: DomainStatement): Certificate {
  const { statement, signatures } = openSignedFile(file, certificateBytesMax)
  const shape = shapeOf(statement.format)
  if (!shape || !shapes.fits(statement, shape))
    throw invalid('it is no certificate, or has not its members')
  const certificate = statement as unknown as Certificate
  if (certificate.domain !== domain.domain) throw invalid('it is of another domain')
  const member = domain.members.find(({ module }) => module === certificate.module)
  if (!member) throw invalid('its module is no member of the domain')
  if (certificate.development !== domain.development) {
    throw invalid('it and the domain differ in being for development')
  }
  if (!verifyDouble(Buffer.from(canonicalJson(certificate)), signatures, member)) {
    throw invalid('the two signatures of the module are not both right')
  }
  return certificate
}

const { isText, isBoolean, isCount, isHex, isOneOf, isListOf } = shapes
const isId = isHex(16, 16)
const isCounts = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.values(value).every(isCount)
const isTexts = (value: unknown) =>
  typeof value === 'object' && value !== null && Object.values(value).every(isText)
const orNull = (shape: Parameters<typeof shapes.fits>[1]) => (value: unknown) =>
  value === null || shapes.fits(value, shape)
const heading = { format: isText, domain: isId, module: isId, development: isBoolean }

const holders = {
  shares: orNull({ shareSet: isId, threshold: isCount, names: isListOf(64, isText) }),
  seals: isCounts,
}

const shredShape = {
  ...heading,
  ...{ epochBefore: isCount, epoch: isCount, kek: isCount, begun: isCount, ended: isCount },
  ...{ domainState: isCount, floorEntriesDropped: isCount, expelled: isListOf(256, isId) },
  notProvedDestroyed: holders,
}

const weakeningShape = {
  ...heading,
  weakening: {
    ...{ version: isCount, time: isCount, policies: isListOf(64, isText) },
    ...{ epoch: isCount, kek: isCount },
  },
  notProvedDestroyed: {
    ...holders,
    wrappedCopies: isOneOf(['until the epoch is shredded']),
    outside: isListOf(1, isOneOf(['unknown'])),
  },
}

const destructionShape = {
  ...heading,
  ...{ epoch: isCount, key: isText, version: isCount, time: isCount },
  ...{ floorRevision: isCount, recordSize: isCount },
  known: orNull({
    ...{ type: isText, provenance: isText, exportable: isBoolean, created: isCount },
    checkValue: isTexts,
  }),
  notProvedDestroyed: {
    wrappedCopies: isOneOf(['until the epoch is shredded']),
    outside: isListOf(outsideCopies.length, isOneOf(outsideCopies)),
  },
}

function shapeOf(format: unknown) {
  if (format === shredFormat) return shredShape
  if (format === weakeningFormat) return weakeningShape
  return format === destructionFormat ? destructionShape : undefined
}

function invalid(message: string): HsmError {
  return new HsmError('ATTESTATION_INVALID', message)
}
