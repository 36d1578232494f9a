/**
 * Golden matrices made from the route table: what every route answers to every kind of caller, and what
 * every call about a key answers in every state of the key. A change here is a change of who may do what.
 * If it is meant: run this file with --test-update-snapshots.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import type { Route } from '../../src/protocols/rest/route.ts'
import { routes } from '../../src/protocols/rest/routes.ts'
import { kinds, makeStock, prepareRequest, type Stock } from './matrix-requests.ts'
import { Installation, keysPath, personNames, unique } from './people.ts'
import { exchange } from './raw.ts'

const text = { serializers: [(value: unknown) => String(value)] }

let there: Installation
let stock: Stock
before(async () => {
  there = await Installation.start()
  await there.invite()
  stock = await makeStock(there, [there.idOf('application')])
})
after(() => there[Symbol.asyncDispose]())

suite('every route', { timeout: 300_000 }, () => {
  test('for every caller', async (t) => {
    const rows = []
    for (const [index, route] of routes.entries()) {
      const cells = [await withoutToken(route, index)]
      for (const person of personNames) {
        const { path, body, headers = {} } = await prepareRequest(there, stock, route)
        const { token } = there.as(person)
        const options = { headers, ...(token === undefined ? {} : { token }) }
        const answer = await there.server.call(route.method, path, body, options)
        assert.notEqual(answer.status, 500, `${route.name} for ${person}: ${answer.text}`)
        cells.push(answer.status)
      }
      rows.push([route.name, ...cells])
    }
    t.assert.snapshot(table([['', 'no token', ...personNames], ...rows]), text)
  })

  test('that needs a token refuses a malformed and an unknown one', async () => {
    const unknown = `kh_${'0'.repeat(16)}_${'A'.repeat(43)}`
    for (const [index, route] of routes.entries()) {
      if (route.permission === 'none') continue
      for (const [offset, token] of ['', 'x', unknown].entries()) {
        const status = await statusFrom(route, `127.1.${offset}.${index + 1}`, `Bearer ${token}`)
        assert.equal(status, 401, route.name)
      }
    }
  })
})

/** From an address of its own: who fails too often is told to wait. */
function withoutToken(route: Route, index: number): Promise<number> {
  return statusFrom(route, `127.2.0.${index + 1}`)
}

async function statusFrom(route: Route, from: string, authorization?: string): Promise<number> {
  const { address, authority } = there.server.credentials
  const { path, body } = await prepareRequest(there, stock, route)
  const payload = body === undefined ? '' : JSON.stringify(body)
  const lines = [
    `${route.method} ${path} HTTP/1.1`,
    'Host: localhost',
    ...(authorization === undefined ? [] : [`Authorization: ${authorization}`]),
    ...(body === undefined
      ? []
      : ['Content-Type: application/json', `Content-Length: ${Buffer.byteLength(payload)}`]),
  ]
  const place = { port: Number(new URL(address).port), authority, from }
  const answer = await exchange(place, `${lines.join('\r\n')}\r\n\r\n${payload}`)
  return answer.status
}

const farAway = 4_000_000_000_000

/** How a key comes into each state: what it is made with, and what is done to it then. */
const states: Readonly<Record<string, { readonly shape?: object; readonly actions?: object }>> = {
  'not yet valid': { shape: { notBefore: farAway } },
  active: {},
  disabled: { actions: { disable: undefined } },
  'destruction scheduled': { actions: { 'schedule-destruction': {} } },
  'no longer valid': { shape: { notAfter: 1_000 } },
  destroyed: { actions: { destroy: 'confirm' } },
}

const aboutKeys = [
  'getKey',
  'listVersions',
  'getPublicKey',
  'updateKey',
  'rotateKey',
  'enableKey',
  'disableKey',
  'scheduleDestruction',
  'cancelDestruction',
  'destroyKey',
  'setAlias',
  'createGrant',
]

suite('every call about a key', { timeout: 300_000 }, () => {
  test('in every state of the key', async (t) => {
    const lines: string[] = []
    const chosen = routes.filter(
      ({ name, permission }) =>
        aboutKeys.includes(name) || (typeof permission === 'object' && 'use' in permission),
    )
    for (const route of chosen.filter(({ path }) => !path.endsWith('/batch'))) {
      lines.push(route.name)
      for (const state of [...Object.keys(states), 'absent']) {
        lines.push(`  ${state.padEnd(23)}${await answerFor(route, state)}`)
      }
    }
    t.assert.snapshot(lines.join('\n'), text)
  })
})

async function answerFor(route: Route, state: string): Promise<string> {
  const { permission } = route
  const use = typeof permission === 'object' && 'use' in permission ? permission.use : undefined
  const kind = Object.values(kinds).find(({ operations }) => operations.includes(use ?? 'sign'))
  const key = state === 'absent' ? unique('absent') : await keyIn(state, kind)
  const keys = Object.fromEntries(Object.keys(stock.keys).map((name) => [name, key]))
  const prepared = await prepareRequest(there, { ...stock, keys }, route)
  const { body, headers = {} } = prepared
  const path = use === undefined ? pathWith(route, prepared.path, key) : prepared.path
  const given = route.name === 'destroyKey' ? { confirm: key } : body
  const answer = await there.server.call(route.method, path, given, { headers })
  assert.notEqual(answer.status, 500, `${route.name}, ${state}: ${answer.text}`)
  const { code, valid } = answer.body
  return [answer.status, code ?? (valid === undefined ? '' : `valid: ${valid}`)].join(' ').trim()
}

/** The request was prepared with a key of its own; this one takes its place. */
function pathWith(route: Route, path: string, key: string): string {
  const parts = path.split('/')
  const place = route.path.split('/').indexOf('{key}')
  return place < 0 ? path : parts.with(place, key).join('/')
}

async function keyIn(state: string, kind = kinds.signer): Promise<string> {
  assert(kind)
  const { shape = {}, actions = {} } = states[state] ?? {}
  const key = await there.makeKey({ ...kind.shape, ...shape }, kind.operations)
  for (const [action, body] of Object.entries(actions)) {
    const given = body === 'confirm' ? { confirm: key } : body
    await there.server.ok('POST', `${keysPath}/${key}/${action}`, given)
  }
  return key
}

function table(rows: readonly (readonly (string | number)[])[]): string {
  const widths = (rows[0] ?? []).map((_, column) =>
    Math.max(...rows.map((row) => String(row[column]).length)),
  )
  return rows
    .map((row) =>
      row
        .map((cell, column) => String(cell).padEnd(widths[column] ?? 0))
        .join('  ')
        .trimEnd(),
    )
    .join('\n')
}
