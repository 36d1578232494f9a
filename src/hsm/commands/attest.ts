/** Commands by which others can check, offline, what the module, its keys and its domain are. */

import { attestModule, domainStatement, attestKey as keyFile } from '../attestation.ts'
import { nonceBytesMax, nonceBytesMin } from '../contract/attestation.ts'
import { HsmError } from '../contract/errors.ts'
import { parseKeyReference, parseNothing, parseObject } from '../parse.ts'
import { command, unrestricted } from './row.ts'
import { wrappedPart } from './use-of-key.ts'

const whileOpen = ['operational', 'tampered'] as const

export const attest = command({
  name: 'attest',
  states: whileOpen,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => ({
    nonce: parseNonce(parseObject(untrusted, ['nonce'], 'arguments').nonce),
  }),
  run: async (module, { nonce }) => ({
    result: {},
    parts: { attestation: await attestModule(module, nonce) },
  }),
})

/** In whatever state the key is: what it may do is in the answer, nothing is done with it. */
export const attestKey = command({
  name: 'attestKey',
  states: ['operational'],
  ...unrestricted,
  record: 'key',
  parts: { wrapped: wrappedPart },
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['key', 'version', 'nonce'], 'arguments')
    return { ...parseKeyReference(args), nonce: parseNonce(args.nonce) }
  },
  run: async (module, args, { wrapped }) => ({
    result: {},
    parts: { attestation: await keyFile(module, module.key(args, wrapped), args.nonce) },
  }),
})

export const getDomainStatement = command({
  name: 'getDomainStatement',
  states: whileOpen,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: async (module) => ({ result: {}, parts: { statement: await domainStatement(module) } }),
})

const noncePattern = /^(?:[0-9a-f]{2})+$/

function parseNonce(value: unknown): string {
  if (
    typeof value !== 'string' ||
    value.length < 2 * nonceBytesMin ||
    value.length > 2 * nonceBytesMax ||
    !noncePattern.test(value)
  ) {
    const most = `${nonceBytesMin} to ${nonceBytesMax} bytes`
    throw new HsmError('ARGUMENT_INVALID', `nonce must be ${most} in lower-case hex`)
  }
  return value
}
