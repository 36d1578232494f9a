/**
 * A manager that weakens a policy and kills itself after so many writes to its database behind the module's
 * answer: started as a process with a data folder, the name of a key that it makes before, and the number.
 * It ends by itself, with 0, when there were not so many.
 */

import { bootstrap } from '../../src/kms/access/bootstrap.ts'
import { roles } from '../../src/kms/access/permissions.ts'
import { ensureAuthority } from '../../src/kms/authority.ts'
import { systemCaller } from '../../src/kms/commands.ts'
import { changeDomain } from '../../src/kms/domain.ts'
import { createKey } from '../../src/kms/keys/create.ts'
import { openKms } from '../../src/kms/open.ts'
import { pageOfIdentities } from '../../src/storage/identities.ts'
import { openAt } from '../host/open.ts'

const [folder = '', name = '', writesText = ''] = process.argv.slice(2)
const host = await openAt(folder)
const opened = await openKms({ folder, host, now: Date.now, log: () => undefined })
await bootstrap(opened, { name: 'first', roles })
const [first] = await pageOfIdentities(opened.db.query, { after: '', limit: 1 })
const caller = systemCaller('load')
const who = { ...caller, identity: { ...caller.identity, id: first?.identityId ?? '' } }
await createKey(opened, who, 'default', { name, owner: 'Ada', purpose: 'load', type: 'P-256' })
await ensureAuthority(opened)
await changeDomain(opened, who, { change: { tamper: { 'chassis-opened': 2 } } })

let writesLeft = Number.POSITIVE_INFINITY
const { db } = opened
const kms = {
  ...opened,
  db: {
    query: db.query,
    write: async <T>(run: Parameters<typeof db.write<T>>[0]): Promise<T> => {
      dieIfDue()
      const result = await db.write(run)
      writesLeft -= 1
      dieIfDue()
      return result
    },
    [Symbol.asyncDispose]: () => db[Symbol.asyncDispose](),
  } as typeof db,
  host: {
    renewEpoch: host.renewEpoch.bind(host),
    epochCall: host.epochCall.bind(host),
    lock: host.lock.bind(host),
    seals: host.seals,
    freshness: host.freshness,
    call: async (...asked: Parameters<typeof host.call>) => {
      const outcomes = await host.call(...asked)
      if (asked[1].some(({ command }) => command === 'changeDomain')) {
        writesLeft = Number(writesText)
        dieIfDue()
      }
      return outcomes
    },
  },
}
const change = { tamper: {}, destroysKeys: true }
await changeDomain(kms, who, { change, confirm: host.status().domainId })
await kms[Symbol.asyncDispose]()
await host[Symbol.asyncDispose]()

/** The module goes with its pipe. */
function dieIfDue(): void {
  if (writesLeft <= 0) process.kill(process.pid, 'SIGKILL')
}
