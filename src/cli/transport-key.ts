/**
 * The transport key to which a secret is sealed. Whoever carries it could put one of its own in its place, and
 * read what was sealed; so whoever holds the domain's statement has the module attest it.
 */

import { createHash, randomBytes } from 'node:crypto'
import type { Client, RequestOf } from '../client/client.ts'
import { clientError } from '../client/errors.ts'
import {
  type DomainStatement,
  moduleFormat,
  verifyAttestation,
} from '../hsm/contract/attestation.ts'
import { canonicalJson } from '../hsm/contract/canonical-json.ts'
import { readDomainStatement } from './commands/attest.ts'

type SealedCommand = NonNullable<RequestOf<'getTransportKey'>['query']>['command']

/** What a secret for one command is sealed with (src/hsm/contract/sealed-part.ts). */
export interface SealingKey {
  readonly publicKey: Uint8Array
  /** Hex. */
  readonly challenge: string
}

export interface DomainFileOptions {
  readonly domain?: string
}

export const domainFileOption = [
  '--domain <file>',
  "the domain's statement, to know the module's key by",
] as const

export const domainFileHelp = `
Without --domain you believe the server which key is the module's, and whoever has taken it over
reads what you seal. The statement has to come from a source that you trust.
`

/** What the option names. @throws ClientError FILE_NOT_READABLE, FILE_TOO_LARGE; HsmError ATTESTATION_INVALID */
export async function domainOf({
  domain,
}: DomainFileOptions): Promise<DomainStatement | undefined> {
  return domain === undefined ? undefined : await readDomainStatement(domain)
}

/**
 * @param domain from a source that the person trusts; left out, the server is believed
 * @throws ClientError TRANSPORT_KEY_INVALID; HsmError ATTESTATION_INVALID
 */
export async function sealingKeyFor(
  client: Client,
  command: NonNullable<SealedCommand>,
  domain?: DomainStatement,
): Promise<SealingKey> {
  const { publicKey, challenge = '' } = await client.call('getTransportKey', { query: { command } })
  await assertAttested(client, publicKey, domain)
  return { publicKey, challenge }
}

/** For what is bound to a challenge otherwise, or to none. As sealingKeyFor. */
export async function transportKeyFor(
  client: Client,
  domain?: DomainStatement,
): Promise<Uint8Array> {
  const { publicKey } = await client.call('getTransportKey', {})
  await assertAttested(client, publicKey, domain)
  return publicKey
}

async function assertAttested(
  client: Client,
  publicKey: Uint8Array,
  domain: DomainStatement | undefined,
): Promise<void> {
  if (!domain) return
  const nonce = randomBytes(32).toString('hex')
  const signed = await client.call('attestModule', { query: { nonce } })
  const file = Buffer.from(`${canonicalJson(signed)}\n`)
  const attestation = verifyAttestation(file, domain, nonce)
  const digest = createHash('sha256').update(publicKey).digest('hex')
  if (attestation.format === moduleFormat && attestation.transportKey === digest) return
  throw clientError('TRANSPORT_KEY_INVALID', 'the transport key is not that of a member')
}
