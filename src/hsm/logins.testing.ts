/** PINs for tests, sealed as a person's own program seals them. */

import {
  enrol,
  newSigner,
  type Signer,
  signedAsk,
  termsFor,
  twoOfficers,
} from './approvals.testing.ts'
import type { HsmErrorCode } from './contract/errors.ts'
import { sealToTransportKey, type TransportPurpose } from './contract/transport.ts'
import { type Ask, Caller } from './door.testing.ts'

export const right = 'correct horse 1'
export const pinCost = { memoryKib: 64, passes: 1, lanes: 1 }

/** A PIN for a challenge of this command, as a person's own program seals it. */
export async function withPin(
  caller: Caller,
  command: 'setPin' | 'login',
  person: string,
  pin = right,
): Promise<Ask> {
  const asked = { command: 'getChallenge', arguments: { command } }
  const challenge = String((await caller.ok(asked)).result.challenge)
  return {
    command,
    arguments: { person, challenge },
    parts: { pin: sealedPin(caller, pin, challenge) },
  }
}

export function sealedPin(
  caller: Caller,
  pin: string,
  challenge: string,
  purpose?: TransportPurpose,
) {
  const { publicKey } = caller.module.transport
  const context = Buffer.from(challenge, 'hex')
  return sealToTransportKey(publicKey, purpose ?? 'login', Buffer.from(pin), context)
}

/** As approved, for a command that changes the domain state or does not. */
export async function approvedBy(caller: Caller, ask: Ask, ...signers: Signer[]): Promise<Ask> {
  const terms = await termsFor(caller, ask.command === 'setPin' ? 'changeDomain' : ask.command)
  const now = caller.module.now()
  const times = { notBefore: now - 1_000, expires: now + 60_000 }
  return signedAsk(caller, ask, { ...terms, ...times }, signers)
}

export async function setPin(caller: Caller, person: string, pin: string, ...signers: Signer[]) {
  await caller.ok(
    await approvedBy(caller, await withPin(caller, 'setPin', person, pin), ...signers),
  )
}

export async function logIn(
  caller: Caller,
  person: string,
  pin = right,
): Promise<HsmErrorCode | undefined> {
  return caller.refusal(await withPin(caller, 'login', person, pin))
}

/** anna and ben, officers, and otto, an operator, each with a PIN. */
export async function withPins(options: ConstructorParameters<typeof Caller>[0] = {}) {
  const caller = await Caller.founded({ pinCost, ...options })
  const signers = [newSigner('anna'), newSigner('ben')] as const
  const otto = newSigner('otto', { roles: ['operator'] })
  const people = [...signers, otto].map(({ asked }) => asked)
  const rules = { officers: twoOfficers, destroy: twoOfficers }
  await enrol(caller, { people, rules })
  const [anna, ben] = signers
  for (const signer of [anna, ben, otto]) await setPin(caller, signer.asked.name, right, signer)
  return { caller, anna, ben, otto }
}
