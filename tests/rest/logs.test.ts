/**
 * The module's record over HTTP as a tiled log (c2sp.org/tlog-tiles), read by the specification's text: checkpoint,
 * tiles, bundles of entries; receipts; and which leaves an answer says it has.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { type LogKeys, verifyCheckpoint } from '../../src/hsm/contract/checkpoint.ts'
import { decodeLeaf } from '../../src/hsm/contract/leaf.ts'
import { leafHash, MerkleTree } from '../../src/hsm/contract/merkle.ts'
import { verifyProof } from '../../src/tlog/proof.ts'
import { flipBit } from '../hsm/flip-bit.ts'
import { assertProblem, base64, Installation, keysPath, unique } from './people.ts'

const log = '/v1/logs/module'
let there: Installation
let keys: LogKeys
let origin: string

before(async () => {
  there = await Installation.start()
  await there.invite()
  const { body } = await there.server.ok('GET', '/v1/domain/state')
  const { domain, members } = JSON.parse(String(body.statement))
  const [{ module, ed25519, mlDsa65 }] = members
  keys = { ed25519: Buffer.from(ed25519, 'hex'), mlDsa65: Buffer.from(mlDsa65, 'hex') }
  origin = `keyhold/${domain}/${module}`
})
after(() => there[Symbol.asyncDispose]())

/** Leaves that a request made, by its answer's header. */
function leavesOf(header: unknown): number[] {
  return String(header)
    .split(', ')
    .flatMap((span) => {
      const [first = Number.NaN, last = first] = span.split('-').map(Number)
      return Array.from({ length: last - first + 1 }, (_, index) => first + index)
    })
}

async function checkpoint() {
  const answer = await there.server.ok('GET', `${log}/checkpoint`)
  assert.equal(answer.headers['content-type'], 'text/plain; charset=utf-8')
  assert.equal(answer.headers['cache-control'], 'no-store')
  return verifyCheckpoint(answer.bytes, keys)
}

async function tile(path: string): Promise<Buffer> {
  const answer = await there.server.ok('GET', `${log}/tile/${path}`)
  assert.equal(answer.headers['content-type'], 'application/octet-stream')
  assert.equal(answer.headers['cache-control'], 'private, max-age=31536000, immutable')
  return answer.bytes
}

suite('the record as a tiled log', { timeout: 120_000 }, () => {
  test('entries hash to tiles, and tiles to the checkpoint', async () => {
    const items = Array.from({ length: 100 }, () => ({ lengthBytes: 1 }))
    for (let batch = 0; batch < 6; batch += 1) {
      await there.server.ok('POST', '/v1/random/batch', { items })
    }
    let head = await checkpoint()
    while (head.size < 600) head = await checkpoint()
    assert.equal(head.origin, origin)
    const tree = new MerkleTree()
    for (let first = 0; first < head.size; first += 256) {
      const width = Math.min(256, head.size - first)
      const name = `00${first / 256}${width < 256 ? `.p/${width}` : ''}`
      const bundle = await tile(`entries/${name}`)
      const hashes = await tile(`0/${name}`)
      assert.equal(hashes.length, width * 32)
      let offset = 0
      for (let index = 0; index < width; index += 1) {
        const end = offset + 2 + bundle.readUInt16BE(offset)
        const entry = bundle.subarray(offset + 2, end)
        const hash = leafHash(entry)
        assert.equal(decodeLeaf(entry).sequence, first + index)
        assert.deepEqual(hash, hashes.subarray(index * 32, (index + 1) * 32))
        tree.append(hash)
        offset = end
      }
      assert.equal(offset, bundle.length)
    }
    assert.deepEqual(tree.root(), Buffer.from(head.root))
    const upper = new MerkleTree()
    const full = await tile('0/000')
    for (let index = 0; index < 256; index += 1)
      upper.append(full.subarray(index * 32, index * 32 + 32))
    assert.deepEqual(await tile('1/000.p/1'), upper.root())
    assert.deepEqual(await tile('0/000.p/7'), full.subarray(0, 7 * 32))
  })

  test('the read-only auditor reads it, others do not', async () => {
    for (const path of ['checkpoint', 'tile/0/000.p/1', 'tile/entries/000.p/1', 'receipts/0']) {
      const auditor = there.as('auditor-everywhere')
      await there.server.ok('GET', `${log}/${path}`, undefined, auditor)
      const operator = there.as('operator-everywhere')
      const refused = await there.server.call('GET', `${log}/${path}`, undefined, operator)
      assertProblem(refused, 403, 'ACCESS_DENIED')
    }
  })

  test('unknown, too wide and malformed paths are refused', async () => {
    const get = (path: string) => there.server.call('GET', `/v1/logs/${path}`)
    for (const path of ['other/checkpoint', 'other/tile/0/000', 'constructor/receipts/0']) {
      assertProblem(await get(path), 404, 'LOG_NOT_FOUND')
    }
    for (const path of ['0/999', '0/x999/999', '1/000', '2/000.p/1', '63/000', 'entries/999.p/1']) {
      assertProblem(await get(`module/tile/${path}`), 404, 'TILE_NOT_FOUND')
    }
    for (const path of [
      ...['', '0', '0/0', '64/000', '0/000.p/256', '0/000.p/0', '0/000/000', '00/000', '-1/000'],
      ...['entries', 'entries/1', 'other/000', '0/%2e%2e/000', `0/${'x000/'.repeat(20)}000`],
    ]) {
      assertProblem(await get(`module/tile/${path}`), 400, 'REQUEST_INVALID')
    }
    assertProblem(await get('module/receipts/999999999'), 404, 'LEAF_NOT_FOUND')
    for (const leaf of ['01', '-1', 'x', '1e3', '9'.repeat(16)]) {
      assertProblem(await get(`module/receipts/${leaf}`), 400, 'REQUEST_INVALID')
    }
  })
})

suite('receipts', { timeout: 120_000 }, () => {
  test('an answer says which leaves it has, and each has a receipt that verifies offline', async () => {
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    const requestId = unique('request')
    const headers = { 'x-request-id': requestId }
    const one = await there.use(key, 'sign', { data: base64('message') }, { headers })
    const items = Array.from({ length: 3 }, () => ({ data: base64('message') }))
    const path = `${keysPath}/${key}/sign/batch`
    const batch = await there.server.ok('POST', path, { items }, { headers })
    const leaves = [one, batch].flatMap((answer) => leavesOf(answer.headers['keyhold-leaf']))
    assert(leaves.length >= 4)
    for (const index of leaves) {
      const receipt = await there.server.ok('GET', `${log}/receipts/${index}`)
      assert.equal(receipt.headers['content-type'], 'text/plain; charset=utf-8')
      const proven = verifyProof(receipt.text, keys)
      assert.equal(proven.index, index)
      assert.equal(proven.checkpoint.origin, origin)
      assert(proven.checkpoint.isPostQuantum)
      const leaf = decodeLeaf(proven.entry)
      assert.deepEqual([leaf.command, leaf.requestId, leaf.sequence], ['sign', requestId, index])
    }
    const none = await there.server.ok('GET', keysPath)
    assert.equal(none.headers['keyhold-leaf'], undefined)
  })

  test('a refused request has its leaf too', async () => {
    const key = await there.makeKey({ type: 'P-256', exportable: false }, ['sign'])
    const input = { data: base64('x'), algorithm: 'Ed25519' }
    const refused = await there.server.call('POST', `${keysPath}/${key}/sign`, input)
    assert(refused.status >= 400, refused.text)
    const [index] = leavesOf(refused.headers['keyhold-leaf']).slice(-1)
    const receipt = await there.server.ok('GET', `${log}/receipts/${index}`)
    assert.notEqual(decodeLeaf(verifyProof(receipt.text, keys).entry).outcome, 'OK')
  })

  test('invariant 6: one flipped bit anywhere in a receipt is refused', async () => {
    const { bytes } = await there.server.ok('GET', `${log}/receipts/5`)
    const text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })
    for (let bit = 0; bit < bytes.length * 8; bit += 41) {
      const isWhole = () => {
        const proven = verifyProof(text.decode(flipBit(bytes, bit)), keys)
        // The line of a signature can become that of an unknown key: then one is missing.
        return proven.checkpoint.isPostQuantum
      }
      try {
        assert.equal(isWhole(), false, `bit ${bit}`)
      } catch (error) {
        assert.match(String((error as { code?: string }).code), /RECORD_INVALID|ENCODING/)
      }
    }
  })
})
