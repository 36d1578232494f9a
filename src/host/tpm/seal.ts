/**
 * A secret that only this TPM gives back, and only while the machine's PCRs are what they were and, if
 * one was set, to whoever has the PIN (TPM 2.0 part 1, 19.7: PolicyPCR, PolicyAuthValue). It is the
 * secret of a seal of the kind `tpm` (docs/formats/sealed-state.md); the module never meets the TPM.
 *
 * Kept are two files that only the TPM can use, wrapped under a primary key that it makes anew from its
 * own seed, and `policy.json`. On its way back the secret is encrypted by a session that is salted with
 * that primary key: whoever listens between TPM and processor does not read it. Whoever can also answer
 * in the TPM's place at the first sealing could (the primary key is not certified), and the PCRs say no
 * more than what the firmware measured.
 */

import { randomBytes } from 'node:crypto'
import { rm } from 'node:fs/promises'
import path from 'node:path'
import { makeFolder, readIfThere, writeDurably } from '../durable-file.ts'
import { TpmError } from './errors.ts'
import { type TpmOptions, TpmSession } from './tools.ts'

export interface TpmPolicy {
  /** PCR bank and numbers as tpm2-tools write them; 7 is what Secure Boot decided. Empty: none. */
  readonly pcrs: string
  /** Whether a PIN is asked for. */
  readonly pin: boolean
}

/** In the data folder. */
export const tpmFolderName = 'tpm'
export const policyDefault: TpmPolicy = { pcrs: 'sha256:7', pin: false }
const secretBytes = 32
const format = 1

/**
 * A new secret, sealed in this folder in place of what was there. Whoever takes it overwrites it.
 * @throws TpmError
 */
export async function makeTpmSeal(
  folder: string,
  policy: TpmPolicy,
  options: TpmOptions = {},
  pin: Uint8Array = new Uint8Array(),
): Promise<Uint8Array> {
  if (policy.pcrs === '' && !policy.pin) {
    throw new TpmError('TPM_POLICY_REFUSED', 'a seal is bound to PCRs, to a PIN, or to both.')
  }
  const secret = Uint8Array.from(randomBytes(secretBytes))
  await using tpm = await TpmSession.open(options)
  await makePrimary(tpm)
  const file = (name: string) => tpm.file(name)
  await startPolicy(tpm, policy, 'trial')
  const attributes = 'fixedtpm|fixedparent|adminwithpolicy|noda'
  const sealing = ['-C', file('primary'), '-g', 'sha256', '-L', file('policy'), '-a', attributes]
  await tpm.run(
    'create',
    ['-Q', ...sealing, '-u', file('pub'), '-r', file('priv'), '-i', '-'],
    secret,
  )
  await tpm.flush()
  if (policy.pin) await setPin(tpm, pin)
  await makeFolder(folder)
  for (const name of ['pub', 'priv']) {
    await writeDurably(path.join(folder, name), [
      (await readIfThere(file(name))) ?? Buffer.alloc(0),
    ])
  }
  const text = JSON.stringify({ format, ...policy })
  await writeDurably(path.join(folder, 'policy.json'), [Buffer.from(text)])
  return secret
}

/**
 * The secret of this folder. Whoever takes it overwrites it; `pin` too.
 * @throws TpmError TPM_UNAVAILABLE, TPM_POLICY_REFUSED, TPM_AUTH_REFUSED, TPM_FOREIGN, TPM_NOT_SET_UP
 */
export async function openTpmSeal(
  folder: string,
  options: TpmOptions = {},
  pin: Uint8Array = new Uint8Array(),
): Promise<Uint8Array> {
  const policy = await readPolicy(folder)
  await using tpm = await TpmSession.open(options)
  const file = (name: string) => tpm.file(name)
  await makePrimary(tpm)
  await startPolicy(tpm, policy, 'policy')
  await load(tpm, path.join(folder, 'pub'), path.join(folder, 'priv'))
  const auth = `session:${file('session')}${policy.pin ? '+file:-' : ''}`
  const output = await tpm.run('unseal', ['-c', file('object'), '-p', auth], pin)
  try {
    if (output.length === secretBytes) return Uint8Array.from(output)
    throw new TpmError('TPM_ANSWER_INVALID', `the TPM gave ${output.length} bytes`)
  } finally {
    output.fill(0)
  }
}

export async function removeTpmSeal(folder: string): Promise<void> {
  await rm(folder, { recursive: true, force: true })
}

/** From the seed of the owner hierarchy and this template: the same each time. */
async function makePrimary(tpm: TpmSession): Promise<void> {
  await tpm.run('createprimary', [
    '-Q',
    '-C',
    'o',
    '-g',
    'sha256',
    '-G',
    'ecc',
    '-c',
    tpm.file('primary'),
  ])
  await tpm.flush()
}

/** The policy, either as a digest to seal to or as a session to unseal in. */
async function startPolicy(
  tpm: TpmSession,
  { pcrs, pin }: TpmPolicy,
  kind: 'trial' | 'policy',
): Promise<void> {
  const session = tpm.file('session')
  const salted = kind === 'policy' ? ['--policy-session', '-c', tpm.file('primary')] : []
  await tpm.run('startauthsession', [...salted, '-S', session])
  tpm.owns(session)
  await tpm.flush()
  if (kind === 'policy') await tpm.run('sessionconfig', ['--enable-encrypt', session])
  const digest = ['-L', tpm.file('policy')]
  if (pcrs !== '') await tpm.run('policypcr', ['-Q', '-S', session, '-l', pcrs, ...digest])
  if (pin) await tpm.run('policyauthvalue', ['-Q', '-S', session, ...digest])
}

async function load(tpm: TpmSession, pub: string, priv: string): Promise<void> {
  const object = ['-u', pub, '-r', priv, '-c', tpm.file('object')]
  await tpm.run('load', ['-Q', '-C', tpm.file('primary'), ...object])
  await tpm.flush()
}

/** After the sealing, because both are secrets and there is one standard input. */
async function setPin(tpm: TpmSession, pin: Uint8Array): Promise<void> {
  await load(tpm, tpm.file('pub'), tpm.file('priv'))
  const object = ['-C', tpm.file('primary'), '-c', tpm.file('object'), '-r', tpm.file('priv')]
  await tpm.run('changeauth', [...object, 'file:-'], pin)
  await tpm.flush()
}

const pcrsPattern = /^((sha1|sha256|sha384|sha512):[0-9]{1,2}(,[0-9]{1,2}){0,23})?$/

async function readPolicy(folder: string): Promise<TpmPolicy> {
  const text = (await readIfThere(path.join(folder, 'policy.json')))?.toString('utf8')
  if (text === undefined) {
    throw new TpmError('TPM_NOT_SET_UP', `nothing was sealed to a TPM in ${folder}.`)
  }
  try {
    const { pcrs, pin, format: found } = JSON.parse(text)
    if (found === format && typeof pin === 'boolean' && pcrsPattern.test(String(pcrs))) {
      return { pcrs: String(pcrs), pin }
    }
  } catch {}
  throw new TpmError('TPM_FOREIGN', `${folder}/policy.json is damaged.`)
}
