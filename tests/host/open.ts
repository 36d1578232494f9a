/** A host with the real module on a throwaway folder, for tests of the two together. */

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { type Host, openHost } from '../../src/host/host.ts'
import type { HostOptions } from '../../src/host/options.ts'
import type { Call, Claim, CommandName, Commands } from '../../src/hsm/contract/commands.ts'
import { decodeLeaf, type Leaf } from '../../src/hsm/contract/leaf.ts'

export const secret = 'a key file for tests, 32 bytes or more'

export function claimOf(requestId: string): Claim {
  return { identity: 'id_test', requestId, protocol: 'test', address: '' }
}

export function call<N extends CommandName>(
  command: N,
  args: Commands[N]['arguments'],
  parts: Commands[N]['parts'],
): Call<N> {
  return { command, arguments: args, parts }
}

export const random = call('random', { lengthBytes: 16 }, {})

/** Opens the host of a development domain, which it founds in a new folder. */
export function openAt(folder: string, options: Partial<HostOptions> = {}): Promise<Host> {
  return openHost({
    folder,
    development: true,
    sealKind: 'key-file',
    secret: async () => Buffer.from(secret),
    foundIfEmpty: true,
    log: () => undefined,
    ...options,
  })
}

/** As openAt, for folders whose epochs are renewed: the secret lies beside the seal, as in development. */
export function openRenewable(folder: string): Promise<Host> {
  const name = 'development.key'
  const kept = path.join(folder, 'module', name)
  return openAt(folder, {
    secret: async () => (existsSync(kept) ? readFileSync(kept) : Buffer.from(secret)),
    newSecret: async () => {
      const next = randomBytes(32)
      const files = { [name]: Buffer.from(next) }
      return { secret: next, files, kept: async () => undefined }
    },
  })
}

export function withFolder(use: (folder: string) => Promise<void>): () => Promise<void> {
  return async () => {
    const parent = mkdtempSync(path.join(tmpdir(), 'keyhold-host-'))
    try {
      await use(path.join(parent, 'data'))
    } finally {
      rmSync(parent, { recursive: true })
    }
  }
}

/** All durable leaves; their sequence has no gap. */
export async function readRecord(host: Host): Promise<Leaf[]> {
  const leaves: Leaf[] = []
  for (let from: number | undefined = 0; from !== undefined; ) {
    const page = await host.record.readLeaves(from, 1_000)
    leaves.push(...page.leaves.map(decodeLeaf))
    from = page.next
  }
  for (const [index, leaf] of leaves.entries()) assert.equal(leaf.sequence, index)
  return leaves
}
