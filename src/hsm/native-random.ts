/**
 * Native code for randomness, beside `native.ts` and under the same rules: all functions are found when
 * this file is loaded, everything that they read or write is memory at addresses of our own (in OpenSSL's
 * locked secure heap where there is one), and what a call left there is erased behind it.
 *
 * What is here: bytes of the kernel (getrandom(2), getentropy(3)) and of the processor (RDRAND, through
 * OpenSSL and gated on OpenSSL's own reading of the CPU flags), an HMAC whose key and value never leave the
 * heap, from which `entropy/hmac-drbg.ts` makes its generator, and SLH-DSA keys from a seed of ours, which
 * node:crypto only makes from OpenSSL's.
 */

import assert from 'node:assert/strict'
import { dlopen, toString as textAt, toArrayBuffer } from 'node:ffi'
import { octets, type Parameter } from './digest-scheme.ts'
import { Arena, type Scratch } from './native-arena.ts'

const p = 'pointer'
const int = 'int32'
const size = 'uint64'

const { functions: openssl } = dlopen(null, {
  CRYPTO_secure_zalloc: { return: p, arguments: [size, p, int] },
  OPENSSL_info: { return: p, arguments: [int] },
  EVP_MAC_fetch: { return: p, arguments: [p, p, p] },
  EVP_MAC_CTX_new: { return: p, arguments: [p] },
  EVP_MAC_CTX_free: { return: 'void', arguments: [p] },
  EVP_MAC_init: { return: int, arguments: [p, p, size, p] },
  EVP_MAC_update: { return: int, arguments: [p, p, size] },
  EVP_MAC_final: { return: int, arguments: [p, p, p, size] },
  EVP_PKEY_CTX_new_from_name: { return: p, arguments: [p, p, p] },
  EVP_PKEY_CTX_free: { return: 'void', arguments: [p] },
  EVP_PKEY_CTX_set_params: { return: int, arguments: [p, p] },
  EVP_PKEY_keygen_init: { return: int, arguments: [p] },
  EVP_PKEY_generate: { return: int, arguments: [p, p] },
  EVP_PKEY_get_octet_string_param: { return: int, arguments: [p, p, p, size, p] },
  EVP_PKEY_free: { return: 'void', arguments: [p] },
})

/** OPENSSL_INFO_CPU_SETTINGS (openssl/crypto.h): the flags as text, read while this file is loaded. */
const infoCpuSettings = 1008
/** CPUID leaf 1, ECX bit 30, which is bit 62 of OpenSSL's first word (OPENSSL_ia32cap(3)). */
const rdrandFlag = 1n << 62n

const rdrand =
  process.arch === 'x64' && hasFlag(rdrandFlag)
    ? dlopen(null, { OPENSSL_ia32_rdrand_bytes: { return: size, arguments: [p, size] } }).functions
    : undefined

const kernel =
  process.platform === 'linux'
    ? dlopen(null, { getrandom: { return: 'int64', arguments: [p, size, int] } }).functions
    : undefined
const getentropy =
  process.platform === 'linux'
    ? undefined
    : dlopen(null, { getentropy: { return: int, arguments: [p, size] } }).functions

/** What getentropy(3) gives in one call. */
const getentropyBytesMax = 256

const arenaBytes = 16 * 1024
const arena = new Arena(...ownMemory(arenaBytes))

/** K and V of the longest hash, and how many generators there can be at a time: the module's, and tests. */
const chainBytes = 2 * 64
const chainsMax = 16
const [chainsAddress, chainsMemory] = ownMemory(chainsMax * chainBytes)
const freeChains = Array.from({ length: chainsMax }, (_, index) => index * chainBytes)

/** Address and view of zeroed memory, for good: after the wall no view can be made any more. */
function ownMemory(lengthBytes: number): [address: bigint, view: Buffer] {
  const address = openssl.CRYPTO_secure_zalloc(BigInt(lengthBytes), 0n, 0)
  assert(address !== 0n, 'no memory for the generator')
  return [address, Buffer.from(toArrayBuffer(address, lengthBytes, false))]
}

/** OpenSSL clears the flag where a processor's generator is known to be broken; so do we, by asking it. */
function hasFlag(flag: bigint): boolean {
  const settings = openssl.OPENSSL_info(infoCpuSettings)
  if (settings === 0n) return false
  const first = /^OPENSSL_ia32cap=(0x[0-9a-f]+)/.exec(textAt(settings) ?? '')?.[1]
  return first !== undefined && (BigInt(first) & flag) !== 0n
}

/** Whether this processor has RDRAND and OpenSSL trusts it. */
export const hasProcessorGenerator: boolean = rdrand !== undefined

/** Fills with bytes of the kernel's generator. False if it did not give all of them. */
export function fillFromKernel(target: Uint8Array): boolean {
  return fill(target, (address, lengthBytes) => {
    if (kernel) return kernel.getrandom(address, BigInt(lengthBytes), 0) === BigInt(lengthBytes)
    assert(getentropy && lengthBytes <= getentropyBytesMax)
    return getentropy.getentropy(address, BigInt(lengthBytes)) === 0
  })
}

/** Fills with what RDRAND gives. False if it gave less: its own test failed, or it is not there. */
export function fillFromProcessor(target: Uint8Array): boolean {
  return fill(target, (address, lengthBytes) => {
    return rdrand?.OPENSSL_ia32_rdrand_bytes(address, BigInt(lengthBytes)) === BigInt(lengthBytes)
  })
}

function fill(target: Uint8Array, give: (address: bigint, lengthBytes: number) => boolean) {
  const step = kernel ? arenaBytes : getentropyBytesMax
  for (let start = 0; start < target.length; start += step) {
    using scratch = arena.scratch()
    const piece = target.subarray(start, start + step)
    const address = scratch.space(piece.length)
    if (!give(address, piece.length)) return false
    const bytes = scratch.read(address, piece.length)
    piece.set(bytes)
    bytes.fill(0)
  }
  return true
}

/**
 * K and V of an HMAC_DRBG (SP 800-90A section 10.1.2) and the three things that are done with them. Both
 * start as the standard has it: K all zero, V all ones.
 */
export class HmacChain implements Disposable {
  readonly outputBytes: number
  readonly #offset: number
  readonly #address: bigint
  readonly #memory: Buffer
  readonly #context: bigint
  #erased = false

  /** @param digest OpenSSL's name of the hash */
  constructor(digest: string, outputBytes: number) {
    const offset = freeChains.pop()
    assert(offset !== undefined && 2 * outputBytes <= chainBytes, 'too many generators at a time')
    this.outputBytes = outputBytes
    this.#offset = offset
    this.#address = chainsAddress + BigInt(offset)
    this.#memory = chainsMemory.subarray(offset, offset + 2 * outputBytes)
    this.#memory.fill(1, outputBytes)
    using scratch = arena.scratch()
    const hmac = openssl.EVP_MAC_fetch(0n, scratch.text('HMAC'), 0n)
    assert(hmac !== 0n, 'OpenSSL has no HMAC')
    this.#context = openssl.EVP_MAC_CTX_new(hmac)
    assert(this.#context !== 0n, 'no memory for the generator')
    const name: Parameter = { name: 'digest', type: 4, bytes: Buffer.from(digest) }
    const parameters = scratch.parameters([name])
    const [key, length] = [this.#address, BigInt(outputBytes)]
    assert(openssl.EVP_MAC_init(this.#context, key, length, parameters) === 1, 'no such hash')
  }

  /** K = HMAC(K, V ‖ separator ‖ pieces), V = HMAC(K, V): the two steps of HMAC_DRBG_Update. */
  update(separator: 0 | 1, pieces: readonly Uint8Array[]): void {
    this.#begin()
    this.#add(this.#value, this.outputBytes)
    this.#put(Uint8Array.of(separator))
    for (const piece of pieces) {
      for (let start = 0; start < piece.length; start += arenaBytes) {
        this.#put(piece.subarray(start, start + arenaBytes))
      }
    }
    this.#end(this.#address)
    const length = BigInt(this.outputBytes)
    assert(openssl.EVP_MAC_init(this.#context, this.#address, length, 0n) === 1)
    this.#add(this.#value, this.outputBytes)
    this.#end(this.#value)
  }

  /** V = HMAC(K, V), and as much of it as there is room for, from the start of the target. */
  next(target: Uint8Array): void {
    this.#begin()
    this.#add(this.#value, this.outputBytes)
    this.#end(this.#value)
    const start = this.outputBytes
    target.set(this.#memory.subarray(start, start + Math.min(start, target.length)))
  }

  [Symbol.dispose](): void {
    if (this.#erased) return
    this.#erased = true
    openssl.EVP_MAC_CTX_free(this.#context)
    this.#memory.fill(0)
    freeChains.push(this.#offset)
  }

  get #value(): bigint {
    return this.#address + BigInt(this.outputBytes)
  }

  /** Starts over under the key that the context has. */
  #begin(): void {
    if (this.#erased) throw new TypeError('generator used after it was erased')
    assert(openssl.EVP_MAC_init(this.#context, 0n, 0n, 0n) === 1)
  }

  #add(address: bigint, lengthBytes: number): void {
    assert(openssl.EVP_MAC_update(this.#context, address, BigInt(lengthBytes)) === 1)
  }

  #put(bytes: Uint8Array): void {
    using scratch = arena.scratch()
    this.#add(scratch.put(bytes), bytes.length)
  }

  #end(address: bigint): void {
    assert(openssl.EVP_MAC_final(this.#context, address, 0n, BigInt(this.outputBytes)) === 1)
  }
}

/**
 * The private key of SLH-DSA from its three seeds (FIPS 205 algorithm 18, slh_keygen_internal): computes the
 * root, which takes up to half a second.
 * @param parameterSet OpenSSL's name
 * @param seeds SK.seed, SK.prf and PK.seed, n bytes each; the caller keeps and erases them
 * @returns the three and the root, 4 n bytes, which the caller erases
 */
export function slhDsaPrivateKey(parameterSet: string, seeds: Uint8Array): Buffer {
  using scratch = arena.scratch()
  const context = openssl.EVP_PKEY_CTX_new_from_name(0n, scratch.text(parameterSet), 0n)
  assert(context !== 0n, 'OpenSSL has no such parameter set')
  try {
    const parameters = scratch.parameters([octets('seed', seeds)])
    assert(openssl.EVP_PKEY_keygen_init(context) === 1)
    assert(openssl.EVP_PKEY_CTX_set_params(context, parameters) === 1, 'not as long as the seeds')
    const key = scratch.numbers([0n])
    assert(openssl.EVP_PKEY_generate(context, key) === 1, 'no key of these seeds')
    return privateBytes(scratch, scratch.readNumber(key), (seeds.length / 3) * 4)
  } finally {
    openssl.EVP_PKEY_CTX_free(context)
  }
}

/** Frees the key. */
function privateBytes(scratch: Scratch, key: bigint, lengthBytes: number): Buffer {
  const [name, target, length] = [
    scratch.text('priv'),
    scratch.space(lengthBytes),
    scratch.numbers([0n]),
  ]
  const got = openssl.EVP_PKEY_get_octet_string_param(
    key,
    name,
    target,
    BigInt(lengthBytes),
    length,
  )
  openssl.EVP_PKEY_free(key)
  assert(got === 1 && scratch.readNumber(length) === BigInt(lengthBytes))
  return scratch.read(target, lengthBytes)
}
