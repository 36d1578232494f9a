/**
 * HMAC (FIPS 198-1) with the hashes of FIPS 180-4 and FIPS 202. Keys have at least 112 bits
 * (SP 800-131A revision 2 section 10), which the key itself ensures.
 */

import { createHmac } from 'node:crypto'
import type { Implementation } from './implementation.ts'

/** @param hash what node:crypto calls it */
export function hmac(hash: string): Implementation {
  return { mac: ({ keyObject }, data) => createHmac(hash, keyObject).update(data).digest() }
}
