/**
 * What is measured: one row a piece of work, with how bare node:crypto does it, what `openssl speed`
 * calls it, and how it is asked for through the door and over REST.
 */

import {
  createCipheriv,
  createHmac,
  createSecretKey,
  generateKeyPairSync,
  type KeyObject,
  randomBytes,
  sign,
} from 'node:crypto'
import type { AlgorithmName, KeyTypeName, KeyUse } from '../src/hsm/contract/algorithms.ts'

export interface Work {
  readonly name: string
  readonly type: KeyTypeName
  readonly algorithm: AlgorithmName
  readonly uses: readonly KeyUse[]
  readonly operation: 'sign' | 'encrypt' | 'mac'
  /** Name of the data's member in REST and of its part at the door. */
  readonly member: 'data' | 'plaintext'
  readonly data: Buffer
  readonly bare: () => () => void
  /** Arguments of `openssl speed -mr`, and how its figure is read; none where it has no such test. */
  readonly openssl?: { readonly args: readonly string[]; readonly bytes?: number }
}

const message = Buffer.alloc(32, 7)

function signing(digest: string | null, make: () => KeyObject): () => () => void {
  return () => {
    const key = make()
    return () => void sign(digest, message, key)
  }
}

function aesGcm(data: Buffer): () => () => void {
  return () => {
    const key = createSecretKey(randomBytes(32))
    return () => {
      const cipher = createCipheriv('aes-256-gcm', key, randomBytes(12))
      cipher.update(data)
      cipher.final()
      cipher.getAuthTag()
    }
  }
}

const encryption = { type: 'AES-256', uses: ['encrypt', 'decrypt'], operation: 'encrypt' } as const
const signature = { uses: ['sign', 'verify'], operation: 'sign', member: 'data' } as const

function gcmRow(name: string, bytes: number): Work {
  const data = Buffer.alloc(bytes, 7)
  return {
    ...encryption,
    name,
    algorithm: 'AES-256-GCM',
    member: 'plaintext',
    data,
    bare: aesGcm(data),
    openssl: { args: ['-bytes', String(bytes), '-evp', 'aes-256-gcm'], bytes },
  }
}

export const works: readonly Work[] = [
  {
    ...signature,
    name: 'P-256 sign',
    type: 'P-256',
    algorithm: 'ECDSA-SHA-256',
    data: message,
    bare: signing('sha256', () => generateKeyPairSync('ec', { namedCurve: 'P-256' }).privateKey),
    openssl: { args: ['ecdsap256'] },
  },
  {
    ...signature,
    name: 'Ed25519 sign',
    type: 'Ed25519',
    algorithm: 'Ed25519',
    data: message,
    bare: signing(null, () => generateKeyPairSync('ed25519').privateKey),
    openssl: { args: ['ed25519'] },
  },
  {
    ...signature,
    name: 'RSA-2048 sign',
    type: 'RSA-2048',
    algorithm: 'RSASSA-PKCS1-v1_5-SHA-256',
    data: message,
    bare: signing('sha256', () => generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey),
    openssl: { args: ['rsa2048'] },
  },
  {
    ...signature,
    name: 'ML-DSA-65 sign',
    type: 'ML-DSA-65',
    algorithm: 'ML-DSA-65',
    data: message,
    bare: signing(null, () => generateKeyPairSync('ml-dsa-65').privateKey),
  },
  gcmRow('AES-256-GCM 64 B', 64),
  gcmRow('AES-256-GCM 4 KiB', 4096),
  {
    name: 'HMAC-SHA-256 64 B',
    type: 'generic-secret',
    algorithm: 'HMAC-SHA-256',
    uses: ['mac', 'verifyMac'],
    operation: 'mac',
    member: 'data',
    data: Buffer.alloc(64, 7),
    bare: () => {
      const key = createSecretKey(randomBytes(32))
      const data = Buffer.alloc(64, 7)
      return () => void createHmac('sha256', key).update(data).digest()
    },
    openssl: { args: ['-bytes', '64', '-hmac', 'sha256'], bytes: 64 },
  },
]
