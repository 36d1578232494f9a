/** What a record makes of its witnesses: those that work, and those that answer with all that they should not. */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { parseWitnessPlace } from '../../src/host/witnesses/client.ts'
import { Witness, type WitnessedLog } from '../../src/host/witnesses/witness.ts'
import { Witnesses } from '../../src/host/witnesses/witnesses.ts'
import { parseCheckpointText } from '../../src/hsm/contract/checkpoint.ts'
import { cosignedAt, encodeVerifierKey } from '../../src/hsm/contract/cosignature.ts'
import { parseNote } from '../../src/hsm/contract/signed-note.ts'
import { addCheckpoint } from '../../src/witness/add-checkpoint.ts'
import { LogOfTests } from '../../src/witness/witness.testing.ts'
import { type Answer, Outside } from './outside.ts'

const folders: string[] = []
after(() => {
  for (const folder of folders) rmSync(folder, { recursive: true })
})

function newFolder(): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-witnesses-'))
  folders.push(folder)
  return folder
}

const origin = 'keyhold/d/m'

function witnessed(log: LogOfTests, size: () => number): WitnessedLog {
  return {
    ...{ origin, subtree: log.subtree },
    get size() {
      return size()
    },
    get head() {
      return log.note(size())
    },
  }
}

const now = () => Date.now()

suite('witnesses of a record', () => {
  test('each cosigns the newest head; the checkpoint carries all of them, also after a restart', async () => {
    const log = new LogOfTests(origin).grow(200)
    let size = 3
    await using one = await Outside.start(newFolder(), [log.key], 'witness.example/one')
    await using other = await Outside.start(newFolder(), [log.key], 'witness.example/other')
    const places = [one.place(0), one.place(1), other.place(1)]
    const options = {
      folder: newFolder(),
      places,
      log: witnessed(log, () => size),
      now,
      everyMs: 20,
    }
    const checkpoints: string[] = []
    {
      await using witnesses = await Witnesses.open(options)
      for (size of [3, 4, 64, 65, 200]) await until(() => checkpointSize(witnesses) === size)
      await until(() => witnesses.checkpoint()?.split('\n\n')[1]?.split('\n').length === 5)
      checkpoints.push(witnesses.checkpoint() ?? '')
      assert.deepEqual(
        witnesses.status().map(({ size: at, error }) => [at, error]),
        [
          [200, undefined],
          [200, undefined],
          [200, undefined],
        ],
      )
    }
    const note = parseNote(checkpoints[0] ?? '')
    const times = [...one.key.keys, ...other.key.keys].map((key) => cosignedAt(key, note))
    assert.deepEqual(
      times.map((time) => time !== undefined),
      [true, true, false, true],
    )
    assert.equal(note.text, log.text(200))
    const asked = one.asked
    await using again = await Witnesses.open(options)
    await until(() => again.checkpoint() === checkpoints[0])
    await delay(100)
    assert.equal(one.asked, asked, 'what was cosigned is not brought again')
    assert.deepEqual(await again.sensor().look(), [])
  })

  test('a witness that knows another size is proved to from that; what it answered before a crash is no conflict', async () => {
    const log = new LogOfTests(origin).grow(80)
    await using outside = await Outside.start(newFolder(), [log.key])
    for (const [old, at] of [
      [0, 5],
      [5, 60],
    ] as const) {
      const body = Buffer.from(await log.request(old, at))
      assert.equal(
        addCheckpoint(body, { key: outside.key, store: outside.store, now: () => 1 }).status,
        200,
      )
    }
    using witness = await Witness.open(newFolder(), outside.place(), {
      log: witnessed(log, () => 60),
      now,
    })
    assert(await witness.bring(log.note(60)))
    assert.equal(outside.asked, 2)
    assert(await witness.bring(log.note(80)))
    assert.equal(outside.asked, 3)
  })

  test('one that is gone costs nothing but its cosignature, and comes back', async () => {
    const log = new LogOfTests(origin).grow(9)
    await using outside = await Outside.start(newFolder(), [log.key])
    await using well = await Outside.start(newFolder(), [log.key], 'witness.example/well')
    outside.answer = (_, response) => response.destroy()
    const places = [outside.place(), well.place()]
    const options = { folder: newFolder(), places, log: witnessed(log, () => 9), now, everyMs: 10 }
    await using witnesses = await Witnesses.open(options)
    await until(() => witnesses.status()[0]?.error?.code === 'WITNESS_UNREACHABLE')
    await until(() => checkpointSize(witnesses) === 9)
    const before = outside.asked
    await delay(300)
    assert(outside.asked - before < 8, 'asked less and less often')
    outside.answer = undefined
    await until(() => witnesses.status()[0]?.size === 9)
    assert.equal(witnesses.status()[0]?.error, undefined)
  })

  const stranger = new LogOfTests('log.example/other').grow(9)
  const rounds: number[] = []
  const wrong: readonly (readonly [what: string, code: string, answer: Answer])[] = [
    [
      'a cosignature over another tree',
      'WITNESS_ANSWER_INVALID',
      (good, response) => {
        const { body } = good()
        response.end(body.replace(/(.{30})....$/m, '$1AAAA'))
      },
    ],
    [
      'a cosignature by another key',
      'WITNESS_ANSWER_INVALID',
      (_, response) => response.end(`${stranger.note(3).split('\n\n')[1]}`),
    ],
    ['nothing', 'WITNESS_ANSWER_INVALID', (_, response) => response.end()],
    ['garbage', 'WITNESS_ANSWER_INVALID', (_, response) => response.end(Buffer.alloc(5_000, 0xff))],
    [
      'too many lines',
      'WITNESS_ANSWER_INVALID',
      (good, response) => response.end(good().body.repeat(20)),
    ],
    [
      'an endless body',
      'WITNESS_ANSWER_INVALID',
      (_, response) => {
        const timer = setInterval(() => response.write(Buffer.alloc(16_384, 'a')), 1)
        response.on('close', () => clearInterval(timer)).on('error', () => undefined)
      },
    ],
    [
      'a conflict without a size',
      'WITNESS_ANSWER_INVALID',
      (_, response) => response.writeHead(409).end('soon\n'),
    ],
    [
      'a size that is none',
      'WITNESS_ANSWER_INVALID',
      (_, response) => response.writeHead(409).end('99999999999999999\n'),
    ],
    [
      'another size each time',
      'WITNESS_ANSWER_INVALID',
      (_, response) => response.writeHead(409).end(`${rounds.push(0)}\n`),
    ],
    ['silence', 'WITNESS_UNREACHABLE', () => undefined],
    [
      'one byte a moment',
      'WITNESS_UNREACHABLE',
      (_, response) => {
        const timer = setInterval(() => response.write('a'), 50)
        response.on('close', () => clearInterval(timer)).on('error', () => undefined)
      },
    ],
    [
      'a redirection',
      'WITNESS_REFUSED',
      (_, response) => response.writeHead(307, { location: 'http://127.0.0.1:1/' }).end(),
    ],
    ['an error of its own', 'WITNESS_REFUSED', (_, response) => response.writeHead(500).end()],
  ]
  for (const [what, code, answer] of wrong) {
    test(`an answer of ${what} is ${code}, and is over soon`, async () => {
      const log = new LogOfTests(origin).grow(9)
      await using outside = await Outside.start(newFolder(), [log.key])
      outside.answer = answer
      const options = { log: witnessed(log, () => 9), now, answerMs: 300 }
      using witness = await Witness.open(newFolder(), outside.place(), options)
      const start = performance.now()
      assert.equal(await witness.bring(log.note(9)), false)
      assert(performance.now() - start < 2_000)
      assert.equal(witness.status.error?.code, code)
      assert.equal(witness.cosigned, undefined)
    })
  }

  test('a log that it does not know is refused; one that forgot is believed no more', async () => {
    const log = new LogOfTests(origin).grow(20)
    await using outside = await Outside.start(newFolder(), [stranger.key])
    using witness = await Witness.open(newFolder(), outside.place(), {
      log: witnessed(log, () => 20),
      now,
    })
    assert.equal(await witness.bring(log.note(9)), false)
    assert.equal(witness.status.error?.code, 'WITNESS_REFUSED')
    outside.store.addLog(log.key)
    assert(await witness.bring(log.note(9)))
    outside.answer = (_, response) => response.writeHead(409).end('4\n')
    assert.equal(await witness.bring(log.note(20)), false)
    assert.equal(witness.status.error?.code, 'WITNESS_FORGOT')
    assert.equal(witness.status.size, 9)
  })

  test('a record that was put back, or forked, is told by a sensor', async () => {
    const log = new LogOfTests(origin).grow(40)
    const fork = new LogOfTests(origin, log, 10).grow(40, 'other')
    await using outside = await Outside.start(newFolder(), [log.key])
    const folder = newFolder()
    using witness = await Witness.open(folder, outside.place(), {
      log: witnessed(log, () => 30),
      now,
    })
    assert(await witness.bring(log.note(30)))
    const findings = async (of: LogOfTests, size: number, at: string) => {
      const options = {
        folder: at,
        places: [outside.place()],
        log: witnessed(of, () => size),
        now,
        everyMs: 10,
      }
      await using witnesses = await Witnesses.open(options)
      await until(() => witnesses.status()[0]?.error !== undefined)
      const found = await witnesses.sensor().look()
      return found.map(({ signal, about }) => `${signal} ${about}`)
    }
    // By what the witness says, and by what it signed and is kept here, without asking it.
    for (const at of [newFolder(), folder]) {
      const [back, forked] = [
        `state-back witness.example/w RECORD_BACK`,
        `record-broken witness.example/w RECORD_FORKED`,
      ]
      assert.deepEqual(await findings(log, 29, at), [back])
      assert.deepEqual(await findings(fork, 30, at), [forked])
      assert.deepEqual(await findings(fork, 40, at), [forked])
    }
  })

  test('a clock that is far ahead is told, and the cosignature taken', async () => {
    const log = new LogOfTests(origin).grow(9)
    await using outside = await Outside.start(newFolder(), [log.key])
    outside.now += 4_000
    using witness = await Witness.open(newFolder(), outside.place(), {
      log: witnessed(log, () => 9),
      now,
    })
    assert(await witness.bring(log.note(9)))
    assert.equal(witness.status.error?.code, 'WITNESS_CLOCK')
    assert.equal(witness.status.size, 9)
  })

  test('what is kept of a witness is what it signed, or as if nothing were kept', async () => {
    const log = new LogOfTests(origin).grow(9)
    await using outside = await Outside.start(newFolder(), [log.key])
    const folder = newFolder()
    const options = { log: witnessed(log, () => 9), now }
    using witness = await Witness.open(folder, outside.place(), options)
    assert(await witness.bring(log.note(9)))
    const [name = ''] = readdirSync(folder)
    const file = path.join(folder, name)
    const whole = readFileSync(file)
    for (let at = 0; at < whole.length; at += 7) {
      const bad = Buffer.from(whole)
      bad[at] = (bad[at] ?? 0) ^ 4
      writeFileSync(file, bad)
      using again = await Witness.open(folder, outside.place(), options)
      const { cosigned } = again
      assert(cosigned === undefined || cosigned.note.text === log.text(9))
    }
  })

  test('configured by key and address; HTTP without TLS on this machine alone', async () => {
    const log = new LogOfTests(origin)
    await using outside = await Outside.start(newFolder(), [log.key])
    for (const key of outside.key.keys) {
      const vkey = encodeVerifierKey(key)
      for (const url of [
        'https://w.example/prefix',
        'http://127.0.0.1:8444',
        'http://localhost:1',
        'http://[::1]:1',
      ]) {
        assert.deepEqual(parseWitnessPlace(`${vkey}=${url}/`), { key, url })
      }
      for (const url of [
        'http://w.example',
        'https://a@w.example',
        'https://w.example?a',
        'ftp://w.example',
        '',
      ]) {
        assert.equal(parseWitnessPlace(`${vkey}=${url}`), undefined, url)
      }
    }
    assert.equal(parseWitnessPlace(`${encodeVerifierKey(log.key)}=https://w.example`), undefined)
  })
})

function checkpointSize(witnesses: Witnesses): number | undefined {
  const text = witnesses.checkpoint()
  return text === undefined ? undefined : parseCheckpointText(parseNote(text).text).size
}

async function until(condition: () => boolean): Promise<void> {
  const end = performance.now() + 10_000
  while (!condition()) {
    assert(performance.now() < end, 'in time')
    await delay(5)
  }
}
