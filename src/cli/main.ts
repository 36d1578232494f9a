/**
 * `keyhold`, the command line: its commands and the options that all of them know. `./keyhold` starts
 * it with the pinned Node. What a command does is in commands/; how failures end is in session.ts.
 */

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command, CommanderError } from 'commander'
import { addAccessCommands } from './commands/access.ts'
import { addAliasCommands } from './commands/aliases.ts'
import { addApprovalCommands } from './commands/approval.ts'
import { addApproveCommand } from './commands/approve.ts'
import { addAttestCommands, addDomainStatementCommand } from './commands/attest.ts'
import { addBenchCommand } from './commands/bench.ts'
import { addCertificateCommands } from './commands/certificate.ts'
import { addCustodianCommands } from './commands/custodian.ts'
import { addDomainCommands } from './commands/domain.ts'
import { addEntropyCommand } from './commands/entropy.ts'
import { addEpochCommands } from './commands/epochs.ts'
import { addFileCommands } from './commands/files.ts'
import { addFoundingCommands } from './commands/founding.ts'
import { addIdentityCommands } from './commands/identities.ts'
import { addKeyCommands } from './commands/keys.ts'
import { addKeyEndCommands, addWrapCommand } from './commands/keys-end.ts'
import { addMacCommand } from './commands/mac.ts'
import { addOfficerCommands } from './commands/officer.ts'
import { addRandomCommand } from './commands/random.ts'
import { addRecordCommands } from './commands/record.ts'
import { addServeCommand } from './commands/serve.ts'
import { addShareCommands } from './commands/share.ts'
import { addStatusCommand } from './commands/status.ts'
import { addTamperCommands } from './commands/tamper.ts'
import { addTourCommand } from './commands/tour.ts'
import { addUnlockCommand } from './commands/unlock.ts'
import { exitCodes, exitCodesText } from './exit-codes.ts'
import { Output, UsageError } from './output.ts'

/** In the order of the help: what a newcomer needs first. */
function makeProgram(): Command {
  const program = new Command('keyhold')
    .description('An HSM that runs anywhere, and the key manager in front of it.')
    .version(packageVersion(), '--version', 'print the version')
    .option('--json', 'results and errors as JSON, one line each')
    .option('--data <folder>', 'data folder of the server (KEYHOLD_DATA, else ./keyhold-data)')
    .option('--namespace <name>', 'namespace of keys and grants', 'default')
    .helpOption('--help', 'show this help')
    .helpCommand('help [command]', 'show the help of a command')
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ outputError: () => undefined })
    .exitOverride()
  addServeCommand(program)
  addStatusCommand(program)
  addTourCommand(program)
  const keys = program.command('keys').summary('make, look at, change and destroy keys')
  addKeyCommands(keys)
  addAliasCommands(keys)
  addWrapCommand(keys)
  addKeyEndCommands(keys)
  addFileCommands(program)
  addMacCommand(program)
  addRandomCommand(program)
  addIdentityCommands(program)
  addAccessCommands(program)
  addRecordCommands(program)
  addCustodianCommands(program)
  addShareCommands(program)
  addUnlockCommand(program)
  addApproveCommand(program)
  addTamperCommands(program)
  addOfficerCommands(program)
  addApprovalCommands(program)
  addAttestCommands(program)
  addEntropyCommand(program)
  const domain = program
    .command('domain')
    .summary('found a security domain, renew its keys; who decides in it, what it says of itself')
  addFoundingCommands(domain)
  addDomainStatementCommand(domain)
  addDomainCommands(domain)
  addEpochCommands(domain)
  addCertificateCommands(program)
  addBenchCommand(program)
  program.addHelpText('afterAll', ({ command }) =>
    command === program ? `\n${exitCodesText()}` : '\nExit codes: keyhold --help\n',
  )
  return program
}

function packageVersion(): string {
  const file = path.join(import.meta.dirname, '../../package.json')
  return String(JSON.parse(readFileSync(file, 'utf8')).version)
}

/** What the parser says when it could show what was asked for, and when it could not. */
const shown = new Set(['commander.helpDisplayed', 'commander.version', 'commander.help'])

async function run(args: readonly string[]): Promise<void> {
  const program = makeProgram()
  try {
    await program.parseAsync([...args], { from: 'user' })
  } catch (error) {
    const output = new Output(args.includes('--json'))
    if (!(error instanceof CommanderError)) {
      process.exitCode = output.failure(error)
    } else if (shown.has(error.code)) {
      // "help" without a command comes with 1: nothing was asked that could be done.
      process.exitCode = error.exitCode === 0 ? exitCodes.done : exitCodes.usage
    } else {
      process.exitCode = output.failure(new UsageError(error.message.replace(/^error: /, '')))
    }
  }
}

// Whoever reads the output may be gone ("| head"): nothing is left to say to them.
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EPIPE') process.exit()
  })
}
await run(process.argv.slice(2))
