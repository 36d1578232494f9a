/**
 * PINs and logins of people (`../logins.ts`). A PIN arrives sealed to the transport key for one challenge,
 * which is used up by the attempt: whoever carries it cannot offer it again.
 */

import { assertRule, type CheckedApprovals } from '../approvals.ts'
import type { Person } from '../contract/domain-state.ts'
import { HsmError } from '../contract/errors.ts'
import { sealSecretBytesMax } from '../contract/limits.ts'
import { transportOverheadBytes } from '../contract/transport.ts'
import { nextDomainState } from '../domain-state.ts'
import { watchDomainState } from '../gate.ts'
import type { Module } from '../module.ts'
import { parseHex, parseObject } from '../parse.ts'
import { parsePersonName } from '../people.ts'
import type { Secret } from '../secret.ts'
import { describeDomainState } from './domain.ts'
import { command, underRule, unrestricted } from './row.ts'

/** An officer who is to acknowledge a tamper signal may have to log in for it. */
const whileOpen = ['operational', 'tampered'] as const
const sealedPin = { bytesMax: sealSecretBytesMax + transportOverheadBytes }

interface PinArguments {
  readonly person: string
  readonly challenge: string
}

/** By the person himself, who knows the PIN before it if there is one; or by the rule `officers`. */
export const setPin = command({
  name: 'setPin',
  states: ['operational'],
  ...unrestricted,
  changesState: true,
  alone: true,
  record: 'nothing',
  parts: { pin: sealedPin },
  parse: parsePinArguments,
  run: (module, args, parts) => {
    assertMaySetPin(module, args.person, module.approvals)
    const { ledger, domain } = module.open
    const assertUnchanged = watchDomainState(module)
    return module.move(async () => {
      using pin = openPin(module, 'setPin', args, parts.pin)
      const verifier = await module.logins.verifierOf(pin)
      assertUnchanged()
      const { people } = ledger.domainState
      const change = {
        people: people.map((person) =>
          person.name === args.person ? { ...person, pin: verifier } : person,
        ),
      }
      const next = nextDomainState(domain, ledger.signedDomainState, { change, time: module.now() })
      const { result, parts: answer } = describeDomainState(next)
      const changes = [ledger.putDomainState(next), ...module.logins.reset(args.person)]
      return { result, parts: answer, changes }
    })
  },
})

export const login = command({
  name: 'login',
  states: whileOpen,
  ...unrestricted,
  alone: true,
  record: 'nothing',
  parts: { pin: sealedPin },
  parse: parsePinArguments,
  run: async (module, args, parts) => {
    const isSigned = module.approvals?.signers.some(({ name }) => name === args.person) === true
    using pin = openPin(module, 'login', args, parts.pin)
    const { expires, changes } = await module.logins.login(args.person, pin, isSigned)
    return { result: { expires }, parts: {}, changes }
  },
})

export const resetLogin = command({
  name: 'resetLogin',
  states: whileOpen,
  ...underRule('officers'),
  alone: true,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const { person } = parseObject(untrusted, ['person'], 'arguments')
    return { person: parsePersonName(person) }
  },
  run: (module, { person }) => {
    personOf(module, person)
    return { result: {}, parts: {}, changes: module.logins.reset(person) }
  },
})

function parsePinArguments(untrusted: unknown): PinArguments {
  const { person, challenge } = parseObject(untrusted, ['person', 'challenge'], 'arguments')
  return { person: parsePersonName(person), challenge: parseHex(challenge, 32, 'challenge') }
}

/** Takes the challenge, whatever comes of it. @throws HsmError CHALLENGE_INVALID, CIPHERTEXT_INVALID */
function openPin(
  module: Module,
  name: 'setPin' | 'login',
  { challenge }: PinArguments,
  sealed: Uint8Array,
): Secret {
  module.challenges.assertOpen(challenge, name, module.now())
  const pin = module.transport.open(sealed, 'login', Buffer.from(challenge, 'hex'))
  module.challenges.take(challenge)
  return pin
}

/** @throws HsmError PERSON_NOT_FOUND, APPROVALS_MISSING */
function assertMaySetPin(
  module: Module,
  name: string,
  approvals: CheckedApprovals | undefined,
): void {
  const person = personOf(module, name)
  const isHimself = approvals?.signers.includes(person) === true
  if (isHimself && (person.pin === null || module.logins.isLoggedIn(person))) return
  const rule = module.open.ledger.domainState.rules.officers
  if (!rule) {
    throw new HsmError('APPROVALS_MISSING', 'a PIN is set by whom it is for, while logged in')
  }
  assertRule('officers', rule, approvals)
}

function personOf(module: Module, name: string): Person {
  const person = module.open.ledger.domainState.people.find((known) => known.name === name)
  if (person) return person
  throw new HsmError('PERSON_NOT_FOUND', 'the domain has nobody of this name')
}
