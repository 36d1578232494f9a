/**
 * Runs published cases against the module's implementations themselves, without the door: import the
 * key, call the function of its row.
 */

import { algorithmFor, type Implementation, verifyMac } from '../../src/hsm/algorithms.ts'
import { HsmError } from '../../src/hsm/contract/errors.ts'
import { KeyMaterial } from '../../src/hsm/keys/material.ts'
import { Secret } from '../../src/hsm/secret.ts'
import type { VectorCase, VectorOutcome, VectorTarget } from './case.ts'

const none = new Uint8Array()

export const implementationsTarget: VectorTarget = {
  run: async (vector) => {
    try {
      using bytes = Secret.copyOf(vector.material)
      using key = KeyMaterial.fromBytes(vector.keyType, vector.keyClass, bytes)
      return await use(vector, key)
    } catch (error) {
      if (error instanceof HsmError) return { refused: error.code }
      throw error
    }
  },
}

async function use(vector: VectorCase, key: KeyMaterial): Promise<VectorOutcome> {
  const row = algorithmFor(vector.algorithm, key.typeName)
  const { inputs, options } = vector
  const input = (name: string): Uint8Array => inputs[name] ?? none
  const aad = input('aad')
  const signing = {
    input: options.input ?? 'message',
    format: options.format ?? 'der',
    context: input('context'),
  } as const
  switch (vector.command) {
    case 'sign':
      return { bytes: await has(row.sign)(key, input('data'), signing) }
    case 'verify': {
      const verify = has(row.verify)
      return { valid: await verify(key, input('data'), input('signature'), signing) }
    }
    case 'encrypt': {
      const encrypted = await has(row.encrypt)(key, input('plaintext'), { iv: input('iv'), aad })
      return { bytes: encrypted.ciphertext }
    }
    case 'decrypt': {
      const encrypted = { iv: input('iv'), ciphertext: input('ciphertext'), aad }
      return { bytes: await has(row.decrypt)(key, encrypted) }
    }
    case 'mac':
      return { bytes: has(row.mac)(key, input('data')).subarray(0, options.lengthBytes) }
    case 'verifyMac': {
      const claimed = { data: input('data'), tag: input('mac') }
      return { valid: verifyMac(has(row.mac), key, claimed) }
    }
    case 'publicKey':
      return { bytes: key.publicSpki() }
    default:
      return { bytes: await makeSecret(vector, key, row) }
  }
}

/** The commands whose result is a secret, or takes one in. */
async function makeSecret(
  { command, inputs, options }: VectorCase,
  key: KeyMaterial,
  row: Implementation,
): Promise<Uint8Array> {
  const input = (name: string): Uint8Array => inputs[name] ?? none
  switch (command) {
    case 'wrapKey': {
      using target = Secret.copyOf(input('target'))
      return (await has(row.wrap)(key, target)).ciphertext
    }
    case 'unwrapKey': {
      const wrapped = {
        ...{ iv: input('iv'), ciphertext: input('ciphertext') },
        ...{ info: input('info'), aad: input('aad') },
      }
      return released(await has(row.unwrap)(key, wrapped))
    }
    case 'agree':
      return released(await has(row.agree)(key, input('peer')))
    case 'decapsulate':
      return released(await has(row.decapsulate)(key, input('ciphertext')))
    default: {
      const given = { salt: input('salt'), info: input('info') }
      const fixed = { label: input('label'), context: input('context') }
      const { lengthBytes = 0, iterations = 0 } = options
      return released(await has(row.derive)(key, { ...given, ...fixed, lengthBytes, iterations }))
    }
  }
}

function released(secret: Secret): Uint8Array {
  return secret.expose((bytes) => Uint8Array.from(bytes))
}

function has<T>(operation: T | undefined): T {
  if (operation === undefined) throw new Error('the algorithm has no such operation')
  return operation
}
