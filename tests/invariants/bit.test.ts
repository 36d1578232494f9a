/**
 * Invariant 6: one changed bit is refused, in whatever is kept: wrapped keys, seal, sealed state with the
 * domain in it, record. The files and rows are those of a real host and module that have worked; in each,
 * bits from everywhere are changed one at a time, and somebody has to notice: the module when it is
 * unlocked or shown the key, the host when it opens the folder, or whoever verifies the record. The
 * unit tests beside the formats try every bit.
 */

import assert from 'node:assert/strict'
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { verifyRecord } from '../../src/cli/verify-record.ts'
import { framingBytes } from '../../src/host/append-file.ts'
import type { Host } from '../../src/host/host.ts'
import { checkpointOrigin } from '../../src/hsm/contract/checkpoint.ts'
import { type KeyId, type KeyTemplate, keyIdFromBytes } from '../../src/hsm/contract/keys.ts'
import { call, claimOf, openAt } from '../host/open.ts'
import { flipBit } from '../hsm/flip-bit.ts'

let parent: string
let folder: string
let identityKey: Buffer
let origin: string
const wrappedKeys = new Map<KeyId, Uint8Array>()

before(async () => {
  parent = mkdtempSync(path.join(tmpdir(), 'keyhold-bit-'))
  folder = path.join(parent, 'data')
  await using host = await openAt(folder)
  for (let number = 1; number <= 6; number += 1) {
    const key = keyIdFromBytes(Buffer.alloc(16, number))
    wrappedKeys.set(key, await makeKey(host, key, number % 2 === 0 ? 'P-256' : 'AES-256'))
  }
  // Behind the snapshot there are changes, behind the last head there are leaves.
  for (const key of [...wrappedKeys.keys()].slice(0, 2)) {
    await host.run(claimOf('destroy'), call('destroyKey', { key, version: 1 }, {}))
    wrappedKeys.delete(key)
  }
  await host.log.signHead(claimOf('head'))
  await host.run(claimOf('random'), call('random', { lengthBytes: 8 }, {}))
  const { result } = await host.run(claimOf('status'), call('getStatus', {}, {}))
  identityKey = Buffer.from(result.identityKey, 'hex')
  origin = checkpointOrigin(
    Buffer.from(result.domainId, 'hex'),
    Buffer.from(result.moduleId, 'hex'),
  )
})
after(() => rmSync(parent, { recursive: true, force: true }))

async function makeKey(host: Host, key: KeyId, type: 'P-256' | 'AES-256'): Promise<Uint8Array> {
  const isPair = type === 'P-256'
  const template: KeyTemplate = {
    type,
    algorithms: [isPair ? 'ECDSA-SHA-256' : 'XAES-256-GCM'],
    uses: isPair ? ['sign', 'verify'] : ['encrypt', 'decrypt'],
    exportable: false,
    externalIv: false,
    plaintextRelease: false,
    notBefore: 0,
    notAfter: 0,
    lengthBytes: 0,
  }
  const { parts } = await host.run(
    claimOf('make'),
    call('generateKey', { key, version: 1, template }, {}),
  )
  return parts.wrapped
}

/** Of so many bits, so many positions from the first byte to the last. */
function positions(bytes: number, count: number): number[] {
  const bits = bytes * 8
  return Array.from({ length: Math.min(count, bits) }, (_, index) =>
    Math.floor((index * (bits - 1)) / Math.max(1, count - 1)),
  )
}

/**
 * Bits of the length in front of the last record: made larger, it would look like an append that a power
 * loss cut off, and what was acknowledged would be set aside.
 */
function lastLength(name: string, bytes: Buffer): number[] {
  if (!['changes', 'record/groups', 'record/heads'].includes(name)) return []
  let last = 0
  for (let next = 0; next < bytes.length; next += framingBytes + bytes.readUInt32BE(next)) {
    last = next
  }
  // 2^21, 2^16 and 2^12 bytes more.
  return [10, 15, 19].map((bit) => last * 8 + (bit & ~7) + (7 - (bit & 7)))
}

/** Opens a copy of the folder in which this file was changed, and reads all that there is. */
async function openChanged(
  file: string,
  bytes: Uint8Array,
  options: { readonly development?: boolean } = {},
): Promise<void> {
  const copy = path.join(parent, 'copy')
  cpSync(folder, copy, { recursive: true, mode: 0 })
  writeFileSync(path.join(copy, file), bytes)
  try {
    await using host = await openAt(copy, { foundIfEmpty: false, ...options })
    await readAll(host)
  } finally {
    rmSync(copy, { recursive: true })
  }
}

async function readAll(host: Host): Promise<void> {
  const head = await host.log.signHead(claimOf('verify'))
  const leaves = pages(async (from) => {
    const page = await host.record.readLeaves(from, 1_000)
    return { items: page.leaves, next: page.next }
  })
  const heads = pages(async (from) => {
    const page = await host.record.readHeads(from, 1_000)
    return { items: page.heads, next: page.next }
  })
  await verifyRecord({ head, heads, leaves }, { keys: { ed25519: identityKey }, origin })
  const [key] = wrappedKeys.keys()
  assert(key)
  const wrapped = wrappedKeys.get(key)
  assert(wrapped)
  await host.run(claimOf('load'), call('loadKey', { key, version: 1 }, { wrapped }))
}

/** All of a list, page by page. */
async function* pages<T>(
  read: (from: number) => Promise<{ items: readonly T[]; next: number | undefined }>,
): AsyncGenerator<T> {
  for (let from: number | undefined = 0; from !== undefined; ) {
    const { items, next } = await read(from)
    yield* items
    from = next
  }
}

/** What notices: the host, the module, or whoever verifies the record. Anything else is another failure. */
const noticed = /^(FOLDER_TORN|SEAL_INVALID|STATE_INVALID|RECORD_INVALID|RECORD_BROKEN)$/

/** How many bits of each file are tried: each costs the start of a module. */
const samples = process.env.KEYHOLD_LONG ? 100 : 6

suite('one changed bit', { timeout: 600_000 }, () => {
  test('the folder as it is opens, and its record is whole', async () => {
    await openChanged('keyhold.json', readFileSync(path.join(folder, 'keyhold.json')))
  })

  test('invariant 6: in a wrapped key is refused, every bit of it', async () => {
    // In a copy: thousands of refusals are thousands of leaves.
    const copy = path.join(parent, 'wrapped')
    cpSync(folder, copy, { recursive: true })
    await using host = await openAt(copy)
    let stops = 0
    for (const [key, wrapped] of wrappedKeys) {
      const calls = Array.from({ length: wrapped.length * 8 }, (_, bit) =>
        call('loadKey', { key, version: 1 }, { wrapped: flipBit(wrapped, bit) }),
      )
      for (let from = 0; from < calls.length; ) {
        const outcomes = await host.call(claimOf('flip'), calls.slice(from, from + 200))
        for (const outcome of outcomes) {
          const code = 'error' in outcome ? outcome.error.code : 'loaded'
          // So many of them are a tamper signal, which here nobody needs to approve away.
          if (code === 'MODULE_TAMPERED') break
          assert.equal(code, 'WRAPPED_KEY_INVALID', `bit ${from} of ${key}`)
          from += 1
        }
        const { state } = (await host.run(claimOf('look'), call('getStatus', {}, {}))).result
        if (state === 'tampered') {
          await host.run(claimOf('officer'), call('acknowledgeTamper', {}, {}))
          stops += 1
        }
      }
    }
    assert(stops > 0, 'forged keys by the hundred are a tamper signal')
  })

  for (const name of [
    'module/seals/key-file',
    'snapshot',
    'changes',
    'record/groups',
    'record/heads',
  ]) {
    test(`invariant 6: in ${name} is refused`, async () => {
      const file = name.includes('/') ? name : `module/${newest(name)}`
      const bytes = readFileSync(path.join(folder, file))
      assert(bytes.length > 0)
      for (const bit of [...positions(bytes.length, samples), ...lastLength(name, bytes)]) {
        const opened = openChanged(file, flipBit(bytes, bit))
        await assert.rejects(opened, isNoticed, `bit ${bit} of ${file}`)
      }
    })
  }

  test('invariant 6: in the ids of the domain, or in its mark of development, is refused', async () => {
    const text = readFileSync(path.join(folder, 'keyhold.json'), 'latin1')
    for (const name of ['domainId', 'moduleId']) {
      const at = text.indexOf(name) + name.length + 4
      for (const offset of [0, 17, 31]) {
        const other = text[at + offset] === '0' ? '1' : '0'
        const changed = `${text.slice(0, at + offset)}${other}${text.slice(at + offset + 1)}`
        const opened = openChanged('keyhold.json', Buffer.from(changed))
        await assert.rejects(opened, { code: 'FOLDER_TORN' }, name)
      }
    }
    const unmarked = text.replace('"development": true', '"development": false')
    assert.notEqual(unmarked, text)
    const opened = openChanged('keyhold.json', Buffer.from(unmarked), { development: false })
    await assert.rejects(opened, { code: 'FOLDER_TORN' })
  })

  test('invariant 6: a file of sealed state or record that is missing is refused', async () => {
    for (const name of ['module/seals/key-file', `module/${newest('snapshot')}`, 'record/groups']) {
      const copy = path.join(parent, 'missing')
      cpSync(folder, copy, { recursive: true })
      rmSync(path.join(copy, name))
      await assert.rejects(async () => {
        await using _ = await openAt(copy, { foundIfEmpty: false })
      }, name)
      rmSync(copy, { recursive: true })
    }
  })
})

function isNoticed(error: unknown): boolean {
  return error instanceof Error && 'code' in error && noticed.test(String(error.code))
}

function newest(kind: string): string {
  const names = readdirSync(path.join(folder, 'module')).filter((name) =>
    name.startsWith(`${kind}.`),
  )
  const last = names.sort().at(-1)
  assert(last)
  return last
}
