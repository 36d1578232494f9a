/**
 * What the command line says. Results go to standard output, as text or with --json as JSON; all else
 * goes to standard error. Colour only on a terminal and without NO_COLOR. An error takes at most three
 * lines: what happened, the code, what to do next.
 */

import { styleText } from 'node:util'
import { ClientError } from '../client/errors.ts'
import { adviceFor, type ExitCode, exitCodeFor, exitCodes } from './exit-codes.ts'

type Style = Parameters<typeof styleText>[0]

/** A failure of the command line itself: used in a way that it does not know. */
export class UsageError extends Error {
  override readonly name = 'UsageError'
}

export class Output {
  readonly json: boolean

  constructor(json: boolean) {
    this.json = json
  }

  /** The result of a command. */
  result(value: unknown, text: string): void {
    const written = this.json ? JSON.stringify(value, jsonMember) : text
    process.stdout.write(written.endsWith('\n') || written === '' ? written : `${written}\n`)
  }

  /** A remark for people; it is no part of the result. */
  note(text: string): void {
    process.stderr.write(`${text}\n`)
  }

  /** Writes what happened, the code and what to do next. */
  failure(error: unknown): ExitCode {
    const { code, message, requestId, exitCode } = describe(error)
    const next = adviceFor(code)
    if (this.json) {
      const members = { code, message, ...(requestId && { requestId }), ...(next && { next }) }
      process.stderr.write(`${JSON.stringify({ error: members })}\n`)
      return exitCode
    }
    const request = requestId ? dim(` (request ${requestId})`, process.stderr) : ''
    const lines = [
      `${styled(['red', 'bold'], 'error:', process.stderr)} ${message}`,
      `${dim('code: ', process.stderr)} ${code}${request}`,
      ...(next ? [`${dim('next: ', process.stderr)} ${next}`] : []),
    ]
    process.stderr.write(`${lines.join('\n')}\n`)
    return exitCode
  }
}

interface Description {
  readonly code: string
  readonly message: string
  readonly requestId?: string | undefined
  readonly exitCode: ExitCode
}

function describe(error: unknown): Description {
  if (error instanceof ClientError) {
    const { code, message, requestId } = error
    return { code, message: oneLine(message), requestId, exitCode: exitCodeFor(code) }
  }
  if (error instanceof UsageError) {
    return { code: 'USAGE', message: oneLine(error.message), exitCode: exitCodes.usage }
  }
  const isCoded = error instanceof Error && 'code' in error && typeof error.code === 'string'
  const code = isCoded ? String(error.code) : 'INTERNAL'
  const message = error instanceof Error ? error.message : String(error)
  return { code, message: oneLine(message), exitCode: exitCodeFor(code) }
}

function oneLine(text: string): string {
  return text.replace(/\s+/g, ' ').trim().slice(0, 400)
}

/** Bytes are base64 in JSON, as on the wire. */
function jsonMember(this: unknown, name: string, value: unknown): unknown {
  const own: unknown =
    typeof this === 'object' && this !== null ? Reflect.get(this, name) : undefined
  return own instanceof Uint8Array ? Buffer.from(own).toString('base64') : value
}

/** Coloured if the stream is a terminal. */
export function styled(style: Style, text: string, stream: NodeJS.WriteStream): string {
  return styleText(style, text, { stream, validateStream: true })
}

export function dim(text: string, stream: NodeJS.WriteStream): string {
  return styled('dim', text, stream)
}

/** Names on the left, values on the right; what is undefined is left out. */
export function fields(rows: readonly (readonly [string, unknown])[]): string {
  const shown = rows.filter(([, value]) => value !== undefined && value !== '')
  const width = Math.max(...shown.map(([name]) => name.length))
  return shown
    .map(([name, value]) => `${dim(name.padEnd(width), process.stdout)}  ${String(value)}`)
    .join('\n')
}

/** Columns as wide as their widest cell. */
export function table(
  heads: readonly string[],
  rows: readonly (readonly string[])[],
  empty: string,
): string {
  if (rows.length === 0) return empty
  const widths = heads.map((head, column) =>
    Math.max(head.length, ...rows.map((row) => row[column]?.length ?? 0)),
  )
  const line = (cells: readonly string[]): string =>
    cells
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd()
  return [dim(line(heads), process.stdout), ...rows.map(line)].join('\n')
}

/** Milliseconds since 1970 as ISO 8601 to the second; nothing for 0. */
export function time(ms: number | undefined): string | undefined {
  return ms ? `${new Date(ms).toISOString().slice(0, 19)}Z` : undefined
}
