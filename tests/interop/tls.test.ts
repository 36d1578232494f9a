/**
 * The server's certificate and its TLS as openssl sees them: the chain holds by the strict rules
 * of RFC 5280, a handshake with it ends in an answer, and what should not be trusted or spoken is
 * refused.
 */

import assert from 'node:assert/strict'
import { after, before, suite, test } from 'node:test'
import { Bench } from './openssl.ts'

let bench: Bench
let address: URL
let authority: string
/** As the server sends it. */
let leaf: string
before(async () => {
  bench = await Bench.start()
  const { credentials } = bench.installation.server
  address = new URL(credentials.address)
  authority = bench.file(credentials.authority)
  const shown = bench.openssl([...client(), '-showcerts']).toString()
  const sent = shown.match(/-----BEGIN CERTIFICATE-----[\s\S]*?-----END CERTIFICATE-----\n/g)
  leaf = bench.file(sent?.[0] ?? '')
})
after(() => bench?.[Symbol.asyncDispose]())

/** A handshake that ends with another code than 0 when the chain or the address does not hold. */
function client(trusted = authority): string[] {
  const checks = ['-verify_return_error', '-x509_strict', '-verify_ip', address.hostname]
  return ['s_client', '-connect', address.host, '-CAfile', trusted, ...checks]
}

const strictly = (purpose: string, trusted = authority) => [
  ...['verify', '-x509_strict', '-check_ss_sig', '-purpose', purpose, '-CAfile', trusted],
]

function subject(file: string): string {
  const shown = ['-noout', '-subject', '-nameopt', 'RFC2253']
  return bench
    .openssl(['x509', '-in', file, ...shown])
    .toString()
    .trim()
}

/** An authority of the same name with a key of its own. @returns its file */
function impostor(): string {
  const name = subject(authority).replace('subject=', '/')
  const curve = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes']
  const made = ['req', '-x509', ...curve, '-keyout', bench.file(''), '-subj', name, '-days', '2']
  const file = bench.file(bench.openssl(made))
  assert.equal(subject(file), subject(authority))
  assert(bench.accepts(['verify', '-CAfile', file, file]))
  return file
}

suite('TLS', { timeout: 60_000 }, () => {
  test('openssl verify accepts the authority and the server certificate by strict rules', () => {
    assert(bench.accepts([...strictly('any'), authority]))
    assert(bench.accepts([...strictly('sslserver'), '-verify_ip', '127.0.0.1', leaf]))
    assert(bench.accepts([...strictly('sslserver'), '-verify_hostname', 'localhost', leaf]))
  })

  test('openssl verify refuses other names, purposes, times and authorities', () => {
    assert(!bench.accepts([...strictly('sslserver'), '-verify_ip', '192.0.2.1', leaf]))
    assert(!bench.accepts([...strictly('sslserver'), '-verify_hostname', 'example.org', leaf]))
    assert(!bench.accepts([...strictly('sslclient'), leaf]))
    const nextYear = Math.floor(Date.now() / 1_000) + 366 * 24 * 60 * 60
    assert(!bench.accepts([...strictly('sslserver'), '-attime', String(nextYear), leaf]))
    assert(!bench.accepts([...strictly('sslserver', impostor()), leaf]))
  })

  test('the server certificate is no authority, and nothing may stand between it and one', () => {
    const constraints = (file: string) => {
      const extension = ['-noout', '-ext', 'basicConstraints']
      return bench.openssl(['x509', '-in', file, ...extension]).toString()
    }
    assert.match(constraints(leaf), /critical\s+CA:FALSE/)
    assert.match(constraints(authority), /critical\s+CA:TRUE, pathlen:0/)
  })

  test('openssl s_client comes to an answer over TLS 1.3', () => {
    const request = `GET /v1/health HTTP/1.1\r\nHost: ${address.host}\r\nConnection: close\r\n\r\n`
    const answer = bench.openssl([...client(), '-tls1_3', '-quiet'], request).toString()
    assert.match(answer, /^HTTP\/1\.1 200 /)
  })

  test('openssl s_client cannot come in by TLS 1.2, and does not trust by another authority', () => {
    assert(bench.accepts([...client(), '-tls1_3']))
    assert(!bench.accepts([...client(), '-tls1_2']))
    assert(!bench.accepts(client(impostor())))
  })
})
