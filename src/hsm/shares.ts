/**
 * The custodians' shares of the domain root key: made at a founding and whenever there is a new root, and
 * put together again when the domain is unlocked by them. Files are those of docs/formats/share.md; what
 * custodians do with theirs is in contract/share.ts. The root is never rebuilt to check a share.
 */

import assert from 'node:assert/strict'
import { timingSafeEqual } from 'node:crypto'
import { HsmError } from './contract/errors.ts'
import { sealSecretBytesMax } from './contract/limits.ts'
import { saltBytes, shareCost } from './contract/passphrase-key.ts'
import {
  checkOfRoot,
  checkOfShare,
  decodeOfferedShare,
  type SharePlace,
  sealShareToKey,
  sealShareUnderKey,
} from './contract/share.ts'
import { transportPublicKeyBytes } from './contract/transport.ts'
import { randomBytes } from './random.ts'
import { argon2idKey, passphraseBytesMin } from './seals.ts'
import { Secret } from './secret.ts'
import { runKnownAnswers } from './self-tests/known-answer.ts'
import { shamirTests } from './self-tests/shamir.ts'
import { combine, isSplitting, split } from './shamir.ts'

const shareSetBytes = 16

/** How a custodian's share is protected; the passphrase stays the caller's. */
export type CustodianKey =
  | { readonly kind: 'key'; readonly publicKey: Uint8Array }
  | { readonly kind: 'passphrase'; readonly passphrase: Secret }

export interface ShareSet {
  /** 16 bytes. */
  readonly shareSet: Buffer
  /** By which a rebuilt root is recognised, 16 bytes. */
  readonly rootCheck: Buffer
  /** In the order of the custodians; the first has index 1. */
  readonly files: readonly Buffer[]
  /** The shares' check values, 16 bytes each, for the transcript. */
  readonly checks: readonly Buffer[]
}

interface SplitDomain {
  readonly domainId: Buffer
  readonly epoch: number
  readonly threshold: number
}

/**
 * Splits the root, which stays the caller's, and protects each share for its custodian.
 * @throws HsmError ARGUMENT_INVALID for a threshold that cannot be, a key that is none, a passphrase that is
 *   too short or too long; MODULE_BUSY while too many other passphrases wait; MODULE_FAILED
 */
export async function makeShares(
  root: Secret,
  { domainId, epoch, threshold }: SplitDomain,
  custodians: readonly CustodianKey[],
): Promise<ShareSet> {
  const count = custodians.length
  for (const custodian of custodians) assertCustodianKey(custodian)
  if (!isSplitting(threshold, count)) {
    throw new HsmError('ARGUMENT_INVALID', 'there are 2 to 16 custodians, and it takes at least 2')
  }
  await testShamirOnce()
  const shareSet = randomBytes(shareSetBytes)
  const rootCheck = root.expose((bytes) => checkOfRoot(bytes, shareSet))
  using shares = new ShareList(split(root, { threshold, shares: count }, randomBytes))
  assertGives(root, shares.list, threshold)
  const files: Buffer[] = []
  const checks: Buffer[] = []
  for (const [position, custodian] of custodians.entries()) {
    const index = position + 1
    const place = { domainId, epoch, shareSet, index, threshold, count, rootCheck }
    const share = shares.at(position)
    checks.push(share.expose((bytes) => checkOfShare(bytes, place)))
    files.push(await protect(share, place, custodian))
  }
  return { shareSet, rootCheck, files, checks }
}

function assertCustodianKey(custodian: CustodianKey): void {
  if (custodian.kind === 'key') {
    if (custodian.publicKey.length === transportPublicKeyBytes) return
    throw new HsmError('ARGUMENT_INVALID', "this is no custodian's public key")
  }
  const { length } = custodian.passphrase
  if (length < passphraseBytesMin || length > sealSecretBytesMax) {
    const range = `${passphraseBytesMin} to ${sealSecretBytesMax}`
    throw new HsmError('ARGUMENT_INVALID', `a passphrase has ${range} bytes`)
  }
}

/** Shares that are erased together. */
class ShareList implements Disposable {
  readonly list: readonly Secret[]

  constructor(list: readonly Secret[]) {
    this.list = list
  }

  at(position: number): Secret {
    const share = this.list[position]
    assert(share)
    return share
  }

  [Symbol.dispose](): void {
    for (const share of this.list) share[Symbol.dispose]()
  }
}

/** The first shares and the last ones both give the root back, before anybody relies on them. */
function assertGives(root: Secret, shares: readonly Secret[], threshold: number): void {
  const indexed = shares.map((share, position) => ({ index: position + 1, share }))
  for (const some of [indexed.slice(0, threshold), indexed.slice(-threshold)]) {
    using rebuilt = combine(some, threshold)
    assert(root.expose((bytes) => rebuilt.expose((other) => timingSafeEqual(bytes, other))))
  }
}

async function protect(share: Secret, place: SharePlace, custodian: CustodianKey): Promise<Buffer> {
  if (custodian.kind === 'key') {
    const { publicKey } = custodian
    try {
      return share.expose((bytes) => sealShareToKey(bytes, place, publicKey))
    } catch (cause) {
      const message = `the public key of custodian ${place.index} is none`
      throw new HsmError('ARGUMENT_INVALID', message, { cause })
    }
  }
  const salt = randomBytes(saltBytes)
  using key = await argon2idKey(custodian.passphrase, salt, shareCost)
  return share.expose((bytes) =>
    key.expose((keyBytes) => sealShareUnderKey(bytes, place, { key: keyBytes, salt })),
  )
}

/** Splittings of which shares can be offered at a time: of one more, one with the fewest shares makes room. */
const shareSetsMax = 64

interface OfferedSet {
  readonly place: SharePlace
  readonly shares: Map<number, Secret>
}

/** How far a splitting is. */
export interface OfferedShare {
  readonly place: SharePlace
  /** Different shares of it that are there. */
  readonly offered: number
  readonly isComplete: boolean
}

/**
 * The shares that were offered since the module is locked, by the splitting that they are of, each only
 * once; a share that does not fit changes nothing. Whoever holds this erases it.
 */
export class OfferedShares implements Disposable {
  readonly #sets = new Map<string, OfferedSet>()

  /**
   * Takes what a custodian sealed to the module. The bytes stay the caller's.
   * @param domainId of the domain that is to be unlocked, where that is known
   * @throws HsmError SHARE_INVALID when it is not whole, of another domain, or there already
   */
  add(offered: Secret, domainId?: Uint8Array): OfferedShare {
    return offered.expose((bytes) => {
      const { place, share } = decodeOfferedShare(bytes)
      if (domainId && !place.domainId.equals(domainId)) {
        throw new HsmError('SHARE_INVALID', 'a share of another domain')
      }
      const name = setName(place)
      const set = this.#sets.get(name) ?? { place, shares: new Map<number, Secret>() }
      if (set.shares.has(place.index)) {
        throw new HsmError('SHARE_INVALID', 'this share was offered already')
      }
      if (!this.#sets.has(name)) this.#makeRoom()
      set.shares.set(place.index, Secret.copyOf(share))
      this.#sets.set(name, set)
      const count = set.shares.size
      return { place, offered: count, isComplete: count >= place.threshold }
    })
  }

  /** The splitting of this id, in hex, if all shares that it takes are there. @throws HsmError SHARE_INVALID */
  completeSet(shareSet: string): SharePlace {
    for (const { place, shares } of this.#sets.values()) {
      const isIt = place.shareSet.toString('hex') === shareSet
      if (isIt && shares.size >= place.threshold) return place
    }
    throw new HsmError('SHARE_INVALID', 'not enough shares of this splitting were offered')
  }

  /**
   * The root, from a complete set of shares, which are forgotten with it, also when they do not give the
   * root that was split; whoever takes it erases it.
   * @throws HsmError SHARE_INVALID, MODULE_FAILED
   */
  async takeRoot(of: SharePlace): Promise<Secret> {
    await testShamirOnce()
    const set = this.#sets.get(setName(of))
    if (!set) throw new HsmError('SHARE_INVALID', 'no share of this splitting was offered')
    const { threshold, shareSet, rootCheck } = set.place
    const shares = [...set.shares].map(([index, share]) => ({ index, share }))
    const root = combine(shares, threshold)
    this.#forget(set)
    const check = root.expose((bytes) => checkOfRoot(bytes, shareSet))
    if (timingSafeEqual(check, rootCheck)) return root
    root[Symbol.dispose]()
    throw new HsmError('SHARE_INVALID', 'these shares do not give the root that was split')
  }

  /** Anybody can make up a splitting of his own, but not shares of the domain's: those may become more. */
  #makeRoom(): void {
    if (this.#sets.size < shareSetsMax) return
    const sets = [...this.#sets.values()]
    const fewest = Math.min(...sets.map(({ shares }) => shares.size))
    const oldest = sets.find(({ shares }) => shares.size === fewest)
    if (oldest) this.#forget(oldest)
  }

  #forget(set: OfferedSet): void {
    for (const share of set.shares.values()) share[Symbol.dispose]()
    this.#sets.delete(setName(set.place))
  }

  [Symbol.dispose](): void {
    for (const set of [...this.#sets.values()]) this.#forget(set)
  }
}

/** One name for all shares of a splitting: everything in a place but the index. */
function setName({ domainId, epoch, shareSet, threshold, count, rootCheck }: SharePlace): string {
  const ids = [domainId, shareSet, rootCheck].map((bytes) => bytes.toString('hex'))
  return [...ids, epoch, threshold, count].join(' ')
}

let shamirTested = false

async function testShamirOnce(): Promise<void> {
  if (!shamirTested) await runKnownAnswers(shamirTests)
  shamirTested = true
}
