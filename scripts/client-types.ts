/**
 * Makes src/client/types.ts and src/client/api.json from docs/openapi.json: the names, arguments and
 * answers of every call. `./keyhold --node scripts/client-types.ts` writes them; a test compares. It
 * refuses a document that says something which the client would not understand.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'

type Json = Readonly<Record<string, unknown>>

const root = path.join(import.meta.dirname, '..')
const typesFile = path.join(root, 'src/client/types.ts')
const apiFile = path.join(root, 'src/client/api.json')

/** What src/client/schema.ts understands, what it may ignore, and what only describes. */
const checked = [
  ...['type', 'enum', 'const', 'properties', 'required', 'additionalProperties', 'items'],
  ...['maxItems', 'minLength', 'maxLength', 'pattern', 'minimum', 'maximum', 'contentEncoding'],
  'anyOf',
]
const ignored = ['description', 'title', 'minItems', 'propertyNames', 'format', 'default', 'id']

/** Answers that the client hands on as they are. */
const rawTypes: Readonly<Record<string, { readonly raw: string; readonly type: string }>> = {
  'text/plain': { raw: 'text', type: 'string' },
  'application/octet-stream': { raw: 'bytes', type: 'Uint8Array' },
}

if (import.meta.main) {
  const { types, api } = generate(readFileSync(path.join(root, 'docs/openapi.json'), 'utf8'))
  writeFileSync(typesFile, types)
  writeFileSync(apiFile, api)
}

/** The two files for this document. */
export function generate(openapi: string): { readonly types: string; readonly api: string } {
  const document = object(JSON.parse(openapi))
  const named = object(object(document.components).schemas)
  const calls = operationsOf(document).sort((a, b) => (a.name < b.name ? -1 : 1))
  const api = Object.fromEntries(calls.map((call) => [call.name, routeOf(call, named)]))
  const lines = [
    '/** The calls of the REST API and their shapes. Made by scripts/client-types.ts; not to be edited. */',
    '// biome-ignore-all lint/style/noExcessiveLinesPerFile: made by a script',
    '',
    ...Object.entries(named).map(([name, schema]) => `export type ${name} = ${typeOf(schema)}\n`),
    'export interface Api {',
    ...calls.map((call) => `${call.name}: ${callType(call)}`),
    '}',
    '',
  ]
  return { types: format(lines.join('\n')), api: `${JSON.stringify(api, undefined, 1)}\n` }
}

interface Call {
  readonly name: string
  readonly method: string
  readonly path: string
  readonly operation: Json
}

function operationsOf(document: Json): Call[] {
  return Object.entries(object(document.paths)).flatMap(([route, item]) =>
    Object.entries(object(item)).map(([method, operation]) => ({
      name: String(object(operation).operationId),
      method: method.toUpperCase(),
      path: route,
      operation: object(operation),
    })),
  )
}

function routeOf({ method, path: route, operation }: Call, named: Json): Json {
  const answer = answerSchema(operation)
  const raw = rawTypes[answerType(operation)]?.raw
  return {
    method,
    path: withSlashes(route, operation),
    keyed: parametersOf(operation, 'header').some(({ name }) => /^idempotency-key$/i.test(name)),
    ...(raw === undefined ? {} : { raw }),
    ...(answer === undefined ? {} : { answer: inline(answer, named) }),
  }
}

/** A parameter that takes slashes is `{+name}`, as in RFC 6570. */
function withSlashes(route: string, operation: Json): string {
  const found = list(operation.parameters)
    .map(object)
    .find((one) => one['x-keyhold-slashes'])
  return found ? route.replace(`{${found.name}}`, `{+${found.name}}`) : route
}

function callType({ operation }: Call): string {
  const members = [
    ...placeType('path', parametersOf(operation, 'path')),
    ...placeType('query', parametersOf(operation, 'query')),
    ...bodyType(operation),
  ]
  const answer = answerSchema(operation)
  const request = members.length === 0 ? 'object' : `{ ${members.join('; ')} }`
  const raw = rawTypes[answerType(operation)]?.type
  const shown = answer === undefined ? (raw ?? 'undefined') : typeOf(answer)
  return `{ readonly request: ${request}; readonly answer: ${shown} }`
}

interface Parameter {
  readonly name: string
  readonly required: boolean
  readonly schema: unknown
}

function parametersOf(operation: Json, place: string): Parameter[] {
  return list(operation.parameters)
    .map(object)
    .filter((parameter) => parameter.in === place)
    .map(({ name, required, schema }) => ({
      name: String(name),
      required: required === true,
      schema,
    }))
}

/** In a query a number may stand for its digits. */
function placeType(place: string, parameters: readonly Parameter[]): string[] {
  if (parameters.length === 0) return []
  const optional = parameters.every(({ required }) => !required)
  const members = parameters.map(({ name, required, schema }) => {
    const type = typeOf(schema)
    const shown = place === 'query' && isDigits(schema) ? 'number' : type
    return `readonly ${name}${required ? '' : '?'}: ${shown}${required ? '' : ' | undefined'}`
  })
  return [`readonly ${place}${optional ? '?' : ''}: { ${members.join('; ')} }`]
}

/** The integers of a query are described as text of digits. */
function isDigits(schema: unknown): boolean {
  const { type, pattern } = object(schema)
  return type === 'string' && typeof pattern === 'string' && /^\^\(\?:0\|\[1-9\]/.test(pattern)
}

function bodyType(operation: Json): string[] {
  if (operation.requestBody === undefined) return []
  const { content, required } = object(operation.requestBody)
  const schema = object(object(content)['application/json']).schema
  return [`readonly body${required === false ? '?' : ''}: ${typeOf(schema)}`]
}

/** Of the one success that an operation has; empty when that has no body. */
function answerType(operation: Json): string {
  return Object.keys(answerContent(operation))[0] ?? ''
}

/** Of JSON. */
function answerSchema(operation: Json): unknown {
  const content = answerContent(operation)['application/json']
  return content === undefined ? undefined : object(content).schema
}

function answerContent(operation: Json): Json {
  const [status] = Object.keys(object(operation.responses)).filter((code) => /^2/.test(code))
  assert(status)
  const { content = {} } = object(object(operation.responses)[status])
  return object(content)
}

function typeOf(untyped: unknown): string {
  const schema = object(untyped)
  if (typeof schema.$ref === 'string') return refName(schema.$ref)
  for (const word of Object.keys(schema)) {
    assert([...checked, ...ignored].includes(word), `the client does not understand "${word}"`)
  }
  if (schema.anyOf !== undefined) return list(schema.anyOf).map(typeOf).join(' | ')
  if (schema.const !== undefined) return literal(schema.const)
  if (schema.enum !== undefined) return list(schema.enum).map(literal).join(' | ')
  switch (schema.type) {
    case 'object':
      return objectType(schema)
    case 'array':
      return `readonly (${typeOf(schema.items)})[]`
    case 'string':
      return schema.contentEncoding === 'base64' ? 'Uint8Array' : 'string'
    case 'integer':
    case 'number':
      return 'number'
    case 'boolean':
      return 'boolean'
    case 'null':
      return 'null'
    default:
      return 'unknown'
  }
}

function objectType({ properties = {}, required = [], additionalProperties }: Json): string {
  const needed = new Set(list(required))
  const members = Object.entries(object(properties)).map(([name, schema]) => {
    const shown = /^\w+$/.test(name) ? name : literal(name)
    return needed.has(name)
      ? `readonly ${shown}: ${typeOf(schema)}`
      : `readonly ${shown}?: ${typeOf(schema)} | undefined`
  })
  if (members.length === 0 && typeof additionalProperties === 'object') {
    return `Readonly<Record<string, ${typeOf(additionalProperties)}>>`
  }
  return members.length === 0 ? 'Readonly<Record<string, unknown>>' : `{ ${members.join('; ')} }`
}

/** A schema with its references put in and without what only describes. */
function inline(untyped: unknown, named: Json): Json {
  const schema = object(untyped)
  if (typeof schema.$ref === 'string') return inline(named[refName(schema.$ref)], named)
  return Object.fromEntries(
    Object.entries(schema)
      .filter(([word]) => checked.includes(word))
      .map(([word, value]) => {
        if (word === 'anyOf') return [word, list(value).map((one) => inline(one, named))]
        if (word === 'properties') {
          const members = Object.entries(object(value))
          return [word, Object.fromEntries(members.map(([n, one]) => [n, inline(one, named)]))]
        }
        const isSchema = word === 'items' || (word === 'additionalProperties' && value !== false)
        return [word, isSchema && typeof value === 'object' ? inline(value, named) : value]
      }),
  )
}

function refName(reference: string): string {
  const name = /^#\/components\/schemas\/(\w+)$/.exec(reference)?.[1]
  assert(name, `the client does not understand the reference ${reference}`)
  return name
}

function literal(value: unknown): string {
  return JSON.stringify(value)
}

function object(value: unknown): Json {
  assert(typeof value === 'object' && value !== null && !Array.isArray(value))
  return { ...value }
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

function format(source: string): string {
  const biome = path.join(root, 'node_modules/.bin/biome')
  const { status, stdout, stderr } = spawnSync(
    biome,
    ['format', '--stdin-file-path=src/client/types.ts'],
    { cwd: root, input: source, encoding: 'utf8', maxBuffer: 16 * 1024 * 1024 },
  )
  assert.equal(status, 0, stderr)
  return stdout
}
