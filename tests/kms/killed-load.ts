/**
 * A manager with its module under a load of creations, rotations, changes of state and destructions, to
 * be killed: started as a process with a data folder and a name for this start. Before each change and
 * after its answer it prints a line of JSON; what it printed is what somebody was told.
 */

import { bootstrap } from '../../src/kms/access/bootstrap.ts'
import { roles } from '../../src/kms/access/permissions.ts'
import { systemCaller } from '../../src/kms/commands.ts'
import { KmsError } from '../../src/kms/errors.ts'
import { disableKey, enableKey, rotateKey } from '../../src/kms/keys/changes.ts'
import { createKey } from '../../src/kms/keys/create.ts'
import { destroyKey } from '../../src/kms/keys/destruction.ts'
import { openKms } from '../../src/kms/open.ts'
import { pageOfIdentities } from '../../src/storage/identities.ts'
import { openAt } from '../host/open.ts'

export type Line =
  | { readonly pid: number }
  | { readonly did: 'begin' | 'end'; readonly change: Change; readonly name: string }

export type Change = 'create' | 'rotate' | 'disable' | 'enable' | 'destroy'

const changes: readonly Change[] = ['create', 'rotate', 'rotate', 'disable', 'enable', 'destroy']
const workers = 24
const [folder = '', start = ''] = process.argv.slice(2)

const host = await openAt(folder)
const kms = await openKms({ folder, host, now: Date.now, log: () => undefined })
await bootstrap(kms, { name: 'first', roles })
const [first] = await pageOfIdentities(kms.db.query, { after: '', limit: 1 })
const caller = systemCaller('load')
const identity = { ...caller.identity, id: first?.identityId ?? '' }
const who = { ...caller, identity }
say({ pid: host.pid })
await Promise.all(Array.from({ length: workers }, (_, index) => work(`${start}.${index}`)))

/** One key after the other through some of its life; every third is not destroyed. */
async function work(prefix: string): Promise<never> {
  for (let count = 0; ; count += 1) {
    const name = `${prefix}.${count}`
    for (const change of count % 3 === 0 ? changes.slice(0, 2 + (count % 4)) : changes) {
      say({ did: 'begin', change, name })
      try {
        await run(change, name)
        say({ did: 'end', change, name })
      } catch (error) {
        // The module was killed: what was asked may be done or not, and the key has another turn.
        if (!(error instanceof KmsError)) throw error
        break
      }
    }
  }
}

async function run(change: Change, name: string): Promise<unknown> {
  const input = { name, owner: 'Ada', purpose: 'load', type: 'P-256' } as const
  switch (change) {
    case 'create':
      return createKey(kms, who, 'default', input, { idempotencyKey: name })
    case 'rotate':
      return rotateKey(kms, who, 'default', name)
    case 'disable':
      return disableKey(kms, who, 'default', name)
    case 'enable':
      return enableKey(kms, who, 'default', name)
    case 'destroy':
      return destroyKey(kms, who, 'default', name, { confirm: name })
  }
}

/** A pipe is written to at once. */
function say(line: Line): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}
