/**
 * The server's TLS key and certificate, in the data folder's `tls/`: server.key (P-256, PKCS#8, mode
 * 0600), server.crt, authority.crt. The key is a transport credential and no key of the domain. The
 * certificate comes from the local authority, whose key is in the module; it is made again when under
 * 30 days of it remain, when it does not name the address that is listened on, or when key and
 * certificate do not belong together.
 */

import {
  createPrivateKey,
  generateKeyPairSync,
  randomBytes,
  sign,
  X509Certificate,
} from 'node:crypto'
import { chmod } from 'node:fs/promises'
import { hostname, networkInterfaces } from 'node:os'
import path from 'node:path'
import { serverCertificate as makeServerCertificate } from '../encodings/certificate.ts'
import { makeFolder, readIfThere, writeDurably } from '../host/durable-file.ts'
import { ensureAuthority, issueServerCertificate } from '../kms/authority.ts'
import type { Kms } from '../kms/kms.ts'

export interface ServerCertificate {
  /** PEM, all three. */
  readonly key: string
  readonly certificate: string
  readonly authority: string
}

const certificateDays = 90
const renewalDays = 30
const dayMs = 24 * 60 * 60 * 1_000

/** What is there and good for a while, or a new key with a new certificate. */
export async function serverCertificate(
  folder: string,
  kms: Kms,
  address: string,
): Promise<ServerCertificate> {
  const files = filesOf(folder)
  const found = await readCertificate(files)
  if (found !== undefined && isGood(found, address, kms.now())) return found
  const authority = (await ensureAuthority(kms)).certificatePem
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const { certificatePem } = await issueServerCertificate(kms, {
    publicKeySpki: publicKey.export({ format: 'der', type: 'spki' }),
    ...subject(address),
    days: certificateDays,
  })
  const made = {
    key: String(privateKey.export({ format: 'pem', type: 'pkcs8' })),
    certificate: certificatePem,
    authority,
  }
  await makeFolder(path.dirname(files.key))
  await writeDurably(files.authority, [Buffer.from(authority)])
  await writeDurably(files.key, [Buffer.from(made.key)])
  await chmod(files.key, 0o600)
  await writeDurably(files.certificate, [Buffer.from(made.certificate)])
  return made
}

/**
 * For a server that is still locked: the certificate of its last start while it is valid, else one that signs
 * itself and is made anew each time.
 */
export async function certificateWhileLocked(
  folder: string,
  address: string,
  nowMs: number,
): Promise<ServerCertificate> {
  const found = await readCertificate(filesOf(folder))
  if (found !== undefined && isGood(found, address, nowMs, 0)) return found
  const { publicKey, privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })
  const spki = publicKey.export({ format: 'der', type: 'spki' })
  const name = 'CN=Keyhold server, locked'
  const certificate = await makeServerCertificate(
    {
      ...{ subject: name, issuer: name, publicKeySpki: spki, issuerSpki: spki },
      notBefore: nowMs - dayMs,
      notAfter: nowMs + renewalDays * dayMs,
      serial: `01${randomBytes(15).toString('hex')}`,
    },
    subject(address),
    async (bytes) => sign('sha256', bytes, { key: privateKey, dsaEncoding: 'ieee-p1363' }),
  )
  const key = String(privateKey.export({ format: 'pem', type: 'pkcs8' }))
  return { key, certificate, authority: certificate }
}

function filesOf(folder: string) {
  return {
    key: path.join(folder, 'tls/server.key'),
    certificate: path.join(folder, 'tls/server.crt'),
    authority: path.join(folder, 'tls/authority.crt'),
  }
}

async function readCertificate(
  files: ReturnType<typeof filesOf>,
): Promise<ServerCertificate | undefined> {
  const [key, certificate, authority] = await Promise.all([
    readIfThere(files.key),
    readIfThere(files.certificate),
    readIfThere(files.authority),
  ])
  if (!key || !certificate || !authority) return undefined
  return {
    key: key.toString('utf8'),
    certificate: certificate.toString('utf8'),
    authority: authority.toString('utf8'),
  }
}

/** A crash between the files leaves a pair that does not fit: it is not good, and made again. */
export function isGood(
  { key, certificate, authority }: ServerCertificate,
  address: string,
  nowMs: number,
  daysLeft = renewalDays,
): boolean {
  try {
    const server = new X509Certificate(certificate)
    const issuer = new X509Certificate(authority)
    return (
      server.validFromDate.getTime() <= nowMs &&
      server.validToDate.getTime() - nowMs >= daysLeft * dayMs &&
      issuer.validToDate.getTime() >= server.validToDate.getTime() &&
      server.checkPrivateKey(createPrivateKey(key)) &&
      server.verify(issuer.publicKey) &&
      subject(address).addresses.every((each) => server.checkIP(each) !== undefined)
    )
  } catch {
    return false
  }
}

/** This machine by name and number, as far as the listener can be reached by them. */
function subject(address: string): { names: readonly string[]; addresses: readonly string[] } {
  const loopback = ['127.0.0.1', '::1']
  const isEverywhere = address === '0.0.0.0' || address === '::'
  const others = isEverywhere
    ? Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((each) => each.address))
    : [address]
  const addresses = [...new Set([...loopback, ...others])].filter((each) => !each.includes('%'))
  return { names: isEverywhere ? ['localhost', hostname()] : ['localhost'], addresses }
}
