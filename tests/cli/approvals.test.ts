/**
 * People with keys of their own approve what a server does, each on the command line: two of three let a
 * key out and destroy one, and a lone officer cannot.
 */

import assert from 'node:assert/strict'
import { createPublicKey } from 'node:crypto'
import { chmodSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { openOfficerKey } from '../../src/hsm/contract/officer-key.ts'
import { flipBit } from '../hsm/flip-bit.ts'
import { TestServer } from '../server.ts'
import { Desk } from './keyhold.ts'

const about = ['--owner', 'test', '--purpose', 'approvals']
const two = { approvals: 2, roles: ['officer'], excludeRequester: false }
const kinds = { anna: 'ed25519', ben: 'p-256', carl: 'ml-dsa-65' }
const passphrase = 'correct horse battery'

suite('approvals on the command line', { timeout: 240_000 }, () => {
  let server: TestServer
  let desk: Desk

  const secretFile = (name: string, text: string) => {
    writeFileSync(desk.file(name), `${text}\n`)
    chmodSync(desk.file(name), 0o600)
  }
  const sign = (request: string, person: string, ...more: string[]) =>
    desk.ok([
      ...['approval', 'sign', request, '--as', person, '--key', `${person}.key`, '--yes'],
      ...['--passphrase-file', 'passphrase', ...more],
    ])
  const request = (what: readonly string[], output: string) =>
    desk.ok(['approval', 'request', ...what, '--requester', 'anna', '--output', output])

  /** Once, with --json: both forms of refusals are tried in commands.test.ts. */
  const refuses = async (args: readonly string[], exitCode: number, errorCode: string) => {
    const { code, stdout, stderr } = await desk.run(['--json', ...args])
    assert.equal(code, exitCode, `${stdout}${stderr}`)
    assert.equal(JSON.parse(stderr.trim().split('\n').at(-1) ?? '').error.code, errorCode)
  }

  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
    secretFile('passphrase', passphrase)
    const people: object[] = []
    for (const [name, kind] of Object.entries(kinds)) {
      const made = await desk.json([
        ...['officer', 'key', `${name}.key`, '--kind', kind, '--passphrase-file', 'passphrase'],
      ])
      people.push({ name, roles: ['officer'], credential: made.credential })
    }
    const names = ['officers', 'rules', 'export', 'destroy', 'tamper', 'epoch', 'unlock']
    const rules = Object.fromEntries(names.map((name) => [name, two]))
    writeFileSync(desk.file('people.json'), JSON.stringify({ people, rules }))
    await desk.ok(['domain', 'change', 'people.json'])
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  test('an officer key is for its owner, under a passphrase, and every bit of it counts', async () => {
    assert.equal(statSync(desk.file('anna.key')).mode & 0o777, 0o600)
    const file = readFileSync(desk.file('anna.key'))
    assert.equal(openOfficerKey(file, Buffer.from(passphrase)).asymmetricKeyType, 'ed25519')
    const given = createPublicKey(readFileSync(desk.file('anna.key.pub')))
    assert(given.equals(createPublicKey(openOfficerKey(file, Buffer.from(passphrase)))))
    for (const wrong of [
      file.subarray(0, -1),
      flipBit(file, 47),
      flipBit(file, 150),
      flipBit(file, 500),
    ]) {
      const open = () => openOfficerKey(wrong, Buffer.from(passphrase))
      assert.throws(open, { code: 'CIPHERTEXT_INVALID' })
    }
    assert.throws(() => openOfficerKey(file, Buffer.from('wrong')), { code: 'CIPHERTEXT_INVALID' })
    const again = ['officer', 'key', 'anna.key', '--passphrase-file', 'passphrase']
    await refuses(again, exitCodes.cannotCreate, 'FILE_EXISTS')
    writeFileSync(desk.file('open'), passphrase, { mode: 0o644 })
    const open = ['officer', 'key', 'other.key', '--passphrase-file', 'open']
    await refuses(open, exitCodes.noInput, 'FILE_NOT_READABLE')
    secretFile('short', 'short')
    const short = ['officer', 'key', 'other.key', '--passphrase-file', 'short']
    await refuses(short, exitCodes.refused, 'PASSPHRASE_INVALID')
  })

  test('domain show: people and rules', async () => {
    const { stdout } = await desk.ok(['domain', 'show'])
    assert.match(stdout, /^anna +officer +ed25519$/m)
    assert.match(stdout, /^carl +officer +ml-dsa-65$/m)
    assert.match(stdout, /^export +2 +officer$/m)
    const { state } = await desk.json(['domain', 'show'])
    assert.equal((state as { version: number }).version, 2)
  })

  test('an export that a lone officer cannot do', async () => {
    await desk.ok(['keys', 'create', 'outer', '--use', 'wrap,unwrap', ...about])
    await desk.ok(['keys', 'create', 'inner', '--exportable', ...about])
    const wrap = (...more: string[]) => [
      'keys',
      'wrap',
      'outer',
      'inner',
      '--output',
      'out',
      ...more,
    ]
    await refuses(wrap(), exitCodes.refused, 'APPROVALS_MISSING')
    await request(['wrap', 'outer', 'inner'], 'wrap.json')
    const unsigned = wrap('--approvals', 'wrap.json')
    await refuses(unsigned, exitCodes.notValid, 'APPROVAL_INVALID')
    const signed = await sign('wrap.json', 'anna')
    assert.match(signed.stderr, /^Let version 1 of the key key_[0-9a-f]{32} out, encrypted under/m)
    await refuses(wrap('--approvals', 'wrap.json'), exitCodes.refused, 'APPROVALS_MISSING')
    await sign('wrap.json', 'carl')
    const { stdout } = await desk.ok(['approval', 'show', 'wrap.json'])
    assert.match(stdout, /^Signed by: anna, carl$/m)
    await desk.ok(wrap('--approvals', 'wrap.json'))
    assert.equal(readFileSync(desk.file('out')).length > 32, true)
    const other = ['keys', 'wrap', 'outer', 'inner', '--output', 'two', '--approvals', 'wrap.json']
    await refuses(other, exitCodes.refused, 'CHALLENGE_INVALID')
  })

  test('a signature that has to be approved, over the file that was read', async () => {
    writeFileSync(desk.file('contract'), 'Pay 100 to Ada.')
    writeFileSync(desk.file('other'), 'Pay 900 to Ada.')
    const key = ['keys', 'create', 'signer', '--type', 'P-256', '--approvals', '1', ...about]
    await desk.ok(key)
    const sign1 = (file: string, ...more: string[]) => ['sign', file, '--key', 'signer', ...more]
    await refuses(sign1('contract'), exitCodes.refused, 'APPROVALS_MISSING')
    await request(['sign', 'signer', 'contract'], 's.json')
    const wrong = ['approval', 'sign', 's.json', '--as', 'ben', '--key', 'ben.key', '--yes']
    const compared = [...wrong, '--passphrase-file', 'passphrase', '--part', 'data=other']
    await refuses(compared, exitCodes.notValid, 'APPROVAL_INVALID')
    await sign('s.json', 'ben', '--part', 'data=contract')
    const approvals = ['--approvals', 's.json']
    await refuses(sign1('other', ...approvals), exitCodes.notValid, 'APPROVAL_INVALID')
    await desk.ok(sign1('contract', ...approvals))
    assert(readFileSync(desk.file('contract.sig')).length > 64)
  })

  test('a destruction, signed in copies of the request that come together', async () => {
    await desk.ok(['keys', 'create', 'old', ...about])
    await desk.ok(['keys', 'rotate', 'old'])
    await request(['destroy', 'old'], 'a.json')
    writeFileSync(desk.file('b.json'), readFileSync(desk.file('a.json')))
    await sign('a.json', 'anna')
    await sign('b.json', 'ben')
    const destroy = ['keys', 'destroy', 'old', '--confirm', 'old', '--approvals']
    await refuses([...destroy, 'a.json'], exitCodes.refused, 'APPROVALS_MISSING')
    const { stdout } = await desk.ok([...destroy, 'a.json', 'b.json'])
    assert.match(stdout, /destroyed/)
  })

  test('a new key-encryption key, and the end of the one before, each approved', async () => {
    const rotate = ['domain', 'rotate-kek', '--no-wait']
    await refuses(rotate, exitCodes.refused, 'APPROVALS_MISSING')
    await request(['rotate-kek'], 'rotate.json')
    await sign('rotate.json', 'anna')
    await sign('rotate.json', 'ben')
    await desk.ok([...rotate, '--approvals', 'rotate.json'])
    const phase = async () => (await desk.json(['domain', 'rotation'])).phase
    for (let tries = 0; tries < 100 && (await phase()) !== 'retire'; tries += 1) await delay(50)
    await request(['retire-kek'], 'retire.json')
    await sign('retire.json', 'anna')
    const retire = ['domain', 'retire-kek', '--approvals', 'retire.json']
    await refuses(retire, exitCodes.refused, 'APPROVALS_MISSING')
    await sign('retire.json', 'carl')
    await desk.ok(retire)
    assert.equal(await phase(), 'done')
  })

  test('a seal is added, with the passphrase that was sealed for the request, and taken away', async () => {
    secretFile('further', 'a further passphrase')
    const passphrases = ['--passphrase-file', 'further']
    const alone = ['domain', 'add-seal', ...passphrases]
    await refuses(alone, exitCodes.refused, 'APPROVALS_MISSING')
    await request(['add-seal', ...passphrases], 'seal.json')
    const { stderr } = await sign('seal.json', 'anna')
    assert.match(stderr, /^Make a further way to unlock the domain: a passphrase\.$/m)
    const add = ['domain', 'add-seal', '--approvals', 'seal.json']
    await refuses(add, exitCodes.refused, 'APPROVALS_MISSING')
    await sign('seal.json', 'carl')
    const lie = JSON.parse(readFileSync(desk.file('seal.json'), 'utf8'))
    lie.parts.secret = `${lie.parts.secret.slice(0, -4)}AAAA`
    writeFileSync(desk.file('seal-lie.json'), JSON.stringify(lie))
    const lied = ['domain', 'add-seal', '--approvals', 'seal-lie.json']
    await refuses(lied, exitCodes.notValid, 'APPROVAL_INVALID')
    await desk.ok(add)
    await refuses(add, exitCodes.refused, 'CHALLENGE_INVALID')
    const { seals } = await desk.json(['domain', 'seals'])
    const kinds = (seals as { kind: string }[]).map(({ kind }) => kind)
    assert.deepEqual(kinds, ['key-file', 'passphrase'])
    const remove = ['domain', 'remove-seal', 'passphrase']
    await refuses(remove, exitCodes.refused, 'APPROVALS_MISSING')
    await request(['remove-seal', 'passphrase'], 'unseal.json')
    for (const person of ['anna', 'ben']) await sign('unseal.json', person)
    await refuses([...add, 'unseal.json'], exitCodes.notValid, 'APPROVAL_INVALID')
    await desk.ok([...remove, '--approvals', 'unseal.json'])
    const last = ['domain', 'remove-seal', 'key-file']
    await refuses(last, exitCodes.refused, 'SEAL_LAST')
    await refuses(remove, exitCodes.refused, 'SEAL_MISSING')
  })

  test('an epoch is shredded as it was approved, and the server starts with its seal', async () => {
    const { module } = await desk.json(['status'])
    const { domainId, epoch } = module as { domainId: string; epoch: number }
    const shred = ['domain', 'shred', '--confirm', domainId, '--no-wait']
    await refuses(shred, exitCodes.refused, 'APPROVALS_MISSING')
    await request(['shred'], 'shred.json')
    const { stderr } = await sign('shred.json', 'anna')
    assert.match(stderr, /^Shred the epoch: /m)
    const approved = [...shred, '--approvals', 'shred.json']
    await refuses(approved, exitCodes.refused, 'APPROVALS_MISSING')
    await sign('shred.json', 'ben')
    assert.equal((await desk.json(approved)).epoch, epoch + 1)
    await refuses(approved, exitCodes.refused, 'REWRAP_UNFINISHED')
    const phase = async () => (await desk.json(['domain', 'rotation'])).phase
    for (let tries = 0; tries < 100 && (await phase()) !== 'retire'; tries += 1) await delay(50)
    await request(['retire-kek'], 'retire-2.json')
    for (const person of ['anna', 'ben']) await sign('retire-2.json', person)
    await desk.ok(['domain', 'retire-kek', '--approvals', 'retire-2.json'])
    await server.stop()
    await server.restart()
    await refuses(approved, exitCodes.notValid, 'APPROVAL_INVALID')
  })

  test('what was changed in a request is seen, by whoever signs or by the module', async () => {
    await request(['zeroise', 'end of life'], 'z.json')
    const text = readFileSync(desk.file('z.json'), 'utf8')
    const lie = text.replace('end of life', 'a test, harmless')
    writeFileSync(desk.file('lie.json'), lie)
    const { stderr } = await sign('lie.json', 'anna')
    assert.match(stderr, /Zeroise the module.*Reason: a test, harmless/)
    await sign('lie.json', 'ben')
    const { state } = await desk.json(['domain', 'show'])
    const { domain } = state as { domain: string }
    const zeroise = ['domain', 'zeroise', 'end of life', '--confirm', domain]
    const lied = [...zeroise, '--approvals', 'lie.json']
    await refuses(lied, exitCodes.notValid, 'APPROVAL_INVALID')
    const part = ['approval', 'sign', 'z.json', '--as', 'anna', '--key', 'anna.key', '--yes']
    const compared = [...part, '--part', 'pin=z.json', '--passphrase-file', 'passphrase']
    await refuses(compared, exitCodes.notValid, 'APPROVAL_INVALID')
  })

  test('nobody signs without being asked, or with a key that others can read', async () => {
    await request(['acknowledge-tamper'], 'ack.json')
    const asked = ['approval', 'sign', 'ack.json', '--as', 'anna', '--key', 'anna.key']
    await refuses([...asked, '--passphrase-file', 'passphrase'], exitCodes.usage, 'USAGE')
    writeFileSync(desk.file('open.key'), readFileSync(desk.file('anna.key')), { mode: 0o644 })
    const open = ['approval', 'sign', 'ack.json', '--as', 'anna', '--key', 'open.key', '--yes']
    const code = 'FILE_NOT_READABLE'
    await refuses([...open, '--passphrase-file', 'passphrase'], exitCodes.noInput, code)
    const acknowledge = ['domain', 'acknowledge-tamper']
    await refuses(acknowledge, exitCodes.refused, 'MODULE_STATE_INVALID')
  })

  test('PIN and login', async () => {
    secretFile('pin', '19283746')
    secretFile('wrong', '11111111')
    const own = ['--key', 'anna.key', '--passphrase-file', 'passphrase']
    const pin = ['domain', 'pin', 'anna', '--pin-file', 'pin']
    await refuses(pin, exitCodes.refused, 'APPROVALS_MISSING')
    const { stderr } = await desk.ok([...pin, ...own])
    assert.match(stderr, /^Set the PIN of anna\.$/m)
    const login = (file: string) => ['domain', 'login', 'anna', '--pin-file', file]
    await refuses(login('wrong'), exitCodes.refused, 'LOGIN_FAILED')
    const { expires } = await desk.json([...login('pin'), ...own])
    assert(Number(expires) > Date.now())
    const reset = ['domain', 'reset-login', 'anna']
    await refuses(reset, exitCodes.refused, 'APPROVALS_MISSING')
    await request(['reset-login', 'anna'], 'reset.json')
    for (const person of ['ben', 'carl']) await sign('reset.json', person)
    await desk.ok([...reset, '--approvals', 'reset.json'])
    secretFile('forgotten', '55667788')
    await request(['pin', 'anna', '--pin-file', 'forgotten'], 'pin.json')
    for (const person of ['ben', 'carl']) await sign('pin.json', person)
    const others = ['domain', 'pin', 'ben', '--approvals', 'pin.json']
    await refuses(others, exitCodes.notValid, 'APPROVAL_INVALID')
    await desk.ok(['domain', 'pin', 'anna', '--approvals', 'pin.json'])
    await refuses(login('pin'), exitCodes.refused, 'LOGIN_FAILED')
    await desk.ok(login('forgotten'))
  })

  test('a policy that becomes weaker: said, signed, confirmed, and every key is gone', async () => {
    await desk.ok(['keys', 'create', 'before', '--type', 'P-256', ...about])
    const rules = { officers: two, rules: two, destroy: two, tamper: two, epoch: two }
    const change = ['domain', 'change', 'weaker.json']
    writeFileSync(desk.file('weaker.json'), JSON.stringify({ rules }))
    await request(['change', 'weaker.json'], 'unsaid.json')
    for (const person of ['anna', 'ben']) await sign('unsaid.json', person)
    const unsaid = [...change, '--approvals', 'unsaid.json']
    await refuses(unsaid, exitCodes.refused, 'RULES_NOT_MET')

    writeFileSync(desk.file('weaker.json'), JSON.stringify({ rules, destroysKeys: true }))
    const asked = await request(['change', 'weaker.json'], 'weaker.json.request')
    assert.match(asked.stdout, /^DESTROY EVERY KEY of the domain/)
    await sign('weaker.json.request', 'anna')
    const { domain } = (await desk.json(['domain', 'show'])).state as { domain: string }
    const approved = [...change, '--approvals', 'weaker.json.request']
    await refuses(approved, exitCodes.usage, 'USAGE')
    await refuses([...approved, '--confirm', 'acme'], exitCodes.refused, 'CONFIRMATION_INVALID')
    const confirmed = [...approved, '--confirm', domain]
    await refuses(confirmed, exitCodes.refused, 'APPROVALS_MISSING')
    await desk.ok(['sign', 'weaker.json', '--key', 'before'])
    await sign('weaker.json.request', 'carl')
    const { stdout, stderr } = await desk.ok(confirmed)
    assert.match(stderr, /destroys all keys of the domain for good, \d of them/)
    assert.match(stdout, /^every key under KEK 3 of epoch 2 is destroyed$/m)

    await refuses(['sign', 'people.json', '--key', 'before'], exitCodes.refused, 'KEY_DESTROYED')
    await desk.ok(['domain', 'statement', '--output', 'domain.statement'])
    for (const [index, what] of [['weakening'], ['key', 'before']].entries()) {
      await desk.ok(['certificate', ...what, '--output', `certificate${index}`])
      const verify = [
        'certificate',
        'verify',
        `certificate${index}`,
        '--domain',
        'domain.statement',
      ]
      const verified = await desk.ok(verify)
      assert.match(verified.stdout, /^because weaker +rule export, rule unlock$/m)
    }
    await desk.ok(['keys', 'create', 'behind', '--type', 'P-256', ...about])
    await desk.ok(['sign', 'people.json', '--key', 'behind'])
  })
})
