/**
 * The first administrator: made once, while there is no identity at all, by whoever starts the server
 * on an empty data folder. There is no default password and no open mode; the token is shown to that
 * starter and to nobody else.
 */

import { pageOfIdentities } from '../../storage/identities.ts'
import { insertNamespace } from '../../storage/namespaces.ts'
import type { Kms } from '../kms.ts'
import { addIdentity, type Identity } from './identities.ts'
import type { Role } from './permissions.ts'
import { addRoles } from './roles.ts'
import { addToken, type NewToken } from './tokens.ts'

export const defaultNamespace = 'default'

/**
 * Makes the namespace "default" and one person with these roles in every namespace.
 *
 * @returns undefined when there is an identity already
 */
export async function bootstrap(
  kms: Kms,
  options: {
    readonly name: string
    /** Administrator alone, unless the starter asks for more. */
    readonly roles?: readonly Role[] | undefined
    readonly tokenDays?: number | undefined
  },
): Promise<{ readonly identity: Identity; readonly token: NewToken } | undefined> {
  return kms.db.write(async (query) => {
    const anybody = await pageOfIdentities(query, { after: '', limit: 1 })
    if (anybody.length > 0) return undefined
    await insertNamespace(query, { name: defaultNamespace, created: kms.now() })
    const identity = await addIdentity(query, kms, { name: options.name, kind: 'person' })
    await addRoles(query, { identity: identity.id, roles: options.roles ?? ['administrator'] })
    const token = await addToken(query, kms, identity.id, {
      name: 'bootstrap',
      days: options.tokenDays,
    })
    return { identity, token }
  })
}
