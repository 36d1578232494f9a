/**
 * One module, started as its own user, asked for the transport key of this start, and fed: the secret of
 * the seal is sealed to that key here, so that the host, which carries it to the module, cannot read it,
 * and a program of the host's cannot be given it in the module's place. The launcher asks over the door
 * before it hands the door over; it keeps neither.
 */

import type { ChildProcess } from 'node:child_process'
import { Socket } from 'node:net'
import type { AnswerItem, RequestHeader } from '../hsm/contract/commands.ts'
import type { SealKind } from '../hsm/contract/domain-commands.ts'
import { cutParts, encodeFrame, type Frame, FrameReader } from '../hsm/contract/frame.ts'
import { sealForCommand, sealSecretFor } from '../hsm/contract/sealed-part.ts'
import { LauncherError } from './errors.ts'
import { LastWords, type ModuleSpawn, spawnModule } from './module-command.ts'

/** From starting to an answer: loading, self-tests and the wall. */
const answerMsMax = 30_000

/** The launcher does not know which of them comes. */
type SealedCommand = 'found' | 'unlock'

export interface StartedModule {
  readonly child: ChildProcess
  readonly lastWords: LastWords
  readonly door: Socket
  /** The secret, sealed to this process for either command, in base64; null when there is none. */
  readonly sealed: Readonly<Record<SealedCommand, string>> | null
}

/**
 * Overwrites what `secret` gives. Without one the module is started all the same, for people to unlock.
 * @throws LauncherError MODULE_NOT_STARTED
 */
export async function startModule(
  spawned: ModuleSpawn,
  kind: SealKind,
  secret: () => Promise<Uint8Array | null>,
): Promise<StartedModule> {
  const child = spawnModule(spawned)
  const lastWords = new LastWords(child)
  const door = child.stdio[3]
  try {
    if (!(door instanceof Socket) || child.pid === undefined) throw notStarted('', 'no process')
    door.on('error', () => undefined)
    const { publicKey, challenges } = await sealingKey(child, door, lastWords)
    const bytes = await secret()
    try {
      const seal = (command: SealedCommand, secretBytes: Uint8Array) => {
        const destination = sealSecretFor(command, kind)
        const sealed = sealForCommand(publicKey, challenges[command], destination, secretBytes)
        return sealed.toString('base64')
      }
      const sealed = bytes && { found: seal('found', bytes), unlock: seal('unlock', bytes) }
      return { child, lastWords, door, sealed }
    } finally {
      bytes?.fill(0)
    }
  } catch (error) {
    child.kill('SIGKILL')
    throw error
  }
}

const request: RequestHeader = {
  id: 1,
  claim: { identity: 'launcher', requestId: '', protocol: 'host', address: '' },
  items: [
    { command: 'getTransportKey', arguments: {}, parts: {} },
    { command: 'getChallenge', arguments: { command: 'found' }, parts: {} },
    { command: 'getChallenge', arguments: { command: 'unlock' }, parts: {} },
  ],
}

interface SealingKey {
  readonly publicKey: Uint8Array
  /** Hex. */
  readonly challenges: Readonly<Record<SealedCommand, string>>
}

/** One question, one answer, and nothing of what comes behind it. */
async function sealingKey(
  child: ChildProcess,
  door: Socket,
  lastWords: LastWords,
): Promise<SealingKey> {
  const { promise, resolve, reject } = Promise.withResolvers<Frame>()
  const reader = new FrameReader(resolve, reject)
  const onData = (chunk: Buffer) => reader.push(chunk)
  const onExit = () => reject(new Error('it ended'))
  const timer = setTimeout(() => reject(new Error('it did not answer in time')), answerMsMax)
  door.on('data', onData)
  child.once('exit', onExit)
  child.once('error', reject)
  door.write(encodeFrame(request, []))
  try {
    return sealingKeyIn(await promise)
  } catch (cause) {
    throw notStarted(lastWords.printable, cause instanceof Error ? cause.message : String(cause))
  } finally {
    clearTimeout(timer)
    child.off('exit', onExit)
    door.off('data', onData)
    door.pause()
  }
}

function sealingKeyIn({ header, body }: Frame): SealingKey {
  const { id, leaves, changes, items } = header
  const [key, found, unlock] = Array.isArray(items) ? (items as AnswerItem[]) : []
  if (id !== 1 || key === undefined || 'error' in key) throw new Error('it gave no transport key')
  const lengths = [Number(leaves), Number(changes), Number(key.parts.publicKey)]
  const publicKey = cutParts(body, lengths)[2]
  if (publicKey === undefined) throw new Error('it gave no transport key')
  return { publicKey, challenges: { found: challengeIn(found), unlock: challengeIn(unlock) } }
}

function challengeIn(item: AnswerItem | undefined): string {
  if (item === undefined || 'error' in item) throw new Error('it gave no challenge')
  const { challenge } = item.result as { readonly challenge?: unknown }
  if (typeof challenge === 'string') return challenge
  throw new Error('it gave no challenge')
}

function notStarted(words: string, reason: string): LauncherError {
  const said = words === '' ? '' : ` (${words})`
  return new LauncherError('MODULE_NOT_STARTED', `the module was not started: ${reason}${said}.`)
}
