/**
 * The sinks from a file of the administrator's, JSON (docs/record.md). It is refused as a whole when
 * anything in it is not understood: an export that is silently left out is missed when it is too late.
 */

import { readFile, stat } from 'node:fs/promises'
import path from 'node:path'

interface Bounds {
  /** A name for status, log and the file of the cursor. */
  readonly name: string
  /** Beyond which the log of the server says so. */
  readonly lagEntriesMax: number
  readonly lagSecondsMax: number
}

export interface FileSettings extends Bounds {
  readonly type: 'file'
  readonly path: string
  /** From which on the file is put aside under another name. */
  readonly bytesMax: number
}

/** Absolute paths of PEM files. */
interface TlsFiles {
  /** Whom to trust; the system's authorities without. */
  readonly ca: string | undefined
  readonly certificate: string | undefined
  /** Readable for its owner alone. */
  readonly key: string | undefined
}

export interface SyslogSettings extends Bounds, TlsFiles {
  readonly type: 'syslog'
  /** Its certificate must be for this name or address. */
  readonly host: string
  readonly port: number
}

export interface HttpSettings extends Bounds, TlsFiles {
  readonly type: 'http'
  /** https: alone. */
  readonly url: string
  readonly entriesMax: number
  /** A header whose value is the first line of a file that only its owner can read. */
  readonly secretHeader: { readonly name: string; readonly file: string } | undefined
}

export type SinkSettings = FileSettings | SyslogSettings | HttpSettings

const bytesMax = 256 * 1024
const sinksMax = 16
const namePattern = /^[a-z0-9][a-z0-9-]{0,31}$/
const headerPattern = /^[A-Za-z][A-Za-z0-9-]{0,63}$/
/** Of headers that say how the body is framed or who is spoken to. */
const ownHeaders = /^(host|content-.*|transfer-encoding|connection|expect|te|trailer|upgrade)$/i
export const syslogPortDefault = 6_514

/** @throws Error that says what is wrong with which part of the file */
export async function readSinks(file: string): Promise<SinkSettings[]> {
  const text = await readFile(file, 'utf8')
  if (text.length > bytesMax) throw new Error(`${file} is too long`)
  try {
    const settings = parseSinks(JSON.parse(text))
    for (const sink of settings) {
      if (sink.type !== 'file' && sink.key !== undefined) await assertPrivate(sink.key)
      if (sink.type === 'http' && sink.secretHeader) await assertPrivate(sink.secretHeader.file)
    }
    return settings
  } catch (cause) {
    const reason = cause instanceof Error ? cause.message : String(cause)
    throw new Error(`${file}: ${reason}`, { cause })
  }
}

/** @throws Error when others than its owner can read it */
export async function assertPrivate(file: string): Promise<void> {
  const { mode } = await stat(file)
  if ((mode & 0o077) !== 0) {
    throw new Error(`${file} can be read by others; type: chmod 600 ${file}`)
  }
}

export function parseSinks(value: unknown): SinkSettings[] {
  const file = new Members(value, 'the file')
  const entries = Object.entries(asObject(file.take('sinks'), 'sinks'))
  file.end()
  if (entries.length > sinksMax) throw new Error(`at most ${sinksMax} sinks`)
  const settings = entries.map(([name, sink]) => parseSink(name, sink))
  const paths = settings.flatMap((sink) => (sink.type === 'file' ? [sink.path] : []))
  if (new Set(paths).size < paths.length) throw new Error('two sinks write to one file')
  return settings
}

function parseSink(name: string, value: unknown): SinkSettings {
  if (!namePattern.test(name)) throw new Error(`"${name}" is no name of a sink`)
  const members = new Members(value, name)
  const settings = parseType(members, {
    name,
    lagEntriesMax: members.integer('lagEntriesMax', { from: 1, to: 1e12, otherwise: 100_000 }),
    lagSecondsMax: members.integer('lagSecondsMax', { from: 1, to: 1e9, otherwise: 300 }),
  })
  members.end()
  return settings
}

function parseType(members: Members, bounds: Bounds): SinkSettings {
  const type = members.text('type')
  if (type === 'file') {
    const limits = { from: 4_096, to: 2 ** 40, otherwise: 256 * 1024 * 1024 }
    const sizes = { bytesMax: members.integer('bytesMax', limits) }
    return { ...bounds, type, path: members.path('path'), ...sizes }
  }
  if (type === 'syslog') {
    const port = members.integer('port', { from: 1, to: 65_535, otherwise: syslogPortDefault })
    return { ...bounds, type, host: members.text('host'), port, ...tlsFiles(members) }
  }
  if (type === 'http') {
    const entriesMax = members.integer('entriesMax', { from: 1, to: 1_000, otherwise: 500 })
    const url = parseUrl(members.text('url'), bounds.name)
    const secretHeader = parseSecretHeader(members.take('secretHeader'), bounds.name)
    return { ...bounds, type, url, entriesMax, secretHeader, ...tlsFiles(members) }
  }
  throw new Error(`${bounds.name}: type is file, syslog or http`)
}

function tlsFiles(members: Members): TlsFiles {
  const [ca, certificate, key] = [
    members.optionalPath('ca'),
    members.optionalPath('certificate'),
    members.optionalPath('key'),
  ]
  if ((certificate === undefined) !== (key === undefined)) {
    throw new Error(`${members.what}: certificate and key go together`)
  }
  return { ca, certificate, key }
}

function parseUrl(text: string, what: string): string {
  const url = URL.parse(text)
  const isPlain = url?.protocol === 'https:' && url.username === '' && url.hash === ''
  if (!isPlain || url.password !== '') throw new Error(`${what}: url is https: without a password`)
  return url.href
}

function parseSecretHeader(value: unknown, what: string): HttpSettings['secretHeader'] {
  if (value === undefined) return undefined
  const members = new Members(value, `${what}: secretHeader`)
  const [name, file] = [members.text('name'), members.path('file')]
  members.end()
  if (!headerPattern.test(name) || ownHeaders.test(name)) {
    throw new Error(`${what}: ${name} is no header for a secret`)
  }
  return { name, file }
}

function asObject(value: unknown, what: string): Readonly<Record<string, unknown>> {
  if (typeof value === 'object' && value !== null && !Array.isArray(value)) return { ...value }
  throw new Error(`${what} is no object`)
}

/** The members of an object, each taken once; end() refuses what is left. */
class Members {
  readonly what: string
  readonly #left: Map<string, unknown>

  constructor(value: unknown, what: string) {
    this.what = what
    this.#left = new Map(Object.entries(asObject(value, what)))
  }

  take(name: string): unknown {
    const value = this.#left.get(name)
    this.#left.delete(name)
    return value
  }

  text(name: string): string {
    const value = this.take(name)
    if (typeof value === 'string' && /^[\x20-\x7e]{1,1024}$/.test(value)) return value
    throw new Error(`${this.what}: ${name} is no text`)
  }

  path(name: string): string {
    const value = this.text(name)
    if (path.isAbsolute(value)) return path.normalize(value)
    throw new Error(`${this.what}: ${name} is no absolute path`)
  }

  optionalPath(name: string): string | undefined {
    return this.#left.has(name) ? this.path(name) : undefined
  }

  integer(
    name: string,
    { from, to, otherwise }: { from: number; to: number; otherwise: number },
  ): number {
    const value = this.take(name) ?? otherwise
    if (Number.isSafeInteger(value) && Number(value) >= from && Number(value) <= to) {
      return Number(value)
    }
    throw new Error(`${this.what}: ${name} is ${from} to ${to}`)
  }

  /** @throws Error when there was more */
  end(): void {
    const [unknown] = this.#left.keys()
    if (unknown !== undefined) throw new Error(`${this.what}: ${unknown} is not known`)
  }
}
