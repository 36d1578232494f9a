/**
 * A share on paper (docs/formats/share.md section 4): numbered lines of base32, each with a checksum, so that
 * whoever types it in again is told in which line, and mostly in which group, the mistake is. Reading
 * never mends anything by itself.
 */

import { hash } from 'node:crypto'
import { clientError } from '../../client/errors.ts'
import { describeShare, shareFileBytes } from '../../hsm/contract/share.ts'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { qrPartOf } from './qr.ts'

const lineBytes = 20
const checksumLetters = 4
const groupLetters = 4
/** More than any share has. */
const linesMax = 99
const textBytesMax = 64 * 1024
const label = 'keyhold share line v1'

/** The heading, then the lines. */
export function encodeShareText(file: Uint8Array): string {
  const { index, count } = describeShare(file)
  const lines = [`keyhold share, ${index} of ${count}`]
  for (let start = 0; start < file.length; start += lineBytes) {
    const bytes = file.subarray(start, start + lineBytes)
    const number = start / lineBytes + 1
    const text = encodeBase32(bytes).padEnd(Math.ceil((lineBytes * 8) / 5))
    lines.push(`${twoDigits(number)}  ${grouped(text)}  ${checksum(number, bytes)}`)
  }
  return `${lines.join('\n')}\n`
}

function grouped(text: string): string {
  return text.replace(/(.{4})(?=.)/g, '$1 ')
}

function twoDigits(number: number): string {
  return String(number).padStart(2, '0')
}

/** The first 20 bits of the digest. */
function checksum(number: number, bytes: Uint8Array): string {
  const line = Buffer.concat([Buffer.from(label + twoDigits(number)), bytes])
  return encodeBase32(hash('sha256', line, 'buffer')).slice(0, checksumLetters)
}

/**
 * The file that was printed, from its lines or from what its QR codes say, in any order.
 * @throws ClientError FILE_INVALID, with the lines that are wrong
 */
export function decodeShareText(text: string): Buffer {
  if (text.length > textBytesMax) throw invalid('this is more text than a share has')
  const pieces = new Map<number, Buffer>()
  const mistakes: string[] = []
  const lines = text.split(/\r?\n/)
  const codes = lines.flatMap((line) => qrPartOf(line) ?? [])
  if (codes.length > 0) return describedFile(joinedCodes(codes))
  for (const line of lines) {
    const [, digits = '', rest = ''] = /^\s*(\d\d)[\s.:)]+(\S.*)$/.exec(line) ?? []
    if (digits === '') continue
    const number = Number(digits)
    const read = readLine(number, rest.replace(/[\s-]/g, '').toUpperCase())
    if (typeof read === 'string') mistakes.push(`line ${digits}: ${read}`)
    else if (pieces.get(number)?.equals(read) === false) {
      mistakes.push(`line ${digits} is there twice, with different text`)
    } else pieces.set(number, read)
  }
  if (mistakes.length > 0) throw invalid(mistakes.join('; '))
  return describedFile(joinedLines(pieces))
}

/** The bytes of a line, or what is wrong with it. */
function readLine(number: number, letters: string): Buffer | string {
  if (number === 0 || number > linesMax) return 'there is no such line'
  const foreign = /[^0-9A-Z]|U/.exec(letters)
  if (foreign) return `"${foreign[0]}" in group ${groupAt(foreign.index)} is no letter of it`
  const bytes = checkedLine(number, letters)
  if (bytes) return bytes
  const groups = suspects(number, letters)
  const where = groups.length > 0 ? `, look at group ${groups.join(' or ')}` : ''
  return `the checksum does not fit${where}`
}

function groupAt(position: number): number {
  return Math.floor(position / groupLetters) + 1
}

function checkedLine(number: number, letters: string): Buffer | undefined {
  const bytes = decodeBase32(letters.slice(0, -checksumLetters))
  const given = decodeBase32(letters.slice(-checksumLetters).padStart(8, '0'))
  if (!bytes || !given || bytes.length === 0 || bytes.length > lineBytes) return undefined
  const wanted = decodeBase32(checksum(number, bytes).padStart(8, '0'))
  return wanted?.equals(given) ? bytes : undefined
}

/** Groups in which one other letter, or the change of two neighbours, would make the line fit. */
function suspects(number: number, letters: string): number[] {
  const groups = new Set<number>()
  for (let at = 0; at < letters.length; at += 1) {
    const [before, after] = [letters.slice(0, at), letters.slice(at + 1)]
    for (const other of '0123456789ABCDEFGHJKMNPQRSTVWXYZ') {
      if (checkedLine(number, before + other + after)) groups.add(groupAt(at))
    }
    const swapped = before + after.slice(0, 1) + letters[at] + after.slice(1)
    if (after !== '' && checkedLine(number, swapped)) groups.add(groupAt(at))
  }
  return [...groups].slice(0, 3)
}

/** @throws ClientError FILE_INVALID when a line is missing */
function joinedLines(pieces: ReadonlyMap<number, Buffer>): Buffer {
  const first = pieces.get(1)
  if (!first)
    throw invalid(pieces.size === 0 ? 'there is no line of a share in it' : 'line 01 is missing')
  const bytes = shareFileBytes(first)
  if (bytes === undefined) throw invalid('line 01 is not the first line of a share')
  const count = Math.ceil(bytes / lineBytes)
  const numbers = Array.from({ length: count }, (_, position) => position + 1)
  const missing = numbers.filter((number) => !pieces.has(number)).map(twoDigits)
  if (missing.length > 0) throw invalid(`missing: line ${missing.join(', ')}`)
  const short = numbers.slice(0, -1).filter((number) => pieces.get(number)?.length !== lineBytes)
  if (short.length > 0) throw invalid(`too short: line ${short.map(twoDigits).join(', ')}`)
  return Buffer.concat(numbers.map((number) => pieces.get(number) ?? Buffer.alloc(0)))
}

/** @throws ClientError FILE_INVALID when a part is missing */
function joinedCodes(codes: readonly { part: number; parts: number; text: string }[]): Buffer {
  const parts = codes[0]?.parts ?? 0
  const texts = new Map(codes.map(({ part, text }) => [part, text]))
  const numbers = Array.from({ length: parts }, (_, position) => position + 1)
  const missing = numbers.filter((part) => !texts.has(part))
  if (codes.some((code) => code.parts !== parts || texts.get(code.part) !== code.text)) {
    throw invalid('these QR codes are of different shares')
  }
  if (missing.length > 0) throw invalid(`missing: QR code ${missing.join(', ')} of ${parts}`)
  const bytes = decodeBase32(numbers.map((part) => texts.get(part)).join(''))
  if (!bytes) throw invalid('the QR codes hold something else than a share')
  return bytes
}

/** @throws ClientError FILE_INVALID unless it has the form of a share */
function describedFile(file: Buffer): Buffer {
  try {
    describeShare(file)
    return file
  } catch (cause) {
    throw clientError('FILE_INVALID', 'the text is whole, but it is no share', { cause })
  }
}

function invalid(reason: string): Error {
  return clientError('FILE_INVALID', reason)
}
