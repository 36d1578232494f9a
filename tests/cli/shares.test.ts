/**
 * What custodians do with `./keyhold` by themselves, without a server: make a key, look at, check, print
 * and read back a share.
 */

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { openCustodianKey, parseCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { describeShare } from '../../src/hsm/contract/share.ts'
import { flipBit } from '../hsm/flip-bit.ts'
import { keyhold } from './keyhold.ts'

const formats = path.join(import.meta.dirname, '../../docs/formats')
const vector = JSON.parse(readFileSync(path.join(formats, 'share.json'), 'utf8')) as {
  readonly passphrase: string
  readonly custodianKeyFile: string
  readonly keyShare: string
  readonly passphraseShare: string
}

suite('shares', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-shares-'))
  after(() => rmSync(folder, { recursive: true, force: true }))
  const at = (name: string) => path.join(folder, name)
  const write = (name: string, bytes: string | Uint8Array, mode = 0o600) => {
    writeFileSync(at(name), bytes, { mode })
    chmodSync(at(name), mode)
  }
  write('passphrase', `${vector.passphrase}\n`)
  write('alice.key', Buffer.from(vector.custodianKeyFile, 'hex'))
  write('one.share', Buffer.from(vector.keyShare, 'hex'))
  write('two.share', Buffer.from(vector.passphraseShare, 'hex'))
  const withPassphrase = ['--passphrase-file', at('passphrase')]

  async function ok(...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await keyhold(args, { cwd: folder })
    assert.equal(code, 0, stderr)
    return stdout
  }

  async function refused(exitCode: number, ...args: string[]): Promise<string> {
    const { code, stdout, stderr } = await keyhold(args, { cwd: folder })
    assert.equal(code, exitCode, stderr)
    assert.equal(stdout, '')
    return stderr
  }

  test('a custodian makes a key: private half for them alone, public half with its fingerprint', async () => {
    const made = await ok('custodian', 'key', 'bob.key', ...withPassphrase)
    assert.equal(statSync(at('bob.key')).mode & 0o777, 0o600)
    const publicKey = parseCustodianPublicKey(readFileSync(at('bob.key.pub'), 'latin1'))
    const opened = openCustodianKey(readFileSync(at('bob.key')), Buffer.from(vector.passphrase))
    assert.deepEqual(opened.publicKey, publicKey)
    const fingerprint = await ok('custodian', 'fingerprint', 'bob.key.pub')
    assert.match(fingerprint, /^([0-9a-f]{4} ){9}[0-9a-f]{4}\n$/)
    assert(made.includes(fingerprint.trim()))
    await refused(exitCodes.cannotCreate, 'custodian', 'key', 'bob.key', ...withPassphrase)
  })

  test('show describes a share, check opens it without the others', async () => {
    const shown = JSON.parse(await ok('--json', 'share', 'show', 'one.share'))
    const { index, count, threshold, protection } = shown
    assert.deepEqual([index, count, threshold, protection], [1, 5, 3, 'key'])
    const check = ['--json', 'share', 'check', 'one.share', '--key', 'alice.key']
    const checked = JSON.parse(await ok(...check, ...withPassphrase))
    assert.deepEqual(checked, { ...shown, opened: true })
    const { check: value } = describeShare(readFileSync(at('one.share')))
    assert.equal(checked.check, value.toString('hex'))
    await ok('share', 'check', 'two.share', ...withPassphrase)
  })

  test('what is wrong with a share is refused, and says nothing else', async () => {
    write('changed.share', flipBit(readFileSync(at('two.share')), 900))
    write('wrong', 'another passphrase\n')
    const { notValid, noInput, usage } = exitCodes
    const check = (file: string, ...more: string[]) => ['share', 'check', file, ...more]
    const refusals = [
      await refused(notValid, ...check('changed.share', ...withPassphrase)),
      await refused(notValid, ...check('two.share', '--passphrase-file', at('wrong'))),
    ]
    for (const text of refusals) assert.match(text, /does not open with this passphrase/)
    await refused(notValid, 'share', 'show', 'alice.key')
    await refused(usage, ...check('one.share', ...withPassphrase))
    write('open.key', Buffer.from(vector.custodianKeyFile, 'hex'), 0o644)
    await refused(noInput, ...check('one.share', '--key', 'open.key', ...withPassphrase))
    await refused(noInput, ...check('none.share', ...withPassphrase))
  })

  test('what is printed is read back; a typing error names its line', async () => {
    const text = await ok('share', 'print', 'one.share')
    write('typed.txt', text.toLowerCase())
    await ok('share', 'read', 'typed.txt', '--output', 'again.share')
    assert.deepEqual(readFileSync(at('again.share')), readFileSync(at('one.share')))
    assert.equal(statSync(at('again.share')).mode & 0o777, 0o600)
    write(
      'mistake.txt',
      text.replace(/^07 {2}(.)/m, (_, letter) => `07  ${letter === 'A' ? 'B' : 'A'}`),
    )
    const message = await refused(1, 'share', 'read', 'mistake.txt', '--output', 'none.share')
    assert.match(message, /line 07: the checksum does not fit, look at group .*1/)
    const codes = JSON.parse(await ok('--json', 'share', 'print', 'one.share', '--qr')).codes
    write('scanned.txt', codes.join('\n'))
    await ok('share', 'read', 'scanned.txt', '--output', 'scanned.share')
    assert.deepEqual(readFileSync(at('scanned.share')), readFileSync(at('one.share')))
    const drawn = await ok('share', 'print', 'two.share', '--qr')
    assert.match(Buffer.from(drawn, 'latin1').toString(), /^QR code 1 of 1\n█+\n/)
  })
})
