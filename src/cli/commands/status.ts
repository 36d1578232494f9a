/** `keyhold status`: the server, its module, and the record; what to do where the module does not work. */

import type { Command } from 'commander'
import * as z from 'zod'
import type { Client } from '../../client/client.ts'
import { readUnlockPlace } from '../../client/config.ts'
import { Connection } from '../../client/connection.ts'
import { ClientError } from '../../client/errors.ts'
import type { ModuleStatus, WitnessStatus } from '../../client/types.ts'
import { checkpointOrigin } from '../../hsm/contract/checkpoint.ts'
import { encodeVerifierKey } from '../../hsm/contract/cosignature.ts'
import { fields, styled, time } from '../output.ts'
import { action, type Session } from '../session.ts'

/** What a server says that waits for people (docs/stopped.md). */
const waiting = z.object({
  state: z.enum(['locked', 'tampered']),
  reason: z.string().default(''),
  domain: z.string(),
})

const nextSteps: Readonly<Record<string, string>> = {
  locked: 'enough custodians offer their shares: keyhold unlock --share FILE',
  tampered:
    'find out why; then keyhold tamper acknowledge where the server waits, keyhold domain acknowledge-tamper ' +
    'where it answers, with --approvals where the domain has the rule tamper',
  failed: 'start the server anew; if it fails again, read its log',
}

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .summary('how the server and its module are')
    .addHelpText('after', '\nExample:\n  keyhold status --json')
    .action(
      action(async (session) => {
        try {
          await showStatus(session, await session.connect())
        } catch (error) {
          if (!(await showWaiting(session))) throw error
        }
      }),
    )
}

async function showStatus({ output }: Session, client: Client): Promise<void> {
  const status = await client.call('getStatus', {})
  const { identity, roles } = await client.call('whoAmI', {})
  const { module, witnesses } = status
  const held = roles.map(({ namespace, roles: names }) => `${names.join(', ')} in ${namespace}`)
  output.result(
    { ...status, address: client.address, identity, roles },
    fields([
      ['server', `${client.address}, version ${status.version}`],
      ['time', time(status.time)],
      ...stateRows(module),
      ['wall', module.wall],
      ['domain', `${module.domainId}${module.development ? ' (DEVELOPMENT)' : ''}`],
      ['module id', module.moduleId],
      ['identity key', module.identityKey],
      ['security level', module.level],
      ['epoch', module.epoch],
      ['KEK', `${module.kek}${module.rewrapping ? ' (keys are being re-wrapped)' : ''}`],
      ['loaded keys', module.loadedKeys],
      ['record', `${module.recordSize.toLocaleString('en')} leaves`],
      ['freshness', module.freshness],
      ['log key', logKeyOf(module)],
      ['log of starts', logKeyOf(module, '/starts')],
      ...witnesses.map((each) => ['witness', witnessText(each)] as const),
      ['you are', `${identity.name} (${identity.id})`],
      ['roles', held.join('; ') || 'none'],
    ]),
  )
}

/** Of a server that has no REST API because its module waits for people. False when there is none. */
async function showWaiting({ folder, output, signal }: Session): Promise<boolean> {
  try {
    using connection = new Connection(await readUnlockPlace(folder), { signal })
    const sent = { method: 'GET', path: '/v1/unlock', repeatable: true }
    const found = waiting.parse((await connection.send(sent)).body)
    const { domain, ...module } = found
    const rows = [['server', connection.address], ...stateRows(module), ['domain', domain]] as const
    output.result({ module: found, address: connection.address }, fields(rows))
    return true
  } catch (error) {
    if (error instanceof ClientError || error instanceof z.ZodError) return false
    throw error
  }
}

function stateRows({ state, reason }: { readonly state: string; readonly reason: string }) {
  const good = state === 'operational'
  return [
    ['module', styled(good ? 'green' : 'red', state, process.stdout)],
    ['reason', reason],
    ['next', nextSteps[state]],
  ] as const
}

/** For witnesses: the key that signs heads of the record, and of the log of starts. */
function logKeyOf({ domainId, moduleId, identityKey }: ModuleStatus, log = ''): string {
  const origin = checkpointOrigin(Buffer.from(domainId, 'hex'), Buffer.from(moduleId, 'hex'))
  return encodeVerifierKey({
    name: origin + log,
    type: 'ed25519',
    publicKey: Buffer.from(identityKey, 'hex'),
  })
}

function witnessText({ name, size, time: at, error }: WitnessStatus): string {
  const cosigned = size === 0 ? 'nothing yet' : `${size.toLocaleString('en')} leaves, ${time(at)}`
  const wrong = error ? styled('red', `; ${error.code}: ${error.message}`, process.stdout) : ''
  return `${name}: ${cosigned}${wrong}`
}
