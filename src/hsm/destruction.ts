/**
 * What the module certifies of a key version that it has destroyed (docs/formats/certificate.md section 3).
 * It is signed when the key is out of memory; the slower signature is made on another thread.
 */

import { canonicalJson } from './contract/canonical-json.ts'
import {
  type DestructionCertificate,
  destructionFormat,
  encodeCertificate,
  type OutsideCopy,
} from './contract/certificate.ts'
import { HsmError } from './contract/errors.ts'
import { destroyedRevision } from './floor.ts'
import { checkValue } from './keys/check-value.ts'
import type { LoadedKey } from './keys/loaded.ts'
import type { Module } from './module.ts'
import type { KeyReference } from './parse.ts'

export type KnownKey = DestructionCertificate['known']

/**
 * What there is to say of the key before it is destroyed: of the loaded one, or of the wrapped key that
 * was brought. One that does not open keeps nobody from destroying it.
 */
export function knownKey(
  module: Module,
  reference: KeyReference,
  wrapped: Uint8Array | undefined,
): KnownKey {
  try {
    return described(module.key(reference, wrapped))
  } catch (error) {
    if (error instanceof HsmError) return null
    throw error
  }
}

function described({ attributes, material }: LoadedKey): KnownKey {
  const { type, provenance, exportable, created } = attributes
  return { type, provenance, exportable, created, checkValue: { ...checkValue(material) } }
}

/** Undefined when the module has ended its work meanwhile. */
export async function destructionCertificate(
  module: Module,
  { key, version }: KeyReference,
  { known, recordSize }: { readonly known: KnownKey; readonly recordSize: number },
): Promise<Buffer | undefined> {
  if (module.state !== 'operational' && module.state !== 'tampered') return undefined
  const { domain } = module.open
  const certificate: DestructionCertificate = {
    format: destructionFormat,
    domain: domain.domainId.toString('hex'),
    module: domain.moduleId.toString('hex'),
    development: domain.development,
    epoch: domain.epoch,
    ...{ key, version, time: module.now(), floorRevision: destroyedRevision, recordSize, known },
    notProvedDestroyed: {
      wrappedCopies: 'until the epoch is shredded',
      outside: outsideOf(known),
    },
  }
  const statement = Buffer.from(canonicalJson(certificate))
  return encodeCertificate(certificate, await domain.signStatementLater(statement))
}

function outsideOf(known: KnownKey): OutsideCopy[] {
  if (!known) return ['unknown']
  const { provenance, exportable } = known
  const copies: OutsideCopy[] = exportable ? ['exported'] : []
  return provenance === 'generated' ? copies : [...copies, provenance]
}
