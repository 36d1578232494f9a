/**
 * Limits on the number of uses, through the door and over restarts: a module that ends at any moment, as far
 * as its host had come to keep what was answered, never lets more uses happen than the key permits.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { HsmError } from './contract/errors.ts'
import { type Ask, template } from './door.testing.ts'
import { KeptModule, type MadeKey, withKey } from './kept.testing.ts'
import { unwrap, wrap } from './keys/wrapped.ts'
import { usesPerBlock } from './use-counts.ts'

const data = Buffer.from('data')
const hmac = template('generic-secret', ['HMAC-SHA-256'], ['mac', 'verifyMac'])
const mac = (made: MadeKey): Ask => withKey('mac', made, { data })

async function limited(kept: KeptModule, usesMax: number): Promise<MadeKey> {
  return kept.generate({ ...hmac, usesMax })
}

/** How often it goes well until it is refused, at most so often. */
async function use(kept: KeptModule, made: MadeKey, times: number): Promise<number> {
  for (let count = 0; count < times; count += 1) {
    const code = await kept.refusal(mac(made))
    if (code === undefined) continue
    assert.equal(code, 'USES_EXHAUSTED')
    return count
  }
  return times
}

suite('keys with a limited number of uses', () => {
  test('are used so often and no more; making them, loading and changing them is no use', async () => {
    const kept = await KeptModule.founded()
    const made = await limited(kept, usesPerBlock + 3)
    await kept.ok(withKey('loadKey', made, {}))
    assert.equal(await use(kept, made, 1_000), usesPerBlock + 3)
    const verify = withKey('verifyMac', made, { data, mac: Buffer.alloc(32) })
    assert.equal(await kept.refusal(verify), 'USES_EXHAUSTED')
    assert.equal(await use(await kept.restarted(), made, 9), 0)
    assert.equal(kept.disk.changes.length, 2, 'one for each block')
  })

  test('the rest of a block counts as used after a restart', async () => {
    const kept = await KeptModule.founded()
    const made = await limited(kept, 2 * usesPerBlock + 5)
    assert.equal(await use(kept, made, 10), 10)
    const second = await kept.restarted()
    assert.equal(await use(second, made, 1), 1)
    const third = await second.restarted()
    assert.equal(await use(third, made, 1_000), 5)
  })

  test('invariant 4: whenever the module ends, never more uses than the limit', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.integer({ min: 1, max: 150 }),
        fc.array(fc.integer({ min: 0, max: 70 }), { minLength: 1, maxLength: 4 }),
        async (usesMax, lives) => {
          let kept = await KeptModule.founded()
          const made = await limited(kept, usesMax)
          let uses = 0
          for (const life of lives) {
            uses += await use(kept, made, life)
            kept = await kept.restarted()
          }
          uses += await use(kept, made, 1_000)
          assert(uses <= usesMax, `${uses} uses of ${usesMax}`)
          const lost = lives.length * usesPerBlock
          assert(uses >= Math.min(usesMax, usesMax - lost), 'a block is lost for each end')
        },
      ),
      { numRuns: process.env.KEYHOLD_LONG ? 200 : 12 },
    )
  })

  test('a block is sealed with the first answer behind it, also when a slower use began it', async () => {
    const kept = await KeptModule.founded()
    const rsa = template('RSA-2048', ['RSASSA-PSS-SHA-256'], ['sign', 'verify'])
    const made = await kept.generate({ ...rsa, usesMax: 9 })
    await kept.ok(withKey('sign', made, { data }))
    const { changes } = kept.disk
    assert.equal(changes.length, 1)
    const other = await limited(kept, 9)
    const { caller } = kept
    const signing = caller.ask(withKey('sign', made, { data }))
    const first = await caller.ask(mac(other))
    assert.equal(first.changes.length, 1)
    assert.equal((await signing).changes.length, 0)
  })

  test('another member does not count them; a destroyed key leaves no counter', async () => {
    const kept = await KeptModule.founded()
    const made = await limited(kept, 9)
    await kept.ok(mac(made))
    const { domain } = kept.caller.module.open
    const { attributes, material } = unwrap(domain, made.wrapped)
    const away = wrap(domain, { ...attributes, home: '07'.repeat(16) }, material)
    await kept.ok({ command: 'unloadKey', arguments: made.reference })
    const elsewhere = { ...made, wrapped: away }
    assert.equal(await kept.refusal(mac(elsewhere)), 'KEY_USE_NOT_PERMITTED')
    await kept.ok({ command: 'destroyKey', arguments: made.reference })
    const { ledger } = kept.caller.module.open
    assert.equal(ledger.counter(`uses ${made.reference.key}/1`), undefined)
  })

  test('a destruction that is refused forgets no use', async (t) => {
    const kept = await KeptModule.founded()
    const made = await limited(kept, 3)
    await kept.ok(mac(made))
    const full = t.mock.method(kept.caller.module.open.floor, 'raise', () => {
      throw new HsmError('FLOOR_FULL', 'no further entry')
    })
    const destroy = { command: 'destroyKey', arguments: made.reference }
    assert.equal(await kept.refusal(destroy), 'FLOOR_FULL')
    full.mock.restore()
    assert.equal(await use(kept, made, 9), 2)
  })

  test('the count goes on in the next epoch, and over another KEK', async () => {
    const kept = await KeptModule.founded()
    const made = await limited(kept, 3)
    await kept.ok(mac(made))
    await kept.ok({ command: 'rotateKek' })
    const { wrapped } = (await kept.ok(withKey('rewrapKey', made, {}))).parts
    assert(wrapped)
    await kept.ok({ command: 'retireKek' })
    assert.equal(await use(kept, { ...made, wrapped }, 9), 2)
  })
})
