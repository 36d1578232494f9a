/**
 * Keys whose bytes are known, made and sealed here, in a process that is never scanned, and what to look
 * for in a memory or a file that must not hold them: 16 bytes from either end of the secret, in the order
 * of the file and in that in which OpenSSL keeps numbers, the lowest byte first, and the same as text.
 */

import { generateKeyPairSync, type KeyObject, randomBytes } from 'node:crypto'
import { sealedKey } from '../rest/sealed-key.ts'
import type { TestServer } from '../server.ts'

export interface KnownKey {
  readonly shape: Readonly<Record<string, unknown>>
  /** What a module takes in: raw bytes, or PKCS#8. */
  readonly bytes: Buffer
  /** The secret numbers and strings in it. */
  readonly secrets: Readonly<Record<string, Buffer>>
}

export function makeKnownKeys(): Readonly<Record<string, KnownKey>> {
  const aes = randomBytes(32)
  const shared = randomBytes(48)
  return {
    aes: { shape: { class: 'secret', type: 'AES-256' }, bytes: aes, secrets: { key: aes } },
    hmac: {
      shape: { class: 'secret', type: 'generic-secret' },
      bytes: shared,
      secrets: { key: shared },
    },
    ec: pair('P-256', generateKeyPairSync('ec', { namedCurve: 'prime256v1' }), ['d']),
    rsa: pair('RSA-2048', generateKeyPairSync('rsa', { modulusLength: 2048 }), ['d', 'p', 'q']),
    ed25519: pair('Ed25519', generateKeyPairSync('ed25519'), ['d']),
  }
}

function pair(
  type: string,
  { privateKey }: { privateKey: KeyObject },
  members: readonly ('d' | 'p' | 'q')[],
): KnownKey {
  const jwk = privateKey.export({ format: 'jwk' })
  const secrets = members.map((name) => [name, Buffer.from(String(jwk[name]), 'base64url')])
  return {
    shape: { class: 'private', type },
    bytes: privateKey.export({ format: 'der', type: 'pkcs8' }),
    secrets: Object.fromEntries(secrets),
  }
}

/** The members of an import that hold the key; the rest is up to whoever imports it. */
export function sealed({ shape, bytes }: KnownKey, server: TestServer): Promise<object> {
  return sealedKey(server, shape, bytes)
}

const windowBytes = 16

/** As a program keeps it: either end, in both orders of the bytes. One of them stands in every copy. */
export function bytesOfSecret(name: string, secret: Uint8Array): Record<string, Buffer> {
  const bytes = Buffer.from(secret)
  const reversed = Buffer.from(bytes).reverse()
  const last = bytes.length - windowBytes
  return {
    [`${name}, first bytes`]: bytes.subarray(0, windowBytes),
    [`${name}, last bytes`]: bytes.subarray(last),
    [`${name}, first bytes of the number`]: reversed.subarray(0, windowBytes),
    [`${name}, last bytes of the number`]: reversed.subarray(last),
  }
}

/** As somebody would write it down. Of three places in a group of base64 digits, one is right. */
export function textOfSecret(name: string, secret: Uint8Array): Record<string, Buffer> {
  const bytes = Buffer.from(secret)
  const needles = {
    [`${name}, hex`]: Buffer.from(bytes.toString('hex', 0, windowBytes)),
    [`${name}, HEX`]: Buffer.from(bytes.toString('hex', 0, windowBytes).toUpperCase()),
  }
  for (const offset of [0, 1, 2]) {
    const part = bytes.subarray(offset, offset + 12)
    needles[`${name}, base64 from ${offset}`] = Buffer.from(part.toString('base64'))
    needles[`${name}, base64url from ${offset}`] = Buffer.from(part.toString('base64url'))
  }
  return needles
}
