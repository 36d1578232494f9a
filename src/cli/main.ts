/**
 * `keyhold`, the command line: its commands and the options that all of them know. `./keyhold` starts
 * it with the pinned Node. What a command does is in commands/; how failures end is in session.ts.
 */

import { readFileSync } from 'node:fs'
import path from 'node:path'
import { Command, CommanderError } from 'commander'
import { exitCodes, exitCodesText } from './exit-codes.ts'
import { Output, UsageError } from './output.ts'
import { groupsFor } from './program.ts'

async function makeProgram(args: readonly string[]): Promise<Command> {
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
  for (const { add } of groupsFor(args)) await add(program)
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
  const program = await makeProgram(args)
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
