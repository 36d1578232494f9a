/**
 * Invariant 11: a refused request changes nothing but the log. Over every route, a request that would do
 * its work is made wrong in every way that fits it: no token, a wrong one, one of somebody without
 * roles, a member too many, JSON that is cut, a query that nobody knows, an ETag of yesterday, a key that
 * is not there, is destroyed or is somebody else's. Before and after, every row of the database, the
 * sealed state on disk and what the module says of itself are compared.
 */

import assert from 'node:assert/strict'
import { readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, before, suite, test } from 'node:test'
import type { Route } from '../../src/protocols/rest/route.ts'
import { routes } from '../../src/protocols/rest/routes.ts'
import { makeStock, type Prepared, prepareRequest, type Stock } from '../rest/matrix-requests.ts'
import { Installation, keysPath } from '../rest/people.ts'
import type { Answer } from '../server.ts'

let there: Installation
let stock: Stock
let nobody: string
let destroyed: string

before(async () => {
  there = await Installation.start()
  stock = await makeStock(there, [])
  nobody = (await there.makePerson()).token
  destroyed = await there.makeKey({ type: 'P-256' }, ['sign'])
  await there.server.ok('POST', `${keysPath}/${destroyed}/destroy`, { confirm: destroyed })
})
after(() => there?.[Symbol.asyncDispose]())

/** All that a request could change, as text: rows, sealed state, and the module's own figures. */
async function snapshot(): Promise<string> {
  const { server } = there
  const parts: unknown[] = []
  const database = new DatabaseSync(path.join(server.folder, 'keyhold.db'), { readOnly: true })
  try {
    const tables = database
      .prepare("SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name")
      .all()
    assert(tables.length > 8)
    for (const { name } of tables) {
      const rows = database.prepare(`SELECT * FROM "${name}"`).all()
      parts.push([name, rows.map((row) => JSON.stringify(Object.entries(row), asHex)).sort()])
    }
  } finally {
    database.close()
  }
  const module = path.join(server.folder, 'module')
  for (const name of readdirSync(module, { recursive: true, encoding: 'utf8' }).sort()) {
    const file = path.join(module, name)
    if (name !== 'seals') parts.push([name, readFileSync(file, 'hex')])
  }
  const { body } = await server.ok('GET', '/v1/status')
  const { floorEntries, epoch, state } = body.module as Readonly<Record<string, unknown>>
  return JSON.stringify([...parts, { floorEntries, epoch, state }])
}

function asHex(_name: string, value: unknown): unknown {
  return value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value
}

interface Wrong {
  readonly name: string
  readonly request: Prepared & { readonly token?: string | null }
  /** Statuses that refuse this. */
  readonly statuses: readonly number[]
}

const missing = `key_${'0'.repeat(32)}`

/** The ways in which this request can be wrong. */
function wrongs(route: Route, request: Prepared): Wrong[] {
  const { path: place, body } = request
  const isObject = typeof body === 'object' && body !== null
  const text = JSON.stringify(body)
  const inPath = (name: string) => route.path.includes(`{${name}}`)
  const withKey = (key: string) => place.replace(/\/keys\/[^/]+/, `/keys/${key}`)
  const unknown = `kh_${'0'.repeat(16)}_${'A'.repeat(43)}`
  const list: (Wrong | false)[] = [
    route.permission !== 'none' && {
      name: 'an unknown token',
      request: { ...request, token: unknown },
      // 429 when it was tried too often.
      statuses: [401, 429],
    },
    Array.isArray(route.permission) && {
      name: 'somebody without a role',
      request: { ...request, token: nobody },
      statuses: [403, 404],
    },
    typeof route.permission === 'object' &&
      'use' in route.permission && {
        name: 'somebody without a grant',
        request: { ...request, token: nobody },
        statuses: [403, 404],
      },
    { name: 'an unknown query', request: { ...request, path: `${place}?more=1` }, statuses: [400] },
    body === undefined && {
      name: 'a body where none belongs',
      request: { ...request, body: {} },
      statuses: [400],
    },
    isObject && {
      name: 'a member too many',
      request: { ...request, body: { ...body, more: 1 } },
      statuses: [400],
    },
    isObject && {
      name: 'JSON that is cut',
      request: { ...request, body: text.slice(0, -1) },
      statuses: [400],
    },
    isObject &&
      Object.keys(body).length > 0 && {
        name: 'a member of another type',
        request: {
          ...request,
          body: Object.fromEntries(Object.keys(body).map((name) => [name, {}])),
        },
        statuses: [400],
      },
    route.etag &&
      route.method !== 'GET' &&
      !/^(createKey|importKey)$/.test(route.name) && {
        name: 'an ETag of yesterday',
        request: { ...request, headers: { ...request.headers, 'if-match': '"yesterday"' } },
        statuses: [412],
      },
    // A use that makes no key takes no notice of it.
    route.idempotent &&
      Array.isArray(route.permission) && {
        name: 'an idempotency key that is too long',
        request: { ...request, headers: { 'idempotency-key': 'k'.repeat(5_000) } },
        statuses: [400],
      },
    inPath('key') && {
      name: 'a key that is not there',
      request: { ...request, path: withKey(missing) },
      statuses: [404],
    },
    inPath('key') &&
      route.method !== 'GET' &&
      route.method !== 'PATCH' && {
        name: 'a destroyed key',
        request: { ...request, path: withKey(destroyed) },
        statuses: [403, 404, 409, 410],
      },
    inPath('namespace') && {
      name: 'a namespace that is not there',
      request: { ...request, path: place.replace('/namespaces/acme', '/namespaces/nowhere') },
      // Nobody holds a role there: that is an answer too.
      statuses: route.name === 'getRoles' ? [200] : [404],
    },
  ]
  return list.filter((wrong) => wrong !== false)
}

function ask(
  route: Route,
  { path: place, body, headers, token }: Wrong['request'],
): Promise<Answer> {
  const options = {
    ...(headers === undefined ? {} : { headers }),
    ...(token === undefined ? {} : { token }),
  }
  return there.server.call(route.method, place, body, options)
}

suite('a refused request', { timeout: 300_000 }, () => {
  for (const route of routes) {
    test(`invariant 11: ${route.name}, refused, changes nothing but the log`, async () => {
      const request = await prepareRequest(there, stock, route)
      const before = await snapshot()
      for (const wrong of wrongs(route, request)) {
        const { status, text } = await ask(route, wrong.request)
        assert(wrong.statuses.includes(status), `${wrong.name}: ${status} ${text}`)
      }
      assert.equal(await snapshot(), before)
    })
  }

  test('the comparison sees a change of each kind', async () => {
    const before = await snapshot()
    const key = await there.makeKey({ type: 'P-256' }, [])
    const made = await snapshot()
    assert.notEqual(made, before)
    await there.server.ok('POST', `${keysPath}/${key}/destroy`, { confirm: key })
    assert.notEqual(await snapshot(), made)
  })
})
