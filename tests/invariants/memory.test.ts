/**
 * Invariant 1: no plaintext key and no domain root key outside of a module; and, of invariant 2, no
 * destroyed key in any memory. Keys with known bytes are sealed here and imported, used hard, through
 * an end of the module too, and destroyed. The server's process, in which manager and host live, is
 * scanned by another process in the middle of the work; so are data folder and logs. The same scan
 * finds every one of the keys in the module while they are loaded, so it can fail.
 * After zeroising there is no module left to scan, and between overwriting and its end it cannot be scanned.
 */

import assert from 'node:assert/strict'
import { spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { openSeal } from '../../src/hsm/seals.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { base64, Installation, keysPath } from '../rest/people.ts'
import { bytesOfSecret, type KnownKey, makeKnownKeys, sealed, textOfSecret } from './known-keys.ts'
import { assertRoot, type Needles, scanBytes, scanFolder, scanMemory } from './scan.ts'

const known = makeKnownKeys()
/** Of each key, what is done with it. */
const uses: Readonly<Record<string, Readonly<Record<string, object>>>> = {
  aes: { encrypt: { plaintext: base64('plaintext') } },
  hmac: { mac: { data: base64('data') } },
  ec: { sign: { data: base64('data') } },
  rsa: { sign: { data: base64('data') } },
  ed25519: { sign: { data: base64('data') } },
}
const secrets = Object.entries(known).flatMap(([key, { secrets: numbers }]) =>
  Object.entries(numbers).map(([number, bytes]) => ({ name: `${key} ${number}`, bytes })),
)
const inMemory: Needles = Object.assign({}, ...secrets.map((s) => bytesOfSecret(s.name, s.bytes)))
const asText: Needles = Object.assign({}, ...secrets.map((s) => textOfSecret(s.name, s.bytes)))
const everywhere: Needles = { ...inMemory, ...asText }

let there: Installation

before(async () => {
  assertRoot()
  there = await Installation.start()
  for (const [name, key] of Object.entries(known)) {
    await importKey(name, key)
    await there.grant(name, Object.keys(uses[name] ?? {}))
  }
})
after(() => there?.[Symbol.asyncDispose]())

async function importKey(name: string, key: KnownKey): Promise<void> {
  const record = { name, owner: 'Ada', purpose: 'tests' }
  const body = { ...record, ...(await sealed(key, there.server)) }
  await there.server.ok('POST', `${keysPath}/import`, body)
}

async function useAll(): Promise<void> {
  for (const [name, operations] of Object.entries(uses)) {
    for (const [operation, body] of Object.entries(operations)) {
      const { status, text } = await there.use(name, operation, body)
      assert.equal(status, 200, text)
    }
  }
}

/** Works as long as something else does. */
async function useUntil<T>(other: Promise<T>): Promise<T> {
  let isOver = false
  const over = () => {
    isOver = true
  }
  other.then(over, over)
  do await useAll()
  while (!isOver)
  return other
}

suite('keys in memory', { timeout: 120_000 }, () => {
  test('the scan finds bytes that a process holds', async () => {
    const bytes = randomBytes(32)
    const program = `const b = Buffer.from(process.argv[1], 'hex').map((x) => x ^ 255)
      process.stdout.write('ready'); setInterval(() => b.length, 1e6)`
    const inverted = Buffer.from(bytes.map((byte) => byte ^ 255)).toString('hex')
    const child = spawn(process.execPath, ['--eval', program, inverted], {
      stdio: ['ignore', 'pipe', 'inherit'],
    })
    try {
      await once(child.stdout, 'data')
      const found = await scanMemory([child.pid ?? 0], { bytes, other: randomBytes(32) })
      assert(found.length > 0)
      assert(found.every(({ needle }) => needle === 'bytes'))
    } finally {
      child.kill('SIGKILL')
    }
  })

  test('invariant 1: while keys are used, manager and host hold none of their bytes', async () => {
    for (let round = 0; round < 100; round += 1) await useAll()
    assert.deepEqual(await useUntil(scanMemory([there.server.pid], everywhere)), [])
  })

  test('the same scan finds every one of these keys in the module', async () => {
    const found = await useUntil(scanMemory(there.server.modulePids(), inMemory))
    for (const { name } of secrets) {
      assert(
        found.some(({ needle }) => needle.startsWith(`${name},`)),
        `${name} was not found in the module: the scan of the server shows nothing`,
      )
    }
  })

  test('invariant 1: domain root key and seal secret are not in manager and host', async () => {
    const { pid, folder } = there.server
    const secret = readFileSync(path.join(folder, 'development.key'))
    const seal = readFileSync(path.join(folder, 'module/seals/key-file'))
    using key = Secret.copyOf(secret)
    using root = (await openSeal('key-file', seal, key)).root
    const bytes = root.expose((exposed) => Buffer.from(exposed))
    const rootNeedles = { ...bytesOfSecret('root', bytes), ...textOfSecret('root', bytes) }
    const needles = { ...rootNeedles, ...bytesOfSecret('seal secret', secret) }
    assert.deepEqual(await scanMemory([pid], needles), [])
    assert.deepEqual(scanFolder(folder, rootNeedles), [])
    const inModule = await scanMemory(there.server.modulePids(), rootNeedles)
    assert(inModule.length > 0, 'the root key was not found in the module')
  })

  test('invariant 1: nor after the module was killed and has loaded all of them again', async () => {
    const [module] = there.server.modulePids()
    assert(module !== undefined)
    process.kill(module, 'SIGKILL')
    // What the module took with it is answered with 503; what comes later waits for the next one.
    while ((await there.use('ec', 'sign', { data: base64('data') })).status === 503);
    await useAll()
    assert.notDeepEqual(there.server.modulePids(), [module])
    assert.deepEqual(await scanMemory([there.server.pid], everywhere), [])
  })

  test('invariant 1: data folder and logs hold none of their bytes', () => {
    const { folder, log } = there.server
    assert.deepEqual(scanFolder(folder, everywhere), [])
    assert.deepEqual(scanBytes('log', Buffer.from(log), everywhere), [])
    // It would find what is there.
    const { domainId } = JSON.parse(readFileSync(path.join(folder, 'keyhold.json'), 'utf8'))
    assert(scanFolder(folder, { domain: Buffer.from(domainId) }).includes('keyhold.json: domain'))
  })

  test('invariant 2: destroyed keys are in no memory and no file', async () => {
    const { server } = there
    for (const name of Object.keys(known)) {
      await server.ok('POST', `${keysPath}/${name}/destroy`, { confirm: name })
    }
    assert.deepEqual(await scanMemory(server.modulePids(), inMemory), [])
    assert.deepEqual(await scanMemory([server.pid], inMemory), [])
    assert.deepEqual(scanFolder(server.folder, everywhere), [])
  })

  test('a policy that becomes weaker leaves no key of before in memory, or in a file', async () => {
    const { server } = there
    for (const [name, key] of Object.entries(known)) {
      await importKey(`weak-${name}`, key)
    }
    const change = (asked: object, confirm?: string) =>
      server.ok('POST', '/v1/domain/changes', { change: asked, ...(confirm && { confirm }) })
    await change({ tamper: { 'chassis-opened': 2 } })
    const { domainId } = JSON.parse(readFileSync(path.join(server.folder, 'keyhold.json'), 'utf8'))
    await change({ tamper: {}, destroysKeys: true }, domainId)
    assert.deepEqual(await scanMemory(server.modulePids(), inMemory), [])
    assert.deepEqual(scanFolder(server.folder, everywhere), [])
  })

  test('after zeroising, keys, root key and seal secret are not in manager and host', async () => {
    const { server } = there
    for (const [name, key] of Object.entries(known)) {
      await importKey(`last-${name}`, key)
    }
    const secret = readFileSync(path.join(server.folder, 'development.key'))
    const seal = readFileSync(path.join(server.folder, 'module/seals/key-file'))
    using key = Secret.copyOf(secret)
    using root = (await openSeal('key-file', seal, key)).root
    const bytes = root.expose((exposed) => Buffer.from(exposed))
    const rootNeedles = { ...bytesOfSecret('root', bytes), ...textOfSecret('root', bytes) }
    const before = await scanMemory(server.modulePids(), { ...inMemory, ...rootNeedles })
    for (const { name } of [...secrets, { name: 'root' }]) {
      assert(
        before.some(({ needle }) => needle.startsWith(`${name},`)),
        `${name} was not there`,
      )
    }
    const { domainId } = JSON.parse(readFileSync(path.join(server.folder, 'keyhold.json'), 'utf8'))
    const asked = { reason: 'a scan of memory', confirm: domainId }
    await server.ok('POST', '/v1/domain/zeroisation', asked)
    while (server.modulePids().length > 0) await new Promise(setImmediate)
    const needles = { ...everywhere, ...rootNeedles, ...bytesOfSecret('seal secret', secret) }
    assert.deepEqual(await scanMemory([server.pid], needles), [])
    assert.deepEqual(scanFolder(server.folder, { ...everywhere, ...rootNeedles }), [])
  })
})
