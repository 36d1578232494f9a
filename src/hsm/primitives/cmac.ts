/**
 * AES-CMAC (SP 800-38B), through OpenSSL's MAC interface as node:crypto offers it. Tags have 16 bytes;
 * section A.2 advises no fewer than 8 unless forgery attempts are limited.
 */

import { createMac, type KeyObject } from 'node:crypto'
import type { Implementation } from './implementation.ts'

/** Part of Node 26.10, not yet of its published types. */
declare module 'node:crypto' {
  interface Mac {
    update(data: Uint8Array): Mac
    final(): Buffer
  }
  function createMac(name: 'cmac', key: KeyObject, options: { cipher: string }): Mac
}

export function aesCmac(keyBits: 128 | 192 | 256): Implementation {
  return { mac: ({ keyObject }, data) => cmac(keyObject, keyBits, data) }
}

/** All 16 bytes over the data, given in pieces. */
export function cmac(
  keyObject: KeyObject,
  keyBits: number,
  ...pieces: readonly Uint8Array[]
): Buffer {
  const context = createMac('cmac', keyObject, { cipher: `aes-${keyBits}-cbc` })
  for (const piece of pieces) context.update(piece)
  return context.final()
}
