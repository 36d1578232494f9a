/**
 * CMS AuthEnvelopedData (RFC 5083) with AES-GCM (RFC 5084) and one recipient that holds a
 * key-encryption key (RFC 5652 section 6.2.3): the one form in which openssl's command line takes
 * and makes AES-GCM. openssl itself reads and writes the DER.
 */

import assert from 'node:assert/strict'
import type { Bench } from './openssl.ts'

/** The parts: the content key is wrapped by AES-256-KW. */
export interface Enveloped {
  /** Of the content key. */
  readonly bits: number
  readonly wrappedKey: Uint8Array
  readonly iv: Uint8Array
  readonly ciphertext: Uint8Array
  readonly tag: Uint8Array
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString('hex')
const cms = ['cms', '-binary', '-secretkeyid', '01', '-secretkey']

/** What openssl makes of a plaintext, taken apart. */
export function envelop(
  bench: Bench,
  { kek, bits }: { readonly kek: Uint8Array; readonly bits: number },
  plaintext: Uint8Array,
): Enveloped {
  const made = ['-encrypt', `-aes-${bits}-gcm`, '-outform', 'DER']
  const der = bench.openssl([...cms, hex(kek), ...made], plaintext)
  const lines = bench.openssl(['asn1parse', '-inform', 'DER'], der).toString().trim().split('\n')
  const values = lines.flatMap((line) => {
    const [, start, header, length, name = ''] =
      /^ *(\d+):d=\d+ +hl=(\d+) l= *(\d+) prim: (OCTET STRING|cont)/.exec(line) ?? []
    const from = Number(start) + Number(header)
    return start === undefined ? [] : [{ name, bytes: der.subarray(from, from + Number(length)) }]
  })
  const names = ['OCTET STRING', 'OCTET STRING', 'OCTET STRING', 'cont', 'OCTET STRING']
  assert.deepEqual(
    values.map(({ name }) => name),
    names,
    lines.join('\n'),
  )
  const [, wrappedKey, iv, ciphertext, tag] = values.map(({ bytes }) => bytes)
  assert(wrappedKey && iv && ciphertext && tag)
  return { bits, wrappedKey, iv, ciphertext, tag }
}

/** The message of these parts, in a file. @returns its path */
function assemble(bench: Bench, parts: Enveloped): string {
  const octets = (bytes: Uint8Array) => `FORMAT:HEX,OCTETSTRING:${hex(bytes)}`
  const conf = bench.file(`asn1=SEQUENCE:message
[message]
type=OID:id-smime-ct-authEnvelopedData
content=EXPLICIT:0,SEQUENCE:enveloped
[enveloped]
version=INTEGER:0
recipients=SET:recipients
content=SEQUENCE:content
mac=${octets(parts.tag)}
[recipients]
kek=IMPLICIT:2,SEQUENCE:recipient
[recipient]
version=INTEGER:4
id=SEQUENCE:id
algorithm=SEQUENCE:keywrap
key=${octets(parts.wrappedKey)}
[id]
id=FORMAT:HEX,OCTETSTRING:01
[keywrap]
algorithm=OID:id-aes256-wrap
[content]
type=OID:pkcs7-data
algorithm=SEQUENCE:gcm
ciphertext=IMPLICIT:0,${octets(parts.ciphertext)}
[gcm]
algorithm=OID:aes-${parts.bits}-gcm
parameters=SEQUENCE:parameters
[parameters]
nonce=${octets(parts.iv)}
tag=INTEGER:16
`)
  const der = bench.file('')
  bench.openssl(['asn1parse', '-genconf', conf, '-noout', '-out', der])
  return der
}

/** What openssl reads in it; undefined when it does not authenticate or cannot be read. */
export function open(bench: Bench, kek: Uint8Array, parts: Enveloped): Buffer | undefined {
  const message = ['-decrypt', '-inform', 'DER', '-in', assemble(bench, parts)]
  return bench.opensslOrRefused([...cms, hex(kek), ...message])
}
