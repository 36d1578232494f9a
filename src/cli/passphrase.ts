/** The passphrase that a command takes: from a file, or typed on the terminal. */

import {
  passphraseIn,
  type Question,
  type Terminal,
  typedPassphrase,
} from '../client/passphrase.ts'
import { UsageError } from './output.ts'

export interface PassphraseOptions {
  readonly passphraseFile?: string
}

export const passphraseFileOption = [
  '--passphrase-file <path>',
  'its first line; typed on the terminal when left out',
] as const

/** Whoever is handed the bytes overwrites them. @throws UsageError without file and terminal */
export async function readPassphrase(
  { passphraseFile }: PassphraseOptions,
  question: Question,
): Promise<Uint8Array> {
  if (passphraseFile !== undefined) return passphraseIn(passphraseFile, question.bytesMin)
  const terminal = terminalOf(process)
  if (!terminal) throw new UsageError('there is no terminal; use --passphrase-file FILE')
  return typedPassphrase(terminal, question)
}

/** Questions go to standard error: standard output is for results. */
function terminalOf({ stdin, stderr }: typeof process): Terminal | undefined {
  if (!stdin.isTTY || !stderr.isTTY) return undefined
  return { input: stdin, write: (text) => stderr.write(text) }
}
