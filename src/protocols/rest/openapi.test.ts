/** The route table and the document made from it, which is a golden file. */

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { z } from 'zod'
import { problems } from './errors.ts'
import { openApiDocument } from './openapi.ts'
import { routes } from './routes.ts'

const root = path.join(import.meta.dirname, '../../..')

suite('the route table', () => {
  test('is what docs/openapi.json says; if the change is meant: scripts/openapi.ts --write', () => {
    const { version } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'))
    const kept = readFileSync(path.join(root, 'docs/openapi.json'), 'utf8')
    const made = `${JSON.stringify(openApiDocument(routes, version), undefined, 2)}\n`
    assert.equal(made, kept)
  })

  test('has each name once, and each method of a path once', () => {
    const unique = (texts: readonly string[]) => new Set(texts).size === texts.length
    assert.ok(unique(routes.map(({ name }) => name)))
    assert.ok(unique(routes.map(({ method, path: at }) => `${method} ${at}`)))
  })

  test('has a schema for every parameter of every path, and no other', () => {
    for (const { path: at, parameters } of routes) {
      const named = [...at.matchAll(/\{\+?(\w+)\}/g)].map(([, name]) => name)
      assert.ok(parameters instanceof z.ZodObject)
      assert.deepEqual(named, Object.keys(parameters.shape), at)
    }
  })

  test('takes a body only where it says how large one may be', () => {
    for (const { name, method, body, bodyBytesMax } of routes) {
      assert.equal(body === undefined, bodyBytesMax === 0, name)
      if (method === 'GET' || method === 'DELETE') assert.equal(body, undefined, name)
    }
  })

  test('lets nobody in without a token but to three routes', () => {
    const open = routes.filter(({ permission }) => permission === 'none')
    assert.deepEqual(
      open.map(({ path: at }) => at),
      ['/v1/health', '/v1/ready', '/v1/openapi.json'],
    )
  })

  test('every reference of the document leads somewhere', () => {
    const document = openApiDocument(routes, '0')
    for (const [, pointer = ''] of JSON.stringify(document).matchAll(/"\$ref":"#\/([^"]+)"/g)) {
      let place: unknown = document
      for (const part of pointer.split('/')) place = (place as Record<string, unknown>)[part]
      assert.equal(typeof place, 'object', pointer)
    }
  })
})

suite('the table of problems', () => {
  test('gives every code a status of failure, and one title to what is internal', () => {
    for (const [code, { status, title }] of Object.entries(problems)) {
      assert.ok(status >= 400 && status < 600, code)
      if (status === 500) assert.equal(title, 'Internal error', code)
    }
  })
})
