/** Freshness by a witness, with one that does what c2sp.org/tlog-witness says: it signs what extends what it saw. */

import assert from 'node:assert/strict'
import { createHash, generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import type { Ask } from './door.testing.ts'
import { CounterOfTests } from './freshness.testing.ts'
import { KeptModule } from './kept.testing.ts'

/** It has no proofs: what it saw last is to be the beginning of what it is shown, leaf by leaf. */
class WitnessOfTests {
  /** Its verifier key. */
  readonly pin: string
  readonly #name = 'witness.example/w'
  readonly #type: 'ed25519' | 'ml-dsa-44'
  readonly #privateKey: KeyObject
  readonly #seen = new Map<string, readonly string[]>()

  constructor(type: 'ed25519' | 'ml-dsa-44' = 'ed25519') {
    const { publicKey, privateKey } =
      type === 'ed25519' ? generateKeyPairSync('ed25519') : generateKeyPairSync('ml-dsa-44')
    this.#privateKey = privateKey
    const material = Buffer.concat([
      Buffer.from([type === 'ed25519' ? 4 : 6]),
      publicKey.export({ format: 'raw-public' }),
    ])
    const id = createHash('sha256').update(`${this.#name}\n`).update(material).digest('hex')
    this.#type = type
    this.pin = `${this.#name}+${id.slice(0, 8)}+${material.toString('base64')}`
  }

  /** @param leaves hashes in hex, of all of the tree */
  cosign(note: string, leaves: readonly string[]): Buffer {
    const [origin = '', size = '', root = ''] = note.split('\n')
    assert.equal(Number(size), leaves.length)
    const before = this.#seen.get(origin) ?? []
    assert.deepEqual(leaves.slice(0, before.length), before, 'it does not extend what was seen')
    this.#seen.set(origin, leaves)
    return this.sign({ origin, size, root })
  }

  sign({ origin, size, root }: { origin: string; size: string; root: string }): Buffer {
    const time = Buffer.alloc(8)
    time.writeUInt32BE(1_800_000_000, 4)
    const number = Buffer.alloc(16)
    number.writeBigUInt64BE(BigInt(size), 8)
    const message =
      this.#type === 'ed25519'
        ? Buffer.from(`cosignature/v1\ntime 1800000000\n${origin}\n${size}\n${root}\n`)
        : Buffer.concat([
            ...[Buffer.from('subtree/v1\n\0'), Buffer.from([17]), Buffer.from(this.#name), time],
            ...[
              Buffer.from([origin.length]),
              Buffer.from(origin),
              number,
              Buffer.from(root, 'base64'),
            ],
          ])
    return Buffer.concat([time, sign(null, message, this.#privateKey)])
  }
}

/** What a host does with it. The log of starts is remembered here, as far as one state after the other showed it. */
class Bench {
  readonly witness: WitnessOfTests
  starts: readonly string[] = []

  constructor(type?: 'ed25519' | 'ml-dsa-44') {
    this.witness = new WitnessOfTests(type)
  }

  async sign(module: KeptModule, pin = false) {
    const { result, parts } = await module.ok({
      command: 'signStart',
      arguments: pin ? { pin } : {},
    })
    const [starts = '', record = ''] = [parts.starts, parts.note].map((note) => String(note))
    const size = Number(result?.size)
    const bits = size.toString(2).replaceAll('0', '').length
    const hashes =
      Buffer.from(parts.hashes ?? '')
        .toString('hex')
        .match(/.{64}/g) ?? []
    this.starts = [...this.starts.slice(0, size), ...hashes.slice(bits)]
    return { starts, record }
  }

  async confirm(module: KeptModule, pin = false) {
    const { starts, record } = await this.sign(module, pin)
    const recordSize = Number(record.split('\n')[1])
    const parts = {
      starts: this.witness.cosign(starts, this.starts),
      record: this.witness.cosign(record, module.leafHashes.slice(0, recordSize)),
    }
    return module.refusal(confirmation(parts, pin ? this.witness.pin : undefined))
  }
}

function confirmation(parts: NonNullable<Ask['parts']>, pin?: WitnessOfTests['pin']): Ask {
  return { command: 'confirmWitness', arguments: pin ? { pin } : {}, parts }
}

async function stateOf(module: KeptModule) {
  const { result } = await module.ok({ command: 'getStatus' })
  return [result?.state, result?.freshness]
}

const use = { command: 'random', arguments: { lengthBytes: 1 } }

suite('freshness by a witness', () => {
  for (const type of ['ed25519', 'ml-dsa-44'] as const) {
    test(`pinned (${type}), it confirms each start before anything is served`, async () => {
      let module = await KeptModule.founded()
      const bench = new Bench(type)
      assert.deepEqual(await stateOf(module), ['operational', 'none'])
      assert.equal(await module.refusal({ command: 'signStart' }), 'ARGUMENT_INVALID')
      assert.equal(await bench.confirm(module, true), undefined)
      assert.deepEqual(await stateOf(module), ['operational', 'witness'])
      for (let start = 0; start < 4; start += 1) {
        module = await module.restarted()
        assert.deepEqual(await stateOf(module), ['tampered', 'unconfirmed'])
        assert.equal(await module.refusal(use), 'MODULE_TAMPERED')
        assert.equal(await bench.confirm(module), undefined)
        assert.deepEqual(await stateOf(module), ['operational', 'witness'])
      }
      assert.equal(bench.starts.length, 5)
    })
  }

  test('invariant 7: an older state is not cosigned, alone or beside the newest record', async () => {
    const module = await KeptModule.founded()
    const bench = new Bench()
    await bench.confirm(module, true)
    const older = module.disk
    const later = await module.restarted()
    await bench.confirm(later)
    await later.ok(use)
    const { groups, heads } = later.disk
    const { starts } = bench
    for (const disk of [older, { ...older, groups, heads }]) {
      const back = await KeptModule.unlocked(disk)
      await assert.rejects(bench.confirm(back), /does not extend/)
      assert.deepEqual(await stateOf(back), ['tampered', 'unconfirmed'])
      const { result } = await back.ok({ command: 'getStatus' })
      assert.match(String(result?.reason), /^freshness: the witness/)
    }
    bench.starts = starts
    assert.equal(await bench.confirm(await later.restarted()), undefined)
  })

  test('a record that was cut or forked is not cosigned, with the newest state', async () => {
    const module = await KeptModule.founded()
    const bench = new Bench()
    await bench.confirm(module, true)
    const { disk } = module
    await module.ok(use)
    const { record } = await bench.sign(module)
    bench.witness.cosign(record, module.leafHashes.slice(0, Number(record.split('\n')[1])))
    const cut = await KeptModule.unlocked({
      ...module.disk,
      groups: disk.groups,
      heads: disk.heads,
    })
    await assert.rejects(bench.confirm(cut), /does not extend/)
    assert.deepEqual(await stateOf(cut), ['tampered', 'unconfirmed'])
  })

  test('of two that are started from one state, one is confirmed', async () => {
    const module = await KeptModule.founded()
    const bench = new Bench()
    await bench.confirm(module, true)
    const [one, other] = [await module.restarted(), await module.restarted()]
    assert.equal(await bench.confirm(one), undefined)
    await assert.rejects(bench.confirm(other), /does not extend/)
  })

  test('cosignatures of other heads, of earlier starts, of other witnesses and of nothing are refused', async () => {
    const module = await KeptModule.founded()
    const bench = new Bench()
    await bench.confirm(module, true)
    const before = await bench.sign(module)
    const by = (witness: WitnessOfTests, starts: string, record: string) => ({
      starts: witness.sign(headOf(starts)),
      record: witness.sign(headOf(record)),
    })
    const next = await module.restarted()
    const stale = by(bench.witness, before.starts, before.record)
    assert.equal(await next.refusal(confirmation(stale)), 'ARGUMENT_INVALID', 'nothing was asked')
    const { starts, record } = await bench.sign(next)
    const good = by(bench.witness, starts, record)
    const foreign = by(new WitnessOfTests(), starts, record)
    const bad = [
      stale,
      foreign,
      by(bench.witness, record, starts),
      { ...good, starts: stale.starts },
      { ...good, record: stale.record },
      { ...good, record: foreign.record },
      { ...good, record: good.record.subarray(8) },
      { ...good, record: Buffer.alloc(0) },
      ...Array.from({ length: 72 }, (_, at) => {
        const flipped = Buffer.from(good.starts)
        flipped[at] = (flipped[at] ?? 0) ^ 1
        return { ...good, starts: flipped }
      }),
    ]
    for (const parts of bad)
      assert.equal(await next.refusal(confirmation(parts)), 'ARGUMENT_INVALID')
    assert.deepEqual(await stateOf(next), ['tampered', 'unconfirmed'])
    await next.ok(confirmation(good))
    assert.deepEqual(await stateOf(next), ['operational', 'witness'])
    assert.equal(await next.refusal(confirmation(good)), 'ARGUMENT_INVALID', 'good once')
  })

  test('starts that the witness never confirmed do no harm; nor does a crash behind its word', async () => {
    let module = await KeptModule.founded()
    const bench = new Bench()
    await bench.confirm(module, true)
    for (let crash = 0; crash < 5; crash += 1) {
      module = await module.restarted()
      const { starts } = await bench.sign(module)
      if (crash % 2 === 0) bench.witness.cosign(starts, bench.starts)
    }
    module = await module.restarted()
    assert.equal(await bench.confirm(module), undefined)
    assert.equal(bench.starts.length, 7)
  })

  test('an officer acknowledges that the witness is gone, for this start; another one takes its place', async () => {
    let module = await KeptModule.founded()
    await new Bench().confirm(module, true)
    module = await module.restarted()
    await module.ok({ command: 'acknowledgeTamper' })
    assert.deepEqual(await stateOf(module), ['operational', 'none'])
    module = await module.restarted()
    assert.deepEqual(await stateOf(module), ['tampered', 'unconfirmed'])
    const counter = new CounterOfTests(7)
    assert.equal(await pinCounter(module, counter), undefined)
    assert.deepEqual(await stateOf(module), ['operational', 'tpm counter'])
    const again = new Bench()
    const { starts, record } = await again.sign(module, true)
    const parts = {
      starts: again.witness.sign(headOf(starts)),
      record: again.witness.sign(headOf(record)),
    }
    await module.ok(confirmation(parts, again.witness.pin))
    assert.deepEqual(await stateOf(await module.restarted()), ['tampered', 'unconfirmed'])
    assert.deepEqual(await stateOf(module), ['operational', 'witness'])
  })

  test('what is to be pinned is a key', async () => {
    const module = await KeptModule.founded()
    const { pin } = new WitnessOfTests()
    const parts = { starts: Buffer.alloc(72), record: Buffer.alloc(72) }
    const log = 'PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW'
    for (const wrong of [
      '',
      log,
      `${pin}A`,
      pin.replace('+', '++'),
      ` ${pin}`,
      'a'.repeat(4_000),
    ]) {
      assert.equal(await module.refusal(confirmation(parts, wrong)), 'ARGUMENT_INVALID')
    }
  })
})

function headOf(note: string) {
  const [origin = '', size = '', root = ''] = note.split('\n')
  return { origin, size, root }
}

async function pinCounter(module: KeptModule, counter: CounterOfTests) {
  const { result } = await module.ok({
    command: 'getChallenge',
    arguments: { command: 'confirmCounter' },
  })
  const challenge = String(result?.challenge)
  const parts = counter.certify(Buffer.from(challenge, 'hex'))
  return module.refusal({
    command: 'confirmCounter',
    arguments: { challenge, pin: counter.pinned },
    parts,
  })
}
