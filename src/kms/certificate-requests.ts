/**
 * Requests for certificates of keys: the manager writes down who they are for, the module reads that before
 * it signs, and the manager puts both together. It is a use like signing, under the same grant.
 */

import {
  certificateRequest,
  certificationRequestInfo,
  SubjectInvalid,
} from '../encodings/certificate-request.ts'
import { findKeyVersion } from '../storage/key-versions.ts'
import { type StatementRequest, statementsFor, withApprovals } from './approvals.ts'
import { answerOf } from './commands.ts'
import { KmsError } from './errors.ts'
import type { Caller, Kms } from './kms.ts'
import { choose, command, part, type ReadyUse } from './use/calls.ts'
import type { Choice, Used } from './use/inputs.ts'
import { sendUses } from './use/send.ts'
import { findUsable, type UseTarget } from './use.ts'

/** Whose certificate it is to be; at least one of them. */
export interface RequestInput extends Choice {
  /** RFC 4514, the most specific name first. */
  readonly subject?: string | undefined
  /** DNS names. */
  readonly names?: readonly string[] | undefined
  readonly addresses?: readonly string[] | undefined
}

export interface CertificateRequest extends Used {
  /** PEM (RFC 7468 section 7). */
  readonly request: string
}

type Target = Omit<UseTarget<'sign'>, 'operation'>

/** @throws KmsError as useKey for signing; ARGUMENT_INVALID for who it is for */
export async function requestCertificate(
  kms: Kms,
  caller: Caller,
  target: Target,
  input: RequestInput,
): Promise<CertificateRequest> {
  const use = await prepareRequest(kms, caller, target, input)
  const call = withApprovals(use.call, input.approvals)
  const [outcome] = await sendUses(kms, caller, [{ ...use, call }])
  if (outcome === undefined) throw new TypeError('one command has one outcome')
  return use.result(answerOf(outcome))
}

/** What people sign so that the module signs this request. @throws KmsError as requestCertificate */
export async function certificateRequestStatement(
  kms: Kms,
  caller: Caller,
  target: Target,
  { input, ...request }: StatementRequest & { readonly input: RequestInput },
): Promise<string[]> {
  const use = await prepareRequest(kms, caller, target, input)
  return statementsFor(kms, caller, [use.call], request)
}

async function prepareRequest(
  kms: Kms,
  caller: Caller,
  target: Target,
  input: RequestInput,
): Promise<ReadyUse<CertificateRequest>> {
  const known = await findUsable(kms, caller, { ...target, operation: 'sign' })
  const used = choose(known, 'sign', input)
  const row = await findKeyVersion(kms.db.query, { keyId: used.key, version: used.version })
  if (!row?.publicKey) {
    throw new KmsError('KEY_USE_NOT_PERMITTED', 'only a key pair has certificates')
  }
  const info = infoOf(input, row.publicKey)
  return {
    call: command('signRequest', used, { request: info }),
    used,
    result: ({ parts }) => {
      const signed = { algorithm: used.algorithm, signature: part(parts, 'signature') }
      return { request: certificateRequest(info, signed), ...used }
    },
  }
}

function infoOf({ subject = '', names = [], addresses = [] }: RequestInput, spki: Uint8Array) {
  try {
    return certificationRequestInfo({ subject, names, addresses }, spki)
  } catch (cause) {
    if (!(cause instanceof SubjectInvalid)) throw cause
    throw new KmsError('ARGUMENT_INVALID', cause.message, { cause })
  }
}
