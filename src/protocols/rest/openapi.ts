/**
 * The API as an OpenAPI 3.1 document, made from the route table and nothing else. Schemas are those
 * that the routes parse with, as they stand on the wire; those with an id become components. The
 * document is kept as docs/openapi.json, and a test compares.
 */

import assert from 'node:assert/strict'
import { z } from 'zod'
import { problemSchema } from './errors.ts'
import { asText, type Route } from './route.ts'

type Json = Readonly<Record<string, unknown>>

/** The wire's side of a schema is its input; in a query, where all is text, the output says more. */
type Describe = (schema: z.ZodType, side?: 'input' | 'output') => Json

export function openApiDocument(routes: readonly Route[], version: string): Json {
  const schemas: Record<string, unknown> = {}
  const describe: Describe = (schema, side = 'input') => describeSchema(schema, schemas, side)
  const problem = describe(problemSchema)
  const paths: Record<string, Record<string, unknown>> = {}
  for (const route of routes) {
    const path = route.path.replace('{+', '{')
    paths[path] ??= {}
    const methods = paths[path]
    assert(methods)
    methods[route.method.toLowerCase()] = describeRoute(route, describe, problem)
  }
  return {
    openapi: '3.1.0',
    info: {
      title: 'Keyhold',
      version,
      description:
        'Bytes are base64 (RFC 4648 section 4, padded). Times are milliseconds since 1970. ' +
        'Unknown members are refused. Errors are problem details (RFC 9457) with a stable code.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ token: [] }],
    paths,
    components: {
      headers: {
        'Keyhold-Leaf': {
          description:
            "Which leaves of the module's record the commands are that it was asked, in their order: " +
            '"17", or of a batch "100-199". getLogReceipt has the receipts.',
          schema: { type: 'string' },
        },
      },
      securitySchemes: { token: { type: 'http', scheme: 'bearer' } },
      responses: {
        Problem: {
          description: 'Refused, or failed',
          content: { 'application/problem+json': { schema: problem } },
        },
      },
      schemas: Object.fromEntries(Object.entries(schemas).sort(([a], [b]) => (a < b ? -1 : 1))),
    },
  }
}

const leafHeader = { 'Keyhold-Leaf': { $ref: '#/components/headers/Keyhold-Leaf' } }

function describeRoute(route: Route, describe: Describe, problem: Json): Json {
  assert(problem)
  const { name, summary, permission, body, status } = route
  return {
    operationId: name,
    summary,
    ...(permission === 'none' ? { security: [] } : {}),
    'x-keyhold-permission': permission,
    parameters: parametersOf(route, describe),
    ...(body === undefined
      ? {}
      : {
          requestBody: {
            required: true,
            content: { 'application/json': { schema: describe(body) } },
          },
        }),
    responses: {
      [status]:
        status === 204
          ? { description: 'Done', headers: leafHeader }
          : {
              description: 'Done',
              headers: {
                ...leafHeader,
                ...(route.etag ? { ETag: { schema: { type: 'string' } } } : {}),
              },
              content: describeContent(route, describe),
            },
      default: { $ref: '#/components/responses/Problem' },
    },
  }
}

/** Bytes as they are have no schema. */
function describeContent({ content, result }: Route, describe: Describe): Json {
  if (content?.type === 'application/octet-stream') return { [content.type]: {} }
  if (result === asText) {
    const text = { schema: { type: 'string' } }
    return { 'text/plain': text, 'application/openmetrics-text': text }
  }
  const [type = 'application/json'] = content?.type.split(';') ?? []
  return { [type]: { schema: describe(result) } }
}

function parametersOf(route: Route, describe: Describe): readonly Json[] {
  const header = (name: string, description: string, schema: Json): Json => ({
    name,
    in: 'header',
    required: false,
    description,
    schema,
  })
  return [
    ...membersOf(route.parameters).map(([name, schema]) => ({
      name,
      in: 'path',
      required: true,
      ...(route.path.includes(`{+${name}}`) ? { 'x-keyhold-slashes': true } : {}),
      schema: describe(schema),
    })),
    ...membersOf(route.query).map(([name, schema]) => ({
      name,
      in: 'query',
      required: !schema.safeParse(undefined).success,
      schema: describe(schema, 'output'),
    })),
    ...(route.idempotent
      ? [
          header(
            'Idempotency-Key',
            'The same key with the same request gets the same answer for a day',
            { type: 'string', minLength: 1, maxLength: 128 },
          ),
        ]
      : []),
    ...(route.etag && route.method !== 'GET' && route.status !== 201
      ? [header('If-Match', 'The ETag that was read, or "*"', { type: 'string', maxLength: 128 })]
      : []),
  ]
}

function membersOf(schema: z.ZodType): [string, z.ZodType][] {
  assert(schema instanceof z.ZodObject)
  return Object.entries(schema.shape)
}

/** JSON Schema; definitions go into the components. */
function describeSchema(
  schema: z.ZodType,
  schemas: Record<string, unknown>,
  io: 'input' | 'output',
): Json {
  const {
    $schema: _,
    $defs,
    ...rest
  } = moved(z.toJSONSchema(schema, { io, target: 'draft-2020-12' }))
  for (const [name, definition] of Object.entries($defs ?? {})) {
    const { id: _id, ...described } = definition as Json
    schemas[name] = described
  }
  const { id } = rest
  if (typeof id !== 'string') return rest
  const { id: _own, ...described } = rest
  schemas[id] = described
  return { $ref: `#/components/schemas/${id}` }
}

interface Described extends Json {
  readonly $defs?: Json
}

/** Definitions live under another name in OpenAPI. Our schemas are a few levels deep. */
function moved(value: object): Described {
  return JSON.parse(
    JSON.stringify(value).replaceAll('"$ref":"#/$defs/', '"$ref":"#/components/schemas/'),
  ) as Described
}
