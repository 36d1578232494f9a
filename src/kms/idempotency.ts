/**
 * Idempotency keys: the same key and the same request of the same identity get the same answer for a
 * day; the same key with another request is a conflict, and so is one whose first request is still
 * going on. The key is reserved in the transaction that begins the work and its answer stored in the
 * one that ends it, so that a crash never leaves work done twice or an answer for work undone.
 */

import assert from 'node:assert/strict'
import { createHash, timingSafeEqual } from 'node:crypto'
import { completeAnswer, deleteAnswer, findAnswer, insertAnswer } from '../storage/answers.ts'
import type { Query } from '../storage/database.ts'
import { KmsError } from './errors.ts'
import type { Caller, Creation, Kms } from './kms.ts'
import { answerKeptMs, idempotencyKeyCharactersMax } from './limits.ts'

/** A key that is taken for a request that is going on. */
export interface Reservation {
  readonly identityId: string
  readonly idempotencyKey: string
}

export interface Asked extends Creation {
  /** Which call of the manager. */
  readonly call: string
  /** Everything that the answer depends on. */
  readonly request: unknown
}

/** The answer that was given before, or the reservation (none when no key was given). */
export async function reserve(
  query: Query,
  kms: Kms,
  caller: Caller,
  asked: Asked,
): Promise<{ readonly answer: string } | { readonly reservation: Reservation | undefined }> {
  const { idempotencyKey } = asked
  if (idempotencyKey === undefined) return { reservation: undefined }
  assertIdempotencyKey(idempotencyKey)
  const reservation = { identityId: caller.identity.id, idempotencyKey }
  const digest = createHash('sha256')
    .update(canonicalJson([asked.call, asked.request]))
    .digest()
  const created = kms.now()
  const found = await findAnswer(query, reservation)
  if (found !== undefined) {
    const kept = found.answer === null || created - found.created < answerKeptMs
    if (kept) {
      if (!timingSafeEqual(found.digest, digest)) throw conflict('was used for another request')
      if (found.answer === null) throw conflict('belongs to a request that is still going on')
      return { answer: found.answer }
    }
    await deleteAnswer(query, reservation)
  }
  assert(await insertAnswer(query, { ...reservation, digest, answer: null, created }))
  return { reservation }
}

/** @throws KmsError ARGUMENT_INVALID */
export function assertIdempotencyKey(idempotencyKey: string): void {
  if (
    !/^[\x21-\x7e]+$/.test(idempotencyKey) ||
    idempotencyKey.length > idempotencyKeyCharactersMax
  ) {
    throw new KmsError(
      'ARGUMENT_INVALID',
      `an idempotency key is 1 to ${idempotencyKeyCharactersMax} printable ASCII characters`,
    )
  }
}

/** In the transaction that ends the work. */
export async function answerOnce(
  query: Query,
  reservation: Reservation | undefined,
  answer: unknown,
): Promise<void> {
  if (reservation !== undefined) await completeAnswer(query, reservation, encodeAnswer(answer))
}

/** In the transaction that undoes the work: the key is free again. */
export async function releaseReservation(
  query: Query,
  reservation: Reservation | undefined,
): Promise<void> {
  if (reservation !== undefined) await deleteAnswer(query, reservation)
}

/** For what is created by one transaction and nothing else. */
export async function createOnce<T extends object>(
  kms: Kms,
  caller: Caller,
  asked: Asked,
  create: (query: Query) => Promise<T>,
): Promise<T> {
  return kms.db.write(async (query) => {
    const reserved = await reserve(query, kms, caller, asked)
    if ('answer' in reserved) return decodeAnswer<T>(reserved.answer)
    const created = await create(query)
    await answerOnce(query, reserved.reservation, created)
    return created
  })
}

/** Only encodeAnswer makes these texts, from a value of the same call. */
export function decodeAnswer<T>(text: string): T {
  return JSON.parse(text, (_name, value: unknown) =>
    isStoredBytes(value) ? Buffer.from(value.$bytes, 'base64') : value,
  ) as T
}

function encodeAnswer(answer: unknown): string {
  return JSON.stringify(withTextForBytes(answer))
}

function isStoredBytes(value: unknown): value is { $bytes: string } {
  return (
    typeof value === 'object' &&
    value !== null &&
    '$bytes' in value &&
    typeof value.$bytes === 'string' &&
    Object.keys(value).length === 1
  )
}

/** JSON with sorted members, without those that are undefined; bytes as base64. */
function canonicalJson(value: unknown): string {
  return JSON.stringify(withTextForBytes(value), (_name, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member)
      ? Object.fromEntries(Object.entries(member).sort(([a], [b]) => (a < b ? -1 : 1)))
      : member,
  )
}

/** Requests and answers are trees of a few levels that the manager's types bound. */
function withTextForBytes(value: unknown): unknown {
  if (value instanceof Uint8Array) return { $bytes: Buffer.from(value).toString('base64') }
  if (Array.isArray(value)) return value.map(withTextForBytes)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([name, member]) => [name, withTextForBytes(member)]),
  )
}

function conflict(why: string): KmsError {
  return new KmsError('IDEMPOTENCY_CONFLICT', `this idempotency key ${why}`)
}
