/**
 * Invariant 10: a development domain is marked for ever and listens on the loopback interface alone, and
 * nobody is let in by default: with real servers on real folders, through restarts and with the folder's
 * own mark changed by hand.
 */

import assert from 'node:assert/strict'
import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { routes } from '../../src/protocols/rest/routes.ts'
import { TestServer } from '../server.ts'
import { readRecord } from './record.ts'

const main = path.join(import.meta.dirname, '../../src/server/main.ts')

let parent: string
let developed: string
let founded: string
let passphraseFile: string

before(async () => {
  parent = mkdtempSync(path.join(tmpdir(), 'keyhold-development-'))
  developed = path.join(parent, 'developed')
  founded = path.join(parent, 'founded')
  passphraseFile = path.join(parent, 'passphrase')
  writeFileSync(passphraseFile, 'a passphrase for tests\n', { mode: 0o600 })
  await using server = await TestServer.start(developed)
  await server.ok('GET', '/v1/status')
  const { code, stderr } = await serve([...production(founded), '--found', '--seal', 'passphrase'])
  assert.equal(code, 0, stderr)
})
after(() => rmSync(parent, { recursive: true, force: true }))

const production = (folder: string) => [
  ...['--data', folder, '--port', '0', '--passphrase-file', passphraseFile],
]

/** Starts a server; one that becomes ready is stopped again. */
async function serve(args: readonly string[]) {
  const child = spawn(process.execPath, [main, ...args], { stdio: ['ignore', 'pipe', 'pipe'] })
  let stderr = ''
  let ready = ''
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text
  })
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    ready += text
    child.kill('SIGTERM')
  })
  const [code] = await once(child, 'close')
  return { code, stderr, ready: ready !== '' }
}

const development = (folder: string) => ['--data', folder, '--port', '0', '--development']

suite('a development domain', { timeout: 120_000 }, () => {
  test('invariant 10: it says what it is at every start, in status and log', async () => {
    for (let start = 0; start < 2; start += 1) {
      await using server = await TestServer.start(developed)
      const { body } = await server.ok('GET', '/v1/status')
      assert.equal(body.development, true)
      assert.equal((body.module as { readonly development: boolean }).development, true)
      assert.match(server.log, /"level":"warn","message":"DEVELOPMENT MODE/)
      await readRecord(server)
    }
  })

  test('invariant 10: it does not open as another, nor another as one', async () => {
    for (const args of [production(developed), development(founded)]) {
      const { code, stderr, ready } = await serve(args)
      assert.equal(ready, false)
      assert.equal(code, 1)
      assert.match(stderr, /FOLDER_DEVELOPMENT|SEAL_MISSING|development/)
    }
    assert.equal((await serve(production(founded))).ready, true)
  })

  test('invariant 10: changing the mark in the folder does not change what it is', async () => {
    for (const [folder, args] of [
      [developed, production(developed)],
      [founded, development(founded)],
    ] as const) {
      const file = path.join(folder, 'keyhold.json')
      const text = readFileSync(file, 'utf8')
      const mark = /"development": (true|false)/.exec(text)?.[1] === 'true'
      writeFileSync(file, text.replace(`"development": ${mark}`, `"development": ${!mark}`))
      try {
        const { code, ready } = await serve(args)
        assert.deepEqual([code, ready], [1, false])
      } finally {
        writeFileSync(file, text)
      }
    }
  })

  test('invariant 10: its seal does not open the other, whatever is copied', async () => {
    const seal = path.join(founded, 'module/seals/key-file')
    const key = path.join(founded, 'development.key')
    const json = path.join(founded, 'keyhold.json')
    const text = readFileSync(json, 'utf8')
    writeFileSync(seal, readFileSync(path.join(developed, 'module/seals/key-file')), {
      mode: 0o600,
    })
    writeFileSync(key, readFileSync(path.join(developed, 'development.key')), { mode: 0o600 })
    writeFileSync(json, text.replace('"development": false', '"development": true'))
    try {
      const { code, ready } = await serve(development(founded))
      assert.deepEqual([code, ready], [1, false])
    } finally {
      writeFileSync(json, text)
      rmSync(seal)
      rmSync(key)
    }
    assert.equal((await serve(production(founded))).ready, true)
  })

  test('invariant 10: it listens on the loopback interface and nowhere else', async () => {
    for (const address of ['0.0.0.0', '::', '192.0.2.1']) {
      const fresh = path.join(parent, 'fresh')
      const { code, ready } = await serve([...development(fresh), '--address', address])
      assert.deepEqual([code, ready], [2, false])
      assert.throws(() => statSync(fresh), { code: 'ENOENT' })
    }
    await using server = await TestServer.start(developed)
    const port = Number(new URL(server.credentials.address).port)
    const hex = port.toString(16).toUpperCase().padStart(4, '0')
    const tables = ['tcp', 'tcp6'].map((name) =>
      readFileSync(`/proc/${server.pid}/net/${name}`, 'utf8'),
    )
    // State 0A is listening; 127.0.0.1 is written in the byte order of the machine.
    const listening = tables
      .flatMap((table) => table.split('\n'))
      .filter((line) => new RegExp(`:${hex} [0-9A-F]+:0000 0A `).test(line))
    assert.equal(listening.length, 1)
    assert.match(listening[0] ?? '', new RegExp(` (0100007F|7F000001):${hex} `))
  })
})

suite('nobody is let in by default', { timeout: 120_000 }, () => {
  test('invariant 10: health, readiness and the document alone need no token', async () => {
    const open = routes.filter(({ permission }) => permission === 'none').map(({ path }) => path)
    assert.deepEqual(open, ['/v1/health', '/v1/ready', '/v1/openapi.json'])
  })

  test('invariant 10: no password, no token and no name of ours opens anything', async () => {
    await using server = await TestServer.start(developed)
    const guesses = [
      'admin',
      'administrator',
      'keyhold',
      'password',
      'root',
      'test',
      'token',
      'null',
    ]
    for (const guess of guesses) {
      const basic = Buffer.from(`${guess}:${guess}`).toString('base64')
      for (const authorization of [`Bearer ${guess}`, `Basic ${basic}`]) {
        const headers = { authorization }
        const answer = await server.call('GET', '/v1/whoami', undefined, { token: null, headers })
        assert(answer.status === 401 || answer.status === 429, answer.text)
      }
    }
  })

  test('invariant 10: each installation has a token of its own, readable by its owner alone', async () => {
    await using other = await TestServer.start()
    const file = path.join(developed, 'client.json')
    const { token } = JSON.parse(readFileSync(file, 'utf8'))
    assert.notEqual(token, other.credentials.token)
    assert.equal((await other.call('GET', '/v1/whoami', undefined, { token })).status, 401)
    for (const name of ['client.json', 'development.key', 'tls/server.key', 'keyhold.db']) {
      assert.equal(statSync(path.join(developed, name)).mode & 0o777, 0o600, name)
    }
    assert.equal(statSync(developed).mode & 0o777, 0o700)
  })

  test('invariant 10: a server that is not told to found anything founds nothing', () => {
    const fresh = path.join(parent, 'unfounded')
    const { status, stderr } = spawnSync(process.execPath, [main, ...production(fresh)], {
      encoding: 'utf8',
    })
    assert.notEqual(status, 0)
    assert.match(stderr, /FOLDER_EMPTY/)
  })
})
