/**
 * The launcher, from security level 3: started by the administrator as root, parent of host and module,
 * which run as two other users. Before anything is started, and again before each further start of the
 * module, it checks release and Node against the manifest (release.ts). It starts the host, starts a
 * module whenever the host asks for one, feeds the seal (start-module.ts), hands over the door, and says
 * how a module ended. It listens on nothing, keeps no secret and no file, and ends with the host.
 *
 * Exit codes are those of `./keyhold`: 77 for what is not as released, 78 for wrong arguments, else the
 * host's own.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import path from 'node:path'
import { TpmError } from '../host/tpm/errors.ts'
import { openTpmSeal } from '../host/tpm/seal.ts'
import { type Configuration, parseConfiguration, usage } from './configuration.ts'
import { LauncherError } from './errors.ts'
import { assertOursAlone, filesIn } from './files.ts'
import { type FromLauncher, parseToLauncher, type ToLauncher } from './messages.ts'
import { checkRelease } from './release.ts'
import { releaseKeys } from './release-keys.ts'
import { readSecretFile } from './secret-file.ts'
import { type StartedModule, startModule } from './start-module.ts'

const exitCodes = { usage: 78, bug: 70, refused: 77 }
/** Modules that live at the same time: the next one may begin before the last one is reaped. */
const modulesMax = 2
/** Starts that were asked for and are not answered. */
const askedMax = 4

class Launcher {
  readonly #configuration: Configuration
  readonly #host: ChildProcess
  readonly #modules = new Map<number, StartedModule>()
  #starting: Promise<unknown> = Promise.resolve()
  #asked = 0

  constructor(configuration: Configuration) {
    this.#configuration = configuration
    const { node, root, hostUser, hostArguments, program } = configuration
    const flags = ['--no-experimental-ffi', programs(root)[program], '--launched', ...hostArguments]
    this.#host = spawn(node, flags, {
      env: {},
      cwd: '/',
      stdio: [program === 'ceremony' ? 'inherit' : 'ignore', 'inherit', 'inherit', 'ipc'],
      ...hostUser,
    })
    this.#host.on('message', (message) => this.#take(message))
    this.#host.once('error', (error) => fail(error))
    this.#host.once('exit', (code, signal) => {
      for (const { child } of this.#modules.values()) child.kill('SIGKILL')
      log('info', 'the host ended', { code, signal })
      process.exit(code ?? exitCodes.bug)
    })
    for (const signal of ['SIGTERM', 'SIGINT'] as const) {
      process.on(signal, () => this.#host.kill(signal))
    }
  }

  #take(message: unknown): void {
    const asked = parseToLauncher(message)
    if (asked?.ask === 'kill') this.#modules.get(asked.number)?.child.kill('SIGKILL')
    else if (asked === undefined || this.#asked >= askedMax) {
      log('error', 'the host said what is no question, or too much')
      this.#host.kill('SIGKILL')
    } else {
      this.#asked += 1
      this.#starting = this.#starting
        .then(() => this.#start(asked))
        .finally(() => {
          this.#asked -= 1
        })
    }
  }

  /** One after the other. */
  async #start({ number }: ToLauncher): Promise<void> {
    try {
      if (this.#modules.size >= modulesMax || this.#modules.has(number)) {
        throw new LauncherError('MODULE_NOT_STARTED', 'there are modules enough.')
      }
      const { code } = await checkInstalled(this.#configuration)
      const { moduleUser: user, seal } = this.#configuration
      // Without a secret the kind says nothing.
      const kind = seal === 'shares' ? 'passphrase' : seal
      const secret = () => readSecret(this.#configuration)
      const module = await startModule({ code, user }, kind, secret)
      this.#modules.set(number, module)
      module.child.once('exit', (exit, signal) => this.#ended(number, module, exit, signal))
      const { sealed, child } = module
      const { pid = 0 } = child
      log('info', 'a module was started', { pid })
      this.#host.send({ say: 'started', number, pid, kind, sealed }, module.door)
      // Sent when the door that was handed over is closed here: from then on nobody else reads it.
      this.#say({ say: 'handedOver', number })
    } catch (error) {
      const code = error instanceof LauncherError ? error.code : 'MODULE_NOT_STARTED'
      const message = error instanceof Error ? error.message : String(error)
      log('error', message, { code })
      this.#say({ say: 'refused', number, code, message })
    }
  }

  #ended(
    number: number,
    { child, lastWords }: StartedModule,
    code: number | null,
    signal: NodeJS.Signals | null,
  ): void {
    this.#modules.delete(number)
    log(code === 0 ? 'info' : 'warn', 'a module ended', { pid: child.pid, code, signal })
    // What it printed last may still be on its way.
    setImmediate(() => {
      this.#say({ say: 'ended', number, code, signal, output: lastWords.printable })
    })
  }

  #say(message: FromLauncher): void {
    if (this.#host.connected) this.#host.send(message)
  }
}

/** What the host can be. */
function programs(root: string): Record<Configuration['program'], string> {
  const at = (name: string) => path.join(root, 'src/server', name)
  return { server: at('main.ts'), ceremony: at('ceremony.ts') }
}

/** From the signature to the last file, and that nobody else could change one. @throws LauncherError */
async function checkInstalled({ root, node }: Configuration) {
  const source = path.join(root, 'src')
  await assertOursAlone((await filesIn(source)).map((name) => path.join(source, name)))
  return checkRelease({ root, node, keys: releaseKeys, oursAlone: true })
}

/** Null when custodians have it, or the TPM keeps it: the module starts locked, and people can unlock it by other ways. */
async function readSecret({
  seal,
  secretFile,
  tpm: tcti,
}: Configuration): Promise<Uint8Array | null> {
  if (seal === 'shares') return null
  if (seal !== 'tpm') return readSecretFile(seal, secretFile)
  try {
    return await openTpmSeal(secretFile, { tcti })
  } catch (error) {
    if (!(error instanceof TpmError)) throw error
    log('error', error.message, { code: error.code })
    return null
  }
}

function log(level: string, message: string, members: object = {}): void {
  const line = {
    time: new Date().toISOString(),
    level,
    message: `launcher: ${message}`,
    ...members,
  }
  process.stderr.write(`${JSON.stringify(line)}\n`)
}

function fail(error: unknown): never {
  const isExpected = error instanceof LauncherError
  const code = isExpected ? { code: error.code } : {}
  log('error', error instanceof Error ? error.message : String(error), code)
  if (!isExpected) process.exit(exitCodes.bug)
  if (error.code !== 'CONFIGURATION_INVALID') process.exit(exitCodes.refused)
  process.stderr.write(`${usage}\n`)
  process.exit(exitCodes.usage)
}

try {
  const configuration = parseConfiguration(process.argv.slice(2))
  if (process.geteuid?.() !== 0) {
    throw new LauncherError(
      'CONFIGURATION_INVALID',
      'only root can start host and module as two users',
    )
  }
  const { manifest } = await checkInstalled(configuration)
  log('info', 'the release is as signed', { version: manifest.version, node: manifest.node })
  new Launcher(configuration)
} catch (error) {
  fail(error)
}
