/**
 * A manager whose KEK, or whole epoch, is renewed again and again under a load of creations, rotations, uses and
 * destructions, to be killed: started as a process with a data folder and a name for this start. It
 * prints a line of JSON for what was answered. A use that is refused because of the renewal ends it with
 * another code than a kill.
 */

import { bootstrap } from '../../src/kms/access/bootstrap.ts'
import { createGrant } from '../../src/kms/access/grants.ts'
import { roles } from '../../src/kms/access/permissions.ts'
import { systemCaller } from '../../src/kms/commands.ts'
import { getRotation, rotateKek } from '../../src/kms/domain/rotation.ts'
import { shred } from '../../src/kms/domain/shred.ts'
import { KmsError, type KmsErrorCode } from '../../src/kms/errors.ts'
import { rotateKey } from '../../src/kms/keys/changes.ts'
import { createKey } from '../../src/kms/keys/create.ts'
import { destroyKey } from '../../src/kms/keys/destruction.ts'
import { openKms } from '../../src/kms/open.ts'
import { useKeyOnce } from '../../src/kms/use.ts'
import { pageOfIdentities } from '../../src/storage/identities.ts'
import { openRenewable } from '../host/open.ts'

export type Line =
  | { readonly pid: number }
  | { readonly did: 'create' | 'destroy' | 'rotate-kek'; readonly name: string }

const workers = 12
const [folder = '', start = ''] = process.argv.slice(2)

const host = await openRenewable(folder)
const kms = await openKms({ folder, host, now: Date.now, log: () => undefined })
await bootstrap(kms, { name: 'first', roles })
const [first] = await pageOfIdentities(kms.db.query, { after: '', limit: 1 })
const caller = systemCaller('load')
const identity = { ...caller.identity, id: first?.identityId ?? '' }
const who = { ...caller, identity }
say({ pid: host.pid })
await Promise.all([
  renew(),
  ...Array.from({ length: workers }, (_, index) => work(`${start}.${index}`)),
])

/** One renewal after the other, each begun when the one before has ended. */
async function renew(): Promise<never> {
  for (let count = 0; ; ) {
    try {
      const last = await getRotation(kms, who)
      if (last === undefined || last.phase === 'done') {
        if (last && count > 0) say({ did: 'rotate-kek', name: String(last.kek) })
        if (count % 2 === 0) await shred(kms, who, { confirm: host.status().domainId })
        else await rotateKek(kms, who)
        count += 1
      }
    } catch (error) {
      if (!isExpected(error, ['MODULE_UNAVAILABLE', 'REWRAP_UNFINISHED'])) throw error
    }
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Three versions of a key and a signature with each; every third key is destroyed. */
async function work(prefix: string): Promise<never> {
  for (let count = 0; ; count += 1) {
    const name = `${prefix}.${count}`
    try {
      await live(name, count % 3 === 0)
    } catch (error) {
      // The module was killed: what was asked may be done or not.
      if (!isExpected(error, ['MODULE_UNAVAILABLE'])) throw error
    }
  }
}

async function live(name: string, isDestroyed: boolean): Promise<void> {
  const input = { name, owner: 'Ada', purpose: 'load', type: 'P-256' } as const
  await createKey(kms, who, 'default', input)
  say({ did: 'create', name })
  await createGrant(kms, who, 'default', {
    key: name,
    identity: identity.id,
    operations: ['sign'],
  })
  const target = { namespace: 'default', key: name, operation: 'sign' } as const
  for (let version = 1; version <= 3; version += 1) {
    if (version > 1) await rotateKey(kms, who, 'default', name)
    await useKeyOnce(kms, who, target, { data: Buffer.from('x') })
    // Loaded anew, with whatever the database or the cache has.
    const args = { key: (await keyId(name)) as never, version }
    await host.call({ identity: '', requestId: '', protocol: '', address: '' }, [
      { command: 'unloadKey', arguments: args, parts: {} },
    ])
    await useKeyOnce(kms, who, target, { data: Buffer.from('x') })
  }
  if (!isDestroyed) return
  await destroyKey(kms, who, 'default', name, { confirm: name })
  say({ did: 'destroy', name })
}

async function keyId(name: string): Promise<string> {
  const row = await kms.db.query
    .selectFrom('keys')
    .select('keyId')
    .where('name', '=', name)
    .executeTakeFirstOrThrow()
  return row.keyId
}

function isExpected(error: unknown, codes: readonly KmsErrorCode[]): boolean {
  if (error instanceof KmsError) return codes.includes(error.code)
  return error instanceof Error && 'code' in error && error.code === 'MODULE_ENDED'
}

/** A pipe is written to at once. */
function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
