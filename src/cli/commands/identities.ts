/** `keyhold identities …`: people and applications, and their API tokens. */

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import type { Command } from 'commander'
import { configFileName, readConfig } from '../../client/config.ts'
import { clientError } from '../../client/errors.ts'
import { OutputFile } from '../../client/files/output.ts'
import type { Identity } from '../../client/types.ts'
import { findIdentity } from '../find-identity.ts'
import { integer, oneOf } from '../options.ts'
import { fields, table, time } from '../output.ts'
import { action } from '../session.ts'

const identityArgument = ['<identity>', 'its name or id'] as const
const tokenDaysMax = 366

export function addIdentityCommands(program: Command): void {
  const identities = program.command('identities').summary('people and applications, their tokens')
  identities
    .command('create')
    .argument('<name>', 'a-z 0-9 . _ -')
    .summary('make a person or an application known')
    .option('--kind <kind>', 'person or application', oneOf(['person', 'application']), 'person')
    .addHelpText('after', '\nExample:\n  keyhold identities create webshop --kind application')
    .action(
      action<{ kind: 'person' | 'application' }>(async ({ connect, output }, { args, options }) => {
        const [name = ''] = args
        const body = { name, kind: options.kind }
        const made = await (await connect()).call('createIdentity', { body })
        output.result(made, identityText(made))
        output.note('it can do nothing yet: keyhold roles set, keyhold grants add')
      }),
    )
  identities
    .command('list')
    .summary('all identities')
    .action(
      action(async ({ connect, output }) => {
        const items = await Array.fromAsync((await connect()).pages('listIdentities', {}))
        const rows = items.map(({ name, id, kind, state }) => [name, kind, state, id])
        output.result({ items }, table(['NAME', 'KIND', 'STATE', 'ID'], rows, 'No identities.'))
      }),
    )
  identities
    .command('show')
    .argument(...identityArgument)
    .summary('one identity')
    .action(
      action(async ({ connect, output }, { args: [name = ''] }) => {
        const client = await connect()
        const identity = await findIdentity(client, name)
        const found = await client.call('getIdentity', { path: { identity } })
        output.result(found, identityText(found))
      }),
    )
  identities
    .command('disable')
    .argument(...identityArgument)
    .summary('disable an identity for good: tokens, roles and grants end')
    .action(
      action(async ({ connect, output }, { args: [name = ''] }) => {
        const client = await connect()
        const identity = await findIdentity(client, name)
        const { etag } = await client.call('getIdentity', { path: { identity } })
        const ifMatch = `"${etag}"`
        const done = await client.call('disableIdentity', { path: { identity }, ifMatch })
        output.result(done, `${done.name}: ${done.state}`)
      }),
    )
  addTokenCommands(identities)
}

function addTokenCommands(identities: Command): void {
  const tokens = identities.command('tokens').summary('API tokens of an identity')
  tokens
    .command('create')
    .argument(...identityArgument)
    .summary('make a token; it is shown once')
    .option('--name <name>', 'what the token is for', 'token')
    .option('--days <number>', 'how long it is valid', integer(1, tokenDaysMax))
    .option('--client-folder <folder>', 'write it there as client.json, for --data, and not here')
    .addHelpText(
      'after',
      `
Example:
  keyhold identities tokens create webshop --days 90 --client-folder ./webshop
  keyhold --data ./webshop sign order.json --key payments`,
    )
    .action(
      action<{ name: string; days?: number; clientFolder?: string }>(
        async ({ connect, output, folder }, { args: [who = ''], options }) => {
          const { name, days, clientFolder } = options
          const client = await connect()
          const identity = await findIdentity(client, who)
          if (clientFolder === undefined) {
            const made = await client.call('createToken', {
              path: { identity },
              body: { name, days },
            })
            output.result(made, made.token)
            return output.note(`shown once; valid until ${time(made.expires)}`)
          }
          // The file first: a token that cannot be kept would be lost.
          await makeFolder(clientFolder)
          const file = path.join(clientFolder, configFileName)
          await using written = await OutputFile.create(file)
          const { address, authority } = await readConfig(folder)
          const made = await client.call('createToken', {
            path: { identity },
            body: { name, days },
          })
          const { token, ...rest } = made
          const text = JSON.stringify({ address, authority, token }, undefined, 2)
          await written.write(Buffer.from(`${text}\n`))
          await written.commit()
          output.result({ ...rest, file }, `${file}: valid until ${time(made.expires)}`)
        },
      ),
    )
  tokens
    .command('list')
    .argument(...identityArgument)
    .summary('what is known of its tokens')
    .action(
      action(async ({ connect, output }, { args: [who = ''] }) => {
        const client = await connect()
        const identity = await findIdentity(client, who)
        const { items } = await client.call('listTokens', { path: { identity } })
        const rows = items.map(({ id, name, created, expires, revoked }) => [
          id,
          name,
          time(created) ?? '',
          revoked ? 'revoked' : (time(expires) ?? ''),
        ])
        output.result(
          { items },
          table(['ID', 'NAME', 'CREATED', 'VALID UNTIL'], rows, 'No tokens.'),
        )
      }),
    )
  tokens
    .command('revoke')
    .argument(...identityArgument)
    .argument('<token>', 'its id, as tokens list shows it')
    .summary('end a token for good')
    .action(
      action(async ({ connect, output }, { args: [who = '', token = ''] }) => {
        const client = await connect()
        const identity = await findIdentity(client, who)
        await client.call('revokeToken', { path: { identity, token } })
        output.result({ revoked: token }, `revoked: ${token}`)
      }),
    )
}

async function makeFolder(folder: string): Promise<void> {
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  } catch (cause) {
    throw clientError('FILE_NOT_WRITABLE', `${folder} cannot be made`, { cause })
  }
}

function identityText({ name, id, kind, state, created }: Identity): string {
  return fields([
    ['name', name],
    ['id', id],
    ['kind', kind],
    ['state', state],
    ['created', time(created)],
  ])
}
