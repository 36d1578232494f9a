/**
 * X.509 certificates (RFC 5280) for the local authority: the structures are made here, the signature by
 * whoever is handed in, because the authority's key never leaves the module. P-256 with SHA-256 only.
 */

import 'reflect-metadata'
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from '@peculiar/x509'

/** ECDSA with SHA-256 over these bytes, as r || s (IEEE P1363). */
export type SignBytes = (bytes: Uint8Array) => Promise<Uint8Array>

export interface CertificateRequest {
  /** RFC 4514. */
  readonly subject: string
  readonly issuer: string
  /** DER. */
  readonly publicKeySpki: Uint8Array
  /** DER, for the identifier of the issuer's key. */
  readonly issuerSpki: Uint8Array
  /** Milliseconds since 1970. */
  readonly notBefore: number
  readonly notAfter: number
  /** Lower-case hex, positive, at most 20 bytes. */
  readonly serial: string
}

/** May sign server certificates and nothing below them. PEM. */
export async function authorityCertificate(
  request: CertificateRequest,
  sign: SignBytes,
): Promise<string> {
  return certificate(request, sign, [
    new BasicConstraintsExtension(true, 0, true),
    new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
  ])
}

/** For a TLS server of these DNS names and IP addresses. PEM. */
export async function serverCertificate(
  request: CertificateRequest,
  subject: { readonly names: readonly string[]; readonly addresses: readonly string[] },
  sign: SignBytes,
): Promise<string> {
  const names = [
    ...subject.names.map((value) => ({ type: 'dns' as const, value })),
    ...subject.addresses.map((value) => ({ type: 'ip' as const, value })),
  ]
  return certificate(request, sign, [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
    new SubjectAlternativeNameExtension(names),
  ])
}

async function certificate(
  request: CertificateRequest,
  sign: SignBytes,
  extensions: readonly Extension[],
): Promise<string> {
  const { subject, issuer, publicKeySpki, issuerSpki, serial } = request
  const made = await X509CertificateGenerator.create(
    {
      ...{ subject, issuer, serialNumber: serial, signingKey: elsewhere, signingAlgorithm },
      publicKey: Buffer.from(publicKeySpki),
      notBefore: wholeSeconds(request.notBefore),
      notAfter: wholeSeconds(request.notAfter),
      extensions: [
        ...extensions,
        await SubjectKeyIdentifierExtension.create(Buffer.from(publicKeySpki)),
        await AuthorityKeyIdentifierExtension.create(Buffer.from(issuerSpki)),
      ],
    },
    signerAsWebCrypto(sign),
  )
  return `${made.toString('pem')}\n`
}

const signingAlgorithm = { name: 'ECDSA', hash: 'SHA-256' }
/** The library wants a key to sign with; this one says what it is and is not here. */
const elsewhere = { algorithm: { name: 'ECDSA', namedCurve: 'P-256' } } as unknown as CryptoKey

/** What the library asks of WebCrypto, with the signature made by somebody else. */
function signerAsWebCrypto(sign: SignBytes): Crypto {
  const subtle = {
    sign: async (_algorithm: unknown, _key: unknown, bytes: ArrayBuffer) =>
      Uint8Array.from(await sign(new Uint8Array(bytes))).buffer,
  }
  return { subtle } as unknown as Crypto
}

/** X.509 times have no fractions. */
function wholeSeconds(timeMs: number): Date {
  return new Date(Math.floor(timeMs / 1_000) * 1_000)
}
