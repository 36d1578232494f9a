/**
 * The header of a request as a typed value (docs/formats/door.md section 3). The frame's own form is
 * FrameReader's; here every member is known, every string and list bounded, and the parts use up the
 * body exactly. What is not so refuses the whole frame with FRAME_INVALID; what a command makes of its
 * arguments is for the command.
 */

import type { Parts } from './commands/row.ts'
import type { Claim } from './contract/commands.ts'
import { HsmError } from './contract/errors.ts'
import type { Frame } from './contract/frame.ts'
import { claimBytesMax, commandNameLengthMax, itemsMax } from './contract/limits.ts'
import { parseClaimText, type Untrusted } from './parse.ts'

/** One command of a frame, not looked into. */
export interface AskedItem {
  readonly command: string
  readonly arguments: Untrusted
  readonly parts: Parts
}

export interface Request {
  readonly claim: Claim
  readonly items: readonly AskedItem[]
}

/** No command has more. */
const partsMax = 16
const partNamePattern = /^[a-zA-Z]{1,32}$/
/** Of what stands in arguments; `into.template.algorithms` is the deepest that there is. */
const nestingMax = 8

/** A positive safe integer, or nothing that an answer could be sent to. */
export function requestId({ id }: Untrusted): number | undefined {
  return typeof id === 'number' && Number.isSafeInteger(id) && id > 0 ? id : undefined
}

/** The size of the record that the host says is durable. @throws HsmError FRAME_INVALID */
export function parseStored({ header, body }: Frame): number {
  const { id: _, stored, ...others } = header
  if (typeof stored !== 'number' || body.length > 0 || Object.keys(others).length > 0) {
    throw invalid('not an acknowledgement')
  }
  return stored
}

/** @throws HsmError FRAME_INVALID */
export function parseRequest({ header, body }: Frame): Request {
  for (const member in header) {
    if (member !== 'id' && member !== 'claim' && member !== 'items') {
      throw invalid('the header has an unknown member')
    }
  }
  const { items } = header
  if (!Array.isArray(items) || items.length === 0 || items.length > itemsMax) {
    throw invalid(`a frame has 1 to ${itemsMax} commands`)
  }
  const claim = parseClaim(header.claim)
  const cut = { body, offset: 0 }
  const asked = items.map((item) => parseItem(item, cut))
  if (cut.offset !== body.length) throw invalid('bytes behind the last part')
  return { claim, items: asked }
}

function parseClaim(value: unknown): Claim {
  const claim = parseMembers(value, 'a claim')
  const { identity, requestId, protocol, address, ...others } = claim
  for (const _ in others) throw invalid('the claim has an unknown member')
  return {
    identity: parseClaimText(identity, claimBytesMax),
    requestId: parseClaimText(requestId, claimBytesMax),
    protocol: parseClaimText(protocol, claimBytesMax),
    address: parseClaimText(address, claimBytesMax),
  }
}

interface Cut {
  readonly body: Uint8Array
  offset: number
}

function parseItem(value: unknown, cut: Cut): AskedItem {
  const item = parseMembers(value, 'a command')
  for (const member in item) {
    if (member !== 'command' && member !== 'arguments' && member !== 'parts') {
      throw invalid('a command has an unknown member')
    }
  }
  const { command } = item
  if (typeof command !== 'string' || command.length > commandNameLengthMax) {
    throw invalid('the name of a command is a short text')
  }
  return {
    command,
    arguments: parseArguments(item.arguments),
    parts: cutParts(parseMembers(item.parts, 'parts'), cut),
  }
}

function cutParts(lengths: Untrusted, cut: Cut): Parts {
  const parts: Record<string, Uint8Array> = {}
  let count = 0
  for (const name in lengths) {
    const length = lengths[name]
    count += 1
    if (count > partsMax || !partNamePattern.test(name)) throw invalid('there is no such part')
    if (
      typeof length !== 'number' ||
      !Number.isSafeInteger(length) ||
      length < 0 ||
      length > cut.body.length - cut.offset
    ) {
      throw invalid('a part is longer than the frame')
    }
    parts[name] = cut.body.subarray(cut.offset, cut.offset + length)
    cut.offset += length
  }
  return parts
}

/**
 * Not looked into, but known to be shallow: the record prints arguments again for their digest, and
 * JSON.stringify needs a piece of the stack for each level.
 */
function parseArguments(value: unknown): Untrusted {
  const args = parseMembers(value, 'arguments')
  assertShallow(args, nestingMax)
  return args
}

function assertShallow(value: object, levels: number): void {
  if (levels === 0) throw invalid('arguments are nested too deeply')
  for (const name in value) {
    const member: unknown = (value as Untrusted)[name]
    if (typeof member === 'object' && member !== null) assertShallow(member, levels - 1)
  }
}

function parseMembers(value: unknown, what: string): Untrusted {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw invalid(`${what} must be an object`)
  }
  return value as Untrusted
}

function invalid(message: string): HsmError {
  return new HsmError('FRAME_INVALID', message)
}
