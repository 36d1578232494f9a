/**
 * Memory at a fixed address through which native calls take their arguments and give their results.
 * One call takes a scratch, puts what it needs into it, and everything in it is erased when the call
 * ends. Addresses are numbers to this file; only `native.ts` and `native-random.ts` give them to anyone who follows.
 */

import assert from 'node:assert/strict'
import { HsmError } from './contract/errors.ts'
import { secretMemory } from './contract/secret-memory.ts'
import type { Parameter } from './digest-scheme.ts'

const wordBytes = 8
/** struct ossl_param_st (openssl/core.h) where a pointer has eight bytes. */
const parameterBytes = 40
const parameterUnmodified = 0xffff_ffff_ffff_ffffn

export class Arena {
  readonly address: bigint
  readonly bytes: Buffer
  used = 0

  /** @param bytes a view of the memory at the address */
  constructor(address: bigint, bytes: Buffer) {
    this.address = address
    this.bytes = bytes
  }

  scratch(): Scratch {
    return new Scratch(this)
  }
}

/** The pieces of one call. What was begun last ends first. */
export class Scratch implements Disposable {
  readonly #arena: Arena
  readonly #start: number

  constructor(arena: Arena) {
    this.#arena = arena
    this.#start = arena.used
  }

  /** Address of a zeroed piece. @throws HsmError ARGUMENT_INVALID when the arena has no room for it */
  space(lengthBytes: number): bigint {
    const offset = this.#arena.used
    const end = offset + Math.max(1, Math.ceil(lengthBytes / wordBytes)) * wordBytes
    if (end > this.#arena.bytes.length) {
      throw new HsmError('ARGUMENT_INVALID', 'the input of a native call is too long')
    }
    this.#arena.used = end
    return this.#arena.address + BigInt(offset)
  }

  put(bytes: Uint8Array): bigint {
    const address = this.space(bytes.length)
    this.#arena.bytes.set(bytes, this.#offset(address))
    return address
  }

  /** With a zero byte behind it. */
  text(text: string): bigint {
    return this.put(Buffer.from(`${text}\0`))
  }

  /** Words of 64 bits: numbers, or addresses. */
  numbers(values: readonly bigint[]): bigint {
    const address = this.space(values.length * wordBytes)
    for (const [index, value] of values.entries()) {
      this.#arena.bytes.writeBigUInt64LE(value, this.#offset(address) + index * wordBytes)
    }
    return address
  }

  readNumber(address: bigint): bigint {
    return this.#arena.bytes.readBigUInt64LE(this.#offset(address))
  }

  /** A copy, in memory of its own. */
  read(address: bigint, lengthBytes: number): Buffer {
    const start = this.#offset(address)
    const copy = secretMemory(lengthBytes)
    assert(this.#arena.bytes.copy(copy, 0, start, start + lengthBytes) === lengthBytes)
    return copy
  }

  /** An array of OSSL_PARAM (OSSL_PARAM(3)), the last of them empty. */
  parameters(list: readonly Parameter[]): bigint {
    const address = this.space(parameterBytes * (list.length + 1))
    const { bytes: memory } = this.#arena
    for (const [index, { name, type, bytes }] of list.entries()) {
      const offset = this.#offset(address) + index * parameterBytes
      // OpenSSL compares text with strcmp: a zero byte follows, outside of the length.
      const value = this.space(bytes.length + 1)
      memory.set(bytes, this.#offset(value))
      memory.writeBigUInt64LE(this.text(name), offset)
      memory.writeUInt32LE(type, offset + 8)
      memory.writeBigUInt64LE(value, offset + 16)
      memory.writeBigUInt64LE(BigInt(bytes.length), offset + 24)
      memory.writeBigUInt64LE(parameterUnmodified, offset + 32)
    }
    return address
  }

  [Symbol.dispose](): void {
    this.#arena.bytes.fill(0, this.#start, this.#arena.used)
    this.#arena.used = this.#start
  }

  #offset(address: bigint): number {
    return Number(address - this.#arena.address)
  }
}
