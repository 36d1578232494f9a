/**
 * Certificate requests over REST and on the command line's way, read and verified by openssl; those of
 * algorithms that the system's openssl does not know, by node:crypto.
 */

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { after, before, suite, test } from 'node:test'
import { type AlgorithmRow, algorithms } from '../../src/hsm/contract/algorithms.ts'
import { assertProblem, bytesOf, keysPath, namespace } from '../rest/people.ts'
import { Bench } from './openssl.ts'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

const subject = { subject: 'CN=pay.example,O=Bank,C=DE', names: ['pay.example'] }
const slow = /^SLH-DSA-.*s$/

/** One type of each, and every algorithm that signs with it. */
const rows = (Object.entries(algorithms) as [string, AlgorithmRow][])
  .filter(([name, { uses }]) => uses.includes('sign') && !slow.test(name))
  .map(([name, { keyTypes }]) => ({ algorithm: name, type: keyTypes[0] }))
  .filter(({ type }) => type !== undefined)

async function pemOf(key: string, body: object): Promise<string> {
  const answer = await bench.installation.use(key, 'certificate-request', body)
  assert.equal(answer.status, 200, answer.text)
  return String(answer.body.request)
}

/** The signed part and the signature, in DER. */
function partsOf(pem: string) {
  const der = Buffer.from(pem.replace(/-----[^-]+-----|\n/g, ''), 'base64')
  const lengthAt = (offset: number) => {
    const first = der.readUInt8(offset + 1)
    const bytes = first < 0x80 ? 0 : first & 0x7f
    const length = bytes === 0 ? first : der.readUIntBE(offset + 2, bytes)
    return { start: offset + 2 + bytes, end: offset + 2 + bytes + length }
  }
  const outer = lengthAt(0)
  assert.equal(outer.end, der.length)
  const info = lengthAt(outer.start)
  const identifier = lengthAt(info.end)
  const bits = lengthAt(identifier.end)
  return {
    info: der.subarray(outer.start, info.end),
    signature: der.subarray(bits.start + 1, bits.end),
  }
}

suite('certificate requests', { timeout: 60_000 }, () => {
  for (const { algorithm, type } of rows) {
    test(`${algorithm}: verified`, async () => {
      const key = await bench.installation.makeKey({ type, algorithms: [algorithm] }, ['sign'])
      const pem = await pemOf(key, subject)
      if (/^(ML|SLH)-DSA|SHA3/.test(algorithm)) {
        const { body } = await bench.installation.server.ok('GET', `${keysPath}/${key}/public-key`)
        const spki = { key: bytesOf(body.spki), format: 'der', type: 'spki' } as const
        const { info, signature } = partsOf(pem)
        const hash = /SHA3-\d+$/.exec(algorithm)?.[0].toLowerCase() ?? null
        assert(verify(hash, info, createPublicKey(spki), signature))
        return
      }
      const text = String(bench.openssl(['req', '-verify', '-noout', '-text'], pem))
      assert.match(text, /Subject: C = DE, O = Bank, CN = pay\.example/)
      assert.match(text, /DNS:pay\.example/)
      assert(pem.endsWith('-----END CERTIFICATE REQUEST-----\n'))
    })
  }

  test('an authority of openssl makes a certificate of it, for the key', async () => {
    const key = await bench.installation.makeKey({ type: 'P-256' }, ['sign'])
    const ca = bench.newPrivateKey(['-algorithm', 'EC', '-pkeyopt', 'ec_paramgen_curve:P-256'])
    const root = ['req', '-x509', '-new', '-key', ca.pem, '-subj', '/CN=Authority', '-days', '1']
    const authority = bench.file(bench.openssl(root))
    const request = bench.file(await pemOf(key, subject))
    const signing = [
      'x509',
      '-req',
      '-in',
      request,
      '-CA',
      authority,
      '-CAkey',
      ca.pem,
      '-days',
      '1',
    ]
    const certificate = bench.file(bench.openssl([...signing, '-set_serial', '7']))
    assert(bench.accepts(['verify', '-CAfile', authority, certificate]))
    const certified = bench.openssl(['x509', '-in', certificate, '-noout', '-pubkey'])
    const own = bench.openssl(['pkey', '-pubin', '-in', await bench.publicKeyFile(key)])
    assert.deepEqual(certified, own)
  })

  test('what is asked wrongly, or for a key that does not sign, is refused', async () => {
    const { installation } = bench
    const key = await installation.makeKey({ type: 'P-256' }, ['sign'])
    const ask = (name: string, body: object) => installation.use(name, 'certificate-request', body)
    assertProblem(await ask(key, {}), 400, 'ARGUMENT_INVALID')
    assertProblem(await ask(key, { subject: 'pay.example' }), 400, 'ARGUMENT_INVALID')
    assertProblem(await ask(key, { names: ['a b'] }), 400, 'ARGUMENT_INVALID')
    assertProblem(await ask(key, { ...subject, version: 2 }), 404, 'VERSION_NOT_FOUND')
    const other = { ...subject, algorithm: 'ECDSA-SHA-512' }
    assertProblem(await ask(key, other), 403, 'KEY_USE_NOT_PERMITTED')
    const secret = await installation.makeKey({ type: 'AES-256' }, ['encrypt'])
    assertProblem(await ask(secret, subject), 403, 'ACCESS_DENIED')
    const place = `/v1/namespaces/${namespace}/keys/${key}/certificate-request/statement`
    const statement = { request: subject, requester: 'Ada' }
    const { body } = await installation.server.ok('POST', place, statement)
    assert.match(String((body.statements as string[])[0]), /"command":"signRequest"/)
  })
})
