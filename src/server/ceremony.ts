/**
 * The module of a founding ceremony, as a process that the command line starts (src/cli/ceremony/module-process.ts): opens
 * a new data folder, starts a module in it, and speaks JSON with whoever conducts the ceremony, one line at a
 * time. Orders: `found` arguments with sealed secrets, then `commit`; the domain exists from then on. It
 * ends when its standard input does. No secret passes that is not sealed to the module.
 */

import path from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import * as z from 'zod'
import { messageOf } from '../host/errors.ts'
import { FoundingHost } from '../host/founding.ts'
import { decodeList } from '../hsm/contract/share.ts'
import { releaseKeys } from '../launcher/release-keys.ts'

const release = {
  root: path.join(import.meta.dirname, '../..'),
  keys: releaseKeys,
  node: process.execPath,
}
const lineCharactersMax = 1024 * 1024

const bytes = z.codec(z.base64(), z.instanceof(Uint8Array), {
  decode: (text) => Uint8Array.fromBase64(text),
  encode: (value) => value.toBase64(),
})
const order = z.union([
  z.strictObject({
    /** The module parses them. */
    arguments: z.record(z.string(), z.unknown()),
    secret: bytes.nullable(),
    passphrases: bytes.nullable(),
  }),
  z.strictObject({ commit: z.literal(true) }),
])
type FoundArguments = Parameters<FoundingHost['found']>[0]

async function conduct(folder: string): Promise<void> {
  const log = (entry: object) => process.stderr.write(`${JSON.stringify(entry)}\n`)
  await using host = await FoundingHost.open({ folder, release, log })
  answer({ transportKey: host.transportKey.toBase64() })
  let seal: 'passphrase' | undefined
  for await (const line of createInterface({ input: process.stdin })) {
    try {
      const asked = parse(line)
      if ('commit' in asked) {
        await host.commit(seal)
        answer({ committed: true })
        continue
      }
      seal = asked.secret ? 'passphrase' : undefined
      answer(await found(host, asked))
    } catch (error) {
      answer(refusal(error))
    }
  }
}

function parse(line: string): z.output<typeof order> {
  if (line.length > lineCharactersMax) throw new Error('the order is too long')
  return order.parse(JSON.parse(line))
}

async function found(
  host: FoundingHost,
  { arguments: args, secret, passphrases }: Exclude<z.output<typeof order>, { commit: true }>,
): Promise<object> {
  const parts = { ...(secret && { secret }), ...(passphrases && { passphrases }) }
  const answered = await host.found(args as unknown as FoundArguments, parts)
  const { shares, state, founding } = answered.parts
  return {
    shares: decodeList(shares ?? new Uint8Array()).map((share) => share.toBase64()),
    domainState: JSON.parse(Buffer.from(state).toString()),
    founding: JSON.parse(Buffer.from(founding).toString()),
  }
}

function answer(value: object): void {
  process.stdout.write(`${JSON.stringify(value)}\n`)
}

function refusal(error: unknown): object {
  const code = error instanceof Error && 'code' in error ? String(error.code) : 'INTERNAL'
  return { error: { code, message: messageOf(error) } }
}

// Whoever conducts the ceremony may be gone; what is founded then is what they committed.
process.stdout.on('error', () => undefined)
process.stderr.on('error', () => undefined)
// A Ctrl-C of the terminal is for the ceremony, which ends this one's input.
process.on('SIGINT', () => undefined)
try {
  const { data } = parseArgs({ options: { data: { type: 'string' } } }).values
  if (!data) throw new Error('--data is missing')
  await conduct(path.resolve(data))
} catch (error) {
  answer(refusal(error))
  process.exitCode = 1
}
