/**
 * Tampering: the host reports what the module cannot see by itself, an officer acknowledges what has
 * stopped it, or has it zeroised. Whoever holds the door can report; what he can do with that is to stop
 * the module or, with the signals of sensors, to end it, which he can anyway.
 */

import { cosignatureBytesMax, parseWitnessKey } from '../contract/cosignature.ts'
import type { PinnedCounterKey } from '../contract/domain-commands.ts'
import type { RuleName } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { certificateBytesMax } from '../contract/nv-certificate.ts'
import { type TamperSignal, tamperSignals } from '../contract/tamper.ts'
import { parseBoolean, parseChoice, parseHex, parseNothing, parseObject } from '../parse.ts'
import { hashesOfStarts } from '../starts.ts'
import { detailLengthMax } from '../tamper.ts'
import { command, underRule, unrestricted } from './row.ts'

/** The others are the module's own to see, or an officer's to give. */
const reportable = (Object.keys(tamperSignals) as TamperSignal[]).filter(
  (signal) =>
    !['canary-used', 'wrapped-keys-forged', 'logins-failed', 'officer-command'].includes(signal),
)
const textPattern = /^[\x20-\x7e]*$/

export const reportTamper = command({
  name: 'reportTamper',
  states: ['operational', 'tampered'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const { signal, detail } = parseObject(untrusted, ['signal', 'detail'], 'arguments')
    return {
      signal: parseChoice(signal, reportable, 'signal'),
      detail: parseText(detail, 'detail'),
    }
  },
  run: (module, { signal, detail }) => {
    const response = module.tamper.responseTo(signal)
    module.tamper.signal(signal, detail)
    return { result: { response }, parts: {} }
  },
})

/** SubjectPublicKeyInfo of P-256, and the name of an index (TPM2B_NAME with SHA-256). */
const counterKeyBytes = 91
const counterNameBytes = 34
const certificate = { bytesMax: certificateBytesMax }

/** Alone, because what it seals is to be stored before the counter is raised. */
export const confirmCounter = command({
  name: 'confirmCounter',
  states: ['operational', 'tampered'],
  rules: ({ pin }): readonly RuleName[] => (pin ? ['unlock'] : []),
  alone: true,
  record: 'nothing',
  parts: { attestation: certificate, signature: certificate },
  parse: (untrusted): { challenge: string; pin?: PinnedCounterKey } => {
    const { challenge, pin } = parseObject(untrusted, ['challenge', 'pin'], 'arguments')
    const asked = { challenge: parseHex(challenge, 32, 'challenge') }
    if (pin === undefined) return asked
    const { publicKey, name } = parseObject(pin, ['publicKey', 'name'], 'pin')
    return {
      ...asked,
      pin: {
        publicKey: parseHex(publicKey, counterKeyBytes, 'publicKey'),
        name: parseHex(name, counterNameBytes, 'name'),
      },
    }
  },
  run: (module, { challenge, pin }, { attestation, signature }) => {
    module.challenges.assertOpen(challenge, 'confirmCounter', module.now())
    module.challenges.take(challenge)
    const { ledger } = module.open
    const question = { nonce: Buffer.from(challenge, 'hex'), pin }
    try {
      const certified = { attestation, signature }
      const { next, changes } = module.freshness.confirm(ledger, certified, question)
      return { result: { next }, parts: {}, changes }
    } catch (error) {
      const isBack = error instanceof HsmError && error.code === 'STATE_INVALID'
      if (isBack) module.tamper.signal('state-back', error.message)
      throw error
    }
  },
})

/** Alone, because the chain of the groups that follow begins at the head. */
export const signStart = command({
  name: 'signStart',
  states: ['operational', 'tampered'],
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted): { pin?: boolean } => {
    const { pin } = parseObject(untrusted, ['pin'], 'arguments')
    return pin === undefined ? {} : { pin: parseBoolean(pin, 'pin') }
  },
  run: (module, { pin = false }) => {
    const pinned = module.open.ledger.witness?.pinned ?? null
    if (!pinned && !pin) throw new HsmError('ARGUMENT_INVALID', 'no witness is pinned')
    const { starts, record, stored, changes } = module.freshness.signStart(module.open)
    const result = { pinned, size: stored.size }
    const [startsNote, note] = [Buffer.from(starts), Buffer.from(record)]
    return { result, parts: { starts: startsNote, note, hashes: hashesOfStarts(stored) }, changes }
  },
})

const cosignature = { bytesMax: cosignatureBytesMax }
/** A name of 255 bytes and a key of ML-DSA-44. */
const verifierKeyLengthMax = 2_048

export const confirmWitness = command({
  name: 'confirmWitness',
  states: ['operational', 'tampered'],
  rules: ({ pin }): readonly RuleName[] => (pin ? ['unlock'] : []),
  alone: true,
  record: 'nothing',
  parts: { starts: cosignature, record: cosignature },
  parse: (untrusted): { pin?: string } => {
    const { pin } = parseObject(untrusted, ['pin'], 'arguments')
    return pin === undefined ? {} : { pin: parseVerifierKeyOfWitness(pin) }
  },
  run: (module, { pin }, cosignatures) => {
    const { freshness, open } = module
    const changes = freshness.confirmByWitness(open.ledger, cosignatures, pin)
    return { result: {}, parts: {}, changes }
  },
})

export const acknowledgeTamper = command({
  name: 'acknowledgeTamper',
  states: ['tampered'],
  ...underRule('tamper'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: (module) => ({ result: {}, parts: {}, changes: [module.tamper.acknowledge()] }),
})

export const zeroise = command({
  name: 'zeroise',
  states: ['operational', 'tampered'],
  ...underRule('tamper'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const { reason } = parseObject(untrusted, ['reason'], 'arguments')
    return { reason: parseText(reason, 'reason') }
  },
  run: (module, { reason }) => {
    module.tamper.zeroise('officer-command', reason)
    return { result: {}, parts: {} }
  },
})

function parseVerifierKeyOfWitness(value: unknown): string {
  try {
    if (typeof value === 'string' && value.length <= verifierKeyLengthMax) {
      parseWitnessKey(value)
      return value
    }
  } catch (error) {
    if (!(error instanceof HsmError)) throw error
  }
  throw new HsmError('ARGUMENT_INVALID', 'pin is the verifier key of a witness')
}

function parseText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= detailLengthMax && textPattern.test(value)) {
    return value
  }
  throw new HsmError(
    'ARGUMENT_INVALID',
    `${name} is at most ${detailLengthMax} printable characters`,
  )
}
