/**
 * The local authority: a certificate authority for this installation's own servers, whose key is a key
 * of the module like any other, in the namespace "system", which nobody changes or uses through a call.
 * It is made at the first start, and anew when a policy of the domain became weaker, which destroys it;
 * clients are told of its certificate in client.json.
 */

import { randomBytes, X509Certificate } from 'node:crypto'
import {
  authorityCertificate,
  type SignBytes,
  serverCertificate,
} from '../encodings/certificate.ts'
import type { Call } from '../hsm/contract/commands.ts'
import { findKeyName } from '../storage/key-names.ts'
import { findKeyVersion } from '../storage/key-versions.ts'
import { insertNamespace } from '../storage/namespaces.ts'
import { findSetting, putSetting } from '../storage/settings.ts'
import { systemNamespace } from './access/access.ts'
import { answerOf, systemCaller } from './commands.ts'
import { generateKey } from './keys/create.ts'
import { type KnownKey, knownKey } from './keys/known-keys.ts'
import { isDestroyed } from './keys/rows.ts'
import type { Kms } from './kms.ts'
import { sendUses } from './use/send.ts'

const keyName = 'local-authority'
const settingName = 'local-authority-certificate'
const authorityName = 'CN=Keyhold local authority'
const serverName = 'CN=Keyhold server'
const algorithm = 'ECDSA-SHA-256'
const dayMs = 24 * 60 * 60 * 1_000
const authorityDays = 3_650
/** Clocks differ: a certificate is valid from a little earlier. */
const clockSkewMs = 5 * 60 * 1_000
/** What clients accept of a server certificate at most. */
const serverDaysMax = 398

/**
 * Makes the key where there is none, and the certificate whenever there is none of that key that outlives
 * what it signs: with the same name, and the same key unless that was destroyed, so that whoever trusts the
 * one before goes on as long as that lasts.
 *
 * @throws KmsError what the module refuses
 */
export async function ensureAuthority(kms: Kms): Promise<{ readonly certificatePem: string }> {
  const { name, key: found } = await findAuthorityKey(kms)
  if (found === undefined) await makeAuthorityKey(kms, name)
  const { key, spki } = await authorityKey(kms)
  const known = await findSetting(kms.db.query, settingName)
  if (known !== undefined && isOf(known, spki) && outlivesServers(kms, known)) {
    return { certificatePem: known }
  }
  const request = {
    ...{ subject: authorityName, issuer: authorityName, publicKeySpki: spki, issuerSpki: spki },
    ...validity(kms, authorityDays),
    serial: newSerial(),
  }
  const certificatePem = await authorityCertificate(request, signWith(kms, key))
  await kms.db.write((write) => putSetting(write, { name: settingName, value: certificatePem }))
  return { certificatePem }
}

/** Another in the place of one that was destroyed, where there was one. @throws KmsError */
export async function renewAuthority(kms: Kms): Promise<void> {
  const first = { namespace: systemNamespace, name: keyName }
  if (await findKeyName(kms.db.query, first)) await ensureAuthority(kms)
}

export interface ServerCertificateRequest {
  /** DER. */
  readonly publicKeySpki: Uint8Array
  readonly names: readonly string[]
  readonly addresses: readonly string[]
  /** At most 398. */
  readonly days: number
}

/** @throws RangeError for too many days; KmsError what the module refuses */
export async function issueServerCertificate(
  kms: Kms,
  { publicKeySpki, names, addresses, days }: ServerCertificateRequest,
): Promise<{ readonly certificatePem: string }> {
  if (days > serverDaysMax) throw new RangeError(`at most ${serverDaysMax} days`)
  const { key, spki } = await authorityKey(kms)
  const request = {
    ...{ subject: serverName, issuer: authorityName, publicKeySpki, issuerSpki: spki },
    ...validity(kms, days),
    serial: newSerial(),
  }
  const sign = signWith(kms, key)
  return { certificatePem: await serverCertificate(request, { names, addresses }, sign) }
}

/** Behind those that were destroyed; each has a name of its own, which is never given twice. */
async function findAuthorityKey(kms: Kms): Promise<{ name: string; key: KnownKey | undefined }> {
  for (let number = 1; ; number += 1) {
    const name = number === 1 ? keyName : `${keyName}-${number}`
    const key = await knownKey(kms, systemNamespace, name)
    if (key === undefined || !isDestroyed(key.state)) return { name, key }
  }
}

async function makeAuthorityKey(kms: Kms, name: string): Promise<void> {
  await kms.db.write((query) =>
    insertNamespace(query, { name: systemNamespace, created: kms.now() }),
  )
  const input = {
    name,
    owner: 'keyhold',
    purpose: 'signs the certificates of this installation',
    type: 'P-256',
    algorithms: [algorithm],
    uses: ['sign', 'verify'],
  } as const
  const caller = systemCaller('local authority')
  await generateKey(kms, caller, { namespace: systemNamespace, input })
}

async function authorityKey(kms: Kms): Promise<{ key: KnownKey; spki: Uint8Array }> {
  const { key } = await findAuthorityKey(kms)
  if (key === undefined) throw new Error('the local authority has no key')
  const version = { keyId: key.id, version: key.currentVersion }
  const spki = (await findKeyVersion(kms.db.query, version))?.publicKey
  if (!spki) throw new Error('the local authority has no public key')
  return { key, spki }
}

function signWith(kms: Kms, { id, currentVersion }: KnownKey): SignBytes {
  return async (bytes) => {
    const used = { key: id, version: currentVersion, algorithm } as const
    const args = { ...used, format: 'p1363' } as const
    const call: Call<'sign'> = { command: 'sign', arguments: args, parts: { data: bytes } }
    const [outcome] = await sendUses(kms, systemCaller('local authority'), [{ call, used }])
    if (outcome === undefined) throw new TypeError('one command has one outcome')
    return answerOf<'sign'>(outcome).parts.signature
  }
}

function isOf(certificatePem: string, spki: Uint8Array): boolean {
  const { publicKey } = new X509Certificate(certificatePem)
  return publicKey.export({ format: 'der', type: 'spki' }).equals(spki)
}

function outlivesServers(kms: Kms, certificatePem: string): boolean {
  const { validToDate } = new X509Certificate(certificatePem)
  return validToDate.getTime() - kms.now() >= serverDaysMax * dayMs
}

function validity(kms: Kms, days: number): { notBefore: number; notAfter: number } {
  const notBefore = kms.now() - clockSkewMs
  return { notBefore, notAfter: notBefore + days * dayMs }
}

/** 126 random bits behind a first byte that is neither 0 nor negative (RFC 5280 section 4.1.2.2). */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes.readUInt8(0) & 0x3f) | 0x40
  return bytes.toString('hex')
}
