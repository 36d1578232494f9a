/**
 * ETags: the revision counter of what is changed, as text. A change of metadata (PATCH) must say what
 * it read, or two editors would overwrite each other unseen; an action (rotate, disable, destroy) may
 * say it, because it means the same whatever the metadata say by then.
 */

import { KmsError } from './errors.ts'
import type { Change } from './kms.ts'

export function etagOf(row: { readonly revision: number }): string {
  return String(row.revision)
}

/** @throws KmsError PRECONDITION_FAILED */
export function assertMatch(row: { readonly revision: number }, { ifMatch }: Change): void {
  if (ifMatch !== undefined && ifMatch !== '*' && ifMatch !== etagOf(row)) {
    throw new KmsError('PRECONDITION_FAILED', `it was changed: its ETag is now "${etagOf(row)}"`)
  }
}

/** @throws KmsError PRECONDITION_REQUIRED */
export function assertMatchGiven({ ifMatch }: Change): void {
  if (ifMatch === undefined) {
    throw new KmsError('PRECONDITION_REQUIRED', 'If-Match with the ETag that was read is required')
  }
}
