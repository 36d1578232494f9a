/**
 * The server's log: one line an entry, to standard error. JSON for programs; for a terminal, a line
 * that people read. Control characters are escaped in both, so that nobody writes into a terminal or
 * forges a line through a name; API tokens are cut to the part that names them; and a line has an end.
 */

import type { LogEntry } from '../kms/kms.ts'

export type Log = (entry: LogEntry) => void

export interface LogOptions {
  readonly write: (line: string) => void
  readonly now: () => Date
  /** Lines for people, with colours. */
  readonly pretty: boolean
}

const textCharactersMax = 4_096
const lineCharactersMax = 16_384

export function createLog({ write, now, pretty }: LogOptions): Log {
  const format = pretty ? prettyLine : jsonLine
  return (entry) => write(`${format(entry, now())}\n`)
}

function jsonLine({ level, message, ...members }: LogEntry, time: Date): string {
  const head = { time: time.toISOString(), level, message: clean(message) }
  const line = JSON.stringify({ ...head, ...members }, cleanMember)
  if (line.length <= lineCharactersMax) return escapeControls(line)
  return escapeControls(JSON.stringify({ ...head, shortened: true }))
}

const colours = { info: 36, warn: 33, error: 31 } as const

function prettyLine({ level, message, ...members }: LogEntry, time: Date): string {
  const rest = Object.entries(members)
    .map(([name, value]) => `${name}=${plain(value)}`)
    .join(' ')
  const text = escapeControls(`${clean(message)}${rest === '' ? '' : ` ${rest}`}`)
  const clock = time.toISOString().slice(11, 19)
  return `${clock} \u001b[${colours[level]}m${level}\u001b[0m ${text.slice(0, lineCharactersMax)}`
}

function plain(value: unknown): string {
  return typeof value === 'string' ? clean(value) : (JSON.stringify(value, cleanMember) ?? '')
}

/** For JSON.stringify: values that it cannot write, and texts. */
function cleanMember(_name: string, value: unknown): unknown {
  if (typeof value === 'bigint') return String(value)
  if (value instanceof Error) return clean(value.stack ?? value.message)
  if (value instanceof Uint8Array) return `[${value.length} bytes]`
  return typeof value === 'string' ? clean(value) : value
}

const tokens = /\bkh_([0-9a-f]{16})_[A-Za-z0-9_-]{8,}/g

function clean(text: string): string {
  const shown = text.replace(tokens, 'kh_$1_[token]')
  return shown.length > textCharactersMax ? `${shown.slice(0, textCharactersMax)}…` : shown
}

/** What JSON leaves as it is and a terminal obeys (C1, line separators, directions), and C0 for lines. */
function escapeControls(text: string): string {
  return text.replace(
    /[\p{Cc}\u2028\u2029\u202a-\u202e\u2066-\u2069]/gu,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
