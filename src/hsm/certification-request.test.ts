/**
 * What the module takes for a certificate request: those that openssl makes, for its own key alone, and
 * nothing else that openssl or anybody makes.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { createPublicKey, generateKeyPairSync, randomBytes, verify } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import fc from 'fast-check'
import { assertRequestFor, certificationRequestBytesMax } from './certification-request.ts'
import { generate, refuses } from './commands.testing.ts'
import { HsmError } from './contract/errors.ts'
import { Caller, requestFor, template } from './door.testing.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-requests-'))
after(() => rmSync(folder, { recursive: true, force: true }))
const keyFile = path.join(folder, 'key.pem')
const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
writeFileSync(keyFile, privateKey.export({ format: 'pem', type: 'pkcs8' }))
const spki = publicKey.export({ format: 'der', type: 'spki' })

/** What openssl signs, DER: the first of three elements. */
function signedPart(args: readonly string[]): Buffer {
  const command = ['req', '-new', '-key', keyFile, '-outform', 'DER', ...args]
  const { status, stdout, stderr } = spawnSync('openssl', command)
  assert.equal(status, 0, String(stderr))
  const start = 2 + (stdout.readUInt8(1) & 0x7f)
  const { header, length } = headerOf(stdout.subarray(start))
  return stdout.subarray(start, start + header + length)
}

function headerOf(der: Buffer): { header: number; length: number } {
  const first = der.readUInt8(1)
  if (first < 0x80) return { header: 2, length: first }
  const bytes = first & 0x7f
  return { header: 2 + bytes, length: der.readUIntBE(2, bytes) }
}

const refused = (info: Uint8Array, what = '') =>
  assert.throws(() => assertRequestFor(spki, info), { code: 'ARGUMENT_INVALID' }, what)

/** Of anything in DER. */
function tlv(tag: number, ...pieces: readonly Uint8Array[]): Buffer {
  const content = Buffer.concat(pieces)
  const [low, high] = [content.length & 0xff, content.length >> 8]
  const length = high > 0 ? [0x82, high, low] : low < 0x80 ? [low] : [0x81, low]
  return Buffer.concat([Buffer.from([tag, ...length]), content])
}
const hex = (text: string) => Buffer.from(text, 'hex')
const version0 = hex('020100')
const nobody = hex('3000')
const noAttributes = hex('a000')
const info = (...pieces: readonly Uint8Array[]) => tlv(0x30, ...pieces)
const named = (value: Uint8Array) =>
  info(version0, tlv(0x30, tlv(0x31, tlv(0x30, hex('0603550403'), value))), spki, noAttributes)
const extended = (...extensions: readonly Uint8Array[]) => {
  const values = tlv(0x31, tlv(0x30, ...extensions))
  const attribute = tlv(0x30, hex('06092a864886f70d01090e'), values)
  return info(version0, nobody, spki, tlv(0xa0, attribute))
}
const basic = hex('30090603551d1304023000')

suite('what is read before it is signed', () => {
  test('is what openssl makes of a subject and extensions', () => {
    const subject = '/C=DE/O=Bank ÄG/OU=a+OU=b/CN=pay.example/emailAddress=a@b.example'
    for (const args of [
      ['-subj', '/CN=pay.example'],
      ['-subj', subject, '-utf8', '-multivalue-rdn'],
      ['-subj', '/CN=x', '-addext', 'subjectAltName=DNS:pay.example,IP:10.0.0.1'],
      [
        ...['-subj', '/CN=x', '-addext', 'basicConstraints=critical,CA:FALSE'],
        ...[
          '-addext',
          'keyUsage=critical,digitalSignature',
          '-addext',
          'extendedKeyUsage=serverAuth',
        ],
      ],
    ]) {
      assertRequestFor(spki, signedPart(args))
    }
    assertRequestFor(spki, requestFor(spki))
    assertRequestFor(spki, extended(basic))
    assertRequestFor(spki, named(hex('0c0161')))
  })

  test('is for the key itself', () => {
    for (const namedCurve of ['P-256', 'P-384']) {
      const other = generateKeyPairSync('ec', { namedCurve }).publicKey
      refused(requestFor(other.export({ format: 'der', type: 'spki' })))
    }
  })

  test('is no certificate, and no request with more or less in it', () => {
    const { stdout } = spawnSync('openssl', [
      ...['req', '-x509', '-new', '-key', keyFile, '-subj', '/CN=x', '-outform', 'DER'],
    ])
    const start = 2 + (stdout.readUInt8(1) & 0x7f)
    const { header, length } = headerOf(stdout.subarray(start))
    refused(stdout.subarray(start, start + header + length), 'TBSCertificate')
    refused(stdout, 'certificate')
    const whole = requestFor(spki)
    const password = hex('301306092a864886f70d0109073106130461626364')
    for (const [what, bytes] of Object.entries({
      nothing: Buffer.alloc(0),
      'more behind': Buffer.concat([whole, hex('00')]),
      'a request twice': Buffer.concat([whole, whole]),
      'in a sequence': tlv(0x30, whole),
      'version 1': info(hex('020101'), nobody, spki, noAttributes),
      'a long version': info(hex('02020000'), nobody, spki, noAttributes),
      'no attributes': info(version0, nobody, spki),
      'attributes twice': info(version0, nobody, spki, noAttributes, noAttributes),
      'attributes as a set': info(version0, nobody, spki, hex('3100')),
      'no version': info(nobody, spki, noAttributes),
      'a set for a sequence': tlv(0x31, version0, nobody, spki, noAttributes),
      'another attribute': info(version0, nobody, spki, tlv(0xa0, password)),
      'an empty attribute': info(version0, nobody, spki, tlv(0xa0, hex('3000'))),
      'no extensions in their attribute': extended(),
      'an extension twice': extended(basic, basic),
      'critical false': extended(hex('300c0603551d1301010004023000')),
      'critical 1': extended(hex('300c0603551d1301010104023000')),
      'an extension without value': extended(hex('30050603551d13')),
      'more in an extension': extended(hex('300b0603551d13040230000500')),
      'an empty text': named(hex('0c00')),
      'a number for a text': named(hex('020101')),
      'a text that ends early for some': named(hex('0c03610062')),
      'no UTF-8': named(hex('0c01ff')),
      'no ASCII': named(hex('1301ff')),
      'a length of two bytes for one': named(hex('0c810161')),
      'an indefinite length': hex(`3080${whole.subarray(2).toString('hex')}0000`),
      'an empty set in a name': info(version0, hex('30023100'), spki, noAttributes),
    })) {
      refused(bytes, what)
    }
  })

  test('object identifiers and sets have one encoding', () => {
    const type = (oid: string) =>
      info(version0, tlv(0x30, tlv(0x31, tlv(0x30, hex(oid), hex('0c0161')))), spki, noAttributes)
    assertRequestFor(spki, type('0603550403'))
    for (const oid of ['0600', '0603550483', '060455048003', '0603805503']) refused(type(oid), oid)
    const [a, b] = ['3008060355040b0c0161', '3008060355040b0c0162']
    const values = (...parts: string[]) =>
      info(version0, tlv(0x30, tlv(0x31, ...parts.map(hex))), spki, noAttributes)
    assertRequestFor(spki, values(a, b))
    refused(values(b, a))
    refused(values(a, a))
  })

  test('is bounded in all its lists', () => {
    const name = tlv(0x31, hex('300806035504030c0161'))
    const many = (count: number) =>
      info(version0, tlv(0x30, ...Array.from({ length: count }, () => name)), spki, noAttributes)
    assertRequestFor(spki, many(32))
    refused(many(33))
  })

  test('whatever bytes there are, they are a request or refused', () => {
    const whole = signedPart(['-subj', '/CN=x', '-addext', 'subjectAltName=DNS:pay.example'])
    for (let length = 0; length < whole.length; length += 1) refused(whole.subarray(0, length))
    const onlyRefusals = (bytes: Uint8Array) => {
      try {
        assertRequestFor(spki, bytes)
      } catch (error) {
        assert(error instanceof HsmError && error.code === 'ARGUMENT_INVALID')
      }
    }
    fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), onlyRefusals))
    fc.assert(
      fc.property(fc.nat(whole.length - 1), fc.integer({ min: 1, max: 255 }), (place, change) => {
        const changed = Buffer.from(whole)
        changed.writeUInt8(changed.readUInt8(place) ^ change, place)
        onlyRefusals(changed)
      }),
    )
  })
})

suite('the command signRequest', () => {
  test('signs what names its key, by every kind of key that signs, and nothing else', async () => {
    const caller = await Caller.founded()
    for (const [type, algorithm, hash] of [
      ['P-256', 'ECDSA-SHA-256', 'sha256'],
      ['RSA-2048', 'RSASSA-PKCS1-v1_5-SHA-384', 'sha384'],
      ['Ed25519', 'Ed25519', null],
      ['ML-DSA-44', 'ML-DSA-44', null],
    ] as const) {
      const key = await generate(caller, template(type, [algorithm], ['sign']))
      const own = key.answer.parts.publicKey ?? Buffer.alloc(0)
      const ask = (request: Uint8Array) => ({
        ...{ command: 'signRequest', arguments: key.reference, parts: { request } },
      })
      const request = requestFor(own)
      const { signature = own } = (await caller.ok(ask(request))).parts
      const signer = createPublicKey({ key: Buffer.from(own), format: 'der', type: 'spki' })
      assert(verify(hash, request, signer, signature), type)
      for (const bytes of [requestFor(spki), randomBytes(64), request.subarray(1), own]) {
        await refuses(caller, 'ARGUMENT_INVALID', ask(bytes))
      }
      await refuses(caller, 'ARGUMENT_INVALID', ask(Buffer.alloc(certificationRequestBytesMax + 1)))
    }
  })

  test('is a use: only of a key that may sign', async () => {
    const caller = await Caller.founded()
    const request = Buffer.alloc(9)
    for (const of of [
      template('X25519', ['X25519'], ['agree']),
      template('AES-256', ['AES-256-GCM'], ['encrypt']),
      template('P-256', ['ECDSA-SHA-256'], ['verify']),
    ]) {
      const { reference } = await generate(caller, of)
      const ask = { command: 'signRequest', arguments: reference, parts: { request } }
      await refuses(caller, 'KEY_USE_NOT_PERMITTED', ask)
    }
  })
})
