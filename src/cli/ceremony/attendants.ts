/** Those who are at a ceremony: people at the terminal, or files for a ceremony that nobody attends. */

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { UsageError } from '../output.ts'
import { readPassphrase } from '../passphrase.ts'
import type { Attendants } from './conduct.ts'
import { askYes, show } from './questions.ts'

export interface AttendantFiles {
  /** Of the seal. */
  readonly passphraseFile?: string
  /** By custodian. */
  readonly custodianPassphrase?: Readonly<Record<string, string>>
}

/** Asks for what no file is given for. */
export function atTerminal(files: AttendantFiles, say: (text: string) => void): Attendants {
  return {
    sealSecret: () => readPassphrase(files, { what: 'Passphrase of the seal', isNew: true }),
    passphrase: (name) => {
      const file = files.custodianPassphrase?.[name]
      const from = file === undefined ? {} : { passphraseFile: file }
      return readPassphrase(from, { what: `Passphrase of ${name}`, isNew: true })
    },
    handOver: async (name, file) => {
      const lines = [
        file,
        'It opens with what only its custodian has. To check it without the others, and to print it:',
        `  keyhold share check ${path.basename(file)}`,
        `  keyhold share print ${path.basename(file)} --qr`,
      ]
      show(lines.join('\n'), `The share of ${name}`)
      return askYes(`Has ${name} taken the share?`)
    },
    say,
  }
}

/** @throws UsageError for a passphrase that no file has */
export function fromFiles(files: AttendantFiles, say: (text: string) => void): Attendants {
  return {
    sealSecret: () => fromFile(files.passphraseFile, '--passphrase-file FILE'),
    passphrase: (name) =>
      fromFile(files.custodianPassphrase?.[name], `--custodian-passphrase "${name}=FILE"`),
    handOver: async () => true,
    say,
  }
}

async function fromFile(file: string | undefined, option: string): Promise<Uint8Array> {
  if (file !== undefined) return readPassphrase({ passphraseFile: file }, { isNew: true })
  throw new UsageError(`nobody is there to type a passphrase: give ${option}`)
}

/** For a rehearsal that nobody attends: passphrases that nobody has to know. */
export function forRehearsal(say: (text: string) => void): Attendants {
  const passphrase = async () => Buffer.from(randomBytes(16).toString('hex'))
  return { sealSecret: passphrase, passphrase, handOver: async () => true, say }
}
