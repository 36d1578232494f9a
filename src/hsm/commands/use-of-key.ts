/**
 * What every use of a key does before its own work: find the key, check state, dates, use and algorithm,
 * and take the operation from the registry. On the way of every signature, so nothing is made that is
 * not needed.
 */

import assert from 'node:assert/strict'
import { algorithmFor, type Implementation } from '../algorithms.ts'
import type { AlgorithmName, KeyUse } from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import type { KeyAttributes } from '../contract/keys.ts'
import { assertUseApproved } from '../gate.ts'
import { assertUse } from '../keys/attributes.ts'
import type { KeyMaterial } from '../keys/material.ts'
import { wrappedKeyBytesMax } from '../keys/wrapped.ts'
import { assertLevelPermits } from '../levels.ts'
import type { Module } from '../module.ts'
import {
  type KeyReference,
  parseAlgorithm,
  parseKeyReference,
  parseObject,
  type Untrusted,
} from '../parse.ts'

export interface UseArguments extends KeyReference {
  readonly algorithm?: AlgorithmName
}

/** The part by which a use brings its key. */
export const wrappedPart = { bytesMax: wrappedKeyBytesMax, optional: true } as const

const members = ['key', 'version', 'algorithm']

/** @throws HsmError ARGUMENT_INVALID, ALGORITHM_NOT_SUPPORTED */
export function parseUse(untrusted: unknown): UseArguments {
  return parseUseMembers(parseObject(untrusted, members, 'arguments'))
}

/** A parser of what a use takes besides; its own members are parsed by whoever calls. */
export function useMembers(more: readonly string[]): readonly string[] {
  return [...members, ...more]
}

/** The members that every use has, of something that parseObject took. */
export function parseUseMembers(untrusted: Untrusted): UseArguments {
  const { key, version } = parseKeyReference(untrusted)
  const { algorithm } = untrusted
  return algorithm === undefined
    ? { key, version }
    : { key, version, algorithm: parseAlgorithm(algorithm) }
}

type Operation = keyof Implementation

/** The key that is used, and the function of the registry that does it. */
export interface PermittedUse<O extends Operation> {
  readonly attributes: KeyAttributes
  readonly material: KeyMaterial
  readonly operation: NonNullable<Implementation[O]>
}

/**
 * @throws HsmError KEY_NOT_LOADED and what else Module.key throws, KEY_STATE_INVALID, KEY_USE_NOT_PERMITTED,
 *   LEVEL_NOT_PERMITTED, KEY_TOO_WEAK, USES_EXHAUSTED; Untested, before anything has happened
 */
export function permitUse<O extends Operation>(
  module: Module,
  args: UseArguments,
  wrapped: Uint8Array | undefined,
  { use, operation: name }: { readonly use: KeyUse; readonly operation: O },
): PermittedUse<O> {
  const { attributes, material } = module.key(args, wrapped)
  const algorithm = assertUse(attributes, use, args.algorithm, module.now())
  module.selfTests.assertTested(algorithm)
  // Level 1 permits every key that there is.
  if (module.level > 1) {
    assertLevelPermits(module.level, { ...attributes, uses: [use] }, material.secretBytes)
  }
  assertUseApproved(module, attributes)
  if (attributes.canary) module.tamper.canaryUsed(attributes)
  if (attributes.usesMax > 0) module.useCounts.take(attributes)
  const operation = algorithmFor(algorithm, attributes.type)[name]
  assert(operation, `${algorithm} lacks ${name}, which its row in the contract promises`)
  return { attributes, material, operation }
}

/** @throws HsmError KEY_USE_NOT_PERMITTED unless the key may let out what is made with it */
export function assertRelease({ plaintextRelease }: KeyAttributes): void {
  if (plaintextRelease) return
  throw new HsmError('KEY_USE_NOT_PERMITTED', 'the key does not release what is made with it')
}
