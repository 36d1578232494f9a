/**
 * What the launcher starts in these tests in the place of the server: a host and nothing else. It prints
 * a line of JSON at each start of the module, with what its user can see of the module's process, and
 * stops on SIGTERM. Copied to `src/server/main.ts` of a tree of its own.
 */

import { closeSync, openSync } from 'node:fs'
import { openHost } from '../../src/host/host.ts'
import { startByLauncher } from '../../src/host/launched-module.ts'

const [launched, folder = '', found] = process.argv.slice(2)

function refusalOf(work: () => unknown): string {
  try {
    work()
    return 'allowed'
  } catch (error) {
    return error instanceof Error && 'code' in error ? String(error.code) : String(error)
  }
}

function say(line: object): void {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

/** A host that was taken over, and says to the launcher what it must not. */
const attacks: Readonly<Record<string, () => void>> = {
  garbage: () => process.send?.({ ask: 'execute', number: 1, file: '/bin/sh' }),
  text: () => process.send?.('start'),
  number: () => process.send?.({ ask: 'start', number: '1; id' }),
  flood: () => {
    for (let number = 1; number <= 100; number += 1) process.send?.({ ask: 'start', number })
  },
}
if (attacks[folder]) {
  attacks[folder]()
  await new Promise((resolve) => setTimeout(resolve, 60_000))
}

try {
  const host = await openHost({
    folder,
    development: false,
    sealKind: 'passphrase',
    secret: async () => null,
    foundIfEmpty: found === '--found',
    startModule: startByLauncher(),
    log: (entry) => say(entry),
  })
  const tell = (): void => {
    const { pid } = host
    const claim = { identity: 'test', requestId: '', protocol: 'test', address: '' }
    void host
      .run(claim, { command: 'attest', arguments: { nonce: '00'.repeat(16) }, parts: {} })
      .then(({ parts }) =>
        say({
          ...host.status(),
          launched,
          attested: JSON.parse(Buffer.from(parts.attestation).toString()).statement.software,
          hostUid: process.getuid?.(),
          groups: process.getgroups?.(),
          environment: Object.keys(process.env),
          memory: refusalOf(() => closeSync(openSync(`/proc/${pid}/mem`, 'r'))),
          signal: refusalOf(() => process.kill(pid, 'SIGTERM')),
        }),
      )
  }
  if (host.status().state === 'operational') tell()
  else say(host.status())
  host.onGeneration(tell)
  process.once('SIGTERM', () => {
    void host[Symbol.asyncDispose]().then(() => process.exit(0))
  })
} catch (error) {
  const code = error instanceof Error && 'code' in error ? error.code : undefined
  say({ failed: String(error), code })
  process.exit(1)
}
