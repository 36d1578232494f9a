/** `keyhold namespaces …`, `roles …` and `grants …`: who may do what, and where. */

import type { Command } from 'commander'
import type { Operation, Role, RoleAssignment } from '../../client/types.ts'
import { findIdentity } from '../find-identity.ts'
import { table, time } from '../output.ts'
import { action } from '../session.ts'

const roleHelp = 'administrator, security-officer, operator, auditor, monitor, application'
const operationHelp =
  'sign, verify, encrypt, decrypt, mac, verifyMac, wrap, unwrap, derive, agree, encapsulate, decapsulate'

export function addAccessCommands(program: Command): void {
  addNamespaceCommands(program)
  addRoleCommands(program)
  addGrantCommands(program)
}

function addNamespaceCommands(program: Command): void {
  const namespaces = program.command('namespaces').summary('tenants: keys and grants of their own')
  namespaces
    .command('create')
    .argument('<name>', 'a-z 0-9 . _ -')
    .summary('make a namespace')
    .action(
      action(async ({ connect, output }, { args: [name = ''] }) => {
        const made = await (await connect()).call('createNamespace', { body: { name } })
        output.result(made, `${made.name}: made; use it with --namespace ${made.name}`)
      }),
    )
  namespaces
    .command('list')
    .summary('all namespaces')
    .action(
      action(async ({ connect, output }) => {
        const items = await Array.fromAsync((await connect()).pages('listNamespaces', {}))
        const rows = items.map(({ name, created }) => [name, time(created) ?? ''])
        output.result({ items }, table(['NAME', 'CREATED'], rows, 'No namespaces.'))
      }),
    )
  namespaces
    .command('show')
    .argument('<name>')
    .summary('one namespace')
    .action(
      action(async ({ connect, output }, { args: [namespace = ''] }) => {
        const found = await (await connect()).call('getNamespace', { path: { namespace } })
        output.result(found, `${found.name}, made ${time(found.created)}`)
      }),
    )
}

function addRoleCommands(program: Command): void {
  const roles = program.command('roles').summary('who holds which roles in a namespace')
  roles
    .command('set')
    .argument('<identity>', 'its name or id')
    .argument('[roles...]', roleHelp)
    .summary('set the roles of an identity; none takes them away')
    .description(
      'Sets the roles of an identity in the namespace, in the place of those that it has there. ' +
        '--namespace "*" is the whole installation. No role permits the use of a key: see grants.',
    )
    .addHelpText('after', '\nExample:\n  keyhold roles set alice operator auditor')
    .action(
      action(async ({ connect, namespace, output }, { args: [who = '', ...names] }) => {
        const client = await connect()
        const identity = await findIdentity(client, who)
        const path = { namespace, identity }
        const { etag } = await client.call('getRoles', { path })
        // The server refuses a name that is no role.
        const body = { roles: names as Role[] }
        const set = await client.call('setRoles', { path, body, ifMatch: `"${etag}"` })
        output.result(set, `${who}: ${rolesText(set)} in ${set.namespace}`)
      }),
    )
  roles
    .command('show')
    .argument('<identity>', 'its name or id')
    .summary('the roles of an identity in the namespace')
    .action(
      action(async ({ connect, namespace, output }, { args: [who = ''] }) => {
        const client = await connect()
        const identity = await findIdentity(client, who)
        const found = await client.call('getRoles', { path: { namespace, identity } })
        output.result(found, `${who}: ${rolesText(found)} in ${found.namespace}`)
      }),
    )
  roles
    .command('list')
    .summary('everybody with a role in the namespace')
    .action(
      action(async ({ connect, namespace, output }) => {
        const request = { path: { namespace } }
        const items = await Array.fromAsync((await connect()).pages('listRoles', request))
        const rows = items.map((item) => [item.identity, item.namespace, rolesText(item)])
        output.result({ items }, table(['IDENTITY', 'NAMESPACE', 'ROLES'], rows, 'No roles.'))
      }),
    )
}

function rolesText({ roles }: RoleAssignment): string {
  return roles.join(', ') || 'no roles'
}

function addGrantCommands(program: Command): void {
  const grants = program.command('grants').summary('who may use which key for what')
  grants
    .command('add')
    .argument('<key>', 'its name, an alias, or its id')
    .argument('<identity>', 'its name or id')
    .argument('<operations...>', operationHelp)
    .summary('let an identity use a key')
    .addHelpText('after', '\nExample:\n  keyhold grants add payments webshop sign verify')
    .action(
      action(async ({ connect, namespace, output }, { args: [key = '', who = '', ...names] }) => {
        const client = await connect()
        const identity = await findIdentity(client, who)
        // The server refuses a name that is no operation.
        const body = { key, identity, operations: names as Operation[] }
        const made = await client.call('createGrant', { path: { namespace }, body })
        output.result(made, `${made.id}: ${who} may ${made.operations.join(', ')} with ${key}`)
      }),
    )
  grants
    .command('list')
    .summary('the grants of the namespace')
    .option('--key <key>', 'only those for this key')
    .option('--identity <identity>', 'only those of this identity')
    .action(
      action<{ key?: string; identity?: string }>(
        async ({ connect, namespace, output }, { options: { key, identity: who } }) => {
          const client = await connect()
          const identity = who === undefined ? undefined : await findIdentity(client, who)
          const request = { path: { namespace }, query: { key, identity } }
          const items = await Array.fromAsync(client.pages('listGrants', request))
          const rows = items.map((grant) => [
            grant.id,
            grant.key,
            grant.identity,
            grant.operations.join(', '),
          ])
          const heads = ['ID', 'KEY', 'IDENTITY', 'OPERATIONS']
          output.result({ items }, table(heads, rows, 'No grants: nobody can use a key here.'))
        },
      ),
    )
  grants
    .command('remove')
    .argument('<grant>', 'its id, as grants list shows it')
    .summary('take a grant away')
    .action(
      action(async ({ connect, namespace, output }, { args: [grant = ''] }) => {
        await (await connect()).call('removeGrant', { path: { namespace, grant } })
        output.result({ removed: grant }, `removed: ${grant}`)
      }),
    )
}
