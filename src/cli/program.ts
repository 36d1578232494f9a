/**
 * Every command there is, in the order of the help: what a newcomer needs first. Code is loaded only for
 * the command that was asked for, because a program that is started thousands of times a day should not
 * read what it does not run; the help, and a name that is none, load all of it.
 */

import type { Command } from 'commander'

interface Group {
  /** Words that a command line of this group begins with. */
  readonly names: readonly string[]
  readonly add: (program: Command) => Promise<void>
}

export const groups: readonly Group[] = [
  {
    names: ['serve'],
    add: async (program) => (await import('./commands/serve.ts')).addServeCommand(program),
  },
  {
    names: ['status'],
    add: async (program) => (await import('./commands/status.ts')).addStatusCommand(program),
  },
  {
    names: ['tour'],
    add: async (program) => (await import('./commands/tour.ts')).addTourCommand(program),
  },
  { names: ['keys'], add: addKeys },
  {
    names: ['sign', 'verify', 'encrypt', 'decrypt'],
    add: async (program) => (await import('./commands/files.ts')).addFileCommands(program),
  },
  {
    names: ['mac'],
    add: async (program) => (await import('./commands/mac.ts')).addMacCommand(program),
  },
  {
    names: ['random'],
    add: async (program) => (await import('./commands/random.ts')).addRandomCommand(program),
  },
  {
    names: ['identities', 'tokens'],
    add: async (program) => (await import('./commands/identities.ts')).addIdentityCommands(program),
  },
  {
    names: ['namespaces', 'roles', 'grants'],
    add: async (program) => (await import('./commands/access.ts')).addAccessCommands(program),
  },
  {
    names: ['record'],
    add: async (program) => (await import('./commands/record.ts')).addRecordCommands(program),
  },
  {
    names: ['custodian'],
    add: async (program) => (await import('./commands/custodian.ts')).addCustodianCommands(program),
  },
  {
    names: ['share'],
    add: async (program) => (await import('./commands/share.ts')).addShareCommands(program),
  },
  {
    names: ['unlock'],
    add: async (program) => (await import('./commands/unlock.ts')).addUnlockCommand(program),
  },
  {
    names: ['self-test'],
    add: async (program) => (await import('./commands/self-test.ts')).addSelfTestCommand(program),
  },
  {
    names: ['lock'],
    add: async (program) => (await import('./commands/lock.ts')).addLockCommand(program),
  },
  {
    names: ['tamper'],
    add: async (program) => (await import('./commands/tamper.ts')).addTamperCommands(program),
  },
  {
    names: ['officer'],
    add: async (program) => (await import('./commands/officer.ts')).addOfficerCommands(program),
  },
  {
    names: ['approval'],
    add: async (program) => (await import('./commands/approval.ts')).addApprovalCommands(program),
  },
  {
    names: ['attest'],
    add: async (program) => (await import('./commands/attest.ts')).addAttestCommands(program),
  },
  {
    names: ['entropy'],
    add: async (program) => (await import('./commands/entropy.ts')).addEntropyCommand(program),
  },
  { names: ['domain'], add: addDomain },
  {
    names: ['certificate'],
    add: async (program) =>
      (await import('./commands/certificate.ts')).addCertificateCommands(program),
  },
  {
    names: ['witness'],
    add: async (program) => (await import('./commands/witness.ts')).addWitnessCommands(program),
  },
  {
    names: ['bench'],
    add: async (program) => (await import('./commands/bench.ts')).addBenchCommand(program),
  },
]

async function addKeys(program: Command): Promise<void> {
  const [{ addKeyCommands }, { addAliasCommands }, end, { addKeyRequestCommand }] =
    await Promise.all([
      import('./commands/keys.ts'),
      import('./commands/aliases.ts'),
      import('./commands/keys-end.ts'),
      import('./commands/keys-request.ts'),
    ])
  const keys = program.command('keys').summary('make, look at, change and destroy keys')
  addKeyCommands(keys)
  addAliasCommands(keys)
  addKeyRequestCommand(keys)
  end.addWrapCommand(keys)
  end.addKeyEndCommands(keys)
}

async function addDomain(program: Command): Promise<void> {
  const [founding, attest, { addDomainCommands }, { addEpochCommands }, { addSealCommands }] =
    await Promise.all([
      import('./commands/founding.ts'),
      import('./commands/attest.ts'),
      import('./commands/domain.ts'),
      import('./commands/epochs.ts'),
      import('./commands/seals.ts'),
    ])
  const domain = program
    .command('domain')
    .summary('found a security domain, renew its keys; who decides in it, what it says of itself')
  founding.addFoundingCommands(domain)
  attest.addDomainStatementCommand(domain)
  addDomainCommands(domain)
  addEpochCommands(domain)
  addSealCommands(domain)
}

/** Those of the command that was asked for, or all. */
export function groupsFor(args: readonly string[]): readonly Group[] {
  const word = firstWord(args)
  const asked = groups.filter(({ names }) => names.includes(word))
  return asked.length > 0 ? asked : groups
}

const optionsWithValue: ReadonlySet<string> = new Set(['--data', '--namespace'])

/** Behind the options that every command has. */
function firstWord(args: readonly string[]): string {
  for (let index = 0; index < args.length; index += 1) {
    const arg = args[index] ?? ''
    if (optionsWithValue.has(arg)) index += 1
    else if (!arg.startsWith('-')) return arg
  }
  return ''
}
