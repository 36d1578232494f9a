/**
 * Key check values: short public facts by which two people see that they hold the same key, and too
 * short to attack it. AES has the CMAC value of ANSI X9.24-1:2017 (five bytes) and the older encrypted
 * zero block of PKCS#11 (three bytes, CKA_CHECK_VALUE); other secrets PKCS#11's first three bytes of
 * SHA-1; pairs the SHA-256 fingerprint of their SubjectPublicKeyInfo. All in lower-case hex.
 */

import { createCipheriv, hash } from 'node:crypto'
import { type KeyTypeName, keyTypes } from '../contract/algorithms.ts'
import { cmac } from '../primitives/cmac.ts'
import type { KeyMaterial } from './material.ts'

const cmacValueBytes = 5
const shortValueBytes = 3

export interface CheckValue {
  readonly cmac?: string
  readonly zeroBlock?: string
  readonly fingerprint?: string
}

const aesTypes: readonly KeyTypeName[] = ['AES-128', 'AES-192', 'AES-256']

export function checkValue(material: KeyMaterial): CheckValue {
  const { typeName, keyClass, keyObject } = material
  if (keyClass !== 'secret') return { fingerprint: hash('sha256', material.publicSpki()) }
  if (!aesTypes.includes(typeName)) {
    using bytes = material.toBytes()
    const digest = bytes.expose((exposed) => hash('sha1', exposed, 'buffer'))
    return { fingerprint: digest.toString('hex', 0, shortValueBytes) }
  }
  const { strengthBits } = keyTypes[typeName]
  const zeroBlock = Buffer.alloc(16)
  const tag = cmac(keyObject, strengthBits, zeroBlock)
  const aes = createCipheriv(`aes-${strengthBits}-ecb`, keyObject, null).setAutoPadding(false)
  return {
    cmac: tag.toString('hex', 0, cmacValueBytes),
    zeroBlock: aes.update(zeroBlock).toString('hex', 0, shortValueBytes),
  }
}
