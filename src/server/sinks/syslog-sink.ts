/**
 * Syslog (RFC 5424) over TLS (RFC 5425, octet counting). The message is the entry as JSON; there is no
 * structured data, whose names would need an enterprise number. Facility 13 (log audit), severity
 * "informational" for OK and "warning" for all else; MSGID is the command.
 *
 * Syslog has no acknowledgement. The nearest thing is the end of the connection, which section 4.4 has
 * the receiver answer: each batch goes over a connection of its own, and counts as sent when the
 * receiver has closed in good order after our close_notify. That is sent a little later than the batch,
 * longer than the network takes: a receiver that hangs up with bytes unread resets the connection, and
 * one that ends by itself is noticed before. One that reads and then forgets is beyond what a sender
 * can know.
 */

import { once } from 'node:events'
import { hostname } from 'node:os'
import { setTimeout as delay, setImmediate } from 'node:timers/promises'
import { connect, type TLSSocket } from 'node:tls'
import type { SyslogSettings } from './configuration.ts'
import type { Line, Sink } from './sink.ts'
import { tlsOptions } from './tls-options.ts'

/** For everything from connecting to the receiver's end. */
const deliverMs = 30_000
/** Between the batch and our end; as long as the handshake took, two round trips, if that is longer. */
const graceMsMin = 20

const auditFacility = 13
const severities = { informational: 6, warning: 4 }
const printable = /^[\x21-\x7e]+$/

export class SyslogSink implements Sink {
  readonly entriesMax = 1_000
  readonly #settings: SyslogSettings

  constructor(settings: SyslogSettings) {
    this.#settings = settings
  }

  async deliver(lines: readonly Line[], signal: AbortSignal): Promise<void> {
    const { host, port } = this.#settings
    const options = await tlsOptions(this.#settings)
    const limit = AbortSignal.any([signal, AbortSignal.timeout(deliverMs)])
    limit.throwIfAborted()
    const socket = connect({ ...options, host, port })
    const stop = () => socket.destroy(new Error('not done in time'))
    limit.addEventListener('abort', stop)
    const began = performance.now()
    try {
      await once(socket, 'secureConnect')
      const graceMs = Math.max(graceMsMin, performance.now() - began)
      await send(socket, Buffer.concat(lines.map(framed)), graceMs)
    } finally {
      limit.removeEventListener('abort', stop)
      socket.destroy()
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** @throws Error when the receiver ends before we do, or not in good order */
async function send(socket: TLSSocket, bytes: Buffer, graceMs: number): Promise<void> {
  let ended = false
  const { promise: answered, resolve, reject } = Promise.withResolvers<void>()
  socket.once('error', reject)
  socket.once('close', () => reject(new Error('the receiver broke off')))
  socket.once('end', () => {
    if (ended) resolve()
    else reject(new Error('the receiver ended the connection'))
  })
  socket.resume()
  const written = new Promise<void>((done) => socket.write(bytes, () => done()))
  // The turn of the loop behind the delay sees what came in meanwhile.
  const quiet = written.then(() => delay(graceMs)).then(() => setImmediate())
  await Promise.race([quiet, answered])
  ended = true
  socket.end()
  await answered
}

/** RFC 5425 section 4.3: the length in octets, a space, the message. */
function framed(line: Line): Buffer {
  const message = Buffer.from(messageOf(line))
  return Buffer.concat([Buffer.from(`${message.length} `), message])
}

export function messageOf({ entry, json }: Line): string {
  const { informational, warning } = severities
  const severity = entry.outcome === 'OK' ? informational : warning
  const priority = auditFacility * 8 + severity
  return `<${priority}>1 ${entry.time} ${word(hostname(), 255)} keyhold - ${word(entry.command, 32)} - ${json}`
}

function word(text: string, charactersMax: number): string {
  return printable.test(text) ? text.slice(0, charactersMax) : '-'
}
