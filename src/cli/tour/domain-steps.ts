/**
 * The second act of the tour: a domain that nobody rules alone. Custodians open it, officers decide in it,
 * tampering stops it, and when its module is gone, shares and a copy of the folder bring it back.
 */

import { cpSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { exitCodes } from '../exit-codes.ts'
import { type Stage, TourError } from './stage.ts'

const custodians = ['ada', 'ben', 'cleo'] as const
const officers = ['olga', 'omar', 'otto'] as const
const rules = [
  ...['founding', 'officers', 'rules', 'export', 'restore', 'join', 'destroy', 'floor', 'unlock'],
  ...['level', 'epoch', 'tamper'],
]
const byPassphrase = ['--passphrase-file', 'passphrase']
const zeroiseReason = 'the building is lost'

/** A ceremony: three custodians, three officers, two of each for what matters. */
export async function ceremony(stage: Stage): Promise<void> {
  stage.say('Another domain, of security level 2, for which the server above makes room.')
  stage.say('Custodians and officers make keys of their own, each on their own machine.')
  await stage.stopServer()
  stage.useData('company')
  writeFileSync(stage.file('passphrase'), 'a passphrase for the tour\n', { mode: 0o600 })
  for (const name of custodians) {
    await stage.keyhold(['custodian', 'key', `${name}.custodian`, ...byPassphrase])
  }
  for (const name of officers) {
    await stage.keyhold(['officer', 'key', `${name}.key`, ...byPassphrase])
  }
  const people = officers.map((name) => ({
    name,
    roles: ['officer'],
    publicKeyFile: `${name}.key.pub`,
  }))
  const two = { approvals: 2, roles: ['officer'] }
  const keepers = custodians.map((name) => ({ name, publicKeyFile: `${name}.custodian.pub` }))
  const plan = {
    format: 'keyhold ceremony v1',
    level: 2,
    custodians: { threshold: 2, people: keepers },
    people,
    rules: Object.fromEntries(rules.map((name) => [name, two])),
  }
  writeFileSync(stage.file('ceremony.json'), JSON.stringify(plan, undefined, 2))
  stage.say('What is founded stands in a file; the transcript says what was, signed by the module')
  stage.say('and by every officer, each with their own key.')
  await stage.keyhold(['domain', 'found', '--from', 'ceremony.json', '--ceremony', 'ceremony'])
  const transcript = 'ceremony/transcript.json'
  for (const name of officers) {
    const key = ['--as', name, '--key', `${name}.key`, ...byPassphrase, '--yes']
    await stage.keyhold(['domain', 'sign-transcript', transcript, ...key])
  }
  await stage.keyhold(['domain', 'verify-transcript', transcript, '--everybody'])
}

export async function unlock(stage: Stage): Promise<void> {
  stage.say('No seal opens this domain by itself. The server waits; one share is not enough.')
  await stage.startServer(['--locked'])
  await openByShares(stage)
  await stage.keyhold(['status'])
}

async function openByShares(stage: Stage): Promise<void> {
  const offer = async (number: number, name: string) =>
    stage.keyhold([
      ...['unlock', '--share', `ceremony/share-${number}-${name}.share`],
      ...['--key', `${name}.custodian`, ...byPassphrase],
    ])
  const first = await offer(1, 'ada')
  if (!first.stdout.includes('1 more needed')) throw new TourError('one share was enough')
  await offer(3, 'cleo')
  await stage.serverReady()
}

export async function exportKey(stage: Stage): Promise<void> {
  stage.say(
    'Officers decide what leaves. The manager carries their approvals and cannot make them.',
  )
  const all = ['administrator', 'security-officer', 'operator']
  for (const namespace of ['*', 'default']) {
    await stage.keyhold(['--namespace', namespace, 'roles', 'set', 'administrator', ...all])
  }
  const transport = ['--owner', 'security', '--purpose', 'let keys out']
  await stage.keyhold(['keys', 'create', 'transport', '--use', 'wrap,unwrap', ...transport])
  const payments = ['--owner', 'finance', '--purpose', 'sign payments']
  await stage.keyhold([
    'keys',
    'create',
    'payments',
    '--type',
    'P-256',
    '--exportable',
    ...payments,
  ])
  const wrap = ['keys', 'wrap', 'transport', 'payments', '--output', 'payments.wrapped']
  stage.say('Nobody alone, and no officer alone:')
  await stage.keyhold(wrap, exitCodes.refused)
  const asked = ['wrap', 'transport', 'payments', '--requester', 'olga', '--output', 'wrap.json']
  await stage.keyhold(['approval', 'request', ...asked])
  stage.say('Whoever is asked reads first what it is for:')
  await stage.keyhold(['approval', 'show', 'wrap.json'])
  await approve(stage, 'wrap.json', 'olga')
  const lone = await stage.keyhold([...wrap, '--approvals', 'wrap.json'], exitCodes.refused)
  if (!lone.stderr.includes('APPROVALS_MISSING')) throw new TourError('one officer was enough')
  stage.say('With a second one it leaves, encrypted, once:')
  await approve(stage, 'wrap.json', 'omar')
  await stage.keyhold([...wrap, '--approvals', 'wrap.json'])
}

async function approve(stage: Stage, request: string, name: string): Promise<void> {
  const key = ['--as', name, '--key', `${name}.key`, ...byPassphrase, '--yes']
  await stage.keyhold(['approval', 'sign', request, ...key])
}

export async function tamper(stage: Stage): Promise<void> {
  stage.say('A canary is a key that nobody is meant to use. Somebody does: the module stops, and')
  stage.say('works for nobody until two officers have looked into it.')
  const about = ['--owner', 'security', '--purpose', 'nobody uses it']
  await stage.keyhold(['keys', 'create', 'canary', '--type', 'P-256', '--canary', ...about])
  await stage.keyhold(['sign', 'letter.txt', '--key', 'canary', '--force'], exitCodes.refused)
  const payments = ['sign', 'letter.txt', '--key', 'payments', '--force']
  const stopped = await stage.keyhold(payments, exitCodes.refused)
  if (!stopped.stderr.includes('MODULE_TAMPERED')) throw new TourError('the module did not stop')
  const asked = ['acknowledge-tamper', '--requester', 'olga', '--output', 'ack.json']
  await stage.keyhold(['approval', 'request', ...asked])
  await approve(stage, 'ack.json', 'olga')
  await approve(stage, 'ack.json', 'otto')
  await stage.keyhold(['domain', 'acknowledge-tamper', '--approvals', 'ack.json'])
  await stage.keyhold(payments)
}

export async function zeroise(stage: Stage): Promise<void> {
  stage.say('A copy of the data folder is ciphertext: anybody may keep it, and somebody should.')
  stage.show('cp -r company company-copy')
  cpSync(stage.data, `${stage.data}-copy`, { recursive: true })
  stage.say('Then the module is zeroised: its secrets are overwritten, its process is gone.')
  const { stdout } = await stage.keyhold(['status'])
  const domain = /^domain +([0-9a-f]{32})$/m.exec(stdout)?.[1] ?? ''
  const asked = ['zeroise', zeroiseReason, '--requester', 'olga', '--output', 'zeroise.json']
  await stage.keyhold(['approval', 'request', ...asked])
  await approve(stage, 'zeroise.json', 'olga')
  await approve(stage, 'zeroise.json', 'otto')
  const confirmed = ['--confirm', domain, '--approvals', 'zeroise.json']
  await stage.keyhold(['domain', 'zeroise', zeroiseReason, ...confirmed])
  const { stderr } = await stage.keyhold(
    ['sign', 'letter.txt', '--key', 'payments', '--force'],
    exitCodes.unavailable,
  )
  if (!stderr.includes(zeroiseReason)) throw new TourError('the server does not say why')
}

export async function recover(stage: Stage): Promise<void> {
  stage.say('What is left is a folder that says what happened; no server starts on it again.')
  await stage.stopServer()
  const { stderr } = await stage.keyhold(['serve', '--locked'], exitCodes.refused)
  if (!stderr.includes('FOLDER_ZEROISED')) throw new TourError('the folder does not say why')
  stage.say('The copy takes its place, and two custodians open it with their shares.')
  stage.show('mv company zeroised; cp -r company-copy company')
  rmSync(stage.data, { recursive: true })
  cpSync(`${stage.data}-copy`, stage.data, { recursive: true })
  const before = readFileSync(stage.file('letter.txt.sig'))
  await stage.startServer(['--locked'])
  await openByShares(stage)
  await stage.keyhold(['verify', 'letter.txt', '--key', 'payments'])
  await stage.keyhold(['sign', 'letter.txt', '--key', 'payments', '--force'])
  await stage.keyhold(['verify', 'letter.txt', '--key', 'payments'])
  if (readFileSync(stage.file('letter.txt.sig')).equals(before)) {
    throw new TourError('it is the signature of before')
  }
}
