/**
 * Batches of JSON lines by POST over HTTPS, one at a time. A batch has arrived when the answer's status
 * is 2xx; anything else is tried again, redirects too, which nobody should be able to answer a log with.
 */

import { readFile } from 'node:fs/promises'
import { request } from 'node:https'
import { assertPrivate, type HttpSettings } from './configuration.ts'
import type { Line, Sink } from './sink.ts'
import { tlsOptions } from './tls-options.ts'

const deliverMs = 30_000
const answerBytesMax = 64 * 1024

export class HttpSink implements Sink {
  readonly entriesMax: number
  readonly #settings: HttpSettings

  constructor(settings: HttpSettings) {
    this.#settings = settings
    this.entriesMax = settings.entriesMax
  }

  async deliver(lines: readonly Line[], signal: AbortSignal): Promise<void> {
    const { url, secretHeader } = this.#settings
    const body = Buffer.from(lines.map(({ json }) => `${json}\n`).join(''))
    const headers = {
      'content-type': 'application/x-ndjson',
      'content-length': body.length,
      ...(secretHeader && { [secretHeader.name]: await secretIn(secretHeader.file) }),
    }
    const options = {
      ...(await tlsOptions(this.#settings)),
      method: 'POST',
      headers,
      signal: AbortSignal.any([signal, AbortSignal.timeout(deliverMs)]),
    }
    const status = await new Promise<number>((resolve, reject) => {
      const sent = request(url, options, (answer) => {
        let bytes = 0
        answer.on('error', reject).on('data', (piece: Buffer) => {
          bytes += piece.length
          if (bytes > answerBytesMax) sent.destroy(new Error('its answer is too long'))
        })
        answer.on('end', () => resolve(answer.statusCode ?? 0))
      })
      sent.on('error', reject).end(body)
    })
    if (status < 200 || status > 299) throw new Error(`it answers ${status}`)
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** @throws Error that does not repeat it */
async function secretIn(file: string): Promise<string> {
  await assertPrivate(file)
  const [secret = ''] = (await readFile(file, 'latin1')).split(/\r?\n/, 1)
  if (!/^[\x21-\x7e][\x20-\x7e]{0,4095}$/.test(secret)) {
    throw new Error(`${file} holds no value for a header`)
  }
  return secret
}
