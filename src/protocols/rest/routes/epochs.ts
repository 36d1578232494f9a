/** Routes about the keys of the domain itself: renewing the key-encryption key. */

import { z } from 'zod'
import { certificateBytesMax } from '../../../hsm/contract/certificate.ts'
import { sealSecretBytesMax } from '../../../hsm/contract/limits.ts'
import { sealedPartOverheadBytes } from '../../../hsm/contract/sealed-part.ts'
import { sharesMax } from '../../../hsm/contract/share.ts'
import {
  type Approvals,
  getRotation,
  type Rotation,
  retireKek,
  rotateKek,
} from '../../../kms/domain/rotation.ts'
import { rotationKinds } from '../../../kms/domain/rotation-plan.ts'
import { shred, shredCertificate, shredStatement } from '../../../kms/domain/shred.ts'
import { approvals, statementRequest, statements } from '../approvals.ts'
import { errorCode } from '../errors.ts'
import { type Route, route } from '../route.ts'
import { bytes, keyId, queryInteger, text, time, version } from '../schemas.ts'

const rotation = z
  .strictObject({
    kind: z.enum(rotationKinds),
    phase: z.enum(['begun', 'rewrap', 'destroy', 'retire', 'done']),
    epoch: z.int(),
    kek: z.int(),
    total: z.int(),
    left: z.int(),
    started: time,
    ended: time,
    failed: z.array(z.strictObject({ key: keyId, version, code: errorCode })),
  })
  .meta({ id: 'Rotation' })

/** Where the rules of the domain want them. */
const approved = z.strictObject({ approvals: approvals.optional() })

const sealedBytesMax = sealSecretBytesMax + sealedPartOverheadBytes

/** What the manager answers, as the schema's type has it. */
function answerOf({ failed, ...rest }: Rotation): z.output<typeof rotation> {
  return {
    ...rest,
    failed: failed.map(({ key, version: number, code }) => ({ key, version: number, code })),
  }
}

function given({ approvals: set }: z.output<typeof approved>): Approvals {
  return set === undefined ? {} : { approvals: Buffer.from(JSON.stringify(set)) }
}

const passphraseText = 1_024
const custodian = z.union([
  z.strictObject({ name: text, kind: z.literal('key'), publicKey: z.string().max(4_096) }),
  z.strictObject({ name: text, kind: z.literal('passphrase') }),
])

/** The secret of the new seal and the passphrases of custodians are sealed to the transport key. */
const newEpoch = {
  sealed: bytes(sealedBytesMax).optional(),
  seal: z.enum(['passphrase', 'tpm']).optional(),
  custodians: z
    .strictObject({
      threshold: z.int().min(2).max(sharesMax),
      people: z.array(custodian).max(sharesMax),
    })
    .optional(),
  passphrases: bytes(sharesMax * (2 + passphraseText) + sealedBytesMax).optional(),
}
const shredBytesMax = 256 * 1024
const sharesBytesMax = 64 * 1024

export const epochRoutes: readonly Route[] = [
  route({
    name: 'rotateKek',
    method: 'POST',
    path: '/v1/domain/rotate-kek',
    summary: 'Make a new key-encryption key and re-wrap every key under it, in the background',
    permission: ['domain:rotate-kek'],
    bodyBytesMax: 128 * 1024,
    body: approved,
    result: rotation,
    handle: async ({ kms, caller, body }) => answerOf(await rotateKek(kms, caller, given(body))),
  }),
  route({
    name: 'retireKek',
    method: 'POST',
    path: '/v1/domain/retire-kek',
    summary: 'End a rotation that waits for approvals: what is not re-wrapped opens no more',
    permission: ['domain:rotate-kek'],
    bodyBytesMax: 128 * 1024,
    body: approved,
    result: rotation,
    handle: async ({ kms, caller, body }) => answerOf(await retireKek(kms, caller, given(body))),
  }),
  route({
    name: 'shredEpoch',
    method: 'POST',
    path: '/v1/domain/shred',
    summary: 'Begin a new epoch with a new root key and seal, and shred the one before',
    permission: ['domain:shred'],
    bodyBytesMax: shredBytesMax,
    timeoutMs: 60_000,
    body: z.strictObject({
      confirm: z.string().max(64),
      endsShares: z.literal(true).optional(),
      ...newEpoch,
      ...approved.shape,
    }),
    result: z.strictObject({ rotation, shares: bytes(sharesBytesMax).optional() }),
    handle: async ({ kms, caller, body }) => {
      const { approvals: set, ...asked } = body
      const { shares, ...begun } = await shred(kms, caller, {
        ...asked,
        ...given({ approvals: set }),
      })
      return { rotation: answerOf(begun), ...(shares ? { shares } : {}) }
    },
  }),
  route({
    name: 'shredStatement',
    method: 'POST',
    path: '/v1/domain/shred/statement',
    summary: 'What people sign so that an epoch is shredded with these seals and custodians',
    permission: ['approvals:request'],
    bodyBytesMax: shredBytesMax,
    body: z.strictObject({ ...newEpoch, ...statementRequest }),
    result: statements,
    handle: async ({ kms, caller, body: { requester, validSeconds, ...asked } }) => ({
      statements: await shredStatement(kms, caller, asked, { requester, validSeconds }),
    }),
  }),
  route({
    name: 'getShredCertificate',
    method: 'GET',
    path: '/v1/domain/shredded/{epoch}',
    summary: 'What the module certifies of the end of an epoch: JSON with both signatures',
    permission: ['status:read'],
    parameters: z.strictObject({ epoch: queryInteger(1, 0xffff_ffff) }),
    result: z.strictObject({ certificate: bytes(certificateBytesMax) }),
    handle: async ({ kms, caller, path: { epoch } }) => ({
      certificate: await shredCertificate(kms, caller, epoch),
    }),
  }),
  route({
    name: 'getRotation',
    method: 'GET',
    path: '/v1/domain/rotation',
    summary: 'How far the last rotation of the key-encryption key is; none is an empty object',
    permission: ['status:read'],
    result: z.strictObject({ rotation: rotation.optional() }),
    handle: async ({ kms, caller }) => {
      const last = await getRotation(kms, caller)
      return last === undefined ? {} : { rotation: answerOf(last) }
    },
  }),
]
