/** People name identities by their names; the API wants their ids. */

import type { Client } from '../client/client.ts'
import { ClientError } from '../client/errors.ts'

const idPattern = /^id_[0-9a-f]{32}$/

/** @throws ClientError IDENTITY_NOT_FOUND */
export async function findIdentity(client: Client, nameOrId: string): Promise<string> {
  if (idPattern.test(nameOrId)) return nameOrId
  for await (const identity of client.pages('listIdentities', {})) {
    if (identity.name === nameOrId) return identity.id
  }
  throw new ClientError('IDENTITY_NOT_FOUND', `there is no identity ${nameOrId}`)
}
