/**
 * A domain that was founded with shares alone comes to start by itself: a TPM seal and a pinned counter are
 * added while it runs, by an officer where the rule `unlock` wants one. The custodians' way in stays, and is
 * the one after `keyhold lock`.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { keyhold } from '../cli/keyhold.ts'
import { SoftwareTpm } from './swtpm.ts'

const main = path.join(import.meta.dirname, '../../src/server/main.ts')
const everybody = ['administrator', 'security-officer', 'operator', 'auditor']
const rule = { approvals: 1, roles: ['officer'], excludeRequester: false }

suite('what opens a domain, added later', { timeout: 180_000 }, () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-opening-'))
  let tpm: SoftwareTpm
  let server: ChildProcess
  let lines: AsyncIterator<string>

  const secret = ['--passphrase-file', 'passphrase']
  const run = (...args: string[]) => keyhold(['--json', '--data', 'data', ...args], { cwd: folder })
  const ok = async (...args: string[]): Promise<Record<string, unknown>> => {
    const ran = await run(...args)
    assert.equal(ran.code, 0, `${args.join(' ')}: ${ran.stderr}`)
    return JSON.parse(ran.stdout)
  }
  const refused = async (code: string, ...args: string[]): Promise<void> => {
    const ran = await run(...args)
    assert.equal(ran.code, exitCodes.refused, ran.stdout)
    assert.equal(JSON.parse(ran.stderr.trim().split('\n').at(-1) ?? '').error.code, code)
  }
  const approved = async (what: readonly string[], file: string): Promise<readonly string[]> => {
    await ok('approval', 'request', ...what, '--requester', 'olga', '--output', file)
    await ok('approval', 'sign', file, '--as', 'olga', '--key', 'olga.key', '--yes')
    return ['--approvals', file]
  }
  const says = async (state: 'ready' | 'locked'): Promise<void> => {
    const { value } = await lines.next()
    assert.equal(JSON.parse(value)[state], true, value)
  }
  const serve = (...how: string[]): void => {
    const args = ['--data', path.join(folder, 'data'), '--port', '0', '--tpm', tpm.tcti, ...how]
    server = spawn(process.execPath, ['--no-experimental-ffi', main, ...args], {
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    assert(server.stdout)
    lines = createInterface({ input: server.stdout })[Symbol.asyncIterator]()
  }
  const stop = async (): Promise<void> => {
    if (server.exitCode !== null) return
    server.kill('SIGTERM')
    await once(server, 'exit')
  }
  const unlock = async (): Promise<void> => {
    for (const share of ['share-1-bob', 'share-2-carol']) {
      await ok('unlock', '--share', path.join('ceremony', `${share}.share`), ...secret)
    }
    await says('ready')
  }

  before(async () => {
    tpm = await SoftwareTpm.start()
    writeFileSync(path.join(folder, 'passphrase'), 'a passphrase of many words', { mode: 0o600 })
    const { publicKey, privateKey } = generateKeyPairSync('ed25519')
    const key = privateKey.export({ type: 'pkcs8', format: 'pem' })
    writeFileSync(path.join(folder, 'olga.key'), key, { mode: 0o600 })
    const pem = publicKey.export({ type: 'spki', format: 'pem' })
    writeFileSync(path.join(folder, 'olga.pem'), pem)
    const custodians = ['bob', 'carol', 'dora'].map((name) => ({ name, passphrase: true }))
    const plan = {
      ...{ format: 'keyhold ceremony v1', level: 1, seal: 'none' },
      custodians: { threshold: 2, people: custodians },
      people: [{ name: 'olga', roles: ['officer'], publicKeyFile: 'olga.pem' }],
      rules: { officers: rule, rules: rule, unlock: rule },
    }
    writeFileSync(path.join(folder, 'plan.json'), JSON.stringify(plan))
    const of = custodians.flatMap(({ name }) => ['--custodian-passphrase', `${name}=passphrase`])
    await ok('domain', 'found', '--from', 'plan.json', '--ceremony', 'ceremony', ...of)
  })
  after(async () => {
    await stop()
    await tpm?.[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true, force: true })
  })

  test('seal and counter of the TPM, with an officer; then it starts by itself', async () => {
    serve('--locked')
    await says('locked')
    const { module } = await ok('status')
    assert.partialDeepStrictEqual(module, { state: 'locked' })
    await unlock()
    await ok('roles', 'set', 'administrator', ...everybody, '--namespace', '*')
    assert.deepEqual((await ok('domain', 'seals')).seals, [])
    const add = ['domain', 'add-seal']
    await refused('APPROVALS_MISSING', ...add, '--tpm')
    await ok(...add, ...(await approved(['add-seal', '--tpm'], 'seal.json')))
    await refused('APPROVALS_MISSING', 'domain', 'remove-seal', 'tpm')
    const pin = ['domain', 'pin-counter']
    await refused('APPROVALS_MISSING', ...pin)
    const word = await approved(['pin-counter'], 'counter.json')
    await ok(...pin, ...word)
    const outdated = await run(...pin, ...word)
    assert.match(outdated.stderr, /TPM_FAILED.*not what the counter says now/)
    await stop()
    serve('--seal', 'tpm')
    await says('ready')
    assert.partialDeepStrictEqual((await ok('status')).module, { freshness: 'tpm counter' })
  })

  test('locked, it forgets the way by itself until it is started anew; its custodians open it', async () => {
    await ok('keys', 'create', 'letters', '--owner', 'Ada', '--purpose', 'tests')
    await ok('lock')
    await says('locked')
    const { module } = await ok('status')
    assert.partialDeepStrictEqual(module, { state: 'locked' })
    await unlock()
    const after = (await ok('status')).module
    assert.partialDeepStrictEqual(after, { state: 'operational', freshness: 'tpm counter' })
    await ok('keys', 'show', 'letters')
  })

  test('a counter that was asked for, but not pinned anew, stops nothing', async () => {
    await approved(['pin-counter'], 'never.json')
    await approved(['add-seal', '--tpm'], 'never-added.json')
    await stop()
    serve('--seal', 'tpm')
    await says('ready')
    assert.partialDeepStrictEqual((await ok('status')).module, { freshness: 'tpm counter' })
  })

  test('custodians are enough: the last seal goes, and they open it', async () => {
    const removal = await approved(['remove-seal', 'tpm'], 'removal.json')
    await ok('domain', 'remove-seal', 'tpm', ...removal)
    assert.deepEqual((await ok('domain', 'seals')).seals, [])
    await ok('lock')
    await says('locked')
    await unlock()
    assert.partialDeepStrictEqual((await ok('status')).module, { state: 'operational' })
  })

  test('an epoch is shredded, and the next one has a seal of the TPM from its beginning', async () => {
    const { epoch, domainId } = (await ok('status')).module as Record<string, unknown>
    const shred = ['domain', 'shred', '--confirm', String(domainId), '--no-custodians']
    await ok(...shred, '--tpm')
    await stop()
    serve('--seal', 'tpm')
    await says('ready')
    const now = (await ok('status')).module
    const state = { state: 'operational', epoch: Number(epoch) + 1, freshness: 'tpm counter' }
    assert.partialDeepStrictEqual(now, state)
    await refused(
      'SEAL_LAST',
      'domain',
      'remove-seal',
      'tpm',
      ...(await approved(['remove-seal', 'tpm'], 'last.json')),
    )
  })
})
