/**
 * The typed client of the REST API: one method, `call`, whose names, arguments and answers are those
 * of docs/openapi.json (types.ts and api.json are made from it by scripts/client-types.ts). Files of
 * any size are in `files/`.
 *
 *   using client = Client.open(await readConfig(dataFolder()))
 *   const { signature } = await client.call('sign', { path: { namespace, key }, body: { data } })
 */

import assert from 'node:assert/strict'
import { randomUUID } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { ClientConfig } from './config.ts'
import { Connection, type ConnectionOptions } from './connection.ts'
import { parseAnswer, type Schema } from './schema.ts'
import type { Api } from './types.ts'

export type CallName = keyof Api
export type RequestOf<N extends CallName> = Api[N]['request'] & CallOptions
export type AnswerOf<N extends CallName> = Api[N]['answer']

export interface CallOptions {
  /** The ETag that the thing must still have. */
  readonly ifMatch?: string | undefined
  /** Repeats of a call under one key do its work once; a fresh one when left out. */
  readonly idempotencyKey?: string | undefined
}

interface Route {
  readonly method: string
  readonly path: string
  readonly keyed: boolean
  /** None: there is no body, or a raw one. */
  readonly answer?: Schema
  readonly raw?: 'text' | 'bytes'
}

interface LooseRequest extends CallOptions {
  readonly path?: Readonly<Record<string, string | number>>
  readonly query?: Readonly<Record<string, string | number | undefined>>
  readonly body?: unknown
}

const routes: ReadonlyMap<string, Route> = new Map(
  Object.entries(JSON.parse(readFileSync(new URL('./api.json', import.meta.url), 'utf8'))),
)

/**
 * Uses that make and change nothing: repeating one that may have been done already costs a second
 * leaf in the record and no more.
 */
const repeatableUses = /^(sign|verify|encrypt|decrypt|mac|verifyMac|random)(Batch)?$/
const pageItems = 200

export class Client implements Disposable {
  readonly #connection: Connection

  private constructor(connection: Connection) {
    this.#connection = connection
  }

  /** Connects when the first call is made. */
  static open(config: ClientConfig, options: ConnectionOptions = {}): Client {
    return new Client(new Connection(config, options))
  }

  get address(): string {
    return this.#connection.address
  }

  /** @throws ClientError */
  async call<N extends CallName>(name: N, request: RequestOf<N>): Promise<AnswerOf<N>> {
    const route = routes.get(name)
    assert(route, `no such call: ${name}`)
    const { path = {}, query = {}, body, ifMatch, idempotencyKey }: LooseRequest = request
    const key = route.keyed ? (idempotencyKey ?? randomUUID()) : undefined
    const answer = await this.#connection.send({
      method: route.method,
      path: pathOf(route.path, path) + queryOf(query),
      headers: {
        ...(ifMatch === undefined ? {} : { 'if-match': ifMatch }),
        ...(key === undefined ? {} : { 'idempotency-key': key }),
      },
      body: body === undefined ? undefined : JSON.stringify(body, bytesAsBase64),
      raw: route.raw,
      repeatable: route.method === 'GET' || key !== undefined || repeatableUses.test(name),
    })
    if (route.raw) return answer.body as AnswerOf<N>
    if (!route.answer) return undefined as AnswerOf<N>
    return parseAnswer(route.answer, answer.body, name) as AnswerOf<N>
  }

  /** Every item of a list, page by page. */
  async *pages<N extends ListName>(name: N, request: RequestOf<N>): AsyncGenerator<ItemOf<N>> {
    const { query }: LooseRequest = request
    let cursor: string | undefined
    do {
      const asked = { ...request, query: { limit: pageItems, ...query, cursor } }
      const { items, next }: Page<unknown> = await this.call(name, asked)
      // ListName picks the calls whose answers are pages of this item; the compiler does not follow.
      yield* items as readonly ItemOf<N>[]
      cursor = next
    } while (cursor !== undefined)
  }

  [Symbol.dispose](): void {
    this.#connection[Symbol.dispose]()
  }
}

interface Page<T> {
  readonly items: readonly T[]
  readonly next?: string | undefined
}

/** The calls that answer pages: items, and a cursor to the next. */
export type ListName = {
  [N in CallName]: Api[N]['answer'] extends {
    readonly items: readonly unknown[]
    readonly next?: string | undefined
  }
    ? Api[N]['request'] extends { readonly query?: { readonly cursor?: string | undefined } }
      ? N
      : never
    : never
}[CallName]

export type ItemOf<N extends ListName> = Api[N]['answer'] extends {
  readonly items: readonly (infer Item)[]
}
  ? Item
  : never

function pathOf(path: string, values: Readonly<Record<string, string | number>>): string {
  return path.replace(/\{(\+?)(\w+)\}/g, (_, slashes: string, name: string) => {
    const value = values[name]
    assert(value !== undefined && value !== '', `the path needs ${name}`)
    const parts = slashes === '' ? [value] : String(value).split('/')
    return parts.map(encodeURIComponent).join('/')
  })
}

function queryOf(values: Readonly<Record<string, string | number | undefined>>): string {
  const search = new URLSearchParams()
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) search.set(name, String(value))
  }
  return search.size === 0 ? '' : `?${search}`
}

/** A Buffer has a toJSON of its own, which has run already; the member itself still has the bytes. */
function bytesAsBase64(this: unknown, name: string, value: unknown): unknown {
  const own: unknown =
    typeof this === 'object' && this !== null ? Reflect.get(this, name) : undefined
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value
}
