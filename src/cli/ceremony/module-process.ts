/**
 * The module of a ceremony: a process of the server's that starts a module on a data folder without a domain
 * (src/server/ceremony.ts) and speaks JSON, one line at a time. It holds the folder's lock, so that no server can
 * come up in it meanwhile, and ends with the ceremony.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import path from 'node:path'
import { createInterface } from 'node:readline'
import * as z from 'zod'
import { ClientError, clientError } from '../../client/errors.ts'
import type { Commands } from '../../hsm/contract/commands.ts'
import type { Founded, FoundingModule, SealedSecrets } from './founding.ts'
import type { CeremonyPlan } from './plan.ts'

const program = path.join(import.meta.dirname, '../../server/ceremony.ts')
const launcher = path.join(import.meta.dirname, '../../launcher/main.ts')
const logCharactersMax = 4_096

const bytes = z.codec(z.base64(), z.instanceof(Uint8Array), {
  decode: (text) => Uint8Array.fromBase64(text),
  encode: (value) => value.toBase64(),
})
const signed = z.strictObject({
  statement: z.string(),
  signature: z.strictObject({ ed25519: z.string(), mlDsa65: z.string() }),
})
const answers = {
  started: z.strictObject({ transportKey: bytes, challenge: z.string().regex(/^[0-9a-f]{64}$/) }),
  founded: z.strictObject({ shares: z.array(bytes), domainState: signed, founding: signed }),
  committed: z.strictObject({ committed: z.literal(true) }),
}
const failure = z.strictObject({ error: z.strictObject({ code: z.string(), message: z.string() }) })

/** Names of /etc/passwd, or two numbers; the command line runs as root then. */
export interface LauncherUsers {
  readonly moduleUser: string
  readonly hostUser: string
}

/**
 * With users by the launcher, as security level 3 wants it.
 * @throws ClientError with the code of what went wrong there; SERVER_UNREACHABLE when it ends
 */
export async function startFoundingModule(
  data: string,
  users?: LauncherUsers,
): Promise<FoundingModule> {
  const started = users ? [launcher, ...launcherArguments(users)] : [program]
  const args = ['--no-experimental-ffi', ...started, `--data=${data}`]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'pipe'] })
  const line = new Lines(child)
  try {
    const { transportKey, challenge } = await line.next(answers.started)
    return {
      transportKey,
      challenge,
      found: (plan, secrets) => {
        line.write(order(plan, secrets))
        return line.next(answers.founded) satisfies Promise<Founded>
      },
      commit: async () => {
        line.write({ commit: true })
        await line.next(answers.committed)
      },
      [Symbol.asyncDispose]: () => line.end(),
    }
  } catch (error) {
    await line.end()
    throw error
  }
}

function launcherArguments({ moduleUser, hostUser }: LauncherUsers): string[] {
  const users = [`--module-user=${moduleUser}`, `--host-user=${hostUser}`]
  return [...users, '--seal=shares', '--ceremony', '--']
}

/** The arguments of the module's command `found`, and its parts. */
function order(plan: CeremonyPlan, { seal, passphrases }: SealedSecrets): object {
  const { level, people, rules, tamper, custodians } = plan
  const args: Commands['found']['arguments'] = {
    development: false,
    ...(plan.seal === 'none' ? {} : { seal: plan.seal }),
    founding: { level, people, rules, tamper },
    ...(custodians && { custodians }),
  }
  return {
    arguments: args,
    secret: seal?.toBase64() ?? null,
    passphrases: passphrases?.toBase64() ?? null,
  }
}

class Lines {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly #ended: Promise<unknown>
  #log = ''

  constructor(child: ChildProcess) {
    this.#child = child
    this.#ended = once(child, 'close').catch(() => undefined)
    child.stdin?.on('error', () => undefined)
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-logCharactersMax)
    })
    const input = child.stdout
    if (!input) throw clientError('SERVER_UNREACHABLE', 'the module cannot be started')
    this.#lines = createInterface({ input })[Symbol.asyncIterator]()
  }

  write(value: object): void {
    this.#child.stdin?.write(`${JSON.stringify(value)}\n`)
  }

  async next<S extends z.ZodType>(schema: S): Promise<z.output<S>> {
    const { done, value } = await this.#lines.next()
    if (done) {
      const last = this.#log.trimEnd().split('\n').at(-1) ?? ''
      throw clientError('SERVER_UNREACHABLE', `the module ended: ${last}`)
    }
    const answer: unknown = JSON.parse(value)
    const failed = failure.safeParse(answer)
    if (failed.success) throw new ClientError(failed.data.error.code, failed.data.error.message)
    const parsed = schema.safeParse(answer)
    if (!parsed.success) throw clientError('ANSWER_INVALID', 'the module answered something else')
    return parsed.data
  }

  async end(): Promise<void> {
    this.#child.stdin?.end()
    await this.#ended
  }
}
