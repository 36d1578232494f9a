/** Requests to a TLS listener as bytes, so that what no HTTP client would send can be sent. */

import { execFileSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { connect } from 'node:tls'

export interface RawAnswer {
  readonly status: number
  readonly headers: ReadonlyMap<string, string>
  readonly text: string
}

export interface Place {
  readonly port: number
  /** PEM. */
  readonly authority: string
  /** The address to come from, another one of the loopback interface. */
  readonly from?: string
}

/** Sends the bytes and reads one answer, with its Content-Length as the only framing. */
export async function exchange(place: Place, sent: string | Uint8Array): Promise<RawAnswer> {
  const { port, authority, from } = place
  const socket = connect({
    ...{ port, host: '127.0.0.1', servername: 'localhost', ca: authority },
    ...(from === undefined ? {} : { localAddress: from }),
  })
  socket.on('error', () => undefined)
  await once(socket, 'secureConnect')
  socket.write(sent)
  const pieces: Buffer[] = []
  for await (const piece of socket) {
    pieces.push(piece)
    const answer = parseAnswer(Buffer.concat(pieces))
    if (answer) return answer
  }
  throw new Error(`the connection ended without an answer: ${Buffer.concat(pieces)}`)
}

export function parseAnswer(bytes: Buffer): RawAnswer | undefined {
  const end = bytes.indexOf('\r\n\r\n')
  if (end < 0) return undefined
  const [first = '', ...lines] = bytes.toString('latin1', 0, end).split('\r\n')
  const headers = new Map(
    lines.map((line) => {
      const colon = line.indexOf(':')
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()]
    }),
  )
  const length = Number(headers.get('content-length') ?? 0)
  const body = bytes.subarray(end + 4)
  if (body.length < length) return undefined
  const status = Number(first.split(' ')[1])
  return { status, headers, text: body.toString('utf8', 0, length) }
}

/** A key and a certificate for localhost, made by openssl. */
export function selfSigned(days = 90): { key: string; certificate: string } {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tls-'))
  try {
    const at = (name: string) => path.join(folder, name)
    const subject = [
      '-subj',
      '/CN=localhost',
      '-addext',
      'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1',
    ]
    const key = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
    const files = ['-keyout', at('key'), '-out', at('crt'), '-days', String(days)]
    execFileSync('openssl', ['req', '-x509', ...key, ...subject, ...files], { stdio: 'ignore' })
    return { key: readFileSync(at('key'), 'utf8'), certificate: readFileSync(at('crt'), 'utf8') }
  } finally {
    rmSync(folder, { recursive: true })
  }
}
