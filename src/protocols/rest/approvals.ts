/** The shapes of approvals on the wire: those of docs/formats/approval.md, for the module to check. */

import { z } from 'zod'
import { approvalsBytesMax } from '../../hsm/contract/approval.ts'
import { approvalsMax, personNameLengthMax } from '../../hsm/contract/domain-state.ts'
import { time } from './schemas.ts'

/** ML-DSA-65 signs 3,309 bytes; client data of a passkey have 4,096 at most. */
const base64Text = z.string().min(1).max(8_192)
export const personName = z.string().min(1).max(personNameLengthMax)
/** 32 bytes in hex, or nothing. */
const digest = z.string().regex(/^(?:[0-9a-f]{64})?$/)
export const challenge = z.string().regex(/^[0-9a-f]{64}$/)

export const approvals = z
  .strictObject({
    module: z.string().regex(/^(?:any|[0-9a-f]{32})$/),
    challenge: digest,
    predecessor: digest,
    requester: personName,
    notBefore: time,
    expires: time,
    approvals: z
      .array(
        z.strictObject({
          person: personName,
          signature: base64Text,
          authenticatorData: base64Text.optional(),
          clientData: base64Text.optional(),
        }),
      )
      .min(1)
      .max(approvalsMax),
  })
  .meta({ id: 'Approvals' })

const validSecondsMax = 7 * 24 * 60 * 60 - 60

/** Who asks for approvals, and for how long they are to be good. */
export const statementRequest = {
  requester: personName,
  validSeconds: z.int().min(1).max(validSecondsMax).optional(),
}

/** What people sign, byte for byte, one text for each command. */
export const statements = z
  .strictObject({ statements: z.array(z.string().max(approvalsBytesMax)) })
  .meta({ id: 'Statements' })
