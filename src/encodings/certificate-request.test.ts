/** Who a certificate request is for, and how that is written down, as openssl reads it. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { generateKeyPairSync, sign } from 'node:crypto'
import { suite, test } from 'node:test'
import {
  certificateRequest,
  certificationRequestInfo,
  type RequestedSubject,
  SubjectInvalid,
} from './certificate-request.ts'

const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const spki = publicKey.export({ format: 'der', type: 'spki' })

const infoOf = (wanted: Partial<RequestedSubject>) =>
  certificationRequestInfo({ subject: '', names: [], addresses: [], ...wanted }, spki)

/** What openssl says of it, after it has verified the signature. */
function read(wanted: Partial<RequestedSubject>, ...args: readonly string[]): string {
  const info = infoOf(wanted)
  const signature = sign('sha256', info, privateKey)
  const pem = certificateRequest(info, { algorithm: 'ECDSA-SHA-256', signature })
  const given = ['req', '-verify', '-noout', '-nameopt', 'RFC2253,-esc_msb,utf8', ...args]
  const { status, stdout, stderr } = spawnSync('openssl', given, { input: pem })
  assert.equal(status, 0, String(stderr))
  return String(stdout)
}

suite('certificate requests', () => {
  test('have the subject that was asked for, in the order of RFC 4514', () => {
    for (const subject of [
      'CN=pay.example',
      'CN=pay.example,OU=Payments,O=Bank,L=Berlin,ST=Berlin,C=DE',
      'CN=pay,DC=bank,DC=example',
      'O=Bank ÄG',
      'CN=a\\, b\\+c\\"d\\\\e\\<f\\>g\\;h',
    ]) {
      assert.equal(read({ subject }, '-subject').trim(), `subject=${subject}`)
    }
    assert.equal(read({ subject: 'cn=a, O=b' }, '-subject').trim(), 'subject=CN=a,O=b')
  })

  test('have other names as an extension, critical when there is no subject', () => {
    const others = {
      names: ['pay.example', '*.pay.example'],
      addresses: ['10.0.0.1', '2001:db8::1', '::ffff:1.2.3.4'],
    }
    const text = read({ subject: 'CN=x', ...others }, '-text')
    const expected =
      'DNS:pay.example, DNS:*.pay.example, IP Address:10.0.0.1, IP Address:2001:DB8:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:102:304'
    assert(text.includes(expected), text)
    assert.doesNotMatch(text, /Alternative Name: critical/)
    assert.match(read(others, '-text'), /Alternative Name: critical/)
  })

  test('are for somebody whose name is one', () => {
    for (const subject of [
      ...[
        'pay.example',
        'CN=',
        'CN= x',
        'CN=x ',
        'CN=a,',
        ',CN=a',
        'CN=a,,O=b',
        'XX=a',
        'C=Germany',
      ],
      ...['CN=#0c0161', 'CN=a+OU=b', 'CN="a"', 'CN=a;O=b', 'CN=a\\', 'CN=a\u0000', 'CN=a\nO=b'],
      ...[
        `CN=${'x'.repeat(65)}`,
        Array.from({ length: 17 }, () => 'O=a').join(','),
        '1.2.3=a',
        'C=de',
      ],
    ]) {
      assert.throws(() => infoOf({ subject }), SubjectInvalid, subject)
    }
    const labels = Array.from({ length: 64 }, () => 'abc').join('.')
    for (const name of [
      '',
      'a b',
      'a..b',
      '-a',
      'a.*',
      `${'x'.repeat(64)}.de`,
      labels,
      'ä.de',
      'a.',
    ]) {
      assert.throws(() => infoOf({ names: [name] }), SubjectInvalid, name)
    }
    for (const address of ['', '10.0.0', '10.0.0.256', 'pay.example', '::1/8', 'fe80::1%eth0']) {
      assert.throws(() => infoOf({ addresses: [address] }), SubjectInvalid, address)
    }
    const many = Array.from({ length: 101 }, (_, index) => `a${index}.example`)
    assert.throws(() => infoOf({ names: many }), SubjectInvalid)
    assert.throws(() => infoOf({}), SubjectInvalid)
  })
})
