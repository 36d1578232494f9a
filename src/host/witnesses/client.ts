/**
 * The log's side of c2sp.org/tlog-witness: one checkpoint to one witness, and what it answered. Nothing that a witness
 * says is believed before its signature was checked, but for the size of a 409, which only says what to prove next.
 * Answers are bounded in bytes and time.
 */

import * as http from 'node:http'
import * as https from 'node:https'
import { cosignedAt, parseVerifierKey } from '../../hsm/contract/cosignature.ts'
import { HsmError } from '../../hsm/contract/errors.ts'
import {
  type NoteKey,
  type NoteSignature,
  noteKeyId,
  parseNote,
  parseSignatureLine,
} from '../../hsm/contract/signed-note.ts'
import { WitnessFailure } from './errors.ts'

const answerBytesMax = 64 * 1024
const answerMsDefault = 10_000
const linesMax = 32

/** A witness as it is configured. */
export interface WitnessPlace {
  readonly key: NoteKey
  /** Submission prefix. */
  readonly url: string
}

export interface Submission {
  readonly old: number
  readonly proof: readonly Uint8Array[]
  /** The checkpoint, signed by the log. */
  readonly note: string
}

/** The witness's own, checked. */
export interface Cosignature {
  readonly cosignature: NoteSignature
  /** Seconds since 1970. */
  readonly time: number
}

export type WitnessReply =
  | Cosignature
  /** 409: what it says is the size of the last checkpoint that it cosigned. */
  | { readonly size: number }
  /** 422: our proof does not lead from its tree to ours. */
  | 'not consistent'

/** "VKEY=URL". HTTP without TLS on this machine alone: a forged 409 would look like a record that was put back. */
export function parseWitnessPlace(text: string): WitnessPlace | undefined {
  const [, vkey = '', url = ''] = /^(.+?)=(https?:\/\/\S+)$/.exec(text) ?? []
  try {
    const key = parseVerifierKey(vkey)
    const { protocol, hostname, search, hash, username } = new URL(url)
    const isNear = ['127.0.0.1', '[::1]', 'localhost'].includes(hostname)
    const isPlain = search === '' && hash === '' && username === ''
    if (!key.type.endsWith('-cosignature') || !isPlain) return undefined
    return protocol === 'https:' || isNear ? { key, url: url.replace(/\/$/, '') } : undefined
  } catch {
    return undefined
  }
}

export class WitnessClient implements Disposable {
  readonly place: WitnessPlace
  readonly #agent: http.Agent
  readonly #answerMs: number

  constructor(place: WitnessPlace, answerMs = answerMsDefault) {
    this.place = place
    this.#answerMs = answerMs
    const options = { keepAlive: true, maxSockets: 1 }
    this.#agent = this.#isTls ? new https.Agent(options) : new http.Agent(options)
  }

  get #isTls(): boolean {
    return this.place.url.startsWith('https:')
  }

  /** @throws WitnessFailure WITNESS_… */
  async submit({ old, proof, note }: Submission): Promise<WitnessReply> {
    const hashes = proof.map((hash) => `${Buffer.from(hash).toString('base64')}\n`)
    const { status, body } = await this.#post(`old ${old}\n${hashes.join('')}\n${note}`)
    if (status === 200) return this.#cosignatureIn(body, note)
    if (status === 409) return { size: sizeIn(body) }
    if (status === 422) return 'not consistent'
    throw new WitnessFailure('WITNESS_REFUSED', `it answers with ${status}`)
  }

  [Symbol.dispose](): void {
    this.#agent.destroy()
  }

  #cosignatureIn(body: string, note: string): WitnessReply {
    const { key } = this.place
    const id = noteKeyId(key)
    try {
      const lines = body.split('\n')
      if (lines.pop() !== '' || lines.length > linesMax) throw new Error('not lines of signatures')
      const cosignature = lines
        .map(parseSignatureLine)
        .find(({ name, keyId }) => name === key.name && id.equals(keyId))
      if (!cosignature) throw new Error('not its signature')
      const time = cosignedAt(key, { text: parseNote(note).text, signatures: [cosignature] }) ?? 0
      return { cosignature, time }
    } catch (cause) {
      if (cause instanceof HsmError) {
        throw invalid(`what it signed is not this checkpoint: ${cause.message}`, cause)
      }
      throw invalid('an answer without its cosignature', cause)
    }
  }

  async #post(body: string): Promise<{ readonly status: number; readonly body: string }> {
    const signal = AbortSignal.timeout(this.#answerMs)
    try {
      const response = await new Promise<http.IncomingMessage>((resolve, reject) => {
        const options = {
          method: 'POST',
          agent: this.#agent,
          signal,
          headers: { 'content-type': 'text/plain', 'content-length': Buffer.byteLength(body) },
        }
        const { request } = this.#isTls ? https : http
        request(`${this.place.url}/add-checkpoint`, options, resolve).on('error', reject).end(body)
      })
      return { status: response.statusCode ?? 0, body: await readBody(response) }
    } catch (cause) {
      if (cause instanceof WitnessFailure) throw cause
      const why = signal.aborted ? 'no answer in time' : codeOf(cause)
      throw new WitnessFailure('WITNESS_UNREACHABLE', why, { cause })
    }
  }
}

async function readBody(response: http.IncomingMessage): Promise<string> {
  const pieces: Buffer[] = []
  let length = 0
  for await (const piece of response) {
    length += piece.length
    if (length > answerBytesMax) throw invalid(`an answer of more than ${answerBytesMax} bytes`)
    pieces.push(piece)
  }
  return Buffer.concat(pieces).toString()
}

function sizeIn(body: string): number {
  const size = /^(0|[1-9][0-9]{0,15})\n$/.test(body) ? Number(body) : Number.NaN
  if (!Number.isSafeInteger(size)) throw invalid('a conflict without a size')
  return size
}

function codeOf(error: unknown): string {
  return error instanceof Error && 'code' in error ? String(error.code) : String(error)
}

function invalid(message: string, cause?: unknown): WitnessFailure {
  return new WitnessFailure('WITNESS_ANSWER_INVALID', message, { cause })
}
