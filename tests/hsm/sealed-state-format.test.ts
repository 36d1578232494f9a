/**
 * docs/formats/sealed-state.json, opened with what the specification says and node:crypto alone, XAES-256-
 * GCM included, and by the code: a change of the format fails here.
 */

import assert from 'node:assert/strict'
import {
  argon2Sync,
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  hkdfSync,
} from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { parseKeyId } from '../../src/hsm/contract/keys.ts'
import { Domain } from '../../src/hsm/domain.ts'
import { foundDomainState, foundingWithoutPeople } from '../../src/hsm/domain-state.ts'
import { Floor } from '../../src/hsm/floor.ts'
import { Ledger } from '../../src/hsm/ledger.ts'
import { openSealedState, SealedState } from '../../src/hsm/sealed-state.ts'
import { openSeal } from '../../src/hsm/seals.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { stateChange } from '../../src/hsm/state-change.ts'

const file = path.join(import.meta.dirname, '../../docs/formats/sealed-state.json')
const vector = JSON.parse(readFileSync(file, 'utf8')) as {
  readonly keyFile: string
  readonly keyFileSeal: string
  readonly passphrase: string
  readonly passphraseSeal: string
  readonly root: string
  readonly domainId: string
  readonly moduleId: string
  readonly identityKey: string
  readonly snapshot: readonly string[]
  readonly changes: readonly string[]
  readonly durableLeaves: number
  readonly lastMicros: number
  readonly floor: readonly { key: string; version: number; lowest: number }[]
}
const hex = (text: string) => Buffer.from(text, 'hex')
const ids = [hex(vector.domainId), hex(vector.moduleId)]
const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest()

function aesBlock(key: Uint8Array, block: Uint8Array): Buffer {
  const cipher = createCipheriv('aes-256-ecb', key, null).setAutoPadding(false)
  return Buffer.concat([cipher.update(block), cipher.final()])
}

/** c2sp.org/XAES-256-GCM: the key for a nonce is derived by CMAC, of which one block is needed. */
function open(key: Uint8Array, aad: Uint8Array, sealed: Buffer): Buffer {
  const l = BigInt(`0x${aesBlock(key, Buffer.alloc(16)).toString('hex')}`)
  const k1 = BigInt.asUintN(128, l << 1n) ^ (l >> 127n === 1n ? 0x87n : 0n)
  const half = (counter: number) => {
    const block = Buffer.concat([Buffer.from([0, counter, 0x58, 0]), sealed.subarray(0, 12)])
    const mixed = (BigInt(`0x${block.toString('hex')}`) ^ k1).toString(16).padStart(32, '0')
    return aesBlock(key, hex(mixed))
  }
  const derived = Buffer.concat([half(1), half(2)])
  const decipher = createDecipheriv('aes-256-gcm', derived, sealed.subarray(12, 24))
  decipher.setAAD(aad)
  decipher.setAuthTag(sealed.subarray(-16))
  return Buffer.concat([decipher.update(sealed.subarray(24, -16)), decipher.final()])
}

function hkdf(key: Uint8Array, salt: Uint8Array, info: Uint8Array): Buffer {
  return Buffer.from(hkdfSync('sha256', key, salt, info, 32))
}

/** Of epoch 1. */
function sealingKey(label: string): Buffer {
  const info = Buffer.concat([Buffer.from(label), Buffer.from('00000001', 'hex')])
  return hkdf(hex(vector.root), hex(vector.domainId), info)
}

suite('docs/formats/sealed-state.json by the text alone', () => {
  const stateKey = hkdf(
    hex(vector.root),
    hex(vector.domainId),
    Buffer.concat([Buffer.from('keyhold sealed state v1'), hex(vector.moduleId)]),
  )
  const [first = Buffer.alloc(0), second = Buffer.alloc(0)] = vector.snapshot.map(hex)
  const position = open(stateKey, first.subarray(0, 53), first.subarray(53))

  test('a key file opens its seal', () => {
    const seal = hex(vector.keyFileSeal)
    const header = seal.subarray(0, 66)
    assert.equal(header.toString('latin1', 0, 4), 'KHSL')
    const info = Buffer.from('keyhold key-file seal v1')
    const key = hkdf(hex(vector.keyFile), header.subarray(34), info)
    assert.equal(open(key, header, seal.subarray(66)).toString('hex'), vector.root)
  })

  test('a passphrase opens its seal', () => {
    const seal = hex(vector.passphraseSeal)
    const header = seal.subarray(0, 66)
    const key = argon2Sync('argon2id', {
      message: Buffer.from(vector.passphrase),
      nonce: header.subarray(34),
      memory: header.readUInt32BE(22),
      passes: header.readUInt32BE(26),
      parallelism: header.readUInt32BE(30),
      tagLength: 32,
    })
    assert.equal(open(key, header, seal.subarray(66)).toString('hex'), vector.root)
  })

  test('the snapshot says how far the record was, and holds the floor', () => {
    assert.equal(position.readBigUInt64BE(0), 0n)
    assert.deepEqual(position.subarray(8, 40), Buffer.alloc(32))
    assert.equal(position.readBigUInt64BE(40), BigInt(vector.durableLeaves))
    assert.equal(position.readBigUInt64BE(48), BigInt(vector.lastMicros))
    assert.equal(position.readUInt32BE(56), 1)
    assert.equal(position.readUInt32BE(60), 1 + 232 + 5 * 32)
    assert.equal(position.readUInt32BE(64), 0)
    assert.equal(position[68], 1, 'a development domain')
    const aad = Buffer.concat([second.subarray(0, 53), sha256(first)])
    assert.equal(floorText(open(stateKey, aad, second.subarray(53))), entryText(0))
  })

  test('the domain in it: KEK, KEK before and backup key open, and the identity key is the one that is named', () => {
    const [kek, before] = [position.subarray(69, 77), position.subarray(221, 229)]
    assert.equal(kek.toString('hex'), '0000000100000002')
    assert.equal(before.toString('hex'), '0000000100000001')
    const wrapping = sealingKey('keyhold key-encryption key v1')
    const context = (name: Buffer) => Buffer.concat([hex(vector.domainId), name])
    assert.equal(open(wrapping, context(kek), position.subarray(77, 149)).length, 32)
    assert.equal(open(wrapping, context(before), position.subarray(229, 301)).length, 32)
    const backup = sealingKey('keyhold backup key v1')
    const epoch = context(position.subarray(69, 73))
    assert.equal(open(backup, epoch, position.subarray(149, 221)).length, 32)
    const identity = createPrivateKey({
      key: position.subarray(365, 397),
      format: 'raw-private',
      asymmetricKeyType: 'ed25519',
    })
    const publicKey = createPublicKey(identity).export({ format: 'raw-public' })
    assert.equal(publicKey.toString('hex'), vector.identityKey)
  })

  test('the domain state stands behind the domain, with a MAC under the root key', () => {
    const ledger = JSON.parse(position.subarray(68 + position.readUInt32BE(60)).toString())
    const { statement, mac } = ledger.domainState
    const info = Buffer.from('keyhold domain state v1')
    const key = hkdf(hex(vector.root), hex(vector.domainId), info)
    assert.equal(createHmac('sha256', key).update(statement).digest('hex'), mac)
    assert.partialDeepStrictEqual(JSON.parse(statement), { domain: vector.domainId, version: 1 })
  })

  test('a change continues the chain', () => {
    const [change = Buffer.alloc(0)] = vector.changes.map(hex)
    const header = change.subarray(0, 29)
    assert.equal(header.toString('latin1', 0, 4), 'KHSC')
    const aad = Buffer.concat([header, ...ids, Buffer.alloc(32)])
    assert.equal(floorChange(open(stateKey, aad, change.subarray(29))), entryText(1))
  })
})

test('docs/formats/sealed-state.json is what the code opens', async () => {
  using keyFile = Secret.copyOf(hex(vector.keyFile))
  const { root, domainId } = await openSeal('key-file', hex(vector.keyFileSeal), keyFile)
  const stored = { snapshot: vector.snapshot.map(hex), changes: vector.changes.map(hex) }
  const { domain, floor, position } = openSealedState(root, domainId, stored)
  using _ = domain
  assert.equal(domain.identityPublicKey.toString('hex'), vector.identityKey)
  assert.equal(position.changes, 1)
  for (const { key, version, lowest } of vector.floor) {
    assert.equal(floor.lowest(parseKeyId(key), version), lowest)
  }
})

test('what the code seals is that of the text: a change, and a snapshot behind it', () => {
  using domain = Domain.found({ development: true })
  const floor = new Floor()
  const founded = foundDomainState(domain, foundingWithoutPeople, { custodians: null, time: 1 })
  const ledger = new Ledger(founded)
  using state = new SealedState({ domain, floor, ledger }, { storedSize: 7, lastMicros: 9 })
  const key = parseKeyId('key_00112233445566778899aabbccddeeff')
  const change = Buffer.from(state.sealChange(stateChange('floor', floor.raise(key, 1, 2))))
  const snapshot = Buffer.from(state.snapshotPiece(0).bytes)
  const info = Buffer.concat([Buffer.from('keyhold sealed state v1'), domain.moduleId])
  const stateKey = domain.root.expose((root) => hkdf(root, domain.domainId, info))
  const header = change.subarray(0, 29)
  assert.equal(header.toString('hex', 4), '02'.padEnd(18, '0') + uint64(7) + uint64(9))
  const aad = Buffer.concat([header, domain.domainId, domain.moduleId, Buffer.alloc(32)])
  assert.equal(floorChange(open(stateKey, aad, change.subarray(29))), `${key} 1 2`)
  const first = open(stateKey, snapshot.subarray(0, 53), snapshot.subarray(53))
  const chain = sha256(Buffer.concat([Buffer.alloc(32), change])).toString('hex')
  assert.equal(first.toString('hex', 0, 60), `${uint64(1)}${chain}${uint64(7)}${uint64(9)}00000001`)
  const pinKey = first.subarray(68 + 1 + 232 + 4 * 32, 68 + first.readUInt32BE(60))
  const stretched = Buffer.from('what Argon2id makes of a PIN')
  assert.deepEqual(
    domain.pinMac(stretched),
    createHmac('sha256', pinKey).update(stretched).digest(),
  )
})

function uint64(value: number): string {
  return value.toString(16).padStart(16, '0')
}

/** A change of kind 1. */
function floorChange(change: Buffer): string {
  assert.equal(change[0], 1)
  return floorText(change.subarray(1))
}

function floorText(entry: Buffer): string {
  assert.equal(entry.length, 24)
  return `key_${entry.toString('hex', 0, 16)} ${entry.readUInt32BE(16)} ${entry.readUInt32BE(20)}`
}

function entryText(index: number): string {
  const entry = vector.floor[index]
  return `${entry?.key} ${entry?.version} ${entry?.lowest}`
}
