/**
 * A server with a namespace and one person for each way of being permitted something, each with a token
 * of its own, and short words for what tests ask most. Requests go over real sockets.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { type Role, roles } from '../../src/kms/access/permissions.ts'
import { type Answer, type RequestOptions, TestServer } from '../server.ts'

export const namespace = 'acme'
export const keysPath = `/v1/namespaces/${namespace}/keys`

/** Roles in the namespace, roles everywhere, every role in another namespace, a token and no role. */
export type PersonName = Role | `${Role}-everywhere` | 'foreigner' | 'nobody'

export const personNames: readonly PersonName[] = [
  'nobody',
  ...roles,
  ...roles.map((role) => `${role}-everywhere` as const),
  'foreigner',
]

export interface Person {
  readonly id: string
  readonly token: string
}

export class Installation implements AsyncDisposable {
  readonly server: TestServer
  /** The first administrator, who holds every role. */
  readonly first: Person
  readonly #people = new Map<PersonName, Person>()

  private constructor(server: TestServer, first: Person) {
    this.server = server
    this.first = first
  }

  static async start(args: readonly string[] = []): Promise<Installation> {
    const server = await TestServer.start(undefined, args)
    const { body } = await server.ok('GET', '/v1/whoami')
    const { id } = body.identity as Person
    const made = new Installation(server, { id, token: server.credentials.token })
    for (const name of [namespace, 'other']) await server.ok('POST', '/v1/namespaces', { name })
    return made
  }

  /** Makes everybody. */
  async invite(): Promise<void> {
    for (const name of personNames) {
      const person = await this.makePerson(`a-${name}`)
      this.#people.set(name, person)
      const give = (place: string, given: readonly Role[]) =>
        this.server.ok('PUT', `/v1/namespaces/${place}/roles/${person.id}`, { roles: given })
      for (const role of roles) {
        if (name === role) await give(namespace, [role])
        if (name === `${role}-everywhere`) await give('*', [role])
      }
      if (name === 'foreigner') await give('other', roles)
    }
  }

  async makePerson(name = unique('person')): Promise<Person> {
    const { body } = await this.server.ok('POST', '/v1/identities', { name, kind: 'person' })
    const token = await this.server.ok('POST', `/v1/identities/${body.id}/tokens`, { name: 'test' })
    return { id: String(body.id), token: String(token.body.token) }
  }

  as(name: PersonName): RequestOptions {
    const person = this.#people.get(name)
    assert(person)
    return { token: person.token }
  }

  idOf(name: PersonName): string {
    const person = this.#people.get(name)
    assert(person)
    return person.id
  }

  /** A new key, as the first administrator, and a grant for it. Answers its name. */
  async makeKey(
    shape: Readonly<Record<string, unknown>>,
    operations: readonly string[],
    identity = this.first.id,
  ): Promise<string> {
    const name = unique('key')
    await this.server.ok('POST', keysPath, { name, owner: 'Ada', purpose: 'tests', ...shape })
    if (operations.length > 0) await this.grant(name, operations, identity)
    return name
  }

  async grant(key: string, operations: readonly string[], identity = this.first.id): Promise<void> {
    const grants = `/v1/namespaces/${namespace}/grants`
    await this.server.ok('POST', grants, { key, identity, operations })
  }

  /** Uses a key as the first administrator. */
  use(key: string, operation: string, body: unknown, options?: RequestOptions): Promise<Answer> {
    return this.server.call('POST', `${keysPath}/${key}/${operation}`, body, options)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.server[Symbol.asyncDispose]()
  }
}

export function unique(what: string): string {
  return `${what}-${randomBytes(6).toString('hex')}`
}

export function base64(bytes: string | Uint8Array): string {
  return Buffer.from(bytes as Uint8Array).toString('base64')
}

export function bytesOf(text: unknown): Buffer {
  assert(typeof text === 'string')
  return Buffer.from(text, 'base64')
}

/** A refusal in the form of RFC 9457, with this status and code. */
export function assertProblem(answer: Answer, status: number, code: string): void {
  assert.equal(answer.status, status, answer.text)
  assert.match(String(answer.headers['content-type']), /^application\/problem\+json/)
  const { type, title, detail, requestId, ...rest } = answer.body
  assert.deepEqual(rest, { status, code })
  assert.equal(type, `urn:keyhold:error:${code.toLowerCase().replaceAll('_', '-')}`)
  assert(typeof title === 'string' && typeof detail === 'string')
  assert.equal(requestId, answer.headers['x-request-id'])
}
