/**
 * `keyhold domain found` as a person or a script runs it: from a file, on a terminal, as a rehearsal. The
 * module is a real one in a process of its own; a server then opens what was founded.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { encodeCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { ruleNames } from '../../src/hsm/contract/domain-state.ts'
import { openShare } from '../../src/hsm/contract/share.ts'
import { XWingPrivateKey } from '../../src/hsm/contract/x-wing.ts'
import { keyhold, program } from './keyhold.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-found-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const at = (...names: string[]) => path.join(folder, ...names)
const passphrase = 'a passphrase of many words'
writeFileSync(at('passphrase'), `${passphrase}\n`, { mode: 0o600 })
const alice = new XWingPrivateKey(Buffer.alloc(32, 1))
writeFileSync(at('alice.pub'), encodeCustodianPublicKey(alice.publicKey))
for (const name of ['olga', 'otto']) {
  const { publicKey } = generateKeyPairSync('ed25519')
  writeFileSync(at(`${name}.pem`), publicKey.export({ type: 'spki', format: 'pem' }))
}
const ceremony = {
  format: 'keyhold ceremony v1',
  level: 2,
  seal: 'passphrase',
  custodians: {
    threshold: 2,
    people: [
      { name: 'alice', publicKeyFile: 'alice.pub' },
      { name: 'bob', passphrase: true },
    ],
  },
  people: ['olga', 'otto'].map((name) => ({
    name,
    roles: ['officer'],
    publicKeyFile: `${name}.pem`,
  })),
  rules: Object.fromEntries(ruleNames.map((name) => [name, { approvals: 2, roles: ['officer'] }])),
}
writeFileSync(at('ceremony.json'), JSON.stringify(ceremony))

const passphrases = [
  ...['--passphrase-file', 'passphrase'],
  ...['--custodian-passphrase', 'bob=passphrase'],
]
const rehearsals = () =>
  ['/dev/shm', tmpdir()].flatMap((place) =>
    existsSync(place) ? readdirSync(place).filter((name) => name.includes('rehearsal')) : [],
  )

suite('keyhold domain found', () => {
  test('--rehearse --from touches nothing', async () => {
    const before = readdirSync(folder)
    const others = rehearsals()
    const args = ['--json', 'domain', 'found', '--rehearse', '--from', 'ceremony.json']
    const { code, stdout, stderr } = await keyhold(args, { cwd: folder })
    assert.equal(code, 0, stderr)
    const { rehearsed, missing } = JSON.parse(stdout)
    assert.deepEqual([rehearsed, missing], [true, ['olga', 'otto']])
    assert.match(stderr, /^REHEARSAL/)
    assert.deepEqual(readdirSync(folder), before)
    assert.deepEqual(rehearsals(), others)
  })

  test('--from founds a domain that a server opens, and does it once', async () => {
    const found = ['--data', 'data', '--json', 'domain', 'found', '--from', 'ceremony.json']
    const without = await keyhold(found, { cwd: folder })
    assert.equal(without.code, exitCodes.usage, 'a passphrase that nobody can type')
    const { code, stdout, stderr } = await keyhold([...found, ...passphrases], { cwd: folder })
    assert.equal(code, 0, stderr)
    const { domain, shares } = JSON.parse(stdout)
    const opened = [
      openShare(readFileSync(shares[0]), { privateKey: alice }),
      openShare(readFileSync(shares[1]), { passphrase: Buffer.from(passphrase) }),
    ]
    for (const share of opened) assert.equal(share.length, 32)
    const again = await keyhold([...found, ...passphrases], { cwd: folder })
    assert.equal(again.code, 0, 'a finished ceremony tells what it made')
    assert.equal(JSON.parse(again.stdout).domain, domain)
    const other = await keyhold([...found, '--ceremony', 'other', ...passphrases], { cwd: folder })
    assert.equal(other.code, exitCodes.cannotCreate, other.stderr)
    const serve = ['--json', 'serve', '--data', 'data', '--port', '0']
    const server = spawn(program, [...serve, '--passphrase-file', 'passphrase'], { cwd: folder })
    for await (const chunk of server.stdout) if (String(chunk).includes('"ready":true')) break
    const status = await keyhold(['--json', '--data', 'data', 'status'], { cwd: folder })
    server.kill('SIGTERM')
    await once(server, 'exit')
    assert.equal(JSON.parse(status.stdout).module.domainId, domain, status.stderr)
  })

  test('what the module refuses is said, and nothing is founded', async () => {
    const file = JSON.stringify({ ...ceremony, level: 3 })
    writeFileSync(at('level3.json'), file)
    const found = ['--data', 'data3', 'domain', 'found', '--from', 'level3.json']
    const place = ['--ceremony', 'ceremony3']
    const { code, stderr } = await keyhold([...found, ...place, ...passphrases], { cwd: folder })
    assert.equal(code, exitCodes.refused)
    assert.match(stderr, /LEVEL_NOT_PERMITTED/)
    assert(!readFileSync(at('data3', 'keyhold.json'), 'utf8').includes('domainId'))
    writeFileSync(at('level3.json'), JSON.stringify({ ...ceremony, rules: {} }))
    const rules = await keyhold([...found, ...place, ...passphrases], { cwd: folder })
    assert.match(rules.stderr, /asks for one approval or more for every rule$/m)
    writeFileSync(at('level3.json'), JSON.stringify(ceremony))
    const mended = await keyhold([...found, ...place, ...passphrases], { cwd: folder })
    assert.equal(mended.code, 0, 'another plan takes the place of one that was refused')
    writeFileSync(at('level3.json'), JSON.stringify({ ...ceremony, level: 1 }))
    const late = await keyhold([...found, ...place, ...passphrases], { cwd: folder })
    assert.match(late.stderr, /^code: +FILE_EXISTS/m, 'not once there is a domain')
    writeFileSync(at('wrong.json'), JSON.stringify({ ...ceremony, level: 9 }))
    const wrong = ['domain', 'found', '--rehearse', '--from', 'wrong.json']
    const refused = await keyhold(wrong, { cwd: folder })
    assert.match(refused.stderr, /^code: +FILE_INVALID/m)
  })

  test('on a terminal: questions, passphrases without echo, a rehearsal', async () => {
    const typed: readonly (readonly [RegExp, string])[] = [
      [/Security level of the domain/, '\u001b[B\r'],
      [/How many custodians/, '\b2\r'],
      [/How many of them together/, '\r'],
      [/Name of custodian 1/, 'alice\r'],
      [/What protects the share of alice/, '\r'],
      [/Public key file of alice/, 'alice.pub\r'],
      [/Does alice read this fingerprint/, '\r'],
      [/Name of custodian 2/, 'bob\r'],
      [/What protects the share of bob/, '\u001b[B\r'],
      [/What opens the domain at each start/, '\r'],
      [/How many people decide/, '\r'],
      [/Name of person 1/, 'olga\r'],
      [/Roles of olga/, ' \r'],
      [/Public key of olga/, 'olga.pem\r'],
      [/Name of person 2/, 'otto\r'],
      [/Roles of otto/, ' \r'],
      [/Public key of otto/, 'none.pem\r'],
      [/none\.pem does not exist[\s\S]*Public key of otto/, 'otto.pem\r'],
      [/Signatures of officers/, '\r'],
      [/Found it like this/, '\r'],
      [/New passphrase of bob: /, `${passphrase}\r`],
      [/Once more: /, `${passphrase}\r`],
      [/Has alice taken the share/, '\r'],
      [/Has bob taken the share/, '\r'],
    ]
    const others = rehearsals()
    const command = `stty cols 120 rows 50; ${program} domain found --rehearse`
    const child = spawn('script', ['-qefc', command, '/dev/null'], {
      cwd: folder,
      env: { ...process.env, TERM: 'xterm', COLUMNS: '120' },
    })
    let shown = ''
    let all = ''
    const left = [...typed]
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      shown += stripVTControlCharacters(text)
      all += text
      const [question, answer] = left[0] ?? []
      if (!question?.test(shown)) return
      shown = ''
      left.shift()
      // The prompt listens a moment after it is drawn.
      setTimeout(() => child.stdin.write(answer ?? ''), 50)
    })
    const timer = setTimeout(() => child.kill(), 50_000)
    const [code] = await once(child, 'close')
    clearTimeout(timer)
    assert.equal(code, 0, stripVTControlCharacters(all).slice(-3_000))
    assert.deepEqual(left, [])
    assert.match(all, /Rehearsed\. Its shares opened it again; now it is gone/)
    assert(!all.includes(passphrase), 'the passphrase is not shown')
    assert.deepEqual(rehearsals(), others)
  })
})
