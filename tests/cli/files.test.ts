/** Files through the command line: signatures that openssl accepts, encryption of any size, and attacks. */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { once } from 'node:events'
import { readdirSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { TestServer } from '../server.ts'
import { Desk, finish } from './keyhold.ts'

const chunk = 16 * 1024
/** Chunks that wait for the collector; a program that kept the file would grow by three times this. */
const growthKbMax = 64 * 1024
const about = ['--owner', 'test', '--purpose', 'files']

suite('files on the command line', { timeout: 240_000 }, () => {
  let server: TestServer
  let desk: Desk

  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
    await desk.ok(['keys', 'create', 'vault', ...about])
    await desk.ok(['keys', 'create', 'signer', '--type', 'P-256', ...about])
    writeFileSync(desk.file('letter'), 'Pay 100 to Ada.\n')
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  const openssl = (...args: string[]) =>
    execFileSync('openssl', args, { cwd: desk.folder, encoding: 'utf8' })

  test('openssl accepts signatures with ECDSA, RSA and Ed25519', async () => {
    const digest = ['dgst', '-sha256', '-verify', 'key.pem']
    const pss = ['-sigopt', 'rsa_padding_mode:pss', '-sigopt', 'rsa_pss_saltlen:digest']
    const ed25519 = ['pkeyutl', '-verify', '-rawin', '-pubin', '-inkey', 'key.pem', '-sigfile']
    const rows: readonly (readonly [string, readonly string[], readonly string[]])[] = [
      ['P-256', [], [...digest, '-signature', 'letter.sig', 'letter']],
      [
        'P-384',
        [],
        ['dgst', '-sha384', '-verify', 'key.pem', '-signature', 'letter.sig', 'letter'],
      ],
      ['RSA-2048', [], [...digest, ...pss, '-signature', 'letter.sig', 'letter']],
      [
        'RSA-2048',
        ['--algorithm', 'RSASSA-PKCS1-v1_5-SHA-256'],
        [...digest, '-signature', 'letter.sig', 'letter'],
      ],
      ['Ed25519', [], [...ed25519, 'letter.sig', '-in', 'letter']],
    ]
    for (const [index, [type, algorithm, check]] of rows.entries()) {
      const key = `check-${index}`
      await desk.ok(['keys', 'create', key, '--type', type, ...algorithm, ...about])
      await desk.ok(['sign', 'letter', '--key', key, '--force'])
      await desk.ok(['keys', 'export-public', key, '--output', 'key.pem'])
      assert.match(openssl(...check), /Verified (OK|Successfully)/, `${type}`)
      await desk.ok(['verify', 'letter', '--key', key])
    }
  })

  test('ML-DSA signs a file by its mu, as anybody verifies it', async () => {
    await desk.ok(['keys', 'create', 'pq', '--type', 'ML-DSA-65', ...about])
    const context = ['--context', 'letters']
    await desk.ok(['sign', 'letter', '--key', 'pq', '--output', 'pq.sig', ...context])
    await desk.ok(['verify', 'letter', '--key', 'pq', '--signature', 'pq.sig', ...context])
    const wrong = ['verify', 'letter', '--key', 'pq', '--signature', 'pq.sig']
    assert.equal((await desk.run(wrong)).code, 3)
    const { stdout } = await desk.ok(['keys', 'export-public', 'pq'])
    const key = { key: createPublicKey(stdout), context: Buffer.from('letters') }
    const [file, signature] = ['letter', 'pq.sig'].map((name) => readFileSync(desk.file(name)))
    assert(file && signature && verify(null, file, key, signature))
  })

  test('a signature is valid for its file, key and version alone', async () => {
    await desk.ok(['sign', 'letter', '--key', 'signer', '--output', 'one.sig'])
    const check = ['--signature', 'one.sig', '--key', 'signer']
    await desk.ok(['keys', 'rotate', 'signer'])
    assert.equal((await desk.json(['verify', 'letter', ...check])).version, 1)
    assert.equal((await desk.run(['verify', 'letter', ...check, '--key-version', '2'])).code, 3)
    writeFileSync(desk.file('forged'), 'Pay 900 to Ada.\n')
    const forged = await desk.run(['verify', 'forged', ...check])
    assert.equal(forged.code, 3)
    assert.match(forged.stdout, /^NOT VALID/)
    const cut = readFileSync(desk.file('one.sig')).subarray(0, -1)
    writeFileSync(desk.file('cut.sig'), cut)
    assert.equal(
      (await desk.run(['verify', 'letter', '--signature', 'cut.sig', '--key', 'signer'])).code,
      3,
    )
    await desk.refused(
      ['verify', 'letter', '--signature', 'none', '--key', 'signer'],
      66,
      'FILE_NOT_READABLE',
    )
    await desk.refused(['sign', 'none', '--key', 'signer'], 66, 'FILE_NOT_READABLE')
    await desk.refused(
      ['sign', 'letter', '--key', 'signer', '--output', 'one.sig'],
      73,
      'FILE_EXISTS',
    )
    await desk.refused(['sign', 'letter', '--key', 'vault', '--force'], 1, 'FILE_INVALID')
    await desk.refused(['sign', 'letter', '--key', 'nobody', '--force'], 1, 'KEY_NOT_FOUND')
  })

  test('signing reads standard input and writes standard output', async () => {
    const { stdout } = await desk.ok(
      ['sign', '-', '--key', 'signer', '--output', '-'],
      'Pay 100 to Ada.\n',
    )
    writeFileSync(desk.file('piped.sig'), Buffer.from(stdout, 'latin1'))
    await desk.ok(['verify', 'letter', '--signature', 'piped.sig', '--key', 'signer'])
  })

  test('files of every size come back, in constant memory', async () => {
    const large = (process.env.KEYHOLD_LONG ? 200 : 100) * 1024 * 1024
    const sizes = [0, 1, chunk - 1, chunk, chunk + 1, 64 * chunk, 64 * chunk + 1, large]
    const peaks = { encrypt: 0, decrypt: 0, sign: 0 }
    for (const size of sizes) {
      const bytes = randomBytes(size)
      writeFileSync(desk.file('in'), bytes)
      const encrypted = await desk.ok(['encrypt', 'in', '--key', 'vault', '--force'])
      const decrypted = await desk.ok(['decrypt', 'in.keyhold', '--output', 'out', '--force'])
      const signed = await desk.ok(['sign', 'in', '--key', 'signer', '--force'])
      assert(readFileSync(desk.file('out')).equals(bytes), `${size} bytes`)
      assert.equal(statSync(desk.file('out')).mode & 0o777, 0o600)
      if (size === 0) {
        peaks.encrypt = encrypted.peakKb
        peaks.decrypt = decrypted.peakKb
        peaks.sign = signed.peakKb
      }
      if (size !== large) continue
      assert(encrypted.peakKb - peaks.encrypt < growthKbMax, `encrypt: ${encrypted.peakKb} KB`)
      assert(decrypted.peakKb - peaks.decrypt < growthKbMax, `decrypt: ${decrypted.peakKb} KB`)
      assert(signed.peakKb - peaks.sign < growthKbMax, `sign: ${signed.peakKb} KB`)
    }
  })

  test('a context is bound to the file', async () => {
    const context = ['--context', 'client=ada', '--context', 'year=2026']
    await desk.ok(['encrypt', 'letter', '--key', 'vault', '--output', 'bound', ...context])
    await desk.ok(['decrypt', 'bound', '--output', 'unbound', ...context])
    await desk.refused(['decrypt', 'bound', '--output', 'x'], 1, 'CIPHERTEXT_INVALID')
    const other = ['--context', 'client=bob', '--context', 'year=2026']
    await desk.refused(['decrypt', 'bound', '--output', 'x', ...other], 1, 'CIPHERTEXT_INVALID')
    assert(!readdirSync(desk.folder).includes('x'))
  })

  test('what was cut, extended, reordered or altered is refused, and nothing is left behind', async () => {
    writeFileSync(desk.file('plain'), randomBytes(70 * chunk + 100))
    await desk.ok(['encrypt', 'plain', '--key', 'vault'])
    const sealed = readFileSync(desk.file('plain.keyhold'))
    const header = sealed.length - (56 + 70 * (chunk + 16) + 116)
    const at = (index: number) => header + 56 + index * (chunk + 16)
    const flipped = (offset: number) => {
      const bytes = Buffer.from(sealed)
      bytes[offset] = (bytes[offset] ?? 0) ^ 1
      return bytes
    }
    const attacks: Readonly<Record<string, Buffer>> = {
      'cut in the last chunk': sealed.subarray(0, -1),
      'cut before the last chunk': sealed.subarray(0, at(70)),
      'cut to the header': sealed.subarray(0, header),
      'cut in the header': sealed.subarray(0, 20),
      empty: Buffer.alloc(0),
      extended: Buffer.concat([sealed, Buffer.alloc(16)]),
      reordered: Buffer.concat([
        sealed.subarray(0, at(65)),
        sealed.subarray(at(66), at(67)),
        sealed.subarray(at(65), at(66)),
        sealed.subarray(at(67)),
      ]),
      'altered in the first chunk': flipped(at(0)),
      'altered in the last chunk': flipped(sealed.length - 20),
      'altered in the salt': flipped(header),
      'altered in the commitment': flipped(header + 30),
      'altered in the magic': flipped(0),
    }
    for (const [what, bytes] of Object.entries(attacks)) {
      writeFileSync(desk.file('attacked.keyhold'), bytes)
      const before = readdirSync(desk.folder).sort()
      const ran = await desk.run(['decrypt', 'attacked.keyhold', '--key', 'vault'])
      assert.equal(ran.code, 1, what)
      assert.match(ran.stderr, /^code: {2}FILE_INVALID$/m, what)
      assert.deepEqual(readdirSync(desk.folder).sort(), before, what)
    }
    writeFileSync(desk.file('attacked.keyhold'), flipped(header - 1))
    await desk.refused(['decrypt', 'attacked.keyhold', '--key', 'vault'], 1, 'CIPHERTEXT_INVALID')
  })

  test('standard output gets what is whole and up to 1 MiB, or nothing', async () => {
    writeFileSync(desk.file('small'), 'a small secret')
    await desk.ok(['encrypt', 'small', '--key', 'vault'])
    const sealed = readFileSync(desk.file('small.keyhold'))
    assert.equal(
      (await desk.ok(['decrypt', '-', '--output', '-'], sealed)).stdout,
      'a small secret',
    )
    const cut = await desk.run(['decrypt', '-', '--output', '-'], sealed.subarray(0, -1))
    assert.deepEqual([cut.code, cut.stdout], [1, ''])
    writeFileSync(desk.file('big'), randomBytes(1024 * 1024 + 1))
    const piped = await desk.ok(['encrypt', 'big', '--key', 'vault', '--output', '-'])
    const back = await desk.run(
      ['decrypt', '-', '--output', '-'],
      Buffer.from(piped.stdout, 'latin1'),
    )
    assert.deepEqual([back.code, back.stdout], [1, ''])
    assert.match(back.stderr, /^code: {2}FILE_TOO_LARGE$/m)
  })

  test('outputs are not replaced unless that is asked for', async () => {
    writeFileSync(desk.file('kept'), 'old')
    await desk.refused(
      ['encrypt', 'letter', '--key', 'vault', '--output', 'kept'],
      73,
      'FILE_EXISTS',
    )
    await desk.refused(['decrypt', 'in.keyhold', '--output', 'kept'], 73, 'FILE_EXISTS')
    await desk.refused(['encrypt', 'none', '--key', 'vault'], 66, 'FILE_NOT_READABLE')
    await desk.refused(
      ['encrypt', 'letter', '--key', 'vault', '--output', 'no/where'],
      73,
      'FILE_NOT_WRITABLE',
    )
    assert.equal(readFileSync(desk.file('kept'), 'utf8'), 'old')
  })

  test('Ctrl-C leaves nothing half-written', async () => {
    const before = readdirSync(desk.folder).sort()
    const child = desk.start(['encrypt', '-', '--key', 'vault', '--output', 'stopped'])
    const ended = finish(child)
    child.stdin?.write(randomBytes(3 * 1024 * 1024))
    for (let waited = 0; waited < 200; waited += 1) {
      if (readdirSync(desk.folder).some((name) => name.endsWith('.part'))) break
      await delay(50)
    }
    await delay(200)
    assert(
      readdirSync(desk.folder).some((name) => name.endsWith('.part')),
      'it had begun',
    )
    child.kill('SIGINT')
    const { code, stderr } = await ended
    assert.equal(code, 130)
    assert.match(stderr, /^code: {2}INTERRUPTED$/m)
    assert.deepEqual(readdirSync(desk.folder).sort(), before)
    if (child.stdin && !child.stdin.destroyed) child.stdin.destroy()
    if (child.exitCode === null) await once(child, 'exit')
  })
})
