/** The query of a request's target: each name once, bounded, and nothing guessed. */

import { RestError } from './errors.ts'
import { queryCharactersMax } from './limits.ts'

const none: Readonly<Record<string, string>> = Object.freeze({})

/** @throws RestError REQUEST_INVALID */
export function parseQuery(target: string): Readonly<Record<string, string>> {
  const mark = target.indexOf('?')
  if (mark < 0) return none
  const text = target.slice(mark + 1)
  if (text.length > queryCharactersMax) {
    throw new RestError('REQUEST_INVALID', `a query has at most ${queryCharactersMax} characters`)
  }
  const members = new Map<string, string>()
  for (const [name, value] of new URLSearchParams(text)) {
    if (members.has(name)) throw new RestError('REQUEST_INVALID', 'query: a name is there twice')
    members.set(name, value)
  }
  return Object.fromEntries(members)
}
