/**
 * An installed release of its own for a test: sources, a copy of Node, keys of its own, and two numeric
 * users that nobody else has. It needs root, as the launcher does.
 */

import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import {
  chmodSync,
  chownSync,
  copyFileSync,
  mkdirSync,
  mkdtempSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { copyTree, makeRelease } from '../../scripts/release.ts'
import { releaseName } from '../../src/launcher/release-keys.ts'
import {
  type SigningKeys,
  type VerifierKeys,
  verifierKeys,
} from '../../src/launcher/signed-note.ts'

const repository = path.join(import.meta.dirname, '../..')
export const moduleUid = 61_001
export const hostUid = 61_002
export const passphrase = 'correct horse battery staple'

export function newKeys(): SigningKeys {
  const [ed25519, mlDsa65] = [generateKeyPairSync('ed25519'), generateKeyPairSync('ml-dsa-65')]
  return [ed25519.privateKey, mlDsa65.privateKey]
}

export class Tree implements Disposable {
  readonly root: string
  readonly node: string
  readonly data: string
  readonly secretFile: string
  readonly keys = newKeys()

  private constructor() {
    this.root = mkdtempSync(path.join(tmpdir(), 'keyhold-launcher-'))
    this.node = path.join(this.root, 'node')
    this.data = path.join(this.root, 'data')
    this.secretFile = path.join(this.root, 'secret')
  }

  static async make(): Promise<Tree> {
    const tree = new Tree()
    const { root } = tree
    chmodSync(root, 0o755)
    copyTree(repository, root)
    const server = path.join(root, 'src/server/main.ts')
    copyFileSync(path.join(import.meta.dirname, 'host-program.ts'), server)
    const text = `export const releaseName = '${releaseName}'\nexport const releaseKeys = `
    const keys = path.join(root, 'src/launcher/release-keys.ts')
    writeFileSync(keys, `${text}${JSON.stringify(tree.verifierKeys)} as const\n`)
    copyFileSync(process.execPath, tree.node)
    chmodSync(tree.node, 0o755)
    tree.makeData(tree.data)
    writeFileSync(tree.secretFile, `${passphrase}\n`, { mode: 0o600 })
    await makeRelease(root, tree.keys, [], tree.node)
    return tree
  }

  /** A data folder for the host's user. */
  makeData(folder: string): void {
    mkdirSync(folder, { mode: 0o700 })
    chownSync(folder, hostUid, hostUid)
  }

  get verifierKeys(): VerifierKeys {
    return verifierKeys(releaseName, this.keys)
  }

  file(name: string): string {
    return path.join(this.root, name)
  }

  /** With the passphrase, or what a TPM keeps. */
  launch(...hostArguments: readonly string[]): Launched {
    const seal = ['--seal=passphrase', `--secret=${this.secretFile}`]
    return this.launchWith(seal, [this.data, ...hostArguments])
  }

  launchWith(seal: readonly string[], hostArguments: readonly string[]): Launched {
    return new Launched(this.node, [
      this.file('src/launcher/main.ts'),
      `--module-user=${moduleUid}:${moduleUid}`,
      `--host-user=${hostUid}:${hostUid}`,
      ...seal,
      '--',
      ...hostArguments,
    ])
  }

  [Symbol.dispose](): void {
    rmSync(this.root, { recursive: true })
  }
}

export class Launched implements AsyncDisposable {
  readonly process: ChildProcess
  readonly ended: Promise<number | NodeJS.Signals | null>
  readonly #lines: AsyncIterator<string>
  errors = ''

  constructor(node: string, args: readonly string[]) {
    const flags = ['--no-experimental-ffi', ...args]
    this.process = spawn(node, flags, { stdio: ['ignore', 'pipe', 'pipe'], cwd: '/' })
    this.process.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.errors += text
    })
    const { stdout } = this.process
    if (!stdout) throw new Error('no output')
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
    this.ended = once(this.process, 'close').then(([code, signal]) => code ?? signal)
  }

  /** The next line in which the host says this member; undefined at the end. */
  async said(member: string): Promise<Readonly<Record<string, unknown>> | undefined> {
    for (;;) {
      const { value, done } = await this.#lines.next()
      if (done) return undefined
      const line = JSON.parse(value)
      if (member in line) return line
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill('SIGTERM')
    await this.ended
  }
}
