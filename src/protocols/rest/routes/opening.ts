/** Routes about what opens the domain at a start, and what closes it: seals, the TPM's counter, the lock. */

import { z } from 'zod'
import { sealKinds } from '../../../hsm/contract/domain-commands.ts'
import { sealSecretBytesMax } from '../../../hsm/contract/limits.ts'
import { certificateBytesMax } from '../../../hsm/contract/nv-certificate.ts'
import { sealedPartOverheadBytes } from '../../../hsm/contract/sealed-part.ts'
import {
  addSeal,
  listSeals,
  lockModule,
  pinCounter,
  prepareCounter,
  prepareTpmSeal,
  removeSeal,
} from '../../../kms/domain/opening.ts'
import { approvals, challenge } from '../approvals.ts'
import { noContent, type Route, route } from '../route.ts'
import { bytes, time } from '../schemas.ts'

const approved = { approvals: approvals.optional() }
const approvedBytesMax = 128 * 1024
/** tpm2-tools are a program for each step. */
const tpmMs = 60_000
const sealed = bytes(sealSecretBytesMax + sealedPartOverheadBytes)

/** The members of the command, for people to approve and for pinCounter to bring. */
const pinning = z.strictObject({
  challenge,
  pin: z.strictObject({
    publicKey: z.string().regex(/^[0-9a-f]{182}$/),
    name: z.string().regex(/^[0-9a-f]{68}$/),
  }),
  attestation: bytes(certificateBytesMax),
  signature: bytes(certificateBytesMax),
})

const sealRoutes: readonly Route[] = [
  route({
    name: 'listSeals',
    method: 'GET',
    path: '/v1/domain/seals',
    summary: 'The seals that open the domain, one of each kind at most, beside its custodians',
    permission: ['domain:read'],
    result: z.strictObject({
      seals: z.array(z.strictObject({ kind: z.enum(sealKinds), made: time })),
    }),
    handle: async ({ kms, caller }) => ({ seals: await listSeals(kms, caller) }),
  }),
  route({
    name: 'addSeal',
    method: 'POST',
    path: '/v1/domain/seals',
    summary: 'A seal of this kind, in place of the one before; its secret is sealed to the module',
    permission: ['domain:seal'],
    bodyBytesMax: approvedBytesMax,
    body: z.strictObject({ kind: z.enum(['passphrase', 'tpm']), sealed, ...approved }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => addSeal(kms, caller, body),
  }),
  route({
    name: 'prepareTpmSeal',
    method: 'POST',
    path: '/v1/domain/seals/tpm',
    summary: "Have the server's TPM keep a secret for a seal; answers it sealed to the module",
    permission: ['domain:seal'],
    timeoutMs: tpmMs,
    body: z.strictObject({
      pcrs: z.string().min(1).max(128).optional(),
      command: z.enum(['addSeal', 'beginEpoch']).optional(),
    }),
    result: z.strictObject({ sealed }),
    handle: async ({ kms, caller, body }) => ({
      sealed: await prepareTpmSeal(kms, caller, body),
    }),
  }),
  route({
    name: 'removeSeal',
    method: 'POST',
    path: '/v1/domain/seals/removal',
    summary:
      'Take a seal away; whoever has a copy and its secret opens the domain until it is shredded',
    permission: ['domain:seal'],
    bodyBytesMax: approvedBytesMax,
    body: z.strictObject({ kind: z.enum(sealKinds), ...approved }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => removeSeal(kms, caller, body),
  }),
]

export const openingRoutes: readonly Route[] = [
  ...sealRoutes,
  route({
    name: 'prepareCounter',
    method: 'POST',
    path: '/v1/domain/counter/preparation',
    summary: "The word of the server's TPM counter, which is made if there is none, for pinCounter",
    permission: ['domain:seal'],
    timeoutMs: tpmMs,
    result: pinning,
    handle: async ({ kms, caller }) => {
      const { arguments: asked, parts } = await prepareCounter(kms, caller)
      const { challenge: issued, pin = { publicKey: '', name: '' } } = asked
      return { challenge: issued, pin, ...parts }
    },
  }),
  route({
    name: 'pinCounter',
    method: 'POST',
    path: '/v1/domain/counter',
    summary: 'From now on a start with an older state than the counter knows stops the module',
    permission: ['domain:seal'],
    bodyBytesMax: approvedBytesMax,
    timeoutMs: tpmMs,
    body: pinning.extend(approved),
    result: noContent,
    status: 204,
    handle: ({
      kms,
      caller,
      body: { challenge: issued, pin, attestation, signature, ...rest },
    }) => {
      const args = { challenge: issued, pin }
      const parts = { attestation, signature }
      return pinCounter(kms, caller, { command: 'confirmCounter', arguments: args, parts }, rest)
    },
  }),
  route({
    name: 'lock',
    method: 'POST',
    path: '/v1/domain/lock',
    summary: "Erase all secrets from memory until the domain is opened; confirm is the domain's id",
    permission: ['domain:lock'],
    timeoutMs: 60_000,
    body: z.strictObject({ confirm: z.string().max(64) }),
    result: noContent,
    status: 204,
    handle: ({ kms, caller, body }) => lockModule(kms, caller, body.confirm),
  }),
]
