/**
 * Reads an answer by its schema in the OpenAPI document: the few words of JSON Schema that the
 * document uses, applied strictly. What has the wrong type, is missing, or is longer than it may be
 * is refused; a member that the schema does not know is left out, so that a newer server is not an
 * error. Base64 becomes bytes here, once.
 */

import { clientError } from './errors.ts'

/** The words that are understood; the generator refuses a document that uses another one. */
export interface Schema {
  readonly type?: string
  readonly enum?: readonly unknown[]
  readonly const?: unknown
  readonly properties?: Readonly<Record<string, Schema>>
  readonly required?: readonly string[]
  /** Of the values of a record; what else stands here does not matter to a reader. */
  readonly additionalProperties?: Schema | boolean
  readonly items?: Schema
  readonly maxItems?: number
  readonly minLength?: number
  readonly maxLength?: number
  readonly pattern?: string
  readonly minimum?: number
  readonly maximum?: number
  readonly contentEncoding?: string
  readonly anyOf?: readonly Schema[]
}

const depthMax = 16

/** @throws ClientError ANSWER_INVALID that names the place */
export function parseAnswer(schema: Schema, value: unknown, place: string, depth = 0): unknown {
  if (depth > depthMax) throw invalid(place)
  if (schema.anyOf) return parseAny(schema.anyOf, value, place, depth)
  if (schema.const !== undefined && value !== schema.const) throw invalid(place)
  if (schema.enum && !schema.enum.includes(value)) throw invalid(place)
  switch (schema.type) {
    case 'object':
      return parseObject(schema, value, place, depth)
    case 'array':
      return parseArray(schema, value, place, depth)
    case 'string':
      return parseText(schema, value, place)
    case 'integer':
    case 'number':
      return parseNumber(schema, value, place)
    case 'boolean':
      if (typeof value !== 'boolean') throw invalid(place)
      return value
    case 'null':
      if (value !== null) throw invalid(place)
      return value
    default:
      return value
  }
}

function parseAny(
  schemas: readonly Schema[],
  value: unknown,
  place: string,
  depth: number,
): unknown {
  for (const schema of schemas) {
    try {
      return parseAnswer(schema, value, place, depth + 1)
    } catch {
      // The next one may fit.
    }
  }
  throw invalid(place)
}

function parseObject(schema: Schema, value: unknown, place: string, depth: number): unknown {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw invalid(place)
  const { properties = {}, required = [], additionalProperties } = schema
  const members = new Map(Object.entries(value))
  const result: [string, unknown][] = []
  for (const name of required) if (!members.has(name)) throw invalid(`${place}.${name}`)
  for (const [name, member] of members) {
    const known = Object.hasOwn(properties, name) ? properties[name] : additionalProperties
    if (typeof known !== 'object') continue
    result.push([name, parseAnswer(known, member, `${place}.${name}`, depth + 1)])
  }
  return Object.fromEntries(result)
}

function parseArray(schema: Schema, value: unknown, place: string, depth: number): unknown {
  if (!Array.isArray(value) || value.length > (schema.maxItems ?? Infinity)) throw invalid(place)
  const { items } = schema
  if (!items) return value
  return value.map((item, index) => parseAnswer(items, item, `${place}[${index}]`, depth + 1))
}

function parseText(schema: Schema, value: unknown, place: string): unknown {
  if (typeof value !== 'string' || value.length > (schema.maxLength ?? Infinity)) {
    throw invalid(place)
  }
  if (value.length < (schema.minLength ?? 0)) throw invalid(place)
  if (schema.contentEncoding === 'base64') return parseBase64(value, place)
  if (schema.pattern !== undefined && !new RegExp(schema.pattern, 'u').test(value)) {
    throw invalid(place)
  }
  return value
}

function parseBase64(value: string, place: string): Buffer {
  const bytes = Buffer.from(value, 'base64')
  if (bytes.toString('base64') !== value) throw invalid(place)
  return bytes
}

function parseNumber(schema: Schema, value: unknown, place: string): unknown {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw invalid(place)
  if (schema.type === 'integer' && !Number.isSafeInteger(value)) throw invalid(place)
  const { minimum = -Infinity, maximum = Infinity } = schema
  if (value < minimum || value > maximum) throw invalid(place)
  return value
}

function invalid(place: string): Error {
  return clientError('ANSWER_INVALID', `the server's answer does not fit its description: ${place}`)
}
