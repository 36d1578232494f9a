/**
 * Tampering: the host reports what the module cannot see by itself, an officer acknowledges what has
 * stopped it, or has it zeroised. Whoever holds the door can report; what he can do with that is to stop
 * the module or, with the signals of sensors, to end it, which he can anyway.
 */

import { HsmError } from '../contract/errors.ts'
import { type TamperSignal, tamperSignals } from '../contract/tamper.ts'
import { parseChoice, parseNothing, parseObject } from '../parse.ts'
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

function parseText(value: unknown, name: string): string {
  if (typeof value === 'string' && value.length <= detailLengthMax && textPattern.test(value)) {
    return value
  }
  throw new HsmError(
    'ARGUMENT_INVALID',
    `${name} is at most ${detailLengthMax} printable characters`,
  )
}
