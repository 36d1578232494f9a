/** `keyhold status`: the server, its module, and the record. */

import type { Command } from 'commander'
import { fields, styled, time } from '../output.ts'
import { action } from '../session.ts'

export function addStatusCommand(program: Command): void {
  program
    .command('status')
    .summary('how the server and its module are')
    .addHelpText('after', '\nExample:\n  keyhold status --json')
    .action(
      action(async ({ connect, output }) => {
        const client = await connect()
        const status = await client.call('getStatus', {})
        const { identity, roles } = await client.call('whoAmI', {})
        const { module } = status
        const good = module.state === 'operational'
        const held = roles.map(
          ({ namespace, roles: names }) => `${names.join(', ')} in ${namespace}`,
        )
        output.result(
          { ...status, address: client.address, identity, roles },
          fields([
            ['server', `${client.address}, version ${status.version}`],
            ['time', time(status.time)],
            ['module', styled(good ? 'green' : 'red', module.state, process.stdout)],
            ['reason', module.reason],
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
            ['you are', `${identity.name} (${identity.id})`],
            ['roles', held.join('; ') || 'none'],
          ]),
        )
      }),
    )
}
