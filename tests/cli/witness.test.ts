/**
 * `keyhold witness` as a process: what it answers over HTTP and HTTPS, that a kill at any moment lets it forget nothing
 * that it signed, its limits, and that its cosignatures are what c2sp.org/tlog-cosignature says, put together here from
 * that text and checked by OpenSSL.
 */

import assert from 'node:assert/strict'
import type { ChildProcess } from 'node:child_process'
import { createHash, createPublicKey, verify } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { connect, type Socket } from 'node:net'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { encodeVerifierKey } from '../../src/hsm/contract/cosignature.ts'
import { body, LogOfTests } from '../../src/witness/witness.testing.ts'
import { selfSigned } from '../rest/raw.ts'
import { finish, keyhold, start } from './keyhold.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-witness-'))
after(() => rmSync(folder, { recursive: true }))
const atFolder = ['--folder', path.join(folder, 'w')]

class Serving implements AsyncDisposable {
  readonly child: ChildProcess
  readonly address: string

  private constructor(child: ChildProcess, address: string) {
    this.child = child
    this.address = address
  }

  static async start(...more: readonly string[]): Promise<Serving> {
    const child = start([
      'witness',
      'serve',
      '--json',
      ...atFolder,
      '--listen',
      '127.0.0.1:0',
      ...more,
    ])
    child.stderr?.resume()
    assert(child.stdout)
    for await (const line of createInterface({ input: child.stdout })) {
      return new Serving(child, JSON.parse(line).address)
    }
    throw new Error('the witness ended')
  }

  add(text: string | Buffer, method = 'POST', path = '/add-checkpoint') {
    return ask(new URL(path, this.address), method, text)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return
    this.child.kill('SIGTERM')
    await once(this.child, 'exit')
  }
}

async function ask(url: URL, method: string, text: string | Buffer) {
  const module = url.protocol === 'https:' ? https : http
  const sent = module.request(url, { method, rejectUnauthorized: false })
  sent.on('error', () => undefined)
  sent.end(text)
  const [response] = (await once(sent, 'response')) as [http.IncomingMessage]
  let said = ''
  for await (const piece of response.setEncoding('utf8')) said += piece
  return { status: response.statusCode, type: response.headers['content-type'], text: said }
}

suite('keyhold witness', async () => {
  const log = new LogOfTests('log.example/1').grow(300)
  const vkeys: string[] = []

  test('init makes keys that nobody else can read, once', async () => {
    const made = await keyhold([
      'witness',
      'init',
      '--name',
      'witness.example/w1',
      ...atFolder,
      '--json',
    ])
    assert.equal(made.code, exitCodes.done, made.stderr)
    vkeys.push(...JSON.parse(made.stdout).vkeys)
    assert.match(
      vkeys.join('\n'),
      /^witness\.example\/w1\+[0-9a-f]{8}\+B[A-P][^\n]{42}\nwitness\.example\/w1\+[0-9a-f]{8}\+B[g-v][^\n]{1750}$/,
    )
    assert.equal(statSync(path.join(folder, 'w/witness.key')).mode & 0o777, 0o600)
    const again = await keyhold(['witness', 'init', '--name', 'other', ...atFolder])
    assert.equal(again.code, exitCodes.cannotCreate)
    assert.match(again.stderr, /WITNESS_EXISTS/)
  })

  test('its answers over HTTP; a log that is added is accepted at once', async () => {
    await using witness = await Serving.start()
    const first = await log.request(0, 7)
    assert.equal((await witness.add(first)).status, 404)
    const added = await keyhold(['witness', 'log', 'add', encodeVerifierKey(log.key), ...atFolder])
    assert.equal(added.code, exitCodes.done, added.stderr)
    const done = await witness.add(first)
    assert.equal(done.status, 200)
    assertCosigned(log.text(7), done.text, vkeys)
    assert.deepEqual(await witness.add(await log.request(5, 9)), {
      status: 409,
      type: 'text/x.tlog.size',
      text: '7\n',
    })
    assert.equal((await witness.add(body(7, [], log.note(9)))).status, 422)
    assert.equal((await witness.add('old 7\n\nnothing')).status, 400)
    assert.equal(
      (await witness.add(await new LogOfTests(log.origin).grow(9).request(7, 9))).status,
      403,
    )
    assert.equal((await witness.add('', 'GET')).status, 405)
    assert.equal((await witness.add(first, 'POST', '/other')).status, 404)
    assert.equal((await witness.add(Buffer.alloc(200_000, 'a'))).status, 413)
    const listed = await keyhold(['witness', 'log', 'list', ...atFolder, '--json'])
    assert.deepEqual(JSON.parse(listed.stdout).logs, [
      { vkey: encodeVerifierKey(log.key), size: 7, hasConflict: false },
    ])
  })

  test('killed at any moment, it never signs a second history', async () => {
    const fork = new LogOfTests(log.origin, log, 5).grow(300, 'other')
    let cosigned = 7
    for (let round = 0; round < 5; round += 1) {
      await using witness = await Serving.start()
      const killed = once(witness.child, 'exit')
      setTimeout(() => witness.child.kill('SIGKILL'), 10 + 30 * round)
      for (let size = cosigned; size < cosigned + 50; size += 1) {
        const { status } = await witness
          .add(await log.request(cosigned, size + 1))
          .catch(() => ({ status: 0 }))
        if (status === 0) break
        // Killed between the sync and the answer, it knows one that nobody was told of.
        assert(status === 200 || status === 409, String(status))
        cosigned = size + 1
      }
      await killed
    }
    await using witness = await Serving.start()
    const { status, text } = await witness.add(await fork.request(0, 290))
    assert.equal(status, 409)
    const size = Number(text)
    assert(size >= cosigned - 1, `${size} of ${cosigned}`)
    assert.equal((await witness.add(await fork.request(size, 290))).status, 422)
    assert.equal((await witness.add(await fork.request(size, size))).status, 409)
    assert.equal((await witness.add(await log.request(size, 290))).status, 200)
  })

  test('two that work on one folder do not sign two histories either', async () => {
    const race = new LogOfTests('log.example/race').grow(20)
    const fork = new LogOfTests(race.origin, race, 5).grow(20, 'other')
    await using one = await Serving.start('--log', encodeVerifierKey(race.key))
    await using other = await Serving.start()
    assert.equal((await one.add(await race.request(0, 5))).status, 200)
    const [ours, theirs] = await Promise.all([race.request(5, 9), fork.request(5, 9)])
    const answers = await Promise.all([
      one.add(ours),
      other.add(theirs),
      one.add(theirs),
      other.add(ours),
    ])
    const cosignedBy = (add: string) =>
      answers.filter(({ status }, at) => status === 200 && [ours, theirs, theirs, ours][at] === add)
    assert.deepEqual([cosignedBy(ours).length, cosignedBy(theirs).length].sort(), [0, 1])
  })

  test('HTTPS with a key and a certificate of its own', async () => {
    const { key, certificate } = selfSigned()
    const files = ['key.pem', 'certificate.pem'].map((name) => path.join(folder, name)) as [
      string,
      string,
    ]
    writeFileSync(files[0], key)
    writeFileSync(files[1], certificate)
    await using witness = await Serving.start('--tls-key', files[0], '--tls-certificate', files[1])
    assert.match(witness.address, /^https:/)
    assert.equal((await witness.add(await log.request(0, 3))).status, 409)
  })

  test('who says nothing, or never ends, is cut off; others go on', async () => {
    await using witness = await Serving.start()
    const { port } = new URL(witness.address)
    const sockets: Socket[] = []
    for (let index = 0; index < 20; index += 1) {
      const socket = connect(Number(port), '127.0.0.1').on('error', () => undefined)
      socket.write('POST /add-checkpoint HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n')
      sockets.push(socket)
    }
    await delay(100)
    assert.equal((await witness.add(await log.request(0, 3))).status, 409)
    // Endless and without a length.
    const [endless] = sockets
    assert(endless)
    const closed = once(endless, 'close')
    endless.resume()
    const piece = `4000\r\n${'a'.repeat(0x4000)}\r\n`
    const timer = setInterval(() => endless.writable && endless.write(piece), 5)
    await closed
    clearInterval(timer)
    for (const socket of sockets) socket.destroy()
  })

  test('what is not usable is refused before it listens', async () => {
    const missing = await keyhold(['witness', 'serve', '--folder', path.join(folder, 'none')])
    assert.match(missing.stderr, /WITNESS_MISSING/)
    for (const more of [
      ['--listen', 'localhost'],
      ['--listen', '127.0.0.1:99999'],
      ['--tls-key', 'x'],
    ]) {
      const refused = await finish(start(['witness', 'serve', ...atFolder, ...more]), '')
      assert.equal(refused.code, exitCodes.usage, more.join(' '))
    }
    const added = await keyhold([
      'witness',
      'log',
      'add',
      'log.example/1+00000000+AAAA',
      ...atFolder,
    ])
    assert.match(added.stderr, /RECORD_INVALID/)
  })
})

/** From the text of the specification alone: key IDs, timestamped_signature, both messages. */
function assertCosigned(checkpoint: string, lines: string, vkeys: readonly string[]): void {
  const [origin = '', size = '', root = ''] = checkpoint.split('\n')
  const found = lines.split('\n')
  assert.deepEqual([found.length, found.at(-1)], [3, ''])
  for (const [index, type] of [0x04, 0x06].entries()) {
    const [name = '', hex = '', key = ''] = vkeys[index]?.match(/[^+]+|(?<=\+).*$/g) ?? []
    const material = Buffer.from(vkeys[index]?.slice(name.length + hex.length + 2) ?? key, 'base64')
    assert.equal(material[0], type)
    const publicKey = material.subarray(1)
    const line = /^\u2014 (\S+) (\S+)$/.exec(found[index] ?? '')
    assert.equal(line?.[1], name)
    const signature = Buffer.from(line?.[2] ?? '', 'base64')
    const id = createHash('sha256').update(`${name}\n`).update(material).digest().subarray(0, 4)
    assert.equal(signature.toString('hex', 0, 4), id.toString('hex'))
    assert.equal(hex, id.toString('hex'))
    const time = signature.readBigUInt64BE(4)
    assert(Math.abs(Number(time) - Date.now() / 1_000) < 60)
    const number = (value: bigint) => Buffer.from(value.toString(16).padStart(16, '0'), 'hex')
    const text = (value: string) => Buffer.concat([Buffer.from([value.length]), Buffer.from(value)])
    const message =
      type === 0x04
        ? Buffer.from(`cosignature/v1\ntime ${time}\n${checkpoint}`)
        : Buffer.concat([
            ...[Buffer.from('subtree/v1\n\0'), text(name), number(time), text(origin)],
            ...[number(0n), number(BigInt(size)), Buffer.from(root, 'base64')],
          ])
    const prefix =
      type === 0x04 ? '302a300506032b6570032100' : '30820532300b06096086480165030403110382052100'
    const spki = Buffer.concat([Buffer.from(prefix, 'hex'), publicKey])
    const object = createPublicKey({ key: spki, format: 'der', type: 'spki' })
    assert(verify(null, message, object, signature.subarray(12)))
  }
}
