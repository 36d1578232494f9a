/** A TPM 2.0 in software (swtpm) of its own for a test, and tpm2-tools to change it behind our back. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'

export class SoftwareTpm implements AsyncDisposable {
  readonly folder = mkdtempSync(path.join(tmpdir(), 'keyhold-swtpm-'))
  #process: ChildProcess | undefined

  static async start(): Promise<SoftwareTpm> {
    const tpm = new SoftwareTpm()
    mkdirSync(path.join(tpm.folder, 'state'))
    await tpm.powerOn()
    return tpm
  }

  get tcti(): string {
    return `swtpm:path=${this.#socket}`
  }

  get #socket(): string {
    return path.join(this.folder, 's')
  }

  /** PCRs are those of a machine that has just started; what is kept is kept. */
  async powerOn(): Promise<void> {
    const socket = this.#socket
    const child = spawn(
      'swtpm',
      [
        ...['socket', '--tpm2', '--tpmstate', `dir=${path.join(this.folder, 'state')}`],
        ...['--server', `type=unixio,path=${socket}`],
        ...['--ctrl', `type=unixio,path=${socket}.ctrl`],
        ...['--flags', 'startup-clear,not-need-init'],
      ],
      { stdio: 'ignore' },
    )
    this.#process = child
    await once(child, 'spawn')
    const end = performance.now() + 10_000
    while (!existsSync(socket) || !existsSync(`${socket}.ctrl`)) {
      assert(child.exitCode === null && performance.now() < end, 'swtpm did not start')
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  async powerOff(): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null) return
    child.kill('SIGTERM')
    await once(child, 'exit')
    for (const file of [this.#socket, `${this.#socket}.ctrl`]) rmSync(file, { force: true })
  }

  /** One of tpm2-tools, as somebody else would use it. */
  tool(name: string, ...args: readonly string[]): string {
    const env = { PATH: '/usr/bin:/bin', TPM2TOOLS_TCTI: this.tcti }
    const { status, stdout, stderr } = spawnSync(`tpm2_${name}`, [...args], { env })
    assert.equal(status, 0, String(stderr))
    return String(stdout)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.powerOff()
    rmSync(this.folder, { recursive: true })
  }
}
