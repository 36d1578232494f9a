/** The bounded set of loaded keys: which one goes, and that whatever goes is erased. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { parseKeyId } from '../contract/keys.ts'
import { newKeyId, template } from '../door.testing.ts'
import { attributesOf } from './attributes.ts'
import { type LoadedKey, LoadedKeys } from './loaded.ts'
import { KeyMaterial } from './material.ts'

const mac = template('generic-secret', ['HMAC-SHA-256'], ['mac'])

async function loaded(version = 1, key = parseKeyId(newKeyId())): Promise<LoadedKey> {
  const material = await KeyMaterial.generate('generic-secret', { lengthBytes: 32 })
  const origin = { keyClass: 'secret', provenance: 'generated' } as const
  return { attributes: attributesOf({ key, version }, mac, origin, 0), material }
}

const isErased = ({ material }: LoadedKey): boolean => {
  try {
    return material.keyObject === undefined
  } catch {
    return true
  }
}

suite('loaded keys', () => {
  test('the one that was used longest ago makes room', async () => {
    const keys = new LoadedKeys(2)
    const [first, second, third] = [await loaded(), await loaded(), await loaded()]
    keys.put(first)
    keys.put(second)
    keys.get(first.attributes)
    keys.put(third)
    assert.equal(keys.size, 2)
    assert.deepEqual([first, second, third].map(isErased), [false, true, false])
    assert.throws(() => keys.get(second.attributes), { code: 'KEY_NOT_LOADED' })
  })

  test('versions of a key are loaded beside each other', async () => {
    const keys = new LoadedKeys()
    const first = await loaded(1)
    const second = await loaded(2, first.attributes.key)
    keys.put(first)
    keys.put(second)
    assert.equal(keys.get(first.attributes), first)
    assert.equal(keys.get(second.attributes), second)
  })

  test('a key that is replaced or dropped is erased, the same material in a new revision is not', async () => {
    const keys = new LoadedKeys()
    const first = await loaded()
    keys.put(first)
    keys.put({ ...first, attributes: { ...first.attributes, revision: 2 } })
    assert.equal(isErased(first), false)
    const again = await loaded(1, first.attributes.key)
    keys.put(again)
    assert.deepEqual([isErased(first), isErased(again)], [true, false])
    keys.drop(again.attributes)
    keys.drop(again.attributes)
    assert.equal(isErased(again), true)
    assert.equal(keys.size, 0)
  })

  test('making room gives up an eighth, disposing everything', async () => {
    const keys = new LoadedKeys()
    const all = await Promise.all(Array.from({ length: 16 }, () => loaded()))
    for (const key of all) keys.put(key)
    keys.makeRoom()
    assert.deepEqual(all.map(isErased).indexOf(false), 2)
    keys[Symbol.dispose]()
    assert(all.every(isErased))
  })
})
