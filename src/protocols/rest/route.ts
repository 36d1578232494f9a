/**
 * What a route is: one record that says everything about it, above all what guards it. register.ts is
 * the only reader that serves; the OpenAPI document and the permission matrix are made from the same
 * records. A guard that is not written here does not exist.
 */

import { z } from 'zod'
import type { Operation } from '../../kms/access/operations.ts'
import type { Permission } from '../../kms/access/permissions.ts'
import type { Caller, Change, Creation, Kms } from '../../kms/kms.ts'
import { bodyBytesDefault, timeoutMsDefault } from './limits.ts'
import type { RestLoad, RestOptions } from './options.ts'

/**
 * "none" needs no token, "token" any valid one. Permissions: one of them is enough, in the namespace
 * of the path, or in "*" where the path has none. A use needs a grant for the operation.
 */
export type Requirement =
  | 'none'
  | 'token'
  | readonly [Permission, ...Permission[]]
  | { readonly use: Operation }

export type Method = 'GET' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

/** What is not the manager's. */
export interface RestContext extends RestOptions {
  readonly openApi: Readonly<Record<string, unknown>>
  readonly load: () => Promise<RestLoad>
}

/** What a route's function is handed, all of it parsed. */
export interface Asked<Path, Query, Body> {
  readonly kms: Kms
  readonly rest: RestContext
  readonly caller: Caller
  readonly path: Path
  readonly query: Query
  readonly body: Body
  readonly creation: Creation
  readonly change: Change
  /** The Accept header. Every route but those that answer as text answers JSON, whatever it says. */
  readonly accept: string
}

/** The result of a route that answers no JSON. */
export const asText = z.strictObject({ type: z.string(), text: z.string() })

export interface Route {
  /** Unique; the operation's id in the OpenAPI document. */
  readonly name: string
  readonly method: Method
  /** With {parameters}; one for each member of the path's schema. The last may be {+rest}, slashes and all. */
  readonly path: `/${string}`
  readonly summary: string
  readonly permission: Requirement
  readonly bodyBytesMax: number
  readonly timeoutMs: number
  readonly parameters: z.ZodType
  readonly query: z.ZodType
  /** None refuses a body. */
  readonly body: z.ZodType | undefined
  readonly result: z.ZodType
  /** Of success. */
  readonly status: 200 | 201 | 204
  /** Takes Idempotency-Key. */
  readonly idempotent: boolean
  /** Takes If-Match; an answer that has an etag carries it as ETag. */
  readonly etag: boolean
  readonly handle: (asked: Asked<unknown, unknown, unknown>) => Promise<unknown>
  /** What the answer is instead of JSON: a text or bytes, as they are. */
  readonly content: Content | undefined
  /** The answer as JSON, where it must be fast; others go through the schema of the result. */
  readonly encode: ((result: unknown) => string) | undefined
}

export interface Content {
  readonly type: string
  /** For ever the same under its path. */
  readonly isImmutable?: boolean
}

export const nothing = z.strictObject({})
/** The result of a route that answers 204. */
export const noContent = z.void()

export type DeepReadonly<T> = T extends Uint8Array | undefined
  ? T
  : T extends object
    ? { readonly [K in keyof T]: DeepReadonly<T[K]> }
    : T

interface Row<P extends z.ZodType, Q extends z.ZodType, B extends z.ZodType, R extends z.ZodType> {
  readonly name: string
  readonly method: Method
  readonly path: `/${string}`
  readonly summary: string
  readonly permission: Requirement
  readonly bodyBytesMax?: number
  readonly timeoutMs?: number
  readonly parameters?: P
  readonly query?: Q
  readonly body?: B
  readonly result: R
  readonly status?: 200 | 201 | 204
  readonly idempotent?: boolean
  readonly etag?: boolean
  readonly handle: (
    asked: Asked<z.output<P>, z.output<Q>, z.output<B>>,
  ) => Promise<DeepReadonly<z.output<R>>>
  readonly content?: Content
  readonly encode?: (result: DeepReadonly<z.output<R>>) => string
}

/** Binds a row's schemas to its function, so that register.ts needs no types of its own. */
export function route<
  R extends z.ZodType,
  P extends z.ZodType = typeof nothing,
  Q extends z.ZodType = typeof nothing,
  B extends z.ZodType = typeof nothing,
>(row: Row<P, Q, B, R>): Route {
  const complete = {
    bodyBytesMax: row.body === undefined ? 0 : bodyBytesDefault,
    timeoutMs: timeoutMsDefault,
    parameters: nothing,
    query: nothing,
    body: undefined,
    status: 200,
    idempotent: false,
    etag: false,
    content: undefined,
    encode: undefined,
    ...row,
  } as const
  return complete as unknown as Route
}
