/** `keyhold serve`: what it says when it is ready, how it stops, and what it refuses. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { finish, keyhold, type Ran, start } from './keyhold.ts'

suite('serve', { timeout: 120_000 }, () => {
  let folder = ''
  before(() => {
    folder = mkdtempSync(path.join(tmpdir(), 'keyhold-serve-'))
  })
  after(() => rmSync(folder, { recursive: true, force: true }))

  /** Waits until the text is there, runs the work, and stops the server. */
  async function serve(
    args: readonly string[],
    until: RegExp,
    work: () => Promise<void> = async () => {},
    signal: NodeJS.Signals = 'SIGTERM',
  ): Promise<Ran> {
    const child = start(['serve', '--port', '0', ...args])
    let said = ''
    child.stdout?.on('data', (bytes: Buffer) => (said += bytes.toString()))
    const ended = finish(child, '')
    let over = false
    ended.then(
      () => (over = true),
      () => (over = true),
    )
    while (!until.test(said) && !over) await delay(20)
    try {
      if (!over) await work()
    } finally {
      child.kill(signal)
    }
    return ended
  }

  test('a development domain says what to type next, loudly, and stops in good order', async () => {
    const data = path.join(folder, 'development')
    const ran = await serve(['--development', '--data', data], /To stop/, async () => {
      assert.equal((await keyhold(['--data', data, 'status'])).code, 0)
      const second = await keyhold(['serve', '--development', '--port', '0', '--data', data])
      assert.equal(second.code, 69, second.stderr)
    })
    assert.equal(ran.code, 0, ran.stderr)
    assert.match(ran.stdout, /^Keyhold is ready: https:\/\/127\.0\.0\.1:\d+, /m)
    assert.match(ran.stdout, /^DEVELOPMENT: /m)
    assert.match(ran.stdout, /^ {2}\.\/keyhold keys create payments /m)
    assert(ran.stdout.includes(`export KEYHOLD_DATA='${data}'`))
    assert.match(ran.stderr, /DEVELOPMENT MODE/)
    const { token } = JSON.parse(readFileSync(path.join(data, 'client.json'), 'utf8'))
    assert(!ran.stdout.includes(token) && !ran.stderr.includes(token), 'no token in the log')
    assert.equal(statSync(path.join(data, 'client.json')).mode & 0o777, 0o600)
    assert.equal(statSync(data).mode & 0o777, 0o700)
  })

  test('a domain with a passphrase is founded when asked for, and not otherwise', async () => {
    const data = path.join(folder, 'passphrase')
    const file = path.join(folder, 'secret')
    writeFileSync(file, 'correct horse battery staple\n', { mode: 0o600 })
    const passphrase = ['--data', data, '--passphrase-file', file]
    const unfounded = await keyhold(['serve', '--port', '0', ...passphrase])
    assert.notEqual(unfounded.code, 0)
    assert.match(unfounded.stderr, /--found --seal passphrase/)
    const found = ['--found', '--seal', 'passphrase', ...passphrase]
    const first = await serve(found, /To stop/, undefined, 'SIGINT')
    assert.equal(first.code, 0, first.stderr)
    assert.doesNotMatch(first.stdout, /DEVELOPMENT/)
    const again = await serve(['--json', ...passphrase], /ready/)
    assert.equal(again.code, 0, again.stderr)
    assert.equal(JSON.parse(again.stdout).ready, true)
    writeFileSync(file, 'another passphrase, and a wrong one')
    const wrong = await keyhold(['serve', '--port', '0', ...passphrase])
    assert.equal(wrong.code, 77, wrong.stderr)
    assert.doesNotMatch(wrong.stderr, /another passphrase/)
  })

  test('invariant 10: development on another address than loopback is a usage error', async () => {
    const data = path.join(folder, 'never')
    const everywhere = ['--address', '0.0.0.0', '--data', data]
    const ran = await keyhold(['serve', '--development', ...everywhere])
    assert.equal(ran.code, 2)
    assert.match(ran.stderr, /loopback/)
  })
})
