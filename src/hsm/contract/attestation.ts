/**
 * What a module states about itself, about a key, and about its domain, signed with both identity keys
 * (docs/formats/attestation.md): the shapes, the file, and the check that whoever receives one makes with
 * nothing but the file and the domain's public statement. The domain's statement is what a verifier pins: it
 * is as good as the way on which it came, because it is signed by the members that it names.
 *
 * A file is the one encoding of `{signatures, statement}` and a line feed, so that no bit of it can change
 * unseen; what is signed are the bytes of the statement inside.
 */

import { keyClasses } from './algorithms.ts'
import { canonicalJson } from './canonical-json.ts'
import type { ModuleState } from './commands.ts'
import { type Credential, type Member, type PersonRole, securityLevels } from './domain-state.ts'
import { type DoubleSignature, verifyDouble } from './double-signature.ts'
import { HsmError } from './errors.ts'
import { type KeyAttributes, keyStates, provenances } from './keys.ts'
import { type TamperSignal, tamperSignals } from './tamper.ts'

export const moduleFormat = 'keyhold module attestation v1'
export const keyFormat = 'keyhold key attestation v1'
export const domainFormat = 'keyhold domain statement v1'

/** In every attestation, so that nobody takes it for more than it is. */
export const notice =
  'This was signed with keys that only a module of the domain should hold. Without a quote of a TPM ' +
  'it proves nothing about the machine, or about the program that held them: officers vouch for those.'

/** What a module says when nobody told it the digest of the manifest that was checked. */
export const sourceUnverified = 'unverified'

export const nonceBytesMin = 16
export const nonceBytesMax = 64
export const attestationBytesMax = 64 * 1024
/** The domain state is bounded by half of it. */
export const domainStatementBytesMax = 512 * 1024

interface Heading {
  readonly domain: string
  readonly module: string
  readonly development: boolean
  readonly level: number
  readonly epoch: number
  /** Milliseconds since 1970, by the module's clock. */
  readonly time: number
  readonly nonce: string
  readonly notice: typeof notice
}

export interface ModuleStatement extends Heading {
  readonly format: typeof moduleFormat
  readonly state: ModuleState
  /** Why the state is tampered, and since when; null in every other. */
  readonly tamper: { readonly signal: TamperSignal; readonly time: number } | null
  /** Raw public keys in hex. */
  readonly identity: { readonly ed25519: string; readonly mlDsa65: string }
  /** The version of the domain state in force, and the SHA-256 of its bytes in hex. */
  readonly domainState: { readonly version: number; readonly hash: string }
  readonly software: {
    readonly version: string
    readonly node: string
    readonly openssl: string
    /** SHA-256 of the signed manifest in hex, by the word of whoever started the module; or unverified. */
    readonly sourceManifest: string
  }
  readonly wall: string
  /** Counts and lengths by name, as configured in the code. */
  readonly limits: Readonly<Record<string, number>>
  /** Known answers since the start. */
  readonly selfTests: { readonly passed: number; readonly failed: number }
  readonly entropy: {
    readonly mechanism: string
    readonly sources: readonly {
      readonly name: string
      readonly physical: boolean
      readonly state: string
      /** Claimed for a sample, in thousandths of a bit. */
      readonly millibits: number
      readonly failures: number
    }[]
  }
  readonly freshness: string
  /** Leaves of the record whose groups are closed, and the root hash over them in hex. */
  readonly record: { readonly size: number; readonly root: string }
  /** SHA-256 in hex of the public key to which secrets for this start of the module are sealed. */
  readonly transportKey: string
}

export interface KeyStatement extends Heading {
  readonly format: typeof keyFormat
  readonly attributes: KeyAttributes
  readonly checkValue: {
    readonly cmac?: string
    readonly zeroBlock?: string
    readonly fingerprint?: string
  }
  /** Whether all that the key may do is approved (SP 800-140C and D). */
  readonly approved: boolean
  /** SP 800-57 part 1 section 5.6.1. */
  readonly strengthBits: number
}

export interface DomainStatement {
  readonly format: typeof domainFormat
  readonly domain: string
  readonly development: boolean
  readonly level: number
  /** Of the domain state that this is an extract of, with the SHA-256 of its bytes in hex. */
  readonly version: number
  readonly stateHash: string
  readonly members: readonly Member[]
  readonly people: readonly {
    readonly name: string
    readonly roles: readonly PersonRole[]
    readonly credential: Credential
  }[]
  /** The member that signed it. */
  readonly maker: string
  readonly time: number
}

export type Attestation = ModuleStatement | KeyStatement
export type Statement = Attestation | DomainStatement

/** The file. */
export function encodeSigned(statement: Statement, signatures: DoubleSignature): Buffer {
  return Buffer.from(`${canonicalJson({ signatures, statement })}\n`)
}

/** What is signed. */
export function encodeStatement(statement: Statement): Buffer {
  return Buffer.from(canonicalJson(statement))
}

/**
 * The module's or key's statement, if a member of the domain made it.
 * @param nonce in hex: that of whoever asked; left out when it does not matter how old the file is
 * @throws HsmError ATTESTATION_INVALID, whose message names what is wrong
 */
export function verifyAttestation(
  file: Uint8Array,
  domain: DomainStatement,
  nonce?: string,
): Attestation {
  const { statement, signatures } = openSignedFile(file, attestationBytesMax)
  const attestation = parseAttestation(statement)
  if (attestation.domain !== domain.domain) throw invalid('it is of another domain')
  const member = domain.members.find(({ module }) => module === attestation.module)
  if (!member) throw invalid('its module is no member of the domain')
  if (attestation.format === moduleFormat) {
    const { ed25519, mlDsa65 } = attestation.identity
    if (ed25519 !== member.ed25519 || mlDsa65 !== member.mlDsa65) {
      throw invalid("the identity keys in it are not the member's")
    }
  }
  if (attestation.development !== domain.development) {
    throw invalid('it and the domain differ in being for development')
  }
  if (!verifyDouble(encodeStatement(attestation), signatures, member)) {
    throw invalid('the two signatures of the module are not both right')
  }
  if (nonce !== undefined && attestation.nonce !== nonce.toLowerCase()) {
    throw invalid('it answers another nonce')
  }
  return attestation
}

/**
 * The domain's statement, if the member that it names as its maker signed it.
 * @throws HsmError ATTESTATION_INVALID
 */
export function openDomainStatement(file: Uint8Array): DomainStatement {
  const { statement, signatures } = openSignedFile(file, domainStatementBytesMax)
  assertFormat(statement, [domainFormat])
  if (!fits(statement, domainShape)) throw invalid('it lacks what a domain statement has')
  const domain = statement as unknown as DomainStatement
  const maker = domain.members.find(({ module }) => module === domain.maker)
  if (!maker || !verifyDouble(encodeStatement(domain), signatures, maker)) {
    throw invalid('the two signatures of its maker are not both right')
  }
  return domain
}

type Members = Readonly<Record<string, unknown>>

/** A file in its one encoding, what it says and the signatures over that, not checked. @throws HsmError */
export function openSignedFile(
  file: Uint8Array,
  bytesMax: number,
): { readonly statement: Members; readonly signatures: DoubleSignature } {
  if (file.length > bytesMax) throw invalid(`the file has more than ${bytesMax} bytes`)
  const value = decodeJson(file)
  if (!fits(value, fileShape)) throw invalid('it has not the members statement and signatures')
  const { statement, signatures } = value as { statement: Members; signatures: DoubleSignature }
  return { statement, signatures }
}

function decodeJson(file: Uint8Array): unknown {
  let value: unknown
  let again: string
  try {
    value = JSON.parse(new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(file))
    again = `${canonicalJson(value)}\n`
  } catch (cause) {
    throw invalid('the file is not JSON of the kind that is signed', cause)
  }
  if (Buffer.compare(Buffer.from(again), file) !== 0) {
    throw invalid('the file was written anew or changed: it is not in its one encoding')
  }
  return value
}

function parseAttestation(statement: Members): Attestation {
  const format = assertFormat(statement, [moduleFormat, keyFormat])
  if (!fits(statement, format === moduleFormat ? moduleShape : keyShape)) {
    throw invalid(`it lacks what a ${format.slice('keyhold '.length)} has, or has more`)
  }
  return statement as unknown as Attestation
}

function assertFormat<F extends string>({ format }: Members, known: readonly F[]): F {
  const found = known.find((name) => name === format)
  if (found !== undefined) return found
  throw invalid(`its format is not one of: ${known.join(', ')}`)
}

/** A predicate, or the members that an object has: all of them but those that end in "?", and no more. */
type Shape = ((value: unknown) => boolean) | { readonly [member: string]: Shape }

function fits(value: unknown, shape: Shape): boolean {
  if (typeof shape === 'function') return shape(value)
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return false
  const found = value as Members
  const known = Object.entries(shape).map(([name, member]) => {
    const plain = name.replace(/\?$/, '')
    return { plain, member, optional: plain !== name }
  })
  return (
    Object.keys(found).every((name) => known.some(({ plain }) => plain === name)) &&
    known.every(({ plain, member, optional }) =>
      Object.hasOwn(found, plain) ? fits(found[plain], member) : optional,
    )
  )
}

const isText = (value: unknown) => typeof value === 'string' && value.length <= 4_096
const isBoolean = (value: unknown) => typeof value === 'boolean'
const isCount = (value: unknown) => Number.isSafeInteger(value) && Number(value) >= 0
const isOneOf = (choices: readonly unknown[]) => (value: unknown) => choices.includes(value)
const isListOf = (lengthMax: number, shape: Shape) => (value: unknown) =>
  Array.isArray(value) && value.length <= lengthMax && value.every((item) => fits(item, shape))
const isHex = (bytesMin: number, bytesMax: number) => (value: unknown) =>
  typeof value === 'string' &&
  /^(?:[0-9a-f]{2})*$/.test(value) &&
  value.length >= 2 * bytesMin &&
  value.length <= 2 * bytesMax
const isNullOr = (shape: Shape) => (value: unknown) => value === null || fits(value, shape)
const isLimits = (value: unknown) =>
  fits(value, Object.fromEntries(Object.keys(Object(value)).map((name) => [name, isCount])))

/** For whoever has files of the same kind. */
export const shapes = { fits, isText, isBoolean, isCount, isHex, isOneOf, isListOf }

const isId = isHex(16, 16)
const isHash = isHex(32, 32)
const identityShape = { ed25519: isHex(32, 32), mlDsa65: isHex(1952, 1952) }
const fileShape = {
  statement: (value: unknown) => typeof value === 'object' && value !== null,
  signatures: { ed25519: isText, mlDsa65: (value: unknown) => typeof value === 'string' },
}

const heading = {
  domain: isId,
  module: isId,
  development: isBoolean,
  level: isOneOf(securityLevels),
  epoch: isCount,
  time: isCount,
  nonce: isHex(nonceBytesMin, nonceBytesMax),
  notice: isOneOf([notice]),
}

const moduleShape = {
  ...heading,
  format: isOneOf([moduleFormat]),
  state: isOneOf(['operational', 'tampered']),
  tamper: isNullOr({ signal: isOneOf(Object.keys(tamperSignals)), time: isCount }),
  identity: identityShape,
  domainState: { version: isCount, hash: isHash },
  software: { version: isText, node: isText, openssl: isText, sourceManifest: isText },
  wall: isText,
  limits: isLimits,
  selfTests: { passed: isCount, failed: isCount },
  entropy: {
    mechanism: isText,
    sources: isListOf(16, {
      name: isText,
      physical: isBoolean,
      state: isText,
      millibits: isCount,
      failures: isCount,
    }),
  },
  freshness: isText,
  record: { size: isCount, root: isHash },
  transportKey: isHash,
} satisfies Record<keyof ModuleStatement, Shape>

/** All attributes that a key has; one more of them does not compile until it stands here. */
const attributesShape = {
  key: (value: unknown) => typeof value === 'string' && /^key_[0-9a-f]{32}$/.test(value),
  version: isCount,
  revision: isCount,
  class: isOneOf(keyClasses),
  state: isOneOf(keyStates),
  provenance: isOneOf(provenances),
  created: isCount,
  type: isText,
  algorithms: isListOf(64, isText),
  uses: isListOf(16, isText),
  exportable: isBoolean,
  externalIv: isBoolean,
  plaintextRelease: isBoolean,
  notBefore: isCount,
  notAfter: isCount,
  approvals: isCount,
  canary: isBoolean,
  usesMax: isCount,
  home: (value: unknown) => value === '' || isId(value),
} satisfies Record<keyof KeyAttributes, Shape>

const keyShape = {
  ...heading,
  format: isOneOf([keyFormat]),
  attributes: attributesShape,
  checkValue: { 'cmac?': isHex(5, 5), 'zeroBlock?': isHex(3, 3), 'fingerprint?': isHex(3, 32) },
  approved: isBoolean,
  strengthBits: isCount,
} satisfies Record<keyof KeyStatement, Shape>

const domainShape = {
  format: isOneOf([domainFormat]),
  domain: isId,
  development: isBoolean,
  level: isOneOf(securityLevels),
  version: isCount,
  stateHash: isHash,
  members: isListOf(64, { module: isId, ...identityShape }),
  people: isListOf(64, {
    name: isText,
    roles: isListOf(8, isText),
    credential: { kind: isText, publicKey: isText, 'relyingParty?': isText, 'origin?': isText },
  }),
  maker: isId,
  time: isCount,
} satisfies Record<keyof DomainStatement, Shape>

function invalid(message: string, cause?: unknown): HsmError {
  return new HsmError('ATTESTATION_INVALID', message, cause === undefined ? {} : { cause })
}
