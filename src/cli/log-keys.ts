/** Whose signatures count under heads and receipts: from a hexadecimal key, or from the statement of a domain. */

import { InvalidArgumentError } from 'commander'
import { clientError } from '../client/errors.ts'
import { domainStatementBytesMax, openDomainStatement } from '../hsm/contract/attestation.ts'
import type { LogKeys } from '../hsm/contract/checkpoint.ts'
import { hex } from './options.ts'
import { UsageError } from './output.ts'
import { readSmallFile } from './small-file.ts'

export interface TrustOptions {
  /** Ed25519. */
  readonly identityKey?: Buffer
  /** File of the domain's statement. */
  readonly domain?: string
}

const identityKeyBytes = 32

/** Of an option, in hex. */
export function identityKey(text: string): Buffer {
  const bytes = hex(text)
  if (bytes.length === identityKeyBytes) return bytes
  throw new InvalidArgumentError(`an identity key has ${identityKeyBytes} bytes`)
}

/**
 * The keys of the module that the origin names; undefined when neither option was given.
 * @throws UsageError, ClientError, HsmError ATTESTATION_INVALID
 */
export async function trustedKeys(
  { identityKey: ed25519, domain }: TrustOptions,
  origin: string,
): Promise<LogKeys | undefined> {
  if (ed25519 && domain !== undefined) {
    throw new UsageError('either an identity key or the statement of a domain')
  }
  if (domain !== undefined)
    return keysIn(await readSmallFile(domain, domainStatementBytesMax), origin)
  return ed25519 && { ed25519 }
}

function keysIn(file: Uint8Array, origin: string): LogKeys {
  const { domain, members } = openDomainStatement(file)
  const member = members.find(({ module }) => origin === `keyhold/${domain}/${module}`)
  if (!member) throw clientError('RECORD_BROKEN', `${origin} is of no module of that domain`)
  return {
    ed25519: Buffer.from(member.ed25519, 'hex'),
    mlDsa65: Buffer.from(member.mlDsa65, 'hex'),
  }
}
