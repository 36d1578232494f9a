/**
 * The module of a founding ceremony, as a process that the command line starts (src/cli/ceremony/module-process.ts): opens
 * a new data folder, starts a module in it, and speaks JSON with whoever conducts the ceremony, one line at a
 * time. Orders: `found` arguments with sealed secrets, then `commit`; the domain exists from then on. It
 * ends when its standard input does. No secret passes that is not sealed to the module.
 */

import path from 'node:path'
import { createInterface } from 'node:readline'
import { parseArgs } from 'node:util'
import { messageOf } from '../host/errors.ts'
import { FoundingHost } from '../host/founding.ts'
import { startByLauncher } from '../host/launched-module.ts'
import { startOwnModule } from '../host/start-own-module.ts'
import { decodeList } from '../hsm/contract/share.ts'
import { releaseKeys } from '../launcher/release-keys.ts'

const release = {
  root: path.join(import.meta.dirname, '../..'),
  keys: releaseKeys,
  node: process.execPath,
}
const lineCharactersMax = 1024 * 1024

interface FoundOrder {
  /** The module parses them. */
  readonly arguments: FoundArguments
  readonly secret: Uint8Array | null
  readonly passphrases: Uint8Array | null
}
type Order = FoundOrder | { readonly commit: true }
type FoundArguments = Parameters<FoundingHost['found']>[0]

async function conduct(folder: string, launched: boolean): Promise<void> {
  const log = (entry: object) => process.stderr.write(`${JSON.stringify(entry)}\n`)
  await using host = await FoundingHost.open({
    folder,
    log,
    startModule: launched ? startByLauncher() : startOwnModule({ release, log }),
  })
  const { transportKey, challenge } = host.sealingKey
  answer({ transportKey: transportKey.toBase64(), challenge })
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

/** By hand: in an installation with the launcher this program has no packages. @throws Error */
function parse(line: string): Order {
  if (line.length > lineCharactersMax) throw new Error('the order is too long')
  const { commit, arguments: args, secret, passphrases, ...rest } = { ...JSON.parse(line) }
  if (Object.keys(rest).length > 0) throw new Error('the order has members that nobody knows')
  if (commit === true) return { commit }
  if (typeof args !== 'object' || args === null) throw new Error('the order is none')
  return { arguments: args, secret: bytesOf(secret), passphrases: bytesOf(passphrases) }
}

function bytesOf(text: unknown): Uint8Array | null {
  if (text === null) return null
  if (typeof text !== 'string') throw new Error('bytes are base64')
  return Uint8Array.fromBase64(text)
}

async function found(
  host: FoundingHost,
  { arguments: args, secret, passphrases }: FoundOrder,
): Promise<object> {
  const parts = { ...(secret && { secret }), ...(passphrases && { passphrases }) }
  const answered = await host.found(args, parts)
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
  const options = { data: { type: 'string' }, launched: { type: 'boolean' } } as const
  const { data, launched = false } = parseArgs({ options }).values
  if (!data) throw new Error('--data is missing')
  await conduct(path.resolve(data), launched)
} catch (error) {
  answer(refusal(error))
  process.exitCode = 1
}
// The channel to the launcher would keep the process.
if (process.connected) process.disconnect?.()
