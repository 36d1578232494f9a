/** The system's openssl as another implementation, and a server whose keys it is tried against. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { Installation, keysPath, unique } from '../rest/people.ts'
import { sealedKey } from '../rest/sealed-key.ts'

type Fields = Readonly<Record<string, unknown>>

export class Bench implements AsyncDisposable {
  readonly installation: Installation
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'keyhold-openssl-'))
  #files = 0

  private constructor(installation: Installation) {
    this.installation = installation
  }

  static async start(): Promise<Bench> {
    return new Bench(await Installation.start())
  }

  /** A file for openssl. @returns its path */
  file(bytes: string | Uint8Array): string {
    this.#files += 1
    const file = path.join(this.#folder, `file-${this.#files}`)
    writeFileSync(file, bytes, { mode: 0o600 })
    return file
  }

  /** What openssl writes to standard output. @throws AssertionError when it ends with another code than 0 */
  openssl(args: readonly string[], input: string | Uint8Array = ''): Buffer {
    const { status, stdout, stderr } = this.#run(args, input)
    assert.equal(status, 0, `openssl ${args.join(' ')}: ${stderr}`)
    return stdout
  }

  /** As openssl; undefined when it does not accept what it was given. */
  opensslOrRefused(args: readonly string[], input: string | Uint8Array = ''): Buffer | undefined {
    const { status, signal, stdout, stderr } = this.#run(args, input)
    if (status === 0) return stdout
    assert(status !== null && status > 0, `openssl ${args.join(' ')}: ${signal} ${stderr}`)
    return undefined
  }

  /** Whether openssl ends with 0. */
  accepts(args: readonly string[], input: string | Uint8Array = ''): boolean {
    return this.opensslOrRefused(args, input) !== undefined
  }

  #run(args: readonly string[], input: string | Uint8Array) {
    return spawnSync('openssl', args, { input, cwd: this.#folder, timeout: 20_000 })
  }

  /** A new private key of openssl's. */
  newPrivateKey(args: readonly string[]): { pem: string; pkcs8: Buffer; spki: Buffer } {
    const pem = this.file(this.openssl(['genpkey', ...args]))
    return {
      pem,
      pkcs8: this.openssl(['pkcs8', '-topk8', '-nocrypt', '-in', pem, '-outform', 'DER']),
      spki: this.openssl(['pkey', '-in', pem, '-pubout', '-outform', 'DER']),
    }
  }

  /** Takes a key in, with all these uses granted. @returns its name */
  async importKey(
    bytes: Uint8Array,
    shape: Fields,
    operations: readonly string[],
  ): Promise<string> {
    const name = unique('imported')
    const sealed = await sealedKey(this.installation.server, shape, bytes)
    const body = { name, owner: 'Ada', purpose: 'interop', ...sealed }
    await this.installation.server.ok('POST', `${keysPath}/import`, body)
    if (operations.length > 0) await this.installation.grant(name, operations)
    return name
  }

  /** The public half in a file, as PEM. */
  async publicKeyFile(key: string): Promise<string> {
    const place = `${keysPath}/${key}/public-key?format=pem`
    const { body } = await this.installation.server.ok('GET', place)
    return this.file(String(body.pem))
  }

  async use(key: string, operation: string, body: Fields): Promise<Fields> {
    const answer = await this.installation.use(key, operation, body)
    assert.equal(answer.status, 200, `${operation}: ${answer.text}`)
    return answer.body
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.#folder, { recursive: true, force: true })
    await this.installation[Symbol.asyncDispose]()
  }
}
