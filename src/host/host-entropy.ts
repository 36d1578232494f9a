/**
 * Random bytes of sources that the module cannot reach: the kernel's hardware generator and a TPM 2.0
 * (tpm2-tools), where the machine has them and this user may read them. The module mixes them in and
 * counts them for nothing, so whatever is missing here is left out without a word.
 */

import { execFile } from 'node:child_process'
import { constants } from 'node:fs'
import { access, open } from 'node:fs/promises'
import { promisify } from 'node:util'
import type { HostEntropySource } from '../hsm/contract/entropy.ts'
import type { DoorClient } from './door-client.ts'
import { ask, call, hostClaim } from './start-up.ts'

/** What each source is asked for; every TPM 2.0 gives so much at a time. */
const bytesOfEach = 32
const tpmMsMax = 1_000

export interface HostEntropyOptions {
  readonly hwrng?: string
  /** Without this device no TPM is asked. */
  readonly tpmDevice?: string
  /** How to reach the TPM, in the words of tpm2-tools; their own default otherwise. */
  readonly tcti?: string
}

export interface HostEntropy {
  readonly source: HostEntropySource
  readonly bytes: Buffer
}

/** Never rejects, and takes a second at most. */
export async function collectHostEntropy(options: HostEntropyOptions = {}): Promise<HostEntropy[]> {
  const { hwrng = '/dev/hwrng', tpmDevice = '/dev/tpmrm0', tcti } = options
  const collected = await Promise.allSettled([
    readHwrng(hwrng).then((bytes) => ({ source: 'hwrng', bytes }) as const),
    readTpm(tpmDevice, tcti).then((bytes) => ({ source: 'tpm', bytes }) as const),
  ])
  return collected
    .filter((one) => one.status === 'fulfilled')
    .map(({ value }) => value)
    .filter(({ bytes }) => bytes.length > 0)
}

/** Hands them to the module, and overwrites them. */
export async function giveHostEntropy(
  door: DoorClient,
  collected: readonly HostEntropy[],
): Promise<void> {
  for (const { source, bytes } of collected) {
    try {
      await ask(door, hostClaim, call('addEntropy', { source }, { bytes }))
    } finally {
      bytes.fill(0)
    }
  }
}

/** A generator that has nothing ready must not hold up a thread of this process. */
async function readHwrng(file: string): Promise<Buffer> {
  await using handle = await open(file, constants.O_RDONLY | constants.O_NONBLOCK)
  const bytes = Buffer.alloc(bytesOfEach)
  const { bytesRead } = await handle.read(bytes, 0, bytesOfEach, null)
  return bytes.subarray(0, bytesRead)
}

async function readTpm(device: string, tcti: string | undefined): Promise<Buffer> {
  if (tcti === undefined) await access(device)
  const args = [...(tcti === undefined ? [] : ['--tcti', tcti]), String(bytesOfEach)]
  const options = { encoding: 'buffer', timeout: tpmMsMax } as const
  const { stdout } = await promisify(execFile)('tpm2_getrandom', args, options)
  return stdout
}
