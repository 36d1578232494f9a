/**
 * A counter in the TPM that only goes up (TPM_NT_COUNTER), for freshness: what a state is worth that
 * names a value below the counter's is known also by a lone module. An index that is removed and made
 * again begins above every counter that this TPM ever had (TPM 2.0 part 1, 37.2.4), so that removing it
 * resets nothing.
 *
 * A value comes certified (contract/nv-certificate.ts), signed by a key that the TPM makes from its own seed, and
 * is checked against what `counter.json` pinned when the counter was made. Not authenticated: that the
 * pinned key is a TPM's (no manufacturer's certificate is looked at), so whoever can exchange TPM and
 * `counter.json` together is not noticed here; the module notices it where the domain state pins the key.
 * Anybody who may use the TPM can raise the counter, which stops a module and does no more.
 */

import { randomBytes } from 'node:crypto'
import path from 'node:path'
import { type NvCertificate, openCounterCertificate } from '../../hsm/contract/nv-certificate.ts'
import { makeFolder, readIfThere, writeDurably } from '../durable-file.ts'
import { TpmError } from './errors.ts'
import { type TpmOptions, TpmSession } from './tools.ts'

/** In the range for owners (TCG registry of reserved handles, 0x01800000 to 0x01bfffff). */
export const counterIndexDefault = 0x018b4b48
/** So many indices from the first on are tried. */
const countersMax = 64
const counterBytes = 8
const nonceBytes = 16
const attributes = 'nt=counter|authread|authwrite|ownerread|no_da'
const format = 1

/** What identifies a counter to whoever wants to check what it says. */
export interface PinnedCounter {
  readonly index: number
  /** SPKI of the key that certifies, base64. */
  readonly publicKey: string
  /** Name of the index, hex. */
  readonly name: string
}

export interface CertifiedCount extends NvCertificate {
  readonly value: number
}

export interface TpmCounterOptions extends TpmOptions {
  readonly index?: number | undefined
}

export class TpmCounter {
  readonly pinned: PinnedCounter
  readonly #options: TpmOptions

  private constructor(pinned: PinnedCounter, options: TpmOptions) {
    this.pinned = pinned
    this.#options = options
  }

  /**
   * The counter that the folder pinned before, as it is, if the TPM has it; otherwise a new one, which is pinned
   * there: each domain has its own, because raising one would stop the other.
   * @throws TpmError
   */
  static async create(folder: string, options: TpmCounterOptions = {}): Promise<TpmCounter> {
    const kept = await TpmCounter.open(folder, options).catch(() => undefined)
    const isWanted = kept && (options.index ?? kept.pinned.index) === kept.pinned.index
    if (isWanted && (await kept.#answers())) return kept
    await using tpm = await TpmSession.open(options)
    const index = options.index ?? (await freeIndex(tpm))
    const handle = handleOf(index)
    if (!(await isDefined(tpm, handle))) {
      await tpm.run('nvdefine', [handle, '-C', 'o', '-a', attributes])
    }
    // A counter has no value, and its name is not final, until it was raised once.
    await tpm.run('nvincrement', [handle, '-C', handle])
    const publicKey = (await makeSigningKey(tpm)).toString('base64')
    const pinned = { index, publicKey, name: await publicName(tpm, handle) }
    await makeFolder(folder)
    const text = JSON.stringify({ format, ...pinned })
    await writeDurably(path.join(folder, 'counter.json'), [Buffer.from(text)])
    return new TpmCounter(pinned, options)
  }

  /** The counter that the folder pins. @throws TpmError TPM_NOT_SET_UP, TPM_FOREIGN */
  static async open(folder: string, options: TpmOptions = {}): Promise<TpmCounter> {
    const file = path.join(folder, 'counter.json')
    const text = (await readIfThere(file))?.toString('utf8')
    if (text === undefined)
      throw new TpmError('TPM_NOT_SET_UP', `there is no counter in ${folder}.`)
    const pinned = parsePinned(text)
    if (pinned === undefined) throw new TpmError('TPM_FOREIGN', `${file} is damaged.`)
    return new TpmCounter(pinned, options)
  }

  /**
   * The value now, certified for this nonce (8 to 32 bytes).
   * @throws TpmError TPM_UNAVAILABLE, TPM_NOT_SET_UP, TPM_ANSWER_INVALID when it is not this counter
   */
  async read(nonce: Uint8Array): Promise<CertifiedCount> {
    await using tpm = await TpmSession.open(this.#options)
    return await this.#read(tpm, nonce)
  }

  /** One more. @throws TpmError */
  async raise(): Promise<void> {
    await using tpm = await TpmSession.open(this.#options)
    const handle = handleOf(this.pinned.index)
    await tpm.run('nvincrement', [handle, '-C', handle])
  }

  /** One more; the value behind it, certified for this nonce. @throws TpmError */
  async increment(nonce: Uint8Array): Promise<CertifiedCount> {
    await using tpm = await TpmSession.open(this.#options)
    const handle = handleOf(this.pinned.index)
    await tpm.run('nvincrement', [handle, '-C', handle])
    return await this.#read(tpm, nonce)
  }

  async #answers(): Promise<boolean> {
    return this.read(randomBytes(nonceBytes)).then(
      () => true,
      () => false,
    )
  }

  async #read(tpm: TpmSession, nonce: Uint8Array): Promise<CertifiedCount> {
    await makeSigningKey(tpm)
    const handle = handleOf(this.pinned.index)
    const [attested, signed] = [tpm.file('attestation'), tpm.file('signature')]
    await tpm.run('nvcertify', [
      ...['-C', tpm.file('signing'), '-c', handle, '-g', 'sha256', '-f', 'plain'],
      ...['--size', String(counterBytes), '-q', Buffer.from(nonce).toString('hex')],
      ...['-o', signed, '--attestation', attested, handle],
    ])
    const [attestation, signature] = [await readIfThere(attested), await readIfThere(signed)]
    if (!attestation || !signature)
      throw new TpmError('TPM_ANSWER_INVALID', 'nothing was certified.')
    const publicKey = Buffer.from(this.pinned.publicKey, 'base64')
    try {
      const expected = { name: this.pinned.name, publicKey, nonce }
      const value = openCounterCertificate({ attestation, signature }, expected)
      return { value, attestation, signature }
    } catch (cause) {
      const message = 'the TPM did not certify this counter for this question.'
      throw new TpmError('TPM_ANSWER_INVALID', message, { cause })
    }
  }
}

async function isDefined(tpm: TpmSession, handle: string): Promise<boolean> {
  try {
    await publicName(tpm, handle)
    return true
  } catch (error) {
    if (error instanceof TpmError && error.code === 'TPM_NOT_SET_UP') return false
    throw error
  }
}

/** @throws TpmError TPM_NOT_SET_UP when all are taken */
async function freeIndex(tpm: TpmSession): Promise<number> {
  for (let index = counterIndexDefault; index < counterIndexDefault + countersMax; index += 1) {
    if (!(await isDefined(tpm, handleOf(index)))) return index
  }
  throw new TpmError('TPM_NOT_SET_UP', `this TPM has ${countersMax} counters of domains already.`)
}

function handleOf(index: number): string {
  return `0x${index.toString(16).padStart(8, '0')}`
}

/** Restricted: it signs only what the TPM made itself. From the seed: the same each time. */
async function makeSigningKey(tpm: TpmSession): Promise<Buffer> {
  const key = tpm.file('signing')
  const template = ['-C', 'o', '-g', 'sha256', '-G', 'ecc256:ecdsa-sha256:null', '-a']
  const may = 'restricted|sign|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'
  await tpm.run('createprimary', ['-Q', ...template, may, '-c', key])
  await tpm.flush()
  const file = tpm.file('signing.der')
  await tpm.run('readpublic', ['-Q', '-c', key, '-f', 'der', '-o', file])
  await tpm.flush()
  return (await readIfThere(file)) ?? Buffer.alloc(0)
}

/** @throws TpmError TPM_NOT_SET_UP */
async function publicName(tpm: TpmSession, handle: string): Promise<string> {
  const text = (await tpm.run('nvreadpublic', [handle])).toString('latin1')
  const name = /^\s*name: ([0-9a-f]{68})$/m.exec(text)?.[1]
  if (name === undefined) throw new TpmError('TPM_ANSWER_INVALID', 'the index has no name.')
  return name
}

function parsePinned(text: string): PinnedCounter | undefined {
  try {
    const { format: found, index, publicKey, name } = JSON.parse(text)
    const isWhole =
      found === format &&
      Number.isSafeInteger(index) &&
      typeof publicKey === 'string' &&
      typeof name === 'string'
    return isWhole ? { index, publicKey, name } : undefined
  } catch {
    return undefined
  }
}
