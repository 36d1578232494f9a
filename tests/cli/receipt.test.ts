/** `keyhold record receipt` and `verify-receipt` against a real server, and against what was done to a receipt. */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { readFileSync, writeFileSync } from 'node:fs'
import { after, before, suite, test } from 'node:test'
import { cosign, encodeVerifierKey } from '../../src/hsm/contract/cosignature.ts'
import { encodeSignatureLine, type NoteKey } from '../../src/hsm/contract/signed-note.ts'
import { TestServer } from '../server.ts'
import { Desk } from './keyhold.ts'

suite('receipts', { timeout: 240_000 }, () => {
  let server: TestServer
  let desk: Desk

  before(async () => {
    server = await TestServer.start()
    desk = new Desk(server)
  })
  after(async () => {
    desk?.[Symbol.dispose]()
    await server?.[Symbol.asyncDispose]()
  })

  test('a receipt for one leaf is fetched, and checked without the server', async () => {
    const { items } = await desk.json(['record', 'list', '--last', '1'])
    const number = String((items as { sequence: number }[])[0]?.sequence)
    await desk.ok(['record', 'receipt', number, '--output', 'one.tlog-proof'])
    await desk.ok(['domain', 'statement', '--output', 'record-domain.json'])
    const check = (file: string, ...trust: string[]) => ['record', 'verify-receipt', file, ...trust]
    const domain = ['--domain', 'record-domain.json']
    const held = await desk.ok(check('one.tlog-proof', ...domain))
    assert.match(held.stdout, /^the receipt holds$/m)
    assert.match(held.stdout, /signed with Ed25519 and ML-DSA-65/)
    const { module } = await desk.json(['status'])
    const { identityKey } = module as { identityKey: string }
    const found = await desk.json(check('one.tlog-proof', '--identity-key', identityKey))
    assert.partialDeepStrictEqual(found, { leaf: { sequence: Number(number), outcome: 'OK' } })
    const receipt = readFileSync(desk.file('one.tlog-proof'), 'utf8')
    writeFileSync(desk.file('other.tlog-proof'), receipt.replace(/^index \d+$/m, 'index 1'))
    await desk.refused(check('other.tlog-proof', ...domain), 3, 'RECORD_BROKEN')
    const oneLine = receipt.trimEnd().split('\n').slice(0, -1).join('\n')
    writeFileSync(desk.file('half.tlog-proof'), `${oneLine}\n`)
    await desk.refused(check('half.tlog-proof', ...domain), 3, 'RECORD_BROKEN')
    await desk.refused(
      check('one.tlog-proof', '--identity-key', '11'.repeat(32)),
      3,
      'RECORD_BROKEN',
    )
    const pair = generateKeyPairSync('ed25519')
    const witness: NoteKey = {
      ...{ name: 'witness.example', type: 'ed25519-cosignature' },
      publicKey: pair.publicKey.export({ format: 'raw-public' }),
    }
    const verifier = ['--witness', encodeVerifierKey(witness)]
    await desk.refused(check('one.tlog-proof', ...domain, ...verifier), 3, 'RECORD_BROKEN')
    const text = receipt.slice(receipt.indexOf('\n\n') + 2, receipt.lastIndexOf('\n\n') + 1)
    const line = cosign(text, { key: witness, privateKey: pair.privateKey }, 1_800_000_000)
    writeFileSync(desk.file('cosigned.tlog-proof'), receipt + encodeSignatureLine(line))
    const cosigned = await desk.ok(check('cosigned.tlog-proof', ...domain, ...verifier))
    assert.match(cosigned.stdout, /cosigned +2027-01-15.* by witness\.example/)
    await desk.refused(check('one.tlog-proof'), 2, 'USAGE')
    const beyond = ['record', 'receipt', '999999999', '--output', 'none']
    await desk.refused(beyond, 1, 'LEAF_NOT_FOUND')
  })
})
