/**
 * Names, texts, labels and ids, asserted where they go into the database, whatever the schemas of a
 * protocol have let through.
 */

import { randomBytes } from 'node:crypto'
import { KmsError } from './errors.ts'
import {
  labelNameCharactersMax,
  labelsMax,
  labelValueCharactersMax,
  nameCharactersMax,
  textCharactersMax,
} from './limits.ts'

export type Labels = Readonly<Record<string, string>>

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/
/** What a prefix of a name can be. */
const prefixPattern = /^[a-z0-9][a-z0-9._-]*$/
/** A name must not look like an id, or one could stand for the other in a path. */
const idPattern = /^(?:key|id|grant)_/

/** @throws KmsError ARGUMENT_INVALID */
export function assertName(name: unknown, what: string): asserts name is string {
  if (typeof name !== 'string' || !namePattern.test(name) || idPattern.test(name)) {
    throw new KmsError(
      'ARGUMENT_INVALID',
      `${what} must be 1 to ${nameCharactersMax} of a-z 0-9 . _ - and begin with a letter or digit`,
    )
  }
}

/** @throws KmsError ARGUMENT_INVALID */
export function assertPrefix(prefix: string): void {
  if (prefix.length > nameCharactersMax || !prefixPattern.test(prefix)) {
    throw new KmsError('ARGUMENT_INVALID', 'the prefix is not the beginning of a name')
  }
}

/** A text for people: not empty, no control characters. @throws KmsError ARGUMENT_INVALID */
export function assertText(text: unknown, what: string): asserts text is string {
  if (typeof text !== 'string' || text.length > textCharactersMax || !isPlain(text)) {
    throw new KmsError(
      'ARGUMENT_INVALID',
      `${what} must be 1 to ${textCharactersMax} characters without control characters`,
    )
  }
}

/** @throws KmsError ARGUMENT_INVALID */
export function assertLabels(labels: Labels): void {
  const pairs = Object.entries(labels)
  if (pairs.length > labelsMax) {
    throw new KmsError('ARGUMENT_INVALID', `at most ${labelsMax} labels`)
  }
  for (const [name, value] of pairs) {
    const valid =
      name.length <= labelNameCharactersMax &&
      isPlain(name) &&
      typeof value === 'string' &&
      value.length <= labelValueCharactersMax &&
      (value === '' || isPlain(value))
    if (!valid) throw new KmsError('ARGUMENT_INVALID', 'a label is too long or not plain text')
  }
}

function isPlain(text: string): boolean {
  return text.trim() !== '' && text.isWellFormed() && !/\p{Cc}/u.test(text)
}

/** 128 random bits: nobody guesses or meets one twice. */
export function newId<P extends 'id' | 'grant' | 'key'>(prefix: P): `${P}_${string}` {
  return `${prefix}_${randomBytes(16).toString('hex')}`
}
