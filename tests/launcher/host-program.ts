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
