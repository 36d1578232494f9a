/**
 * How long zeroising takes with 10,000 loaded keys: until the secrets are overwritten, which the module measures
 * and signs, and until its process is reaped and its sealed state removed, which the host measures.
 *
 *   ./keyhold --node bench/zeroise.ts [rounds]
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { openHost } from '../src/host/host.ts'
import type { Call, Claim } from '../src/hsm/contract/commands.ts'

const keys = 10_000
const batch = 50
const claim: Claim = { identity: 'bench', requestId: '', protocol: 'bench', address: '' }
const template = {
  ...{ type: 'P-256', algorithms: ['ECDSA-SHA-256'], uses: ['sign', 'verify'] },
  ...{ exportable: false, externalIv: false, plaintextRelease: false },
  ...{ notBefore: 0, notAfter: 0, lengthBytes: 0 },
}

interface Times {
  readonly overwrittenMs: number
  readonly reapedMs: number
  readonly removedMs: number
}

async function round(): Promise<Times> {
  const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-bench-'))
  const folder = path.join(parent, 'data')
  try {
    await using host = await openHost({
      ...{ folder, development: true, sealKind: 'key-file', foundIfEmpty: true },
      secret: async () => randomBytes(32),
      log: () => undefined,
    })
    for (let made = 0; made < keys; made += batch) {
      const calls = Array.from({ length: batch }, (): Call => {
        const key = `key_${randomBytes(16).toString('hex')}`
        const args = { key, version: 1, template }
        return { command: 'generateKey', arguments: args, parts: {} } as Call
      })
      for (const outcome of await host.call(claim, calls)) assert('result' in outcome)
    }
    const status = await host.run(claim, { command: 'getStatus', arguments: {}, parts: {} })
    assert.equal(status.result.loadedKeys, keys)
    const reason = { reason: 'bench' }
    await host.run(claim, { command: 'zeroise', arguments: reason, parts: {} })
    const said = async () =>
      (await host.events.read(10)).find(({ event }) => event === 'module zeroised')
    while ((await said()) === undefined) await sleep(1)
    const file = readFileSync(path.join(folder, 'zeroised.json'), 'utf8')
    const { overwrittenMicros } = JSON.parse(JSON.parse(file).statement)
    const event = await said()
    return {
      overwrittenMs: overwrittenMicros / 1_000,
      reapedMs: Number(event?.reapedMs),
      removedMs: Number(event?.removedMs),
    }
  } finally {
    rmSync(parent, { recursive: true, force: true })
  }
}

const rounds = Number(process.argv[2] ?? 5)
const all: Times[] = []
for (let index = 0; index < rounds; index += 1) all.push(await round())
for (const name of ['overwrittenMs', 'reapedMs', 'removedMs'] as const) {
  const sorted = all.map((times) => times[name]).sort((a, b) => a - b)
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0
  const worst = sorted.at(-1) ?? 0
  const line = `${name.padEnd(14)} median ${median.toFixed(2)}  worst ${worst.toFixed(2)}`
  process.stdout.write(`${line}\n`)
}
