/**
 * The members of an import over REST that hold a key and say what it is to be, by the manager's own defaults,
 * sealed for a challenge of their own.
 */

import { randomBytes } from 'node:crypto'
import { sealKeyToImport } from '../../src/hsm/contract/import.ts'
import { type KeyShape, templateFor } from '../../src/kms/keys/template.ts'
import type { TestServer } from '../server.ts'
import { base64, bytesOf } from './people.ts'

interface Shape extends KeyShape {
  readonly class: 'secret' | 'private' | 'public'
  readonly name?: string
}

export async function sealedKey(server: TestServer, given: object, bytes: Uint8Array) {
  const shape = given as Shape
  const id = `key_${randomBytes(16).toString('hex')}`
  const template = templateFor(shape, shape.class)
  const terms = { key: id, version: 1, class: shape.class, template }
  const { body } = await server.ok('GET', '/v1/transport-key?command=importKey')
  const [publicKey, challenge] = [bytesOf(body.publicKey), String(body.challenge)]
  return { ...shape, id, sealed: base64(sealKeyToImport(publicKey, challenge, terms, bytes)) }
}
