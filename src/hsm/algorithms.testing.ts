/** What the tests of the registry share: one key of each type, and what is left out for its slowness. */

import assert from 'node:assert/strict'
import {
  type AlgorithmName,
  algorithms,
  type KeyType,
  type KeyTypeName,
  keyTypes as keyTypeRows,
} from './contract/algorithms.ts'
import { KeyMaterial } from './keys/material.ts'
import type { Secret } from './secret.ts'

export const none = new Uint8Array()
export const names = Object.keys(algorithms) as AlgorithmName[]

const keys = new Map<KeyTypeName, Promise<KeyMaterial>>()

/** One key of a type for the whole file: RSA-4096 takes a second to make. */
export function keyOf(typeName: KeyTypeName): Promise<KeyMaterial> {
  const known = keys.get(typeName) ?? KeyMaterial.generate(typeName, { lengthBytes: 32 })
  keys.set(typeName, known)
  return known
}

/** Signing with a small set of SLH-DSA takes up to a second: one stands for all, the long form has the others. */
const isLong = process.env.KEYHOLD_LONG !== undefined
export const isTooSlow = (name: string) =>
  !isLong && /^SLH-DSA.*s$/.test(name) && !/SHA2-128s/.test(name)

/** Types of which there are private keys or secrets. */
export function usable(types: readonly KeyTypeName[]): readonly KeyTypeName[] {
  return types.filter((name) => {
    const { publicOnly }: KeyType = keyTypeRows[name]
    return !publicOnly
  })
}

/** One of the types that an algorithm takes. */
export function firstType(name: AlgorithmName): KeyTypeName {
  return must(algorithms[name].keyTypes[0])
}

export function must<T>(operation: T | undefined): T {
  assert(operation !== undefined)
  return operation
}

export function copied(secret: Secret): Buffer {
  using owned = secret
  return owned.expose((bytes) => Buffer.from(bytes))
}
