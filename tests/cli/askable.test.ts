/**
 * Every command that a rule of the domain, or of a key, can stand in front of can be asked for: people get
 * a statement over REST and on the command line, and what they signed goes with the command. A command that
 * comes under a rule and is not here fails. But for confirmWitness: a witness's word is good for this moment alone, so
 * that one is pinned before the rule `unlock` is there (docs/features.md).
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { Command } from 'commander'
import type * as z from 'zod'
import { groups } from '../../src/cli/program.ts'
import { unrestricted } from '../../src/hsm/commands/row.ts'
import { commands } from '../../src/hsm/commands.ts'
import type { CommandName } from '../../src/hsm/contract/commands.ts'
import { domainCommands } from '../../src/kms/domain.ts'
import { routes } from '../../src/protocols/rest/routes.ts'

interface Way {
  /** Beneath `keyhold approval request`. */
  readonly ask: string
  /** The command line that takes `--approvals`. */
  readonly run: string
  /** The route that takes them. */
  readonly route: string
  /** The route that answers what is to be signed, if it is not that for commands of the domain. */
  readonly statement?: string
}

const ways: Readonly<Partial<Record<CommandName, Way>>> = {
  addSeal: { ask: 'add-seal', run: 'domain add-seal', route: 'addSeal' },
  removeSeal: { ask: 'remove-seal', run: 'domain remove-seal', route: 'removeSeal' },
  confirmCounter: { ask: 'pin-counter', run: 'domain pin-counter', route: 'pinCounter' },
  changeDomain: { ask: 'change', run: 'domain change', route: 'changeDomain' },
  // The row names no rule: it is that of officers unless the person signs himself.
  setPin: { ask: 'pin', run: 'domain pin', route: 'setPin' },
  resetLogin: { ask: 'reset-login', run: 'domain reset-login', route: 'resetLogin' },
  acknowledgeTamper: {
    ask: 'acknowledge-tamper',
    run: 'domain acknowledge-tamper',
    route: 'acknowledgeTamper',
  },
  zeroise: { ask: 'zeroise', run: 'domain zeroise', route: 'zeroise' },
  rotateKek: { ask: 'rotate-kek', run: 'domain rotate-kek', route: 'rotateKek' },
  retireKek: { ask: 'retire-kek', run: 'domain retire-kek', route: 'retireKek' },
  beginEpoch: {
    ask: 'shred',
    run: 'domain shred',
    route: 'shredEpoch',
    statement: 'shredStatement',
  },
  destroyKey: {
    ask: 'destroy',
    run: 'keys destroy',
    route: 'destroyKey',
    statement: 'destroyStatement',
  },
  wrapKey: { ask: 'wrap', run: 'keys wrap', route: 'wrap', statement: 'wrapStatement' },
}

/** Of uses that have another name over REST: the route, and that of the statement. */
const useRoutes: Readonly<Record<string, readonly [string, string]>> = {
  wrapKey: ['wrap', 'wrapStatement'],
  unwrapKey: ['unwrap', 'unwrapStatement'],
  deriveKey: ['derive', 'deriveStatement'],
  signRequest: ['requestCertificate', 'requestStatement'],
}

const program = new Command('keyhold')
for (const { add } of groups) await add(program)

function commandAt(words: string): Command {
  return words.split(' ').reduce((above, word) => {
    const found = above.commands.find((command) => command.name() === word)
    assert(found, `there is no command ${words}`)
    return found
  }, program)
}

function assertTakesApprovals(name: string): void {
  const route = routes.find((one) => one.name === name)
  assert(route?.body, `there is no route ${name} with a body`)
  const { shape } = route.body as z.ZodObject
  assert('approvals' in shape, `the route ${name} takes no approvals`)
}

suite('what needs approvals can be asked for', () => {
  for (const row of Object.values(commands)) {
    if (row.rules === unrestricted.rules && row.name !== 'setPin') continue
    if (row.name === 'confirmWitness') continue
    test(row.name, () => {
      const way = ways[row.name]
      assert(way, 'nobody can ask people to approve it')
      commandAt(`approval request ${way.ask}`)
      const options = commandAt(way.run).options.map(({ long }) => long)
      assert(options.includes('--approvals'), `${way.run} takes no approvals`)
      assertTakesApprovals(way.route)
      if (way.statement) assert(routes.some(({ name }) => name === way.statement))
      else assert(domainCommands.some((name) => name === row.name))
    })
  }

  for (const row of Object.values(commands)) {
    if (!row.uses) continue
    test(`${row.name}, by a key that wants its uses approved`, () => {
      const [route, statement] = useRoutes[row.name] ?? [row.name, `${row.name}Statement`]
      assertTakesApprovals(route)
      assert(routes.some(({ name }) => name === statement))
    })
  }
})
