/**
 * API tokens: "kh_", 16 hex digits that name the token, "_", 32 random bytes in base64url. A token is
 * shown once; what is stored is its SHA-256, which needs no salt and no slow hash because nobody can
 * try 256 bits of entropy. Tokens expire and can be revoked; neither is ever taken back.
 */

import { hash, randomBytes, timingSafeEqual } from 'node:crypto'
import type { Query } from '../../storage/database.ts'
import { findIdentity } from '../../storage/identities.ts'
import {
  findToken,
  insertToken,
  revokeTokenRow,
  type TokensTable,
  tokensOf,
} from '../../storage/tokens.ts'
import { KmsError } from '../errors.ts'
import { answerOnce, reserve } from '../idempotency.ts'
import type { Caller, Creation, Kms } from '../kms.ts'
import { tokenDaysDefault, tokenDaysMax, tokensPerIdentityMax } from '../limits.ts'
import { assertName } from '../names.ts'
import { assertPermission, everywhere, forgetIdentity } from './access.ts'
import { enabledIdentityRow, type Identity, identityFrom, identityRow } from './identities.ts'

export interface Token {
  /** 16 lower-case hex digits. */
  readonly id: string
  readonly identity: string
  readonly name: string
  readonly created: number
  readonly expires: number
  readonly revoked?: number
}

export interface NewToken extends Token {
  /** Shown here and never again. */
  readonly token: string
}

/** What the cache knows of a token. */
export interface KnownToken {
  readonly identity: Identity
  readonly expires: number
}

const tokenPattern = /^kh_([0-9a-f]{16})_[A-Za-z0-9_-]{43}$/
const dayMs = 24 * 60 * 60 * 1_000

/**
 * A repeated idempotency key is a conflict that names the token: its secret is not kept anywhere, so
 * it cannot be shown again.
 */
export async function createToken(
  kms: Kms,
  caller: Caller,
  identity: string,
  input: { readonly name: string; readonly days?: number | undefined },
  creation: Creation = {},
): Promise<NewToken> {
  await assertPermission(kms, caller, everywhere, 'tokens:create')
  const { name, days } = input
  return kms.db.write(async (query) => {
    const asked = { ...creation, call: 'createToken', request: { identity, name, days } }
    const reserved = await reserve(query, kms, caller, asked)
    if ('answer' in reserved) {
      throw new KmsError(
        'IDEMPOTENCY_CONFLICT',
        `this made token ${reserved.answer}, which is shown only once; revoke it and make another`,
      )
    }
    const token = await addToken(query, kms, identity, { name, days })
    await answerOnce(query, reserved.reservation, token.id)
    return token
  })
}

/** Without a question; bootstrap is the only other caller. */
export async function addToken(
  query: Query,
  kms: Kms,
  identityId: string,
  { name, days = tokenDaysDefault }: { name: string; days?: number | undefined },
): Promise<NewToken> {
  assertName(name, 'the name of a token')
  if (!Number.isSafeInteger(days) || days < 1 || days > tokenDaysMax) {
    throw new KmsError('ARGUMENT_INVALID', `a token lasts 1 to ${tokenDaysMax} days`)
  }
  await enabledIdentityRow(query, identityId)
  const created = kms.now()
  const valid = (await tokensOf(query, identityId)).filter(
    ({ revoked, expires }) => revoked === null && expires > created,
  )
  if (valid.length >= tokensPerIdentityMax) {
    throw new KmsError('LIMIT_REACHED', `an identity has at most ${tokensPerIdentityMax} tokens`)
  }
  const tokenId = randomBytes(8).toString('hex')
  const token = `kh_${tokenId}_${randomBytes(32).toString('base64url')}`
  const digest = Buffer.from(tokenDigest(token), 'hex')
  const row = { tokenId, identityId, name, digest, created, expires: created + days * dayMs }
  await insertToken(query, { ...row, revoked: null })
  return { ...tokenFrom({ ...row, revoked: null }), token }
}

/** The oldest first. */
export async function listTokens(
  kms: Kms,
  caller: Caller,
  identity: string,
): Promise<readonly Token[]> {
  await assertPermission(kms, caller, everywhere, 'tokens:read')
  await identityRow(kms.db.query, identity)
  return (await tokensOf(kms.db.query, identity)).map(tokenFrom)
}

/** It is refused from now on. Revoking it again changes nothing. */
export async function revokeToken(
  kms: Kms,
  caller: Caller,
  identity: string,
  token: string,
): Promise<void> {
  await assertPermission(kms, caller, everywhere, 'tokens:revoke')
  await kms.db.write(async (query) => {
    const row = await findToken(query, token)
    if (row === undefined || row.identityId !== identity) {
      throw new KmsError('TOKEN_NOT_FOUND', `identity ${identity} has no token ${token}`)
    }
    await revokeTokenRow(query, { tokenId: token, now: kms.now() })
  })
  forgetIdentity(kms, identity)
}

/**
 * Who holds this token; synchronous when the cache knows it. Unknown, malformed, expired and revoked
 * sound the same.
 *
 * @throws KmsError TOKEN_INVALID, at once or as a rejection
 */
export function authenticate(kms: Kms, token: string): Identity | Promise<Identity> {
  const tokenId = tokenPattern.exec(token)?.[1]
  if (tokenId === undefined) throw tokenInvalid()
  // The cache is asked for the digest: comparing that tells nothing of the token.
  const digest = tokenDigest(token)
  const known = kms.caches.tokens.get(digest)
  return known === undefined ? authenticateAnew(kms, tokenId, digest) : unexpired(kms, known)
}

async function authenticateAnew(kms: Kms, tokenId: string, digest: string): Promise<Identity> {
  const known = await kms.caches.tokens.load(digest, () => loadToken(kms, tokenId, digest))
  if (known === undefined) throw tokenInvalid()
  return unexpired(kms, known)
}

async function loadToken(
  kms: Kms,
  tokenId: string,
  digest: string,
): Promise<KnownToken | undefined> {
  const row = await findToken(kms.db.query, tokenId)
  if (row === undefined || row.revoked !== null) return undefined
  if (!timingSafeEqual(row.digest, Buffer.from(digest, 'hex'))) return undefined
  const identity = await findIdentity(kms.db.query, row.identityId)
  if (identity?.state !== 'enabled') return undefined
  return { identity: identityFrom(identity), expires: row.expires }
}

function unexpired(kms: Kms, known: KnownToken): Identity {
  if (kms.now() >= known.expires) throw tokenInvalid()
  return known.identity
}

function tokenDigest(token: string): string {
  return hash('sha256', token, 'hex')
}

function tokenFrom(row: Omit<TokensTable, 'digest'>): Token {
  return {
    id: row.tokenId,
    identity: row.identityId,
    name: row.name,
    created: row.created,
    expires: row.expires,
    ...(row.revoked === null ? {} : { revoked: row.revoked }),
  }
}

function tokenInvalid(): KmsError {
  return new KmsError('TOKEN_INVALID', 'the token is unknown, expired or revoked')
}
