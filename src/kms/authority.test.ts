/** The local authority: one key in the module, certificates that verify, and one more in good time. */

import assert from 'node:assert/strict'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { TestKms } from '../../tests/kms/open.ts'
import { ensureAuthority, issueServerCertificate } from './authority.ts'

const dayMs = 24 * 60 * 60 * 1_000
const publicKeySpki = generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({
  format: 'der',
  type: 'spki',
})
const request = { publicKeySpki, names: ['localhost'], addresses: ['127.0.0.1', '::1'], days: 90 }

let t: TestKms
before(async () => {
  t = await TestKms.open()
})
after(() => t[Symbol.asyncDispose]())

const authority = async () => new X509Certificate((await ensureAuthority(t.kms)).certificatePem)
const issue = async (days = 90) =>
  new X509Certificate((await issueServerCertificate(t.kms, { ...request, days })).certificatePem)

suite('the local authority', () => {
  test('is made once, whatever is restarted, and signs what it is asked for', async () => {
    const made = await authority()
    await t.restart()
    assert.equal((await authority()).fingerprint256, made.fingerprint256)
    assert(made.ca && made.verify(made.publicKey))
    const server = await issue()
    assert(server.checkIssued(made) && server.verify(made.publicKey) && !server.ca)
    assert(server.checkHost('localhost') && server.checkIP('127.0.0.1') && server.checkIP('::1'))
    assert.equal(server.checkHost('example.org'), undefined)
    assert.deepEqual(
      server.publicKey.export({ format: 'der', type: 'spki' }),
      Buffer.from(publicKeySpki),
    )
    const serials = new Set([made, server, await issue()].map(({ serialNumber }) => serialNumber))
    assert.equal(serials.size, 3)
  })

  test('signs for at most 398 days', async () => {
    await authority()
    const longest = await issue(398)
    const days = (longest.validToDate.getTime() - longest.validFromDate.getTime()) / dayMs
    assert.equal(days, 398)
    await assert.rejects(issue(399), RangeError)
  })

  test('gets another certificate before it could end ahead of a server, with the same key', async () => {
    const first = await authority()
    t.aheadMs = (3_650 - 397) * dayMs
    const second = await authority()
    const server = await issue(398)
    t.aheadMs = 0
    assert.notEqual(second.fingerprint256, first.fingerprint256)
    assert(second.validToDate > server.validToDate)
    assert(server.verify(first.publicKey) && server.verify(second.publicKey))
    assert.equal((await ensureAuthority(t.kms)).certificatePem, `${second}`)
  })

  test('is made although a crash had cut its making off at any step', async () => {
    for (const side of ['before', 'behind'] as const) {
      await using cut = await TestKms.open()
      for (let at = 1; await cut.cutOff({ at, side }, (kms) => ensureAuthority(kms)); at += 1) {
        await cut.reopen()
      }
      const made = new X509Certificate((await ensureAuthority(cut.kms)).certificatePem)
      assert(made.verify(made.publicKey))
    }
  })
})
