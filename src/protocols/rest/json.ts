/**
 * JSON as it is accepted and written here. In: UTF-8 without a byte order mark, no member twice in one
 * object (RFC 8259 section 4 leaves open what that means, so it must mean nothing), at most 16 levels
 * deep, no member "__proto__". The text is scanned once before it is parsed, so that depth and
 * duplicates are refused before anything is built; strings are skipped natively, which keeps a body
 * full of base64 cheap. Out: flat objects by hand.
 */

import { isUtf8 } from 'node:buffer'
import { RestError } from './errors.ts'
import { depthMax } from './limits.ts'
import { base64 } from './schemas.ts'

/** @throws RestError BODY_INVALID */
export function parseJson(body: Uint8Array): unknown {
  if (!isUtf8(body)) throw invalid('the body is not UTF-8')
  const text = Buffer.from(body.buffer, body.byteOffset, body.length).toString('utf8')
  scan(text)
  try {
    return JSON.parse(text)
  } catch {
    throw invalid('the body is not JSON')
  }
}

const quote = 0x22
const backslash = 0x5c
const openBrace = 0x7b
const closeBrace = 0x7d
const openBracket = 0x5b
const closeBracket = 0x5d
const comma = 0x2c

/**
 * Looks for what JSON.parse would let pass. A text that is not JSON may pass here in any way that ends
 * soon: JSON.parse refuses it afterwards. In an object, the string behind "{" or "," is a name.
 */
function scan(text: string): void {
  /** Names seen in the objects around this place; undefined stands for an array. */
  const around: (Set<string> | undefined)[] = []
  let names: Set<string> | undefined
  let isName = false
  for (let index = 0; index < text.length; index += 1) {
    switch (text.charCodeAt(index)) {
      case quote: {
        const end = endOfString(text, index)
        if (isName && names) addName(names, text.slice(index, end + 1))
        isName = false
        index = end
        break
      }
      case openBrace:
      case openBracket:
        if (around.length === depthMax)
          throw invalid(`the body is more than ${depthMax} levels deep`)
        around.push(names)
        names = text.charCodeAt(index) === openBrace ? new Set() : undefined
        isName = names !== undefined
        break
      case closeBrace:
      case closeBracket:
        names = around.pop()
        isName = false
        break
      case comma:
        isName = names !== undefined
        break
      default:
    }
  }
}

/** The index of the quote that ends the string which begins here. */
function endOfString(text: string, start: number): number {
  for (let from = start + 1; ; ) {
    const end = text.indexOf('"', from)
    if (end < 0) throw invalid('the body is not JSON')
    let escapes = 0
    while (text.charCodeAt(end - 1 - escapes) === backslash) escapes += 1
    if (escapes % 2 === 0) return end
    from = end + 1
  }
}

function addName(names: Set<string>, quoted: string): void {
  const name = quoted.includes('\\') ? unescaped(quoted) : quoted.slice(1, -1)
  if (names.has(name)) throw invalid('a member is there twice in one object')
  if (name === '__proto__') throw invalid('no member may be called __proto__')
  names.add(name)
}

/** "\u0061" and "a" are the same name. */
function unescaped(quoted: string): string {
  try {
    return String(JSON.parse(quoted))
  } catch {
    throw invalid('the body is not JSON')
  }
}

function invalid(message: string): RestError {
  return new RestError('BODY_INVALID', message)
}

/** One object whose members are bytes (written as base64), undefined (left out), or plain JSON. */
export function flatJson(value: unknown): string {
  let text = ''
  for (const [name, member] of Object.entries(value as Readonly<Record<string, unknown>>)) {
    if (member === undefined) continue
    // Names are ours: they need no escapes.
    text += `${text === '' ? '' : ','}"${name}":${
      member instanceof Uint8Array ? `"${base64(member)}"` : JSON.stringify(member)
    }`
  }
  return `{${text}}`
}
