/**
 * The KDF in counter mode of SP 800-108 revision 1 section 4.1, with HMAC or AES-CMAC. The counter has
 * 32 bits, starts at 1 and stands before the fixed input, which is label || 0x00 || context || [L]_32
 * with L in bits, or, for formats that build their own, ready bytes given as info.
 *
 * With CMAC, who chooses the whole fixed input and knows the key can steer the output (section 6.7):
 * derive only for holders who are allowed the derived key anyway.
 */

import { createHmac, type KeyObject } from 'node:crypto'
import { keyTypes } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import { secretMemory } from '../contract/secret-memory.ts'
import type { KeyMaterial } from '../keys/material.ts'
import { Secret } from '../secret.ts'
import { cmac } from './cmac.ts'
import { assertNoIterations, type DeriveOptions, type Implementation } from './implementation.ts'

const lengthMax = 8_192

/** The pseudorandom function: MAC under one key over counter and fixed input. */
type Prf = (counter: Uint8Array, fixedInput: Uint8Array) => Buffer

export function kdfCounterHmac(hash: string): Implementation {
  const prfOf =
    (key: KeyObject): Prf =>
    (counter, fixedInput) =>
      createHmac(hash, key).update(counter).update(fixedInput).digest()
  return { derive: ({ keyObject }, options) => derive(prfOf(keyObject), options) }
}

export const kdfCounterCmac: Implementation = {
  derive: (key, options) => derive(cmacUnder(key), options),
}

function cmacUnder({ typeName, keyObject }: KeyMaterial): Prf {
  const { strengthBits } = keyTypes[typeName]
  return (counter, fixedInput) => cmac(keyObject, strengthBits, counter, fixedInput)
}

function derive(prf: Prf, options: DeriveOptions): Secret {
  assertNoIterations(options)
  const { lengthBytes } = options
  if (!Number.isSafeInteger(lengthBytes) || lengthBytes < 1 || lengthBytes > lengthMax) {
    throw new HsmError('ARGUMENT_INVALID', `the counter KDF makes 1 to ${lengthMax} bytes`)
  }
  const fixedInput = fixedInputOf(options)
  const output = secretMemory(lengthBytes)
  const counter = Buffer.alloc(4)
  for (let offset = 0, index = 1; offset < lengthBytes; index += 1) {
    counter.writeUInt32BE(index)
    const block = prf(counter, fixedInput)
    offset += block.copy(output, offset)
    block.fill(0)
  }
  return new Secret(output)
}

function fixedInputOf({ salt, info, label, context, lengthBytes }: DeriveOptions): Uint8Array {
  if (salt.length > 0) {
    throw new HsmError('ARGUMENT_INVALID', 'the counter KDF takes no salt')
  }
  if (info.length > 0) {
    if (label.length === 0 && context.length === 0) return info
    throw new HsmError('ARGUMENT_INVALID', 'either label and context, or the ready fixed input')
  }
  const lengthBits = Buffer.alloc(4)
  lengthBits.writeUInt32BE(lengthBytes * 8)
  return Buffer.concat([label, Buffer.alloc(1), context, lengthBits])
}
