/**
 * The record as a transparency log against golang.org/x/mod/sumdb (packages note and tlog, which check Go's own checksum
 * database): they accept our heads, tiles, proofs, receipts and cosignatures, and refuse each with one bit changed.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { parseNote } from '../../src/hsm/contract/signed-note.ts'
import { WitnessKey } from '../../src/witness/key.ts'
import { flipBit } from '../hsm/flip-bit.ts'
import { TestServer } from '../server.ts'

const log = '/v1/logs/module'
const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tlog-'))
const program = path.join(folder, 'main')
const mirror = path.join(folder, 'mirror')
let trusted: readonly [string, string]
let size: number
/** Name and Ed25519 key. */
let witness: readonly [string, string]

before(
  async () => {
    build()
    await using server = await TestServer.start()
    const { body } = await server.ok('GET', '/v1/status')
    const { domainId, moduleId, identityKey } = body.module as Readonly<Record<string, string>>
    trusted = [`keyhold/${domainId}/${moduleId}`, String(identityKey)]
    const keep = async (name: string, route = `${log}/${name}`) => {
      const { bytes } = await server.ok('GET', route)
      const file = path.join(mirror, name)
      mkdirSync(path.dirname(file), { recursive: true })
      writeFileSync(file, bytes)
      return bytes.toString('utf8')
    }
    const headSize = async (name: string) =>
      Number((await keep(name, `${log}/checkpoint`)).split('\n')[1])
    const items = Array.from({ length: 100 }, () => ({ lengthBytes: 1 }))
    const grow = () => server.ok('POST', '/v1/random/batch', { items })
    await grow()
    while ((await headSize('older')) < 100);
    for (let turn = 0; turn < 5; turn += 1) await grow()
    do size = await headSize('checkpoint')
    while (size < 600)
    for (const [level, count] of [
      ['0', size],
      ['entries', size],
      ['1', Math.floor(size / 256)],
    ] as const) {
      for (let first = 0; first < count; first += 256) {
        const width = Math.min(256, count - first)
        const suffix = width < 256 ? `.p/${width}` : ''
        await keep(`tile/${level}/00${first / 256}${suffix}`)
      }
    }
    await keep('receipt', `${log}/receipts/300`)
    await cosign()
  },
  { timeout: 300_000 },
)
after(() => rmSync(folder, { recursive: true }))

/** With the Debian packages golang-go and golang-golang-x-mod-dev; nothing is fetched. */
function build(): void {
  const source = path.join(import.meta.dirname, 'tlog/main.go')
  const env = {
    ...process.env,
    ...{ GO111MODULE: 'off', GOPATH: '/usr/share/gocode', GOCACHE: path.join(folder, 'cache') },
  }
  const built = spawnSync('go', ['build', '-o', program, source], { env, encoding: 'utf8' })
  assert.equal(built.status, 0, built.stderr)
}

/** The checkpoint, as a witness of ours cosigns it. */
async function cosign(): Promise<void> {
  const key = await WitnessKey.make(folder, 'witness.example/w1')
  const checkpoint = readFileSync(path.join(mirror, 'checkpoint'), 'utf8')
  const lines = key.cosign(parseNote(checkpoint).text, Math.floor(Date.now() / 1_000))
  writeFileSync(path.join(mirror, 'cosigned'), checkpoint + lines)
  const [ed25519] = key.keys
  witness = [key.name, Buffer.from(ed25519?.publicKey ?? []).toString('hex')]
}

function check(key = trusted[1]): { readonly status: number | null; readonly stdout: string } {
  return spawnSync(program, [mirror, trusted[0], key, ...witness], { encoding: 'utf8' })
}

suite('golang.org/x/mod/sumdb', { timeout: 120_000 }, () => {
  test('accepts heads, tiles, inclusion of every entry, growth from an older head, and a receipt', () => {
    const { status, stdout } = check()
    assert.equal(status, 0, stdout)
    assert.match(
      stdout,
      new RegExp(`^${size} entries hold, 1\\d\\d before; receipt of entry 300 holds$`, 'm'),
    )
  })

  test('refuses each of them with a bit changed, and another key', () => {
    assert.equal(check('11'.repeat(32)).status, 1)
    const changed: [string, number][] = [
      ['checkpoint', 100 * 8],
      ['older', 100 * 8],
      ['cosigned', 100 * 8],
      ['tile/0/000', 77],
      ['tile/0/001', 8_000 * 8],
      ['tile/1/000.p/2', 3],
      ['tile/entries/001', 100 * 8],
      ['receipt', 60 * 8],
    ]
    for (const [name, bit] of changed) {
      const file = path.join(mirror, name)
      const bytes = readFileSync(file)
      writeFileSync(file, flipBit(bytes, bit))
      assert.notEqual(check().status, 0, name)
      writeFileSync(file, bytes)
    }
    assert.equal(check().status, 0)
  })
})
