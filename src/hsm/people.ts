/**
 * People as the module knows them: by the public key that they sign with (Ed25519, P-256, ML-DSA-65, or
 * a passkey's P-256 or Ed25519 key), and their roles. Keys are validated when they are enrolled and kept
 * in one encoding, so that nobody is there twice.
 */

import { createPublicKey } from 'node:crypto'
import {
  type Credential,
  type Person,
  type PersonRole,
  personNameLengthMax,
  personRoles,
} from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import { parseChoice, parseList, parseObject } from './parse.ts'

const credentialKinds = ['ed25519', 'p-256', 'ml-dsa-65', 'passkey'] as const
/** The SPKI of an ML-DSA-65 key has 1,974 bytes. */
const spkiTextLengthMax = 4_096
const namePattern = /^[\p{L}\p{N}](?:[\p{L}\p{N}._@ -]*[\p{L}\p{N}])?$/u
const relyingPartyPattern = /^[a-z0-9](?:[a-z0-9.-]{0,251}[a-z0-9])?$/

export function parseRole(value: unknown): PersonRole {
  return parseChoice(value, personRoles, 'role')
}

/** A person without a PIN: that is set by its own command. @throws HsmError ARGUMENT_INVALID */
export function parsePerson(value: unknown): Person {
  const { name, roles, credential } = parseObject(
    value,
    ['name', 'roles', 'credential'],
    'a person',
  )
  return {
    name: parsePersonName(name),
    roles: parseList(roles, { name: 'roles', lengthMax: personRoles.length }, parseRole),
    credential: parseCredential(credential),
    pin: null,
  }
}

export function parsePersonName(value: unknown): string {
  const isName =
    typeof value === 'string' && value.length <= personNameLengthMax && namePattern.test(value)
  if (!isName) {
    throw invalid(`a name has 1 to ${personNameLengthMax} letters, digits, spaces or . _ @ -`)
  }
  return value
}

/** @throws HsmError ARGUMENT_INVALID */
export function parseCredential(value: unknown): Credential {
  const members = ['kind', 'publicKey', 'relyingParty', 'origin']
  const { kind, publicKey, relyingParty, origin } = parseObject(value, members, 'a credential')
  const known = parseChoice(kind, credentialKinds, 'kind')
  if (known !== 'passkey') {
    if (relyingParty !== undefined || origin !== undefined)
      throw invalid('only a passkey has these')
    return { kind: known, publicKey: parsePublicKey(publicKey, [known]) }
  }
  return {
    kind: known,
    publicKey: parsePublicKey(publicKey, ['p-256', 'ed25519']),
    ...parsePlace(relyingParty, origin),
  }
}

/** The relying party is a registrable suffix of the origin's host (WebAuthn level 3 section 5.1.2). */
function parsePlace(relyingParty: unknown, origin: unknown) {
  if (typeof relyingParty !== 'string' || !relyingPartyPattern.test(relyingParty)) {
    throw invalid('relyingParty is a host name in lower case')
  }
  const url = typeof origin === 'string' && origin.length <= 512 ? URL.parse(origin) : null
  if (
    !url ||
    url.origin !== origin ||
    (url.protocol !== 'https:' && url.hostname !== 'localhost')
  ) {
    throw invalid('origin is one of https, as a browser prints it')
  }
  if (url.hostname !== relyingParty && !url.hostname.endsWith(`.${relyingParty}`)) {
    throw invalid('the relying party is not of this origin')
  }
  return { relyingParty, origin: url.origin }
}

type SigningKind = 'ed25519' | 'p-256' | 'ml-dsa-65'

/** SPKI in base64; node:crypto checks that a point is on its curve (SP 800-186 appendix D.1). */
function parsePublicKey(value: unknown, kinds: readonly SigningKind[]): string {
  if (typeof value !== 'string' || value.length > spkiTextLengthMax) throw notAKey()
  try {
    const der = Buffer.from(value, 'base64')
    const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
    const kind =
      key.asymmetricKeyType === 'ec'
        ? key.asymmetricKeyDetails?.namedCurve === 'prime256v1' && 'p-256'
        : key.asymmetricKeyType
    const text = key.export({ format: 'der', type: 'spki' }).toString('base64')
    if (text === value && kinds.some((known) => known === kind)) return text
  } catch {
    // Told below, in one way.
  }
  throw notAKey()
}

function notAKey(): HsmError {
  return invalid('publicKey is a SubjectPublicKeyInfo in base64, of the kind that is named')
}

function invalid(message: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', message)
}
