/** Every answer of c2sp.org/tlog-witness, and that of a log one history is ever cosigned. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { chmod, readFile, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { after, suite, test } from 'node:test'
import fc from 'fast-check'
import { cosignedAt, encodeVerifierKey, parseVerifierKey } from '../hsm/contract/cosignature.ts'
import { type Note, type NoteKey, parseNote } from '../hsm/contract/signed-note.ts'
import { addCheckpoint, type WitnessAnswer } from './add-checkpoint.ts'
import { WitnessKey } from './key.ts'
import { WitnessStore } from './store.ts'
import { body, LogOfTests } from './witness.testing.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'witness-'))
  folders.push(folder)
  return folder
}

/** A witness of one log, at a time that a test turns. */
async function start(folder = newFolder()) {
  const key = await WitnessKey.make(folder, 'witness.example/w1')
  const log = new LogOfTests('log.example/1').grow(40)
  const store = new WitnessStore(folder, key.keys)
  store.addLog(log.key)
  const clock = { now: 1_700_000_000 }
  const add = (text: string | Buffer) =>
    addCheckpoint(Buffer.from(text), { key, store, now: () => clock.now })
  return { folder, key, log, store, clock, add }
}

/** Of the cosignatures by these keys. */
function timesOf(note: Note, keys: readonly NoteKey[]): (number | undefined)[] {
  return keys.map((key) => cosignedAt(key, note))
}

suite('a witness', () => {
  test('cosigns a log as it grows, with both keys, over what the log has signed', async () => {
    const { key, log, add, clock } = await start()
    for (const [old, size] of [
      [0, 1],
      [1, 2],
      [2, 7],
      [7, 8],
      [8, 8],
      [8, 40],
    ] as const) {
      clock.now += 1
      const answer = add(await log.request(old, size))
      assert.equal(answer.status, 200, `${old} to ${size}`)
      const note = parseNote(log.note(size) + answer.body)
      assert.deepEqual(timesOf(note, key.keys), [clock.now, clock.now])
    }
  })

  test('200 for an empty tree, 404, 403, 400, 409 with the size, 422, as the specification has them', async () => {
    const { log, add, store } = await start()
    const stranger = new LogOfTests('log.example/2').grow(3)
    const impostor = new LogOfTests(log.origin).grow(9)
    assert.equal(add(await log.request(0, 0)).status, 200)
    assert.equal(add(await stranger.request(0, 3)).status, 404)
    assert.equal(add(await impostor.request(0, 3)).status, 403)
    const broken = (await log.request(0, 3)).replace(/.{8}\n$/, 'AAAAAAA=\n')
    assert.equal(add(broken).status, 403, 'a signature under the key that is not its own')
    assert.equal(add(await log.request(4, 3)).status, 400)
    assert.equal(add(await log.request(0, 5)).status, 200)
    const size = { status: 409, type: 'text/x.tlog.size', body: '5\n' }
    assert.deepEqual(add(await log.request(0, 9)), size)
    assert.deepEqual(add(await log.request(7, 9)), size)
    assert.deepEqual(add(await log.request(3, 3)), size, 'a smaller tree')
    const [first = '', ...rest] = await log.proof(5, 9)
    for (const proof of [[], rest, [...rest, first], [first, ...rest, first]]) {
      assert.equal(add(body(5, proof, log.note(9))).status, 422)
    }
    assert.equal(add(body(5, [first], log.note(5))).status, 422, 'a proof where there is none')
    assert.equal(store.cosigned(log.origin)?.size, 5)
    assert.equal(add(await log.request(5, 9)).status, 200)
  })

  test('other signatures on a checkpoint are ignored; extension lines are cosigned', async () => {
    const { key, log, add } = await start()
    const stranger = new LogOfTests('log.example/2')
    const note = log.note(4) + stranger.note(0).split('\n\n')[1]
    assert.equal(add(body(0, [], note)).status, 200)
    const text = log.text(6, 'something else\n')
    const answer = add(body(4, await log.proof(4, 6), log.note(6, text)))
    assert.equal(answer.status, 200)
    assert.equal(timesOf(parseNote(`${text}\n${answer.body}`), key.keys).includes(undefined), false)
  })

  test('of two histories one is cosigned, whichever way the other comes, and both are kept', async () => {
    const { log, add, store } = await start()
    const fork = new LogOfTests(log.origin, log, 10).grow(30, 'other')
    assert.equal(add(await log.request(0, 20)).status, 200)
    assert.deepEqual(add(await fork.request(20, 20)).status, 409)
    assert.equal(add(await fork.request(20, 30)).status, 422)
    assert.equal(add(await fork.request(10, 30)).status, 409)
    assert.equal(add(await fork.request(0, 15)).status, 409)
    assert.equal(store.conflict(log.origin), fork.note(20))
    assert.equal(store.logs()[0]?.hasConflict, true)
    assert.equal(add(await log.request(20, 30)).status, 200)
  })

  test('a clock that goes back does not take the time of cosignatures with it', async () => {
    const { key, log, add, clock } = await start()
    const timeOf = ({ body: lines }: WitnessAnswer, size: number) =>
      timesOf(parseNote(log.note(size) + lines), key.keys)[0]
    const first = clock.now
    assert.equal(timeOf(add(await log.request(0, 3)), 3), first)
    clock.now -= 100_000
    assert.equal(timeOf(add(await log.request(3, 4)), 4), first)
    clock.now += 200_000
    assert.equal(timeOf(add(await log.request(4, 5)), 5), first + 100_000)
  })

  test('whatever the body: 400, or a refusal, and nothing changes', async () => {
    const { log, add, store } = await start()
    assert.equal(add(await log.request(0, 5)).status, 200)
    const good = Buffer.from(await log.request(5, 9))
    const change = fc.record({ at: fc.nat(good.length - 1), bit: fc.nat(7) })
    fc.assert(
      fc.property(change, ({ at, bit }) => {
        const bad = Buffer.from(good)
        bad[at] = (bad[at] ?? 0) ^ (1 << bit)
        assert.notEqual(add(bad).status, 200)
      }),
      { numRuns: 500 },
    )
    fc.assert(
      fc.property(
        fc.nat(good.length - 1),
        (length) => add(good.subarray(0, length)).status === 400,
      ),
    )
    fc.assert(
      fc.property(
        fc.uint8Array({ maxLength: 4_096 }),
        (bytes) => add(Buffer.from(bytes)).status === 400,
      ),
    )
    const line = fc.constantFrom(
      'old 5',
      'old 05',
      'old -1',
      'old 5 ',
      'old 9007199254740993',
      '',
      'AAAA',
      ...good.toString().split('\n'),
    )
    fc.assert(
      fc.property(
        fc.array(line, { maxLength: 90 }),
        (lines) => add(lines.join('\n')).status !== 200,
      ),
    )
    assert.equal(
      add(body(5, Array(64).fill(Buffer.alloc(32).toString('base64')), log.note(9))).status,
      400,
    )
    assert.equal(store.cosigned(log.origin)?.size, 5)
    assert.equal(add(good).status, 200)
  })

  test('what it keeps is its own or it stops; keys that others can read are refused', async () => {
    const { folder, log, add, store, key } = await start()
    add(await log.request(0, 5))
    await assert.rejects(WitnessKey.make(folder, 'x y'), { code: 'WITNESS_ARGUMENT' })
    await assert.rejects(WitnessKey.make(folder, 'other'), { code: 'WITNESS_EXISTS' })
    assert.deepEqual(
      (await WitnessKey.read(folder)).keys.map(encodeVerifierKey),
      key.keys.map(encodeVerifierKey),
    )
    using database = new DatabaseSync(path.join(folder, 'witness.db'))
    database.exec(
      "UPDATE cosigned SET note = replace(note, char(10) || '5' || char(10), char(10) || '3' || char(10))",
    )
    assert.throws(() => store.cosigned(log.origin), { code: 'WITNESS_DAMAGED' })
    const file = path.join(folder, 'witness.key')
    await chmod(file, 0o640)
    await assert.rejects(WitnessKey.read(folder), { code: 'WITNESS_UNSAFE' })
    await chmod(file, 0o600)
    await writeFile(file, (await readFile(file, 'utf8')).slice(0, 200))
    await assert.rejects(WitnessKey.read(folder), { code: 'WITNESS_DAMAGED' })
    await assert.rejects(WitnessKey.read(newFolder()), { code: 'WITNESS_MISSING' })
  })
})

/** What a public log and public witnesses published on 2026-05-23, with the keys that they publish. */
test('cosignatures of public witnesses are what this library takes them for', () => {
  const lines = [
    'arche2025h1.staging.ct.transparency.dev',
    '1432088532',
    'U7WM79jrzyhGZ5/GUBTpM7NzwdyfFx61t3RovgcC4Ro=',
    '',
    '— transparency.dev/DEV:witness-little-garden 2AQqhwAAAABqEiEgzgFIqqhbUoDwjMWE6UP8nd8/KYTzwZ2rhIgcqoXHAwVkjZr4AscylP3v7sEodkRAErumC2q44vdgJY096st5BQ==',
    '— witness1.smartit.nu/witness1 pIyCDwAAAABqEiEghIp82KWebrw7/oHQwlTAm3g2RKS4+eebl8eO0WH+/iEcxZ75W3u5hNI7TOQtmJbqmNWVuE0tgh0XwzdZsDsUAQ==',
    '— remora.n621.de 2net5wAAAABqEiEgPlfF3V06o0Y+fHM+J5J9s27wgxxcOVSpZ/2g/KSiXCg9DEZI+aVCIobWX9sXTynk5XeU/zZ0WBxtqB0DrAWfBw==',
    '— witness.stagemole.eu Z/euoAAAAABqEiEgw0i+7g2ENfDAWHmtRzCfKTHSDwYDJA2NmKeGi9Y8FtEyOUvVr+AJmIY/2TUFucgKi7lI7cUiOvKFYe/TmN9DAg==',
    '',
  ]
  const vkeys = [
    'transparency.dev/DEV:witness-little-garden+d8042a87+BCtusOxINQNUTN5Oj8HObRkh2yHf/MwYaGX4CPdiVEPM',
    'witness1.smartit.nu/witness1+a48c820f+BPSFWg9G6KPiO7QPryYO5Xq4oYJJ+kAvLKLSimDhoxMO',
    'remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2',
    'witness.stagemole.eu+67f7aea0+BEqSG3yu9YrmcM3BHvQYTxwFj3uSWakQepafafpUqklv',
  ]
  const note = parseNote(lines.join('\n'))
  const time = 0x6a122120
  assert.deepEqual(timesOf(note, vkeys.map(parseVerifierKey)), [time, time, time, time])
  const other = { ...note, text: note.text.replace('8532', '8533') }
  for (const vkey of vkeys)
    assert.throws(() => cosignedAt(parseVerifierKey(vkey), other), { code: 'RECORD_INVALID' })
})
