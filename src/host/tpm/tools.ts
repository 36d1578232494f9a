/**
 * tpm2-tools (5.x) as child processes: one program a step, an environment of two variables, bounded
 * output and time. What is secret goes through pipes, never into an argument or a file. A place of its
 * own holds the contexts between two steps, which the TPM itself has encrypted; it goes away with them.
 */

import { spawn } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { TpmError } from './errors.ts'

export interface TpmOptions {
  /** How to reach the TPM (tpm2-tools' TCTI); default: the kernel's resource manager. */
  readonly tcti?: string | undefined
}

const tctiDefault = 'device:/dev/tpmrm0'
const stepMsMax = 20_000
const outputBytesMax = 64 * 1024

/** One use of the TPM: steps that build on each other. */
export class TpmSession implements AsyncDisposable {
  readonly #folder: string
  readonly #tcti: string
  /** Sessions stay in the TPM until they are flushed. */
  readonly #sessions: string[] = []

  private constructor(folder: string, tcti: string) {
    this.#folder = folder
    this.#tcti = tcti
  }

  static async open({ tcti = tctiDefault }: TpmOptions): Promise<TpmSession> {
    return new TpmSession(await mkdtemp(path.join(tmpdir(), 'keyhold-tpm-')), tcti)
  }

  /** A file of this use. */
  file(name: string): string {
    return path.join(this.#folder, name)
  }

  /** Flushes a session when the use ends. */
  owns(session: string): void {
    this.#sessions.push(session)
  }

  /** What one program prints. Overwriting `input` and the output is up to the caller. @throws TpmError */
  async run(
    tool: string,
    args: readonly string[],
    input: Uint8Array = new Uint8Array(),
  ): Promise<Buffer> {
    const { code, output, errors } = await runTool(`tpm2_${tool}`, args, this.#tcti, input)
    if (code === 0) return output
    output.fill(0)
    throw refusal(tool, errors)
  }

  /** Without a resource manager what was loaded stays in the TPM until it is flushed. */
  async flush(): Promise<void> {
    if (!this.#tcti.includes('tpmrm')) await this.run('flushcontext', ['--transient-object'])
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const session of this.#sessions) {
      await this.run('flushcontext', [session]).catch(() => undefined)
    }
    await this.flush().catch(() => undefined)
    await rm(this.#folder, { recursive: true, force: true })
  }
}

interface Run {
  readonly code: number | null
  readonly output: Buffer
  readonly errors: string
}

function runTool(
  tool: string,
  args: readonly string[],
  tcti: string,
  input: Uint8Array,
): Promise<Run> {
  const child = spawn(tool, [...args], {
    env: { PATH: '/usr/bin:/bin:/usr/local/bin', TPM2TOOLS_TCTI: tcti },
    stdio: ['pipe', 'pipe', 'pipe'],
    timeout: stepMsMax,
    killSignal: 'SIGKILL',
  })
  const output = new Bounded(() => child.kill('SIGKILL'))
  const errors = new Bounded(() => child.kill('SIGKILL'))
  child.stdout.on('data', (bytes: Buffer) => output.add(bytes))
  child.stderr.on('data', (bytes: Buffer) => errors.add(bytes))
  child.stdin.on('error', () => undefined)
  child.stdin.end(input)
  return new Promise((resolve, reject) => {
    child.once('error', (cause) => {
      const message = `${tool} is not there; type: apt-get install tpm2-tools`
      reject(new TpmError('TPM_TOOLS_MISSING', message, { cause }))
    })
    child.once('close', (code) => {
      resolve({ code, output: output.take(), errors: errors.take().toString('latin1') })
    })
  })
}

/** Pieces that are overwritten once they were put together: they may be a secret. */
class Bounded {
  readonly #tooMuch: () => void
  #pieces: Buffer[] = []
  #bytes = 0

  constructor(tooMuch: () => void) {
    this.#tooMuch = tooMuch
  }

  add(piece: Buffer): void {
    this.#bytes += piece.length
    if (this.#bytes > outputBytesMax) this.#tooMuch()
    else this.#pieces.push(piece)
  }

  take(): Buffer {
    const all = Buffer.concat(this.#pieces)
    for (const piece of this.#pieces) piece.fill(0)
    this.#pieces = []
    return all
  }
}

/** Response codes of TPM 2.0 part 2, 6.6, in the words and numbers that the tools print. */
const refusals: readonly (readonly [RegExp, TpmError['code'], string])[] = [
  [
    /\b0x[0-9a-f]*(99d|128)\b/i,
    'TPM_POLICY_REFUSED',
    'the TPM keeps it: the machine is not in the state that it was sealed to. Unlock with another seal ' +
      'or with shares, then seal to the new state.',
  ],
  [
    /\b0x[0-9a-f]*(98e|9a2|921)\b/i,
    'TPM_AUTH_REFUSED',
    'the TPM refuses the PIN, or is locked because of wrong ones.',
  ],
  [
    /\b0x[0-9a-f]*1df\b/i,
    'TPM_FOREIGN',
    'it was not sealed by this TPM, or was changed. Unlock with another seal, then seal to this TPM.',
  ],
  [/\b0x[0-9a-f]*(18b|14a)\b/i, 'TPM_NOT_SET_UP', 'this TPM has no such counter.'],
  [
    /tcti|Could not open|IO failure/i,
    'TPM_UNAVAILABLE',
    'the TPM does not answer. Is there one, and may this user open it?',
  ],
]

function refusal(tool: string, errors: string): TpmError {
  const said = errors.replaceAll(/[^\x20-\x7e]+/g, ' ').trim()
  for (const [pattern, code, message] of refusals) {
    if (pattern.test(said)) return new TpmError(code, message, { cause: said })
  }
  const last = said.slice(-300)
  return new TpmError('TPM_ANSWER_INVALID', `tpm2_${tool} failed: ${last}`)
}
