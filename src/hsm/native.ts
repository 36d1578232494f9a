/**
 * Calls native code, which besides only `native-random.ts` does: the OpenSSL inside the pinned Node
 * binary, for what node:crypto lacks, and the kernel, for the wall. It offers typed functions and hides every pointer.
 *
 * Signatures over a ready digest: ECDSA (FIPS 186-5 section 6.4), RSASSA-PKCS1-v1_5 and RSASSA-PSS (RFC
 * 8017 section 8), ML-DSA over mu (FIPS 204 algorithms 7 and 8). Deterministic variants exist for known
 * answers only. All functions are found when this file is loaded, and all memory that they read or write
 * is one arena (in OpenSSL's locked secure heap where there is one), because after the wall neither a
 * function can be looked up nor an address be taken. What a call left in the arena is erased behind it.
 *
 * Every return code is checked. What OpenSSL refuses is an HsmError; the rest is a bug.
 */

import assert from 'node:assert/strict'
import { dlopen, toArrayBuffer } from 'node:ffi'
import { HsmError } from './contract/errors.ts'
import {
  type DigestScheme,
  isOverMessage,
  keyNameOf,
  octets,
  schemeParameters,
} from './digest-scheme.ts'
import { Arena, type Scratch } from './native-arena.ts'

export type { DigestScheme } from './digest-scheme.ts'

const p = 'pointer'
const int = 'int32'
const size = 'uint64'

const { functions: openssl } = dlopen(null, {
  CRYPTO_secure_zalloc: { return: p, arguments: [size, p, int] },
  CRYPTO_secure_free: { return: 'void', arguments: [p, p, int] },
  CRYPTO_secure_malloc_initialized: { return: int, arguments: [] },
  ERR_get_error: { return: size, arguments: [] },
  ERR_error_string_n: { return: 'void', arguments: [size, p, size] },
  RAND_add: { return: 'void', arguments: [p, int, 'double'] },
  d2i_PKCS8_PRIV_KEY_INFO: { return: p, arguments: [p, p, 'int64'] },
  EVP_PKCS82PKEY: { return: p, arguments: [p] },
  PKCS8_PRIV_KEY_INFO_free: { return: 'void', arguments: [p] },
  d2i_PUBKEY: { return: p, arguments: [p, p, 'int64'] },
  EVP_PKEY_free: { return: 'void', arguments: [p] },
  EVP_PKEY_is_a: { return: int, arguments: [p, p] },
  EVP_PKEY_get_size: { return: int, arguments: [p] },
  EVP_PKEY_CTX_new_from_pkey: { return: p, arguments: [p, p, p] },
  EVP_PKEY_CTX_free: { return: 'void', arguments: [p] },
  EVP_PKEY_check: { return: int, arguments: [p] },
  EVP_PKEY_sign_init_ex: { return: int, arguments: [p, p] },
  EVP_PKEY_sign_message_init: { return: int, arguments: [p, p, p] },
  EVP_PKEY_sign: { return: int, arguments: [p, p, p, p, size] },
  EVP_PKEY_verify_init_ex: { return: int, arguments: [p, p] },
  EVP_PKEY_verify_message_init: { return: int, arguments: [p, p, p] },
  EVP_PKEY_verify: { return: int, arguments: [p, p, size, p, size] },
  EVP_PKEY_encapsulate_init: { return: int, arguments: [p, p] },
  EVP_PKEY_encapsulate: { return: int, arguments: [p, p, p, p, p] },
})

const { functions: libc } = dlopen(null, {
  dup: { return: int, arguments: [int] },
  dup2: { return: int, arguments: [int, int] },
  close: { return: int, arguments: [int] },
  execve: { return: int, arguments: [p, p, p] },
})

/** Undefined where the kernel is not Linux: there the permission model is all there is. */
const linux =
  process.platform === 'linux'
    ? dlopen(null, {
        prctl: { return: int, arguments: [int, size, size, size, size] },
        syscall: { return: 'int64', arguments: ['int64', size, size, p] },
      }).functions
    : undefined

/** Room for the largest call: a message of known answers, its signature, and the parameters. */
const arenaBytes = 128 * 1024
const arenaAddress = openssl.CRYPTO_secure_zalloc(BigInt(arenaBytes), 0n, 0)
assert(arenaAddress !== 0n, 'no memory for the arena')
const arena = new Arena(arenaAddress, Buffer.from(toArrayBuffer(arenaAddress, arenaBytes, false)))

export interface SignDigestOptions {
  /** RFC 6979 nonces for ECDSA, no randomness in ML-DSA: for known answers. RSA has no such form. */
  readonly deterministic?: boolean
}

let keysMade = 0
let keysFreed = 0

/** How many native keys this thread has made and freed so far: a test holds them equal. */
export function nativeKeyCounts(): { readonly made: number; readonly freed: number } {
  return { made: keysMade, freed: keysFreed }
}

/** An EVP_PKEY with an owner. Disposing frees it, once; OpenSSL erases what was secret in it. */
export class NativeKey implements Disposable {
  #pointer: bigint

  private constructor(pointer: bigint) {
    this.#pointer = pointer
    keysMade += 1
  }

  /**
   * @param pkcs8 PrivateKeyInfo in DER (RFC 5958), nothing behind it; the caller keeps and erases it
   * @throws HsmError ARGUMENT_INVALID, SECURE_HEAP_FULL
   */
  static fromPkcs8(pkcs8: Uint8Array): NativeKey {
    using scratch = arena.scratch()
    const der = scratch.put(pkcs8)
    const cursor = scratch.numbers([der])
    const parsed = openssl.d2i_PKCS8_PRIV_KEY_INFO(0n, cursor, BigInt(pkcs8.length))
    if (parsed === 0n) throw refusal('not a private key in PKCS#8')
    const key = openssl.EVP_PKCS82PKEY(parsed)
    openssl.PKCS8_PRIV_KEY_INFO_free(parsed)
    if (key === 0n) throw refusal('not a private key in PKCS#8')
    return NativeKey.#whole(key, scratch.readNumber(cursor) === der + BigInt(pkcs8.length))
  }

  /**
   * @param spki SubjectPublicKeyInfo in DER (RFC 5280 section 4.1), nothing behind it
   * @throws HsmError ARGUMENT_INVALID
   */
  static fromSpki(spki: Uint8Array): NativeKey {
    using scratch = arena.scratch()
    const der = scratch.put(spki)
    const cursor = scratch.numbers([der])
    const key = openssl.d2i_PUBKEY(0n, cursor, BigInt(spki.length))
    if (key === 0n) throw refusal('not a public key in SubjectPublicKeyInfo')
    return NativeKey.#whole(key, scratch.readNumber(cursor) === der + BigInt(spki.length))
  }

  static #whole(pointer: bigint, isWhole: boolean): NativeKey {
    const key = new NativeKey(pointer)
    if (isWhole) return key
    key[Symbol.dispose]()
    throw new HsmError('ARGUMENT_INVALID', 'something follows the key')
  }

  /**
   * Signs a ready digest. ECDSA answers DER, and takes the leftmost bits of a digest that is longer than
   * the order; RSA and ML-DSA want exactly the length of their hash or of mu.
   * @throws HsmError ARGUMENT_INVALID when key, scheme and digest do not fit; SECURE_HEAP_FULL
   */
  signDigest(
    scheme: DigestScheme,
    digest: Uint8Array,
    { deterministic = false }: SignDigestOptions = {},
  ): Buffer {
    using context = new Context(this.#live())
    using scratch = arena.scratch()
    this.#assertFits(scheme, scratch)
    const parameters = scratch.parameters(schemeParameters(scheme, deterministic))
    const begun = isOverMessage(scheme)
      ? openssl.EVP_PKEY_sign_message_init(context.pointer, 0n, parameters)
      : openssl.EVP_PKEY_sign_init_ex(context.pointer, parameters)
    if (begun !== 1) throw refusal('the key does not sign in this way')
    const lengthMax = openssl.EVP_PKEY_get_size(this.#live())
    const signature = scratch.space(lengthMax)
    const length = scratch.numbers([BigInt(lengthMax)])
    const input = scratch.put(digest)
    const { pointer } = context
    if (openssl.EVP_PKEY_sign(pointer, signature, length, input, BigInt(digest.length)) !== 1) {
      throw refusal('the key does not sign this input')
    }
    return scratch.read(signature, Number(scratch.readNumber(length)))
  }

  /**
   * False for every signature that is not right, however malformed. PSS wants a salt of the digest's
   * length.
   * @throws HsmError ARGUMENT_INVALID when key and scheme do not fit
   */
  verifyDigest(scheme: DigestScheme, digest: Uint8Array, signature: Uint8Array): boolean {
    const key = this.#live()
    if (signature.length > openssl.EVP_PKEY_get_size(key)) return false
    using context = new Context(key)
    using scratch = arena.scratch()
    this.#assertFits(scheme, scratch)
    const parameters = scratch.parameters(schemeParameters(scheme, false))
    const begun = isOverMessage(scheme)
      ? openssl.EVP_PKEY_verify_message_init(context.pointer, 0n, parameters)
      : openssl.EVP_PKEY_verify_init_ex(context.pointer, parameters)
    if (begun !== 1) throw refusal('the key does not verify in this way')
    const verified = openssl.EVP_PKEY_verify(
      context.pointer,
      scratch.put(signature),
      BigInt(signature.length),
      scratch.put(digest),
      BigInt(digest.length),
    )
    if (verified !== 1) drainErrors()
    return verified === 1
  }

  /** True if all numbers of the pair belong together, primality included (EVP_PKEY_check(3)). */
  isConsistent(): boolean {
    using context = new Context(this.#live())
    const consistent = openssl.EVP_PKEY_check(context.pointer) === 1
    if (!consistent) drainErrors()
    return consistent
  }

  /**
   * ML-KEM's encapsulation with given randomness (FIPS 203 algorithm 17): for known answers.
   * @param m 32 bytes
   * @throws HsmError ARGUMENT_INVALID
   */
  encapsulateDerandomised(m: Uint8Array): { ciphertext: Buffer; sharedSecret: Buffer } {
    using context = new Context(this.#live())
    using scratch = arena.scratch()
    const parameters = scratch.parameters([octets('ikme', m)])
    if (openssl.EVP_PKEY_encapsulate_init(context.pointer, parameters) !== 1) {
      throw refusal('the key does not encapsulate')
    }
    const ciphertext = scratch.space(2_048)
    const ciphertextLength = scratch.numbers([2_048n])
    const secret = scratch.space(32)
    const secretLength = scratch.numbers([32n])
    const { pointer } = context
    const outputs = [ciphertext, ciphertextLength, secret, secretLength] as const
    if (openssl.EVP_PKEY_encapsulate(pointer, ...outputs) !== 1) {
      throw refusal('the key does not encapsulate with this randomness')
    }
    return {
      ciphertext: scratch.read(ciphertext, Number(scratch.readNumber(ciphertextLength))),
      sharedSecret: scratch.read(secret, Number(scratch.readNumber(secretLength))),
    }
  }

  [Symbol.dispose](): void {
    if (this.#pointer === 0n) return
    openssl.EVP_PKEY_free(this.#pointer)
    this.#pointer = 0n
    keysFreed += 1
  }

  /** OpenSSL passes over parameters that a key of another kind does not know, and signs all the same. */
  #assertFits(scheme: DigestScheme, scratch: Scratch): void {
    const name = keyNameOf(scheme)
    if (name === undefined || openssl.EVP_PKEY_is_a(this.#live(), scratch.text(name)) === 1) return
    throw refusal('the key is not of this kind')
  }

  #live(): bigint {
    if (this.#pointer === 0n) throw new TypeError('native key used after it was freed')
    return this.#pointer
  }
}

/** An EVP_PKEY_CTX for one call. */
class Context implements Disposable {
  readonly pointer: bigint

  constructor(key: bigint) {
    this.pointer = openssl.EVP_PKEY_CTX_new_from_pkey(0n, key, 0n)
    if (this.pointer === 0n) throw refusal('no context for the key')
  }

  [Symbol.dispose](): void {
    openssl.EVP_PKEY_CTX_free(this.pointer)
  }
}

/** Empties this thread's error queue, so that no later call finds what is not its own. */
function drainErrors(): string {
  const reasons: string[] = []
  using scratch = arena.scratch()
  const line = scratch.space(256)
  for (let code = openssl.ERR_get_error(); code !== 0n; code = openssl.ERR_get_error()) {
    openssl.ERR_error_string_n(code, line, 256n)
    const text = scratch.read(line, 256).toString('latin1')
    reasons.push(text.slice(0, text.indexOf('\0')))
  }
  return reasons.join('; ')
}

/** What OpenSSL refused; a full secure heap shows as a key that cannot be decoded. */
function refusal(what: string): HsmError {
  const cause = new Error(drainErrors())
  if (isSecureHeapFull()) {
    return new HsmError('SECURE_HEAP_FULL', 'no room for another private key', { cause })
  }
  return new HsmError('ARGUMENT_INVALID', what, { cause })
}

/** True if the secure heap, where there is one, has no room for the pieces of a private key. */
export function isSecureHeapFull(): boolean {
  if (openssl.CRYPTO_secure_malloc_initialized() !== 1) return false
  const probe = openssl.CRYPTO_secure_zalloc(16n * 1024n, 0n, 0)
  if (probe !== 0n) openssl.CRYPTO_secure_free(probe, 0n, 0)
  else drainErrors()
  return probe === 0n
}

/**
 * Stirs bytes into OpenSSL's generator, the one that makes its primes, scalars and nonces (RAND_add(3),
 * SP 800-90A section 9.2, additional input of a reseeding).
 * @param bytes at most 64 KiB; the caller keeps and erases them
 * @param entropyBits how much the caller can answer for; 0 for input that is mixed, never counted
 */
export function addEntropy(bytes: Uint8Array, entropyBits: number): void {
  assert(entropyBits >= 0 && entropyBits <= bytes.length * 8)
  using scratch = arena.scratch()
  openssl.RAND_add(scratch.put(bytes), bytes.length, entropyBits / 8)
}

/** Constants of linux/prctl.h and linux/seccomp.h. */
const prGetSeccomp = 21
const prSetDumpable = 4
const prGetDumpable = 3
const prSetNoNewPrivileges = 38
const seccompModeFilter = 2
const seccompSetModeFilter = 1n
const seccompAllThreads = 1n
const seccompNumbers: Readonly<Record<string, bigint>> = { x64: 317n, arm64: 277n }

function control(option: number, argument = 0n): number {
  assert(linux, 'only Linux has prctl')
  const result = linux.prctl(option, argument, 0n, 0n, 0n)
  assert(result >= 0, `the kernel refuses prctl ${option}`)
  return result
}

/** From now on: no core dump, no attaching, and /proc/<pid>/mem for nobody but root (prctl(2)). */
export function forbidDumping(): void {
  control(prSetDumpable, 0n)
  assert(control(prGetDumpable) === 0)
}

/** Nothing that this process or a successor executes can gain rights; seccomp(2) asks for it. */
export function forbidNewPrivileges(): void {
  control(prSetNoNewPrivileges, 1n)
}

/** True if the kernel already filters what this process calls. */
export function isFiltered(): boolean {
  return control(prGetSeccomp) === seccompModeFilter
}

/** Installs a BPF program in front of the system calls of all threads, for good (seccomp(2)). */
export function filterSystemCalls(program: Uint8Array): void {
  const seccomp = seccompNumbers[process.arch]
  assert(linux && seccomp !== undefined, 'no filter is known for this processor')
  using scratch = arena.scratch()
  // struct sock_fprog: a count of 16 bits, padded to eight bytes, and the address.
  const header = scratch.numbers([BigInt(program.length / 8), scratch.put(program)])
  const refused = linux.syscall(seccomp, seccompSetModeFilter, seccompAllThreads, header)
  assert(refused === 0n, 'the kernel refuses the filter, or a thread has one of its own')
}

/** close_range(2) on every processor, and the flag that only marks the descriptors. */
const closeRange = 436n
const closeRangeCloexec = 4n

/**
 * Replaces this process by another program, with the given environment and descriptors 0 to 3. Node has
 * marked them to be closed; a duplicate has no such mark. All others are closed, also those that whoever
 * started the host had open and handed down without a thought. Returns only by throwing.
 * @param environment NAME=value, and nothing else
 */
export function execute(
  file: string,
  args: readonly string[],
  environment: readonly string[],
): never {
  if (linux) {
    const refused = linux.syscall(closeRange, 4n, 0xffff_ffffn, closeRangeCloexec)
    assert(refused === 0n, 'the kernel does not close what was handed down (Linux before 5.11)')
  }
  for (const descriptor of [0, 1, 2, 3]) {
    const duplicate = libc.dup(descriptor)
    assert(duplicate >= 0, `descriptor ${descriptor} is not open`)
    assert(libc.dup2(duplicate, descriptor) === descriptor)
    assert(libc.close(duplicate) === 0)
  }
  using scratch = arena.scratch()
  const list = (texts: readonly string[]) =>
    scratch.numbers([...texts.map((text) => scratch.text(text)), 0n])
  libc.execve(scratch.text(file), list([file, ...args]), list(environment))
  assert.fail('the program could not be executed')
}
