/**
 * What signRequest signs: a CertificationRequestInfo (PKCS #10, RFC 2986 section 4.1) of the key itself, and
 * nothing else that has a meaning. It is made outside; here it is read to its last byte, in DER (X.690 section
 * 10), before it is signed:
 *
 *   version 0, subject, the SubjectPublicKeyInfo of this very key, and of attributes none, or an
 *   extensionRequest (RFC 2985 section 5.4.2) whose extensions stand there once each.
 *
 * The depth of the structure is that of the functions below; every list is bounded.
 */

import { isAscii, isUtf8 } from 'node:buffer'
import { HsmError } from './contract/errors.ts'

export const certificationRequestBytesMax = 16 * 1024
/** Of one list: names of a subject, extensions. */
const elementsMax = 32

const tags = {
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  ia5String: 0x16,
  sequence: 0x30,
  set: 0x31,
  attributes: 0xa0,
} as const

const none = Buffer.alloc(0)
const version0 = Buffer.from('020100', 'hex')
const isTrue = Buffer.from('0101ff', 'hex')
/** 1.2.840.113549.1.9.14 */
const extensionRequest = Buffer.from('06092a864886f70d01090e', 'hex')

interface Element {
  readonly tag: number
  readonly content: Buffer
  /** With tag and length. */
  readonly whole: Buffer
}

/**
 * @param spki of the key that is to sign, DER
 * @throws HsmError ARGUMENT_INVALID for everything else than a request for this key
 */
export function assertRequestFor(spki: Uint8Array, info: Uint8Array): void {
  const [root, ...behind] = elementsOf(Buffer.from(info.buffer, info.byteOffset, info.length))
  if (!root || behind.length > 0) throw invalid('one structure')
  const [version, subject, publicKey, attributes, ...more] = listOf(tags.sequence, root)
  if (!version?.whole.equals(version0)) throw invalid('version 0')
  assertName(subject)
  if (!publicKey?.whole.equals(spki)) throw invalid('the public key of the key that signs')
  assertAttributes(attributes)
  if (more.length > 0) throw invalid('nothing behind its attributes')
}

/** RFC 5280 section 4.1.2.4; it may be empty, for a request whose names are in an extension. */
function assertName(name: Element | undefined): void {
  for (const relativeName of listOf(tags.sequence, name)) {
    const parts = listOf(tags.set, relativeName)
    if (parts.length === 0) throw invalid('a name with a value')
    assertAscending(parts)
    for (const part of parts) {
      const [type, value, ...more] = listOf(tags.sequence, part)
      if (!isObjectIdentifier(type) || !isText(value) || more.length > 0) {
        throw invalid('types and texts in its subject')
      }
    }
  }
}

function assertAttributes(attributes: Element | undefined): void {
  const [attribute, ...others] = listOf(tags.attributes, attributes)
  if (!attribute) return
  const [type, values, ...more] = listOf(tags.sequence, attribute)
  if (!type?.whole.equals(extensionRequest) || others.length > 0 || more.length > 0) {
    throw invalid('no attribute but one for extensions')
  }
  const [extensions, ...behind] = listOf(tags.set, values)
  if (behind.length > 0) throw invalid('one list of extensions')
  assertExtensions(listOf(tags.sequence, extensions))
}

/** RFC 5280 section 4.1: critical stands there only when it is true. */
function assertExtensions(extensions: readonly Element[]): void {
  const seen = new Set<string>()
  for (const extension of extensions) {
    const [type, ...rest] = listOf(tags.sequence, extension)
    const [value, ...more] = rest[0]?.whole.equals(isTrue) ? rest.slice(1) : rest
    const isWhole = isObjectIdentifier(type) && value?.tag === tags.octetString
    if (!isWhole || more.length > 0 || seen.has(type.content.toString('hex'))) {
      throw invalid('whole extensions, each once')
    }
    seen.add(type.content.toString('hex'))
  }
  if (seen.size === 0) throw invalid('extensions in its list of them')
}

/** X.690 section 8.19: arcs in base 128, none with leading zeros, none cut off. */
function isObjectIdentifier(element: Element | undefined): element is Element {
  if (element?.tag !== tags.objectIdentifier) return false
  const { content } = element
  const isPadded = content.some(
    (byte, index) => byte === 0x80 && (index === 0 || (content[index - 1] ?? 0) < 0x80),
  )
  return content.length > 0 && !isPadded && (content.at(-1) ?? 0x80) < 0x80
}

/** Of one line: a control character would end the name for somebody, and not for others. */
function isText(element: Element | undefined): boolean {
  const { tag, content = none } = element ?? {}
  if (content.length === 0 || content.some((byte) => byte < 0x20)) return false
  if (tag === tags.utf8String) return isUtf8(content)
  return (tag === tags.printableString || tag === tags.ia5String) && isAscii(content)
}

/** X.690 section 11.6: the elements of a set stand in the order of their encodings. */
function assertAscending(elements: readonly Element[]): void {
  elements.reduce((before, element) => {
    if (before.whole.compare(element.whole) >= 0) throw invalid('its sets in order')
    return element
  })
}

/** What is in a sequence or set. */
function listOf(tag: number, element: Element | undefined): readonly Element[] {
  if (element?.tag !== tag) throw invalid('its parts in their order')
  return elementsOf(element.content)
}

/** All bytes, as elements one behind the other. */
function elementsOf(bytes: Buffer): readonly Element[] {
  const elements: Element[] = []
  for (let offset = 0; offset < bytes.length; ) {
    const element = elementAt(bytes, offset)
    elements.push(element)
    if (elements.length > elementsMax) throw invalid(`at most ${elementsMax} of one kind`)
    offset += element.whole.length
  }
  return elements
}

/** X.690 section 10.1: the length is definite and in its shortest form. */
function elementAt(bytes: Buffer, offset: number): Element {
  const [tag = 0, first = 0] = bytes.subarray(offset, offset + 2)
  const lengthBytes = first < 0x80 ? 0 : first & 0x7f
  const start = offset + 2 + lengthBytes
  // One byte of tag: those of several have the lowest five bits set.
  if ((tag & 0x1f) === 0x1f || lengthBytes > 2 || first === 0x80 || start > bytes.length) {
    throw invalid('DER')
  }
  const length = lengthBytes === 0 ? first : bytes.readUIntBE(offset + 2, lengthBytes)
  const isShortest = lengthBytes === 0 || length >= (lengthBytes === 1 ? 0x80 : 0x100)
  if (!isShortest || start + length > bytes.length) throw invalid('DER')
  const end = start + length
  return { tag, content: bytes.subarray(start, end), whole: bytes.subarray(offset, end) }
}

function invalid(what: string): HsmError {
  return new HsmError('ARGUMENT_INVALID', `a request for a certificate has ${what}`)
}
