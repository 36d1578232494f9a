/** What the command line says without a server: help, versions, and what was not understood. */

import assert from 'node:assert/strict'
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { keyhold } from './keyhold.ts'

const commands = [
  'serve',
  'status',
  'tour',
  'keys',
  'sign',
  'verify',
  'encrypt',
  'decrypt',
  'mac',
  'random',
  'identities',
  'namespaces',
  'roles',
  'grants',
  'record',
  'domain',
  'custodian',
  'officer',
  'approval',
  'domain',
  'share',
  'domain',
  'certificate',
  'entropy',
  'unlock',
  'tamper',
  'bench',
]

suite('usage', () => {
  test('the help names every command and every exit code', async () => {
    const { code, stdout, stderr } = await keyhold(['--help'])
    assert.equal(code, 0)
    assert.equal(stderr, '')
    for (const command of commands) assert.match(stdout, new RegExp(`^  ${command}\\b`, 'm'))
    for (const number of Object.values(exitCodes)) {
      assert.match(stdout, new RegExp(`^ +${number}  `, 'm'))
    }
  })

  test('each command has help, and it says where the exit codes are', async () => {
    const all = [...commands, 'keys create', 'record verify', 'approval sign', 'domain change']
    const answers = await Promise.all(all.map((name) => keyhold([...name.split(' '), '--help'])))
    for (const [index, { code, stdout }] of answers.entries()) {
      assert.equal(code, 0)
      assert.match(stdout, new RegExp(`^Usage: keyhold ${all[index]}\\b`))
      assert.match(stdout, /^Exit codes: keyhold --help$/m)
      assert.match(stdout, /^ {2}--json /m)
    }
  })

  test('the version is that of the package', async () => {
    const { code, stdout } = await keyhold(['--version'])
    assert.equal(code, 0)
    assert.match(stdout, /^\d+\.\d+\.\d+\n$/)
  })

  test('what is not understood ends with 2, and nothing is asked of anybody', async () => {
    const wrong: readonly (readonly string[])[] = [
      ['sgn'],
      ['sign'],
      ['sign', 'x'],
      ['sign', 'x', '--key'],
      ['sign', 'x', '--key', 'k', '--unknown'],
      ['sign', 'x', '--key', 'k', '--format', 'xml'],
      ['sign', 'x', '--key', 'k', '--algorithm', 'ROT13'],
      ['sign', 'x', 'y', '--key', 'k'],
      ['keys', 'create', 'k'],
      ['keys', 'create', 'k', '--owner', 'o', '--purpose', 'p', '--type', 'P-255'],
      ['keys', 'create', 'k', '--owner', 'o', '--purpose', 'p', '--not-after', 'soon'],
      ['keys', 'create', 'k', '--owner', 'o', '--purpose', 'p', '--bytes', '1e3'],
      ['keys', 'create', 'k', '--owner', 'o', '--purpose', 'p', '--label', 'a=1', '--label', 'a=2'],
      ['keys', 'schedule-destruction', 'k', '--days', '-1'],
      ['mac', 'x', '--key', 'k', '--check', 'xyz'],
      ['random', '0'],
      ['random', '32', '--format', 'octal'],
      ['decrypt', 'no-suffix', '--key', 'k'],
      ['grants', 'add', 'k', 'i'],
      ['record', 'verify', '--identity-key', '00'],
      ['serve', '--port', '65536'],
    ]
    const answers = await Promise.all(wrong.map((args) => keyhold(['--json', ...args])))
    for (const [index, { code, stdout, stderr }] of answers.entries()) {
      const about = `${wrong[index]?.join(' ')}: ${stderr}`
      assert.equal(code, 2, about)
      assert.equal(stdout, '', about)
      assert.equal(JSON.parse(stderr).error.code, 'USAGE', about)
    }
    const { stderr } = await keyhold(['sgn'])
    assert.match(stderr, /Did you mean sign\?/)
  })

  test('without a server it says how to start one', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-usage-'))
    try {
      const missing = await keyhold(['--data', folder, 'status'])
      assert.equal(missing.code, 78)
      assert.match(missing.stderr, /^code: {2}CONFIGURATION_MISSING$/m)
      assert.match(missing.stderr, /^next: .*npm start/m)
      const file = path.join(folder, 'client.json')
      writeFileSync(file, '{}', { mode: 0o600 })
      assert.equal((await keyhold(['--data', folder, 'status'])).code, 78)
      chmodSync(file, 0o644)
      const open = await keyhold(['--data', folder, 'status'])
      assert.match(open.stderr, /others can read it; type: chmod 600/)
      const authority = '-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n'
      const config = { address: 'https://127.0.0.1:1', authority, token: 'secret-token' }
      writeFileSync(file, JSON.stringify(config))
      chmodSync(file, 0o600)
      const unreachable = await keyhold(['--data', folder, 'status'])
      assert.equal(unreachable.code, 69)
      assert.match(unreachable.stderr, /^code: {2}SERVER_UNREACHABLE$/m)
      assert.doesNotMatch(unreachable.stderr, /secret-token/)
    } finally {
      rmSync(folder, { recursive: true })
    }
  })
})
