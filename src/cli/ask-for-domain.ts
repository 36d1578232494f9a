/** What ends all keys of a domain, or an epoch, has its id typed: by a person who can read what it says. */

import { isCancel, text } from '@clack/prompts'
import { clientError } from '../client/errors.ts'
import { UsageError } from './output.ts'

interface Question {
  readonly domainId: string
  readonly question: string
  readonly signal: AbortSignal
}

/** @throws UsageError where nobody can be asked; ClientError INTERRUPTED */
export async function askForDomain({ domainId, question, signal }: Question): Promise<string> {
  if (!process.stdin.isTTY || !process.stderr.isTTY) {
    throw new UsageError(`nobody can be asked here; add --confirm ${domainId}`)
  }
  const answer = await text({ message: question, output: process.stderr, signal })
  if (isCancel(answer)) throw clientError('INTERRUPTED', 'nothing was destroyed')
  return answer
}
