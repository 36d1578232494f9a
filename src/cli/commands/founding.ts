/** `keyhold domain found`, `sign-transcript` and `verify-transcript`: the founding ceremony. */

import path from 'node:path'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import type { Transcript, VerifiedTranscript } from '../../hsm/contract/transcript.ts'
import { askPlan } from '../ceremony/ask-plan.ts'
import { type AttendantFiles, atTerminal, forRehearsal, fromFiles } from '../ceremony/attendants.ts'
import { type Attendants, conduct } from '../ceremony/conduct.ts'
import { CeremonyFolder } from '../ceremony/folder.ts'
import { type LauncherUsers, startFoundingModule } from '../ceremony/module-process.ts'
import { type CeremonyPlan, readPlan } from '../ceremony/plan.ts'
import { askYes, assertTerminal, show } from '../ceremony/questions.ts'
import { RehearsalFolder, RehearsedCustodians } from '../ceremony/rehearsal.ts'
import {
  credentialIn,
  describeTranscript,
  encodeTranscript,
  readTranscript,
  signTranscript,
  verified,
  withSignature,
} from '../ceremony/transcript-file.ts'
import { exitCodes } from '../exit-codes.ts'
import { pair } from '../options.ts'
import { UsageError } from '../output.ts'
import { type BrowserOptions, browserOptions, inBrowser } from '../passkey/options.ts'
import { type PersonKeyOptions, personKeyOptions, readPersonKey } from '../person-key.ts'
import { action, type Session } from '../session.ts'
import { writeWhole } from '../small-file.ts'

/** Beneath `keyhold domain`. */
export function addFoundingCommands(domain: Command): void {
  addFoundCommand(domain)
  addSignCommand(domain)
  addVerifyCommand(domain)
}

interface FoundOptions extends AttendantFiles {
  readonly from?: string
  readonly ceremony: string
  readonly rehearse?: boolean
  readonly moduleUser?: string
  readonly hostUser?: string
}

function addFoundCommand(domain: Command): void {
  domain
    .command('found')
    .summary('the founding ceremony')
    .description(
      'Asks for security level, custodians, people and quorum rules, or reads them from a file; founds the ' +
        'domain in the data folder; writes a share for each custodian and the transcript. Run it again to go ' +
        'on where it stopped. docs/ceremony.md has the whole course.',
    )
    .option('--from <file>', 'what to do, as ceremony.json; nothing is asked then')
    .option('--ceremony <folder>', 'where shares and transcript are to be', 'keyhold-ceremony')
    .option('--module-user <user>', 'by the launcher, as root: who runs the module')
    .option('--host-user <user>', 'and who runs the server and owns the data folder')
    .option('--rehearse', 'try it out with a scratch module; touches nothing')
    .option('--passphrase-file <path>', 'of the seal')
    .option('--custodian-passphrase <name=path>', 'of a custodian; several times', pair)
    .addHelpText(
      'after',
      '\nExamples:\n  keyhold domain found --rehearse\n  keyhold domain found --data /var/lib/keyhold\n' +
        '  keyhold domain found --from ceremony.json --passphrase-file seal.txt',
    )
    .action(
      action<FoundOptions>(async (session, { options }) => {
        if (options.rehearse) return rehearse(session, options)
        const data = path.resolve(session.folder)
        const attendants = attendantsOf(session, options)
        const folder = await openCeremony(path.resolve(options.ceremony), data, options)
        await conduct(folder, (place) => startFoundingModule(place, usersOf(options)), attendants)
        await tell(session, folder, data)
      }),
    )
}

/** @throws UsageError for one without the other */
function usersOf({ moduleUser, hostUser }: FoundOptions): LauncherUsers | undefined {
  if (moduleUser === undefined && hostUser === undefined) return undefined
  if (moduleUser !== undefined && hostUser !== undefined) return { moduleUser, hostUser }
  throw new UsageError('--module-user and --host-user go together')
}

function attendantsOf({ output }: Session, options: FoundOptions): Attendants {
  const say = (text: string) => output.note(text)
  if (options.from !== undefined) return fromFiles(options, say)
  assertTerminal('use --from ceremony.json')
  return atTerminal(options, say)
}

/** The one that was begun, or a new one. */
async function openCeremony(
  place: string,
  data: string,
  options: FoundOptions,
): Promise<CeremonyFolder> {
  const begun = await CeremonyFolder.open(place)
  if (begun && begun.state.data !== data) {
    const message = `the ceremony in ${place} is for ${begun.state.data}; name another --ceremony folder`
    throw clientError('FILE_EXISTS', message)
  }
  if (!begun) return CeremonyFolder.begin(place, await planOf(options), data)
  const plan = await otherPlan(begun, options)
  return plan ? CeremonyFolder.begin(place, plan, data) : begun
}

/**
 * Instead of the one that the ceremony was begun with, as after the module refused that.
 * @throws ClientError FILE_EXISTS when there are shares or a domain by it already
 */
async function otherPlan(
  begun: CeremonyFolder,
  options: FoundOptions,
): Promise<CeremonyPlan | undefined> {
  if (options.from === undefined) {
    if (!begun.isOpen) return undefined
    assertTerminal('use --from ceremony.json')
    show(JSON.stringify(begun.plan, null, 2), 'Decided before')
    return (await askYes('Go on with this?')) ? undefined : planOf(options)
  }
  const plan = await readPlan(options.from)
  if (begun.isOf(plan)) return undefined
  if (begun.isOpen) return plan
  const message = `the ceremony in ${begun.path} goes on with the plan that it was begun with; for ${options.from}, name another --ceremony folder`
  throw clientError('FILE_EXISTS', message)
}

async function planOf({ from }: FoundOptions): Promise<CeremonyPlan> {
  if (from !== undefined) return readPlan(from)
  assertTerminal('use --from ceremony.json')
  const plan = await askPlan()
  show(JSON.stringify(plan, null, 2), 'What is going to be founded')
  if (await askYes('Found it like this?')) return plan
  throw clientError('INTERRUPTED', 'nothing was founded')
}

async function tell({ output }: Session, folder: CeremonyFolder, data: string): Promise<void> {
  const transcript = await readTranscript(folder.transcriptFile)
  const found = verified(transcript)
  const shares = folder.shareFiles
  const file = path.relative('', folder.transcriptFile)
  const next = [
    '',
    `Shares and transcript are in ${path.dirname(file)}. What to type next:`,
    ...found.missing.map(
      (name) =>
        `  keyhold domain sign-transcript ${file} --as "${name}" ${keyOption(found, name)} FILE`,
    ),
    `  ${serveCommand(folder.plan, data)}`,
  ]
  const { domain } = found.statement
  const value = { domain, data, shares, transcript: folder.transcriptFile, missing: found.missing }
  output.result(value, [describeTranscript(transcript, found), ...next].join('\n'))
}

function serveCommand({ level, custodians, seal }: CeremonyPlan, data: string): string {
  if (level > 2) return 'the launcher starts the server: docs/deploy.md'
  const locked = custodians && seal === 'none' ? '--locked ' : ''
  return `keyhold serve ${locked}--data ${data}`
}

/** The same course with a scratch module; everything is gone afterwards. */
async function rehearse(session: Session, options: FoundOptions): Promise<void> {
  const { output } = session
  using place = new RehearsalFolder()
  if (usersOf(options)) throw new UsageError('a rehearsal takes no launcher')
  const asked = await planOf(options)
  const custodians = new RehearsedCustodians(asked)
  const { plan } = custodians
  const say = (text: string) => output.note(text)
  say('REHEARSAL: a scratch module founds a domain that is thrown away. Nothing else is touched.')
  if (plan.level < asked.level) {
    say(`The scratch module is of level ${plan.level}: level ${asked.level} takes the launcher.`)
  }
  const present = options.from === undefined ? atTerminal(options, say) : forRehearsal(say)
  const attendants = custodians.attend(present)
  const folder = await CeremonyFolder.begin(place.ceremony, plan, place.data)
  await conduct(folder, startFoundingModule, attendants)
  const transcript = await readTranscript(folder.transcriptFile)
  const found = verified(transcript)
  await custodians.open(folder)
  const end = plan.custodians
    ? 'Its shares opened it again; now it is gone.'
    : 'The domain is gone.'
  const text = `${describeTranscript(transcript, found)}\n\nRehearsed. ${end}`
  output.result({ rehearsed: true, plan, signed: found.signed, missing: found.missing }, text)
}

function keyOption({ domainState }: VerifiedTranscript, name: string): string {
  const person = domainState.people.find((known) => known.name === name)
  return person?.credential.kind === 'passkey' ? '--passkey' : '--key'
}

interface SignOptions extends Omit<PersonKeyOptions, 'key'>, BrowserOptions {
  readonly key?: string
  readonly passkey?: string
  readonly yes?: boolean
}

function addSignCommand(domain: Command): void {
  domain
    .command('sign-transcript')
    .argument('<file>', 'the transcript; gets the signature')
    .summary('sign the transcript as one of the people of the domain')
    .description(
      'Checks the transcript, shows it, and signs what it says with your own key, or with your passkey on ' +
        'a page that this command serves to your browser on this machine, which shows the same.',
    )
    .requiredOption(...personKeyOptions.as)
    .option(...personKeyOptions.key)
    .option('--passkey <file>', 'your passkey: of keyhold officer passkey')
    .option(...personKeyOptions.passphraseFile)
    .option('--yes', 'sign without asking; a passkey always asks')
    .option(...browserOptions.open)
    .option(...browserOptions.seconds)
    .action(
      action<SignOptions>(async (session, { args: [file = ''], options }) => {
        const signed = await sign(session, await readTranscript(file), options)
        await writeWhole(file, encodeTranscript(signed), { force: true, mode: 0o644 })
        const { missing } = verified(signed)
        const rest = missing.length === 0 ? 'everybody has' : `not yet: ${missing.join(', ')}`
        session.output.result({ signed: options.as, missing }, `signed by ${options.as}; ${rest}`)
      }),
    )
}

/** By the key in a file after a question here, or by a passkey after one in the browser. */
async function sign(
  session: Session,
  transcript: Transcript,
  options: SignOptions,
): Promise<Transcript> {
  const { output } = session
  const { as: person, key: keyFile, passkey: passkeyFile } = options
  const text = describeTranscript(transcript, verified(transcript))
  if (passkeyFile !== undefined && keyFile === undefined) {
    const [{ signTranscriptInBrowser }, { readPasskey }] = await Promise.all([
      import('../passkey/ask.ts'),
      import('../passkey/passkey-file.ts'),
    ])
    const passkey = await readPasskey(passkeyFile)
    credentialIn(transcript, person, passkey.credential.publicKey)
    output.note(text)
    const who = { person, passkey }
    const own = await signTranscriptInBrowser(transcript, who, inBrowser(session, options))
    return withSignature(transcript, own)
  }
  if (keyFile === undefined || passkeyFile !== undefined) {
    throw new UsageError('sign with --key or with --passkey')
  }
  if (!options.yes) {
    assertTerminal('use --yes')
    output.note(text)
    const isSure = await askYes(`Sign this as ${person}?`, false)
    if (!isSure) throw clientError('INTERRUPTED', 'nothing was signed')
  }
  return signTranscript(transcript, person, await readPersonKey(keyFile, options))
}

function addVerifyCommand(domain: Command): void {
  domain
    .command('verify-transcript')
    .argument('<file>', 'the transcript')
    .summary('check a transcript: needs nothing but the file')
    .option('--everybody', 'not valid unless all people of the domain have signed')
    .action(
      action<{ everybody?: boolean }>(
        async ({ output, exitWith }, { args: [file = ''], options }) => {
          const transcript = await readTranscript(file)
          const found = verified(transcript)
          const { statement, signed, missing } = found
          if (options.everybody && missing.length > 0) exitWith(exitCodes.notValid)
          const value = { valid: true, statement, events: transcript.events, signed, missing }
          output.result(value, describeTranscript(transcript, found))
        },
      ),
    )
}
