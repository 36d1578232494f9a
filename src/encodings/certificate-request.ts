/**
 * Certificate requests (PKCS #10, RFC 2986): the part that is signed, made before, and the whole with its
 * signature, put together after the module has signed. The library encodes the extension.
 */

import 'reflect-metadata'
import { isIP } from 'node:net'
import { SubjectAlternativeNameExtension } from '@peculiar/x509'

export interface RequestedSubject {
  /** RFC 4514: `CN=pay.example,O=Bank,C=DE`, the most specific name first. May be empty if there are others. */
  readonly subject: string
  /** DNS names and IP addresses. */
  readonly names: readonly string[]
  readonly addresses: readonly string[]
}

/** What a person wrote names nobody in the way that it should. */
export class SubjectInvalid extends Error {
  override readonly name = 'SubjectInvalid'
}

const tags = {
  bitString: 0x03,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
  attributes: 0xa0,
}

/** RFC 5280 appendix A.1: the types, and the string that each is. */
const attributeTypes: Readonly<Record<string, readonly [identifier: string, tag: number]>> = {
  CN: ['550403', tags.utf8String],
  OU: ['55040b', tags.utf8String],
  O: ['55040a', tags.utf8String],
  L: ['550407', tags.utf8String],
  ST: ['550408', tags.utf8String],
  C: ['550406', tags.printableString],
  DC: ['0992268993f22c640119', tags.ia5String],
}
/** RFC 5280 appendix A.1, ub-common-name and its like. */
const attributeCharactersMax = 64
const attributesMax = 16
const subjectNamesMax = 100
const dnsNamePattern =
  /^(?=.{1,253}$)(?:\*\.)?(?:[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?\.)*[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/i

const version0 = Buffer.from('020100', 'hex')
/** 1.2.840.113549.1.9.14 */
const extensionRequest = Buffer.from('06092a864886f70d01090e', 'hex')

/** CertificationRequestInfo, DER. @throws SubjectInvalid */
export function certificationRequestInfo(
  { subject, names, addresses }: RequestedSubject,
  publicKeySpki: Uint8Array,
): Buffer {
  const parts = parseSubject(subject)
  const other = [
    ...names.map((value) => ({ type: 'dns' as const, value: dnsName(value) })),
    ...addresses.map((value) => ({ type: 'ip' as const, value: address(value) })),
  ]
  if (parts.length + other.length === 0) throw new SubjectInvalid('a certificate is for somebody')
  if (other.length > subjectNamesMax) throw new SubjectInvalid(`at most ${subjectNamesMax} names`)
  const name = tlv(tags.sequence, ...parts)
  const attributes: Buffer[] = []
  if (other.length > 0) {
    // RFC 5280 section 4.2.1.6: critical when it is all that names the subject.
    const extension = new SubjectAlternativeNameExtension(other, parts.length === 0).rawData
    const extensions = tlv(tags.sequence, Buffer.from(extension))
    attributes.push(tlv(tags.sequence, extensionRequest, tlv(tags.set, extensions)))
  }
  return tlv(tags.sequence, version0, name, publicKeySpki, tlv(tags.attributes, ...attributes))
}

/** The whole request, PEM. @throws TypeError for an algorithm that no certificate is signed with */
export function certificateRequest(
  info: Uint8Array,
  { algorithm, signature }: { readonly algorithm: string; readonly signature: Uint8Array },
): string {
  const identifier = signatureAlgorithms[algorithm]
  if (identifier === undefined) throw new TypeError(`${algorithm} signs no certificate request`)
  const bits = tlv(tags.bitString, Buffer.from([0]), signature)
  const der = tlv(tags.sequence, info, identifier, bits)
  const lines = der.toString('base64').match(/.{1,64}/g) ?? []
  return [
    '-----BEGIN CERTIFICATE REQUEST-----',
    ...lines,
    '-----END CERTIFICATE REQUEST-----',
    '',
  ].join('\n')
}

/** RelativeDistinguishedNames in the order in which they are encoded, the other way round (RFC 4514 section 2.1). */
function parseSubject(subject: string): Buffer[] {
  if (subject === '') return []
  const parts = subject.match(/(?:\\.|[^\\,])+/gsu) ?? []
  if (parts.join(',') !== subject || parts.length > attributesMax) throw subjectInvalid()
  return parts.map(parseAttribute).reverse()
}

function parseAttribute(part: string): Buffer {
  const [, name = '', escaped = ''] = /^ *([A-Za-z]+)=(.+)$/su.exec(part) ?? []
  const type = name.toUpperCase()
  const known = Object.hasOwn(attributeTypes, type) ? attributeTypes[type] : undefined
  // What has a meaning there, such as + for a second value or # for hexadecimal, stands behind a backslash.
  const isEscaped = /^(?!#)(?:\\[ #+,;<=>"\\]|[^\\+,;<>"\p{Cc}])+$/u.test(escaped)
  const value = escaped.replace(/\\(.)/gsu, '$1')
  const isLong = [...value].length > attributeCharactersMax
  if (!known || !isEscaped || isLong || value !== value.trim()) throw subjectInvalid()
  const [identifier, tag] = known
  if (type === 'C' && !/^[A-Z]{2}$/.test(value))
    throw new SubjectInvalid('C has two capital letters')
  if (type === 'DC' && !/^[ -~]+$/.test(value)) throw new SubjectInvalid('DC is in ASCII')
  return tlv(tags.set, tlv(tags.sequence, oid(identifier), tlv(tag, Buffer.from(value))))
}

function subjectInvalid(): SubjectInvalid {
  const types = Object.keys(attributeTypes).join(', ')
  return new SubjectInvalid(
    `a subject is like CN=pay.example,O=Bank,C=DE (RFC 4514; of ${types}; 64 characters each)`,
  )
}

function dnsName(name: string): string {
  if (dnsNamePattern.test(name)) return name
  throw new SubjectInvalid('a DNS name has letters, digits, hyphens and dots')
}

/** An IPv6 address in the one form that the library reads rightly: hexadecimal to its end. */
function address(text: string): string {
  const version = text.includes('%') ? 0 : isIP(text)
  if (version === 0) throw new SubjectInvalid('not an IP address')
  return version === 4 ? text : new URL(`http://[${text}]`).hostname.slice(1, -1)
}

/** DER with lengths up to 65,535. */
function tlv(tag: number, ...pieces: readonly Uint8Array[]): Buffer {
  const { length } = Buffer.concat(pieces)
  const [low, high] = [length & 0xff, length >> 8]
  const header = length < 0x80 ? [low] : high === 0 ? [0x81, low] : [0x82, high, low]
  return Buffer.concat([Buffer.from([tag, ...header]), ...pieces])
}

const nil = Buffer.from('0500', 'hex')
const oid = (hex: string) => tlv(tags.objectIdentifier, Buffer.from(hex, 'hex'))
const plain = (hex: string) => tlv(tags.sequence, oid(hex))
const withNull = (hex: string) => tlv(tags.sequence, oid(hex), nil)
const nist = (arcs: string) => `6086480165030403${arcs}`

/** RFC 4055 section 3.1: the same hash in MGF1, and a salt as long as it. */
function pss(hash: string, saltBytes: number): Buffer {
  const hashed = withNull(`60864801650304020${hash}`)
  const mask = tlv(tags.sequence, oid('2a864886f70d010108'), hashed)
  const salt = tlv(0xa2, Buffer.from([2, 1, saltBytes]))
  const parameters = tlv(tags.sequence, tlv(0xa0, hashed), tlv(0xa1, mask), salt)
  return tlv(tags.sequence, oid('2a864886f70d01010a'), parameters)
}

/**
 * AlgorithmIdentifier by our names: RFC 4055 and 8017 (RSA), RFC 5758 and NIST's arc (ECDSA), RFC 8410, RFC
 * 9881 (ML-DSA), RFC 9909 (SLH-DSA).
 */
const signatureAlgorithms: Readonly<Record<string, Buffer>> = {
  'RSASSA-PKCS1-v1_5-SHA-256': withNull('2a864886f70d01010b'),
  'RSASSA-PKCS1-v1_5-SHA-384': withNull('2a864886f70d01010c'),
  'RSASSA-PKCS1-v1_5-SHA-512': withNull('2a864886f70d01010d'),
  'RSASSA-PSS-SHA-256': pss('1', 32),
  'RSASSA-PSS-SHA-384': pss('2', 48),
  'RSASSA-PSS-SHA-512': pss('3', 64),
  'ECDSA-SHA-256': plain('2a8648ce3d040302'),
  'ECDSA-SHA-384': plain('2a8648ce3d040303'),
  'ECDSA-SHA-512': plain('2a8648ce3d040304'),
  'ECDSA-SHA3-256': plain(nist('0a')),
  'ECDSA-SHA3-384': plain(nist('0b')),
  'ECDSA-SHA3-512': plain(nist('0c')),
  Ed25519: plain('2b6570'),
  Ed448: plain('2b6571'),
  'ML-DSA-44': plain(nist('11')),
  'ML-DSA-65': plain(nist('12')),
  'ML-DSA-87': plain(nist('13')),
  'SLH-DSA-SHA2-128s': plain(nist('14')),
  'SLH-DSA-SHA2-128f': plain(nist('15')),
  'SLH-DSA-SHA2-192s': plain(nist('16')),
  'SLH-DSA-SHA2-192f': plain(nist('17')),
  'SLH-DSA-SHA2-256s': plain(nist('18')),
  'SLH-DSA-SHA2-256f': plain(nist('19')),
  'SLH-DSA-SHAKE-128s': plain(nist('1a')),
  'SLH-DSA-SHAKE-128f': plain(nist('1b')),
  'SLH-DSA-SHAKE-192s': plain(nist('1c')),
  'SLH-DSA-SHAKE-192f': plain(nist('1d')),
  'SLH-DSA-SHAKE-256s': plain(nist('1e')),
  'SLH-DSA-SHAKE-256f': plain(nist('1f')),
}
