/** Reading the committed vector files, and turning their keys into the module's canonical forms. */

import { createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto'
import { readFileSync } from 'node:fs'
import path from 'node:path'
import { gunzipSync } from 'node:zlib'
import { type KeyTypeName, keyTypes } from '../../src/hsm/contract/algorithms.ts'

/** The text of tests/vectors/<name>.gz. */
export function readText(name: string): string {
  return gunzipSync(readFileSync(path.join(import.meta.dirname, `${name}.gz`))).toString('utf8')
}

export function hex(text: string): Buffer {
  return Buffer.from(text, 'hex')
}

const curves: Readonly<Record<string, KeyTypeName>> = {
  'P-224': 'P-224',
  'P-256': 'P-256',
  'P-384': 'P-384',
  'P-521': 'P-521',
  secp256r1: 'P-256',
  secp384r1: 'P-384',
  secp521r1: 'P-521',
  secp256k1: 'secp256k1',
  brainpoolP256r1: 'brainpoolP256r1',
  brainpoolP384r1: 'brainpoolP384r1',
  brainpoolP512r1: 'brainpoolP512r1',
}

/** The key type of a curve that the module has, by any of its names. */
export function curveType(name: string): KeyTypeName | undefined {
  return curves[name]
}

const fieldBytes: Readonly<Partial<Record<KeyTypeName, number>>> = {
  'P-224': 28,
  'P-256': 32,
  'P-384': 48,
  'P-521': 66,
  secp256k1: 32,
  brainpoolP256r1: 32,
  brainpoolP384r1: 48,
  brainpoolP512r1: 64,
}

/** A number as hex with leading zeros or without, at the length of the curve's order. */
export function fieldElement(type: KeyTypeName, number: string): Buffer {
  const digits = 2 * (fieldBytes[type] ?? 0)
  return hex(number.replace(/^0+/, '').padStart(digits, '0'))
}

export function ecPrivate(type: KeyTypeName, scalar: string): Buffer {
  const key = fieldElement(type, scalar)
  return pkcs8(
    createPrivateKey({
      key,
      format: 'raw-private',
      asymmetricKeyType: 'ec',
      namedCurve: opensslName(type),
    }),
  )
}

/** SPKI around any bytes that claim to be a point; nothing is checked. */
export function ecSpki(type: KeyTypeName, point: Uint8Array): Buffer {
  const sample = ecPrivate(type, '01')
  const key = createPublicKey(createPrivateKey({ key: sample, format: 'der', type: 'pkcs8' }))
  const der = spki(key)
  const algorithmStart = der[1] === 0x81 ? 3 : 2
  const algorithm = der.subarray(
    algorithmStart,
    algorithmStart + 2 + (der[algorithmStart + 1] ?? 0),
  )
  return tlv(0x30, algorithm, tlv(3, Buffer.from([0]), point))
}

export function ecPoint(type: KeyTypeName, x: string, y: string): Buffer {
  return Buffer.concat([Buffer.from([4]), fieldElement(type, x), fieldElement(type, y)])
}

/** SPKI of a type whose algorithm identifier is an object identifier alone. */
export function rawSpki(type: KeyTypeName, key: Uint8Array): Buffer {
  return tlv(0x30, tlv(0x30, objectIdentifier(type)), tlv(3, Buffer.from([0]), key))
}

/** PKCS#8 of ML-DSA or ML-KEM around the expanded private key. */
export function expandedPkcs8(type: KeyTypeName, key: Uint8Array): Buffer {
  const version = Buffer.from([2, 1, 0])
  return tlv(0x30, version, tlv(0x30, objectIdentifier(type)), tlv(4, tlv(4, key)))
}

/** PKCS#8 of a seed, or of the one number of Ed25519 and its like and of SLH-DSA. */
export function seedPkcs8(type: KeyTypeName, seed: Uint8Array): Buffer {
  const isRaw = /^X|^Ed|^SLH-DSA/.test(type)
  const asymmetricKeyType = opensslName(type) as 'ed25519'
  const format = isRaw ? 'raw-private' : 'raw-seed'
  return pkcs8(createPrivateKey({ key: seed, format, asymmetricKeyType }))
}

export function rsaSpki(n: string, e: string): Buffer {
  const base64 = (number: string) => hex(number).toString('base64url')
  const key = { kty: 'RSA', n: base64(n.replace(/^(00)+/, '')), e: base64(e.replace(/^(00)+/, '')) }
  return spki(createPublicKey({ key, format: 'jwk' }))
}

export function rsaType(bits: number): KeyTypeName | undefined {
  const names: Readonly<Record<number, KeyTypeName>> = {
    2048: 'RSA-2048',
    3072: 'RSA-3072',
    4096: 'RSA-4096',
  }
  return names[bits]
}

/** The canonical encoding of a private key in whatever PKCS#8 a source has it. */
export function canonicalPkcs8(der: Uint8Array): Buffer {
  return pkcs8(createPrivateKey({ key: Buffer.from(der), format: 'der', type: 'pkcs8' }))
}

function pkcs8(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'pkcs8' })
}

function spki(key: KeyObject): Buffer {
  return key.export({ format: 'der', type: 'spki' })
}

function opensslName(type: KeyTypeName): string {
  const { openssl } = keyTypes[type] as { openssl?: string }
  return openssl ?? ''
}

/** Node's own SPKI of a throw-away key would do; the arcs are short enough to write down. */
const objectIdentifiers: Readonly<Partial<Record<KeyTypeName, string>>> = {
  Ed25519: '06032b6570',
  X25519: '06032b656e',
  Ed448: '06032b6571',
  X448: '06032b656f',
  'ML-KEM-512': '0609608648016503040401',
  'ML-KEM-768': '0609608648016503040402',
  'ML-KEM-1024': '0609608648016503040403',
  'ML-DSA-44': '0609608648016503040311',
  'ML-DSA-65': '0609608648016503040312',
  'ML-DSA-87': '0609608648016503040313',
  'SLH-DSA-SHA2-128s': '0609608648016503040314',
  'SLH-DSA-SHA2-128f': '0609608648016503040315',
  'SLH-DSA-SHA2-192s': '0609608648016503040316',
  'SLH-DSA-SHA2-192f': '0609608648016503040317',
  'SLH-DSA-SHA2-256s': '0609608648016503040318',
  'SLH-DSA-SHA2-256f': '0609608648016503040319',
  'SLH-DSA-SHAKE-128s': '060960864801650304031a',
  'SLH-DSA-SHAKE-128f': '060960864801650304031b',
  'SLH-DSA-SHAKE-192s': '060960864801650304031c',
  'SLH-DSA-SHAKE-192f': '060960864801650304031d',
  'SLH-DSA-SHAKE-256s': '060960864801650304031e',
  'SLH-DSA-SHAKE-256f': '060960864801650304031f',
}

function objectIdentifier(type: KeyTypeName): Buffer {
  return hex(objectIdentifiers[type] ?? '')
}

function tlv(tag: number, ...pieces: readonly Uint8Array[]): Buffer {
  const body = Buffer.concat(pieces)
  const length = body.length
  const header =
    length < 0x80
      ? [tag, length]
      : length < 0x100
        ? [tag, 0x81, length]
        : [tag, 0x82, length >> 8, length & 0xff]
  return Buffer.concat([Buffer.from(header), body])
}
