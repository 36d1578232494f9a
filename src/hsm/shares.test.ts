/**
 * Shares from the module to their custodians and back: any threshold of them gives the root; what was
 * changed, repeated, foreign or too little is refused and changes nothing.
 */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import { flipBit } from '../../tests/hsm/flip-bit.ts'
import {
  encodeCustodianPublicKey,
  makeCustodianKey,
  openCustodianKey,
  parseCustodianPublicKey,
} from './contract/custodian-key.ts'
import {
  checkShare,
  describeShare,
  encodeOfferedShare,
  openShare,
  type ShareKey,
  shareFileBytesMax,
} from './contract/share.ts'
import { XWingPrivateKey } from './contract/x-wing.ts'
import { Secret } from './secret.ts'
import { type CustodianKey, makeShares, OfferedShares } from './shares.ts'

const passphrase = Buffer.from('a passphrase of many words')
const domainId = Buffer.alloc(16, 0xd0)
const root = randomBytes(32)
const privateKeys = [1, 2, 3].map((fill) => new XWingPrivateKey(Buffer.alloc(32, fill)))

function split(threshold: number, custodians: readonly CustodianKey[], epoch = 1) {
  return makeShares(Secret.copyOf(root), { domainId, epoch, threshold }, custodians)
}

function byKeys(): CustodianKey[] {
  return privateKeys.map(({ publicKey }) => ({ kind: 'key', publicKey }))
}

/** How the custodian with this index opens a share of byKeys(). */
function keyOf(index: number): ShareKey {
  const privateKey = privateKeys[index - 1]
  assert(privateKey)
  return { privateKey }
}

function offer(offered: OfferedShares, file: Uint8Array) {
  return offered.add(new Secret(encodeOfferedShare(file, keyOf(describeShare(file).index))))
}

test('two of three, one with a passphrase and one with a key, unlock', async () => {
  const [first, second] = byKeys()
  assert(first && second)
  using secret = Secret.copyOf(passphrase)
  const { files, checks, shareSet } = await split(2, [
    first,
    { kind: 'passphrase', passphrase: secret },
    second,
  ])
  const [one, two] = files
  assert(one && two)
  const description = checkShare(two, { passphrase })
  assert.partialDeepStrictEqual(description, { domainId, shareSet, check: checks[1] })
  const { epoch, index, threshold, count, protection } = description
  assert.deepEqual([epoch, index, threshold, count, protection], [1, 2, 2, 3, 'passphrase'])
  using offered = new OfferedShares()
  const once = offered.add(new Secret(encodeOfferedShare(two, { passphrase })))
  assert.deepEqual([once.offered, once.isComplete], [1, false])
  const { place, isComplete } = offer(offered, one)
  assert(isComplete)
  using rebuilt = await offered.takeRoot(place)
  rebuilt.expose((bytes) => assert.deepEqual(Buffer.from(bytes), root))
})

suite('refused with SHARE_INVALID', () => {
  const invalid = { code: 'SHARE_INVALID' }

  test('one flipped bit anywhere, and any other length', async () => {
    using secret = Secret.copyOf(passphrase)
    const { files } = await split(2, [...byKeys(), { kind: 'passphrase', passphrase: secret }])
    const [sealed] = files
    assert(sealed)
    const key = keyOf(1)
    fc.assert(
      fc.property(fc.nat(sealed.length * 8 - 1), (bit) => {
        assert.throws(() => openShare(flipBit(sealed, bit), key), invalid)
      }),
      { numRuns: 1_000 },
    )
    fc.assert(
      fc.property(fc.nat(sealed.length - 1), (length) => {
        assert.throws(() => openShare(sealed.subarray(0, length), key), invalid)
        assert.throws(() => describeShare(sealed.subarray(0, length)), invalid)
      }),
    )
    assert.throws(() => openShare(Buffer.concat([sealed, Buffer.alloc(1)]), key), invalid)
    const stretched = files.at(-1)
    assert(stretched)
    for (let byte = 0; byte < stretched.length; byte += process.env.KEYHOLD_LONG ? 1 : 9) {
      const changed = flipBit(stretched, byte * 8 + (byte % 8))
      assert.throws(() => openShare(changed, { passphrase }), invalid)
    }
  })

  test('another custodian, another passphrase, the wrong kind of key', async () => {
    using secret = Secret.copyOf(passphrase)
    const { files } = await split(2, [...byKeys(), { kind: 'passphrase', passphrase: secret }])
    const [sealed, , , stretched] = files
    assert(sealed && stretched)
    assert.throws(() => openShare(sealed, keyOf(2)), invalid)
    assert.throws(() => openShare(sealed, { passphrase }), invalid)
    assert.throws(() => openShare(stretched, { passphrase: Buffer.from('another one') }), invalid)
    assert.throws(() => openShare(stretched, keyOf(1)), invalid)
  })

  test('any bytes either describe a share or are refused', () => {
    const bytes = fc.uint8Array({ maxLength: shareFileBytesMax + 8 })
    fc.assert(
      fc.property(bytes, (file) => {
        assert.throws(() => describeShare(file), invalid)
      }),
    )
  })

  test('one share twice, and what was offered before stays', async () => {
    const { files } = await split(2, byKeys())
    const [first, second] = files
    assert(first && second)
    using offered = new OfferedShares()
    offer(offered, first)
    assert.throws(() => offer(offered, first), invalid)
    const changed = flipBit(encodeOfferedShare(second, keyOf(2)), 800)
    assert.throws(() => offered.add(new Secret(changed)), invalid)
    assert.throws(() => offered.add(new Secret(Buffer.alloc(3))), invalid)
    const { place } = offer(offered, second)
    using rebuilt = await offered.takeRoot(place)
    assert.equal(rebuilt.length, 32)
  })

  test('too few; shares of different splittings do not meet', async () => {
    const [one, other] = [await split(2, byKeys()), await split(2, byKeys())]
    using offered = new OfferedShares()
    const { place } = offer(offered, one.files[0] ?? Buffer.alloc(0))
    const second = offer(offered, other.files[1] ?? Buffer.alloc(0))
    assert(!second.isComplete)
    await assert.rejects(offered.takeRoot(place), invalid)
  })

  test('shares of a stranger, however many, do not keep out those of custodians', async () => {
    const { files } = await split(3, byKeys())
    using offered = new OfferedShares()
    const flood = async (count: number) => {
      for (let set = 0; set < count; set += 1) {
        const strange = await split(2, byKeys(), set + 2)
        offer(offered, strange.files[0] ?? Buffer.alloc(0))
      }
    }
    const [first, second, third] = files
    assert(first && second && third)
    await flood(70)
    offer(offered, first)
    offer(offered, second)
    await flood(70)
    assert(offer(offered, third).isComplete)
  })

  test('a share of another domain than the one that waits', async () => {
    const { files } = await split(2, byKeys())
    using offered = new OfferedShares()
    const file = files[0] ?? Buffer.alloc(0)
    const share = () => new Secret(encodeOfferedShare(file, keyOf(1)))
    const { domainId } = describeShare(file)
    assert.throws(() => offered.add(share(), Buffer.alloc(16)), invalid)
    assert.equal(offered.add(share(), domainId).offered, 1)
  })
})

test('too few custodians, a short passphrase, and keys that are none are refused', async () => {
  const [first, second] = byKeys()
  assert(first && second)
  const short = new Secret(Buffer.from('too short'))
  const smallOrder = Buffer.concat([
    first.kind === 'key' ? first.publicKey.subarray(0, 1184) : Buffer.alloc(0),
    Buffer.alloc(32),
  ])
  const unreduced = Buffer.alloc(1216, 0xff)
  const wrong: [number, CustodianKey[]][] = [
    [1, [first]],
    [1, [first, second]],
    [3, [first, second]],
    [2, [first, { kind: 'key', publicKey: Buffer.alloc(32) }]],
    [2, [first, { kind: 'key', publicKey: smallOrder }]],
    [2, [first, { kind: 'key', publicKey: unreduced }]],
    [2, [first, { kind: 'passphrase', passphrase: short }]],
    [2, Array.from({ length: 17 }, () => first)],
  ]
  for (const [threshold, custodians] of wrong) {
    await assert.rejects(split(threshold, custodians), { code: 'ARGUMENT_INVALID' })
  }
})

suite("a custodian's key", () => {
  const { file, publicKey } = makeCustodianKey(passphrase)

  test('opens with its passphrase, and its text is read back', () => {
    assert.deepEqual(openCustodianKey(file, passphrase).publicKey, publicKey)
    const text = encodeCustodianPublicKey(publicKey)
    assert.deepEqual(parseCustodianPublicKey(`  ${text}\n`), publicKey)
  })

  test('one flipped bit, another length, another passphrase', () => {
    const wrong = [file.subarray(1), file.subarray(0, -1), Buffer.alloc(0)]
    for (let byte = 0; byte < file.length; byte += process.env.KEYHOLD_LONG ? 1 : 13) {
      wrong.push(flipBit(file, byte * 8 + (byte % 8)))
    }
    for (const bytes of wrong) {
      assert.throws(() => openCustodianKey(bytes, passphrase), { code: 'CIPHERTEXT_INVALID' })
    }
    const other = Buffer.from('another passphrase')
    assert.throws(() => openCustodianKey(file, other), { code: 'CIPHERTEXT_INVALID' })
  })

  test('one changed letter of the text is refused', () => {
    const text = encodeCustodianPublicKey(publicKey)
    const letters = [...'ABCxyz019-_:']
    fc.assert(
      fc.property(fc.nat(text.length - 1), fc.constantFrom(...letters), (position, letter) => {
        fc.pre(text[position] !== letter)
        const changed = text.slice(0, position) + letter + text.slice(position + 1)
        assert.throws(() => parseCustodianPublicKey(changed), { code: 'ARGUMENT_INVALID' })
      }),
    )
  })
})
