/** Debian's Prometheus, on a configuration that is made from docs/deploy/prometheus, and its HTTP API. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { freePort } from '../cli/free-port.ts'

export const deployFolder = path.join(import.meta.dirname, '../../docs/deploy/prometheus')

export interface Target {
  /** "https://host:port". */
  readonly address: string
  readonly authority: string
  readonly token: string
}

export interface Series {
  readonly metric: Readonly<Record<string, string>>
  /** Time in seconds, and the value. */
  readonly value: readonly [number, string]
}

/** @throws AssertionError with what it said */
export function promtool(args: readonly string[], input?: string): void {
  const { status, stdout, stderr } = spawnSync('promtool', args, { encoding: 'utf8', input })
  assert.equal(status, 0, `promtool ${args.join(' ')}\n${stdout}${stderr}`)
}

export class Prometheus implements AsyncDisposable {
  readonly #folder: string
  readonly #child: ChildProcess
  readonly #address: string
  #log = ''

  private constructor(folder: string, child: ChildProcess, address: string) {
    this.#folder = folder
    this.#child = child
    this.#address = address
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#log = (this.#log + text).slice(-16_384)
    })
  }

  /** The configuration that is delivered, with this target, our files, and a second for each scrape. */
  static async start({ address, authority, token }: Target): Promise<Prometheus> {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-prometheus-'))
    const files = {
      token: path.join(folder, 'token'),
      authority: path.join(folder, 'authority.crt'),
    }
    writeFileSync(files.token, token, { mode: 0o600 })
    writeFileSync(files.authority, authority)
    const config = readFileSync(path.join(deployFolder, 'prometheus.yml'), 'utf8')
      .replace('/etc/prometheus/keyhold.token', files.token)
      .replace('/etc/prometheus/keyhold-authority.crt', files.authority)
      .replace('127.0.0.1:8443', new URL(address).host)
      .replace('alerts.yml', path.join(deployFolder, 'alerts.yml'))
      .replaceAll('interval: 15s', 'interval: 1s')
    const configFile = path.join(folder, 'prometheus.yml')
    writeFileSync(configFile, config)
    promtool(['check', 'config', configFile])
    const listen = `127.0.0.1:${await freePort()}`
    const child = spawn(
      'prometheus',
      [
        `--config.file=${configFile}`,
        `--storage.tsdb.path=${path.join(folder, 'data')}`,
        `--web.listen-address=${listen}`,
      ],
      { stdio: ['ignore', 'ignore', 'pipe'] },
    )
    return new Prometheus(folder, child, `http://${listen}`)
  }

  /** One of its API's answers. @throws Error, with its log, when it does not come to one */
  async get(place: string): Promise<unknown> {
    for (let tries = 1; ; tries += 1) {
      try {
        const response = await fetch(`${this.#address}/api/v1/${place}`)
        const { status, data, error } = (await response.json()) as Record<string, unknown>
        assert.equal(status, 'success', `${place}: ${error}`)
        return data
      } catch (error) {
        if (error instanceof assert.AssertionError || tries === 100) {
          throw new Error(`${String(error)}\n${this.#log}`)
        }
        await delay(100)
      }
    }
  }

  async query(expression: string): Promise<readonly Series[]> {
    const data = await this.get(`query?query=${encodeURIComponent(expression)}`)
    return (data as { result: readonly Series[] }).result
  }

  /** Asks until there is something. */
  async until(expression: string): Promise<readonly Series[]> {
    for (let tries = 1; ; tries += 1) {
      const found = await this.query(expression)
      if (found.length > 0) return found
      assert(tries < 100, `nothing for ${expression}\n${this.#log}`)
      await delay(100)
    }
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, 'exit')
    this.#child.kill('SIGKILL')
    await ended
    rmSync(this.#folder, { recursive: true, force: true })
  }
}
