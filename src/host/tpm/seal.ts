/**
 * A secret that only this TPM gives back, and only while the machine's PCRs are what they were and, if
 * one was set, to whoever has the PIN (TPM 2.0 part 1, 19.7.7). It is the secret of a seal of the kind
 * `tpm` (docs/formats/sealed-state.md); the module never meets the TPM.
 *
 * Kept are objects that only the TPM can use, wrapped under a primary key that it makes anew from its own
 * seed, and `policy.json`. One object is bound to the PCRs; on its way back it is encrypted by a session
 * that is salted with the primary key, so that whoever listens between TPM and processor does not read
 * it. With a PIN there is a second object, which the TPM guards against guessing, and the secret is
 * made of both: tpm2-tools take no password for a policy session but as an argument, which every
 * user of the machine could read. The PIN itself goes to the TPM in the clear.
 *
 * Whoever answers in the TPM's place at the first sealing could read the secret (the primary key is not
 * certified), and PCRs say no more than what the firmware measured.
 */

import { hkdfSync, randomBytes } from 'node:crypto'
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

const bound = { pub: 'pub', priv: 'priv' }
const guarded = { pub: 'pin.pub', priv: 'pin.priv' }
type ObjectNames = typeof bound

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
  if (!isPolicy(policy) || policy.pin !== pin.length > 0) {
    throw new TpmError('TPM_POLICY_REFUSED', 'a seal is bound to PCRs, to a PIN, or to both.')
  }
  await using tpm = await TpmSession.open(options)
  await makePrimary(tpm)
  await startPolicy(tpm, policy, 'trial')
  const one = randomBytes(secretBytes)
  const policyFile = ['-L', tpm.file('policy'), '-a', 'fixedtpm|fixedparent|adminwithpolicy|noda']
  await create(tpm, bound, policyFile, one)
  const two = policy.pin ? randomBytes(secretBytes) : Buffer.alloc(0)
  if (policy.pin) {
    await create(tpm, guarded, ['-a', 'fixedtpm|fixedparent|userwithauth'], two)
    await setPin(tpm, pin)
  }
  await makeFolder(folder)
  for (const name of [bound, ...(policy.pin ? [guarded] : [])].flatMap(Object.values)) {
    const made = (await readIfThere(tpm.file(name))) ?? Buffer.alloc(0)
    await writeDurably(path.join(folder, name), [made])
  }
  const text = JSON.stringify({ format, ...policy })
  await writeDurably(path.join(folder, 'policy.json'), [Buffer.from(text)])
  return together(one, two)
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
  await makePrimary(tpm)
  await startPolicy(tpm, policy, 'policy')
  const object = ['-c', tpm.file('object'), '-p']
  await load(tpm, folder, bound)
  const one = await tpm.run('unseal', [...object, `session:${tpm.file('session')}`])
  await tpm.flush()
  let two: Buffer = Buffer.alloc(0)
  if (policy.pin) {
    await load(tpm, folder, guarded)
    two = await tpm.run('unseal', [...object, 'file:-'], pin)
  }
  if (one.length === secretBytes && two.length === (policy.pin ? secretBytes : 0)) {
    return together(one, two)
  }
  one.fill(0)
  two.fill(0)
  throw new TpmError('TPM_ANSWER_INVALID', 'the TPM gave a secret of another length.')
}

/** Overwrites both. */
function together(one: Buffer, two: Buffer): Uint8Array {
  const both = Buffer.concat([one, two])
  const secret = hkdfSync('sha256', both, '', 'keyhold tpm seal', secretBytes)
  for (const bytes of [one, two, both]) bytes.fill(0)
  return new Uint8Array(secret)
}

/** From the seed of the owner hierarchy and this template: the same each time. */
async function makePrimary(tpm: TpmSession): Promise<void> {
  const may = 'restricted|decrypt|fixedtpm|fixedparent|sensitivedataorigin|userwithauth|noda'
  const template = ['-C', 'o', '-g', 'sha256', '-G', 'ecc256:aes128cfb', '-a', may]
  await tpm.run('createprimary', ['-Q', ...template, '-c', tpm.file('primary')])
  await tpm.flush()
}

/** The policy, either as a digest to seal to or as a session to unseal in. */
async function startPolicy(
  tpm: TpmSession,
  { pcrs }: TpmPolicy,
  kind: 'trial' | 'policy',
): Promise<void> {
  const session = tpm.file('session')
  const salted = kind === 'policy' ? ['--policy-session', '-c', tpm.file('primary')] : []
  await tpm.run('startauthsession', [...salted, '-S', session])
  tpm.owns(session)
  await tpm.flush()
  if (kind === 'policy') await tpm.run('sessionconfig', ['--enable-encrypt', session])
  const digest = ['-Q', '-S', session, '-L', tpm.file('policy')]
  if (pcrs !== '') await tpm.run('policypcr', [...digest, '-l', pcrs])
  await tpm.run('policycommandcode', [...digest, 'TPM2_CC_Unseal'])
}

async function create(
  tpm: TpmSession,
  { pub, priv }: ObjectNames,
  how: readonly string[],
  secret: Uint8Array,
): Promise<void> {
  const files = ['-u', tpm.file(pub), '-r', tpm.file(priv), '-i', '-']
  await tpm.run(
    'create',
    ['-Q', '-C', tpm.file('primary'), '-g', 'sha256', ...how, ...files],
    secret,
  )
  await tpm.flush()
}

async function load(tpm: TpmSession, folder: string, { pub, priv }: ObjectNames): Promise<void> {
  const files = ['-u', path.join(folder, pub), '-r', path.join(folder, priv)]
  await tpm.run('load', ['-Q', '-C', tpm.file('primary'), ...files, '-c', tpm.file('object')])
  await tpm.flush()
}

/** After the sealing, because both are secrets and there is one standard input. */
async function setPin(tpm: TpmSession, pin: Uint8Array): Promise<void> {
  await load(tpm, path.dirname(tpm.file('x')), guarded)
  const object = ['-C', tpm.file('primary'), '-c', tpm.file('object'), '-r', tpm.file(guarded.priv)]
  await tpm.run('changeauth', [...object, 'file:-'], pin)
  await tpm.flush()
}

const pcrsPattern = /^((sha1|sha256|sha384|sha512):[0-9]{1,2}(,[0-9]{1,2}){0,23})?$/

function isPolicy({ pcrs, pin }: TpmPolicy): boolean {
  return pcrsPattern.test(pcrs) && (pcrs !== '' || pin)
}

async function readPolicy(folder: string): Promise<TpmPolicy> {
  const text = (await readIfThere(path.join(folder, 'policy.json')))?.toString('utf8')
  if (text === undefined) {
    throw new TpmError('TPM_NOT_SET_UP', `nothing was sealed to a TPM in ${folder}.`)
  }
  try {
    const { pcrs, pin, format: found } = JSON.parse(text)
    const policy = { pcrs: String(pcrs), pin: pin === true }
    if (found === format && isPolicy(policy)) return policy
  } catch {
    // Told below.
  }
  throw new TpmError('TPM_FOREIGN', `${folder}/policy.json is damaged.`)
}
