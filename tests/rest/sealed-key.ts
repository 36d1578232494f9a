/** The members of an import over REST that hold a key and say what it is to be, by the manager's own defaults. */

import { randomBytes } from 'node:crypto'
import { sealKeyToImport } from '../../src/hsm/contract/import.ts'
import { type KeyShape, templateFor } from '../../src/kms/keys/template.ts'
import { base64 } from './people.ts'

interface Shape extends KeyShape {
  readonly class: 'secret' | 'private' | 'public'
  readonly name?: string
}

export function sealedKey(transportKey: Uint8Array, given: object, bytes: Uint8Array) {
  const shape = given as Shape
  const id = `key_${randomBytes(16).toString('hex')}`
  const template = templateFor(shape, shape.class)
  const terms = { key: id, version: 1, class: shape.class, template }
  return { ...shape, id, sealed: base64(sealKeyToImport(transportKey, terms, bytes)) }
}
