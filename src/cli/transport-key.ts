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

type SealedCommand = NonNullable<RequestOf<'getTransportKey'>['query']>['command']

/** What a secret for one command is sealed with (src/hsm/contract/sealed-part.ts). */
export interface SealingKey {
  readonly publicKey: Uint8Array
  /** Hex. */
  readonly challenge: string
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
  if (!domain) return { publicKey, challenge }
  const nonce = randomBytes(32).toString('hex')
  const signed = await client.call('attestModule', { query: { nonce } })
  const file = Buffer.from(`${canonicalJson(signed)}\n`)
  const attestation = verifyAttestation(file, domain, nonce)
  const digest = createHash('sha256').update(publicKey).digest('hex')
  if (attestation.format === moduleFormat && attestation.transportKey === digest) {
    return { publicKey, challenge }
  }
  throw clientError('TRANSPORT_KEY_INVALID', 'the transport key is not that of a member')
}
