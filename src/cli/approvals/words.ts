/** A statement in plain words, made from nothing but the statement: what a person reads before signing. */

import { dim, time } from '../output.ts'
import type { Statement } from './request-file.ts'

type Arguments = Statement['arguments']

const headlines: Readonly<Record<string, (args: Arguments) => string>> = {
  destroyKey: (args) => `Destroy ${keyText(args)} for good.`,
  wrapKey: (args) => `Let ${keyText(args.target)} out, encrypted under ${keyText(args)}.`,
  unwrapKey: (args) => `Take a key in that ${keyText(args)} unwraps.`,
  deriveKey: (args) => `Derive from ${keyText(args)}.`,
  sign: (args) => `Sign with ${keyText(args)}.`,
  decrypt: (args) => `Decrypt with ${keyText(args)}.`,
  addSeal: (args) => `Make a further way to unlock the domain: a ${String(args.seal)}.`,
  removeSeal: (args) => `Take a way to unlock the domain away: the ${String(args.seal)}.`,
  confirmCounter: () =>
    'Have a counter of a TPM say whether the state of the domain is the newest.',
  beginEpoch: ({ custodians }) => {
    const keepers = custodians ? 'New shares for custodians' : 'No shares: its seal alone opens it'
    return `Shred the epoch: a new root key, and no copy or backup of before opens by it. ${keepers}.`
  },
  changeDomain: ({ change }) => changeText((change ?? {}) as Readonly<Record<string, unknown>>),
  acknowledgeTamper: () => 'Let a module work again that tampering has stopped.',
  zeroise: (args) => `Zeroise the module: overwrite all of its secrets. Reason: ${args.reason}.`,
  rotateKek: () => 'Make a new key-encryption key, under which every key is wrapped again.',
  retireKek: () => 'Give up the key-encryption key before: what is still under it opens no more.',
  setPin: (args) => `Set the PIN of ${String(args.person)}.`,
  login: (args) => `Log in ${String(args.person)}.`,
  resetLogin: (args) => `Forget the failed logins of ${String(args.person)}.`,
}

export interface Words {
  /** One line that says what would happen. */
  readonly headline: string
  /** Every member of the statement. */
  readonly rows: readonly (readonly [name: string, value: string])[]
}

export function statementWords(statement: Statement): Words {
  const { command, arguments: args, parts, domain, module, challenge, predecessor } = statement
  const headline = headlines[command]?.(args) ?? `Run the command ${command}.`
  const rows: readonly (readonly [string, unknown])[] = [
    ['command', command],
    ...Object.entries(args),
    ...Object.entries(parts).map(([name, value]) => [`SHA-256 of ${name}`, value] as const),
    ['domain', domain],
    ['module', module === 'any' ? 'any of the domain' : module],
    challenge === '' ? ['domain state before', predecessor] : ['challenge', challenge],
    ['asked for by', statement.requester],
    ['good from', time(statement.notBefore) ?? '1970'],
    ['good until', time(statement.expires) ?? '1970'],
  ]
  return wordsOf(headline, rows)
}

/** Harmless to show, whatever is in them. */
export function wordsOf(
  headline: string,
  rows: readonly (readonly [name: string, value: unknown])[],
): Words {
  const shown = rows.map(([name, value]) => [inOneLine(name), valueText(value)] as const)
  return { headline: inOneLine(headline), rows: shown }
}

/** For a terminal. */
export function statementInWords(statement: Statement): string {
  const { headline, rows } = statementWords(statement)
  const width = Math.max(...rows.map(([name]) => name.length))
  const lines = rows.map(
    ([name, value]) =>
      `  ${dim(name.padEnd(width), process.stdout)}  ${value.replaceAll('\n', `\n${' '.repeat(width + 4)}`)}`,
  )
  return [headline, ...lines].join('\n')
}

function changeText({ destroysKeys, ...change }: Readonly<Record<string, unknown>>): string {
  const text = `Change the domain: ${Object.keys(change).join(', ')}.`
  if (destroysKeys !== true) return text
  return `DESTROY EVERY KEY of the domain, for good, and weaken what protected them. ${text}`
}

function keyText(value: unknown): string {
  const { key, version } = (value ?? {}) as { readonly key?: unknown; readonly version?: unknown }
  return `version ${String(version)} of the key ${String(key)}`
}

function valueText(value: unknown): string {
  return printable(typeof value === 'string' ? value : JSON.stringify(value, undefined, 1))
}

/** Nothing in a file moves a cursor or hides a letter. */
export function printable(text: string): string {
  return text.replaceAll(
    /[^\P{C}\n]/gu,
    (character) => `\\u{${(character.codePointAt(0) ?? 0).toString(16)}}`,
  )
}

/** Nor looks like a line of ours. */
function inOneLine(text: string): string {
  return printable(text).replaceAll('\n', '\\n')
}
