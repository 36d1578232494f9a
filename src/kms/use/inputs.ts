/** What each use of a key takes and answers, in the manager's words. */

import type { AlgorithmName } from '../../hsm/contract/algorithms.ts'
import type { Approvals } from '../../hsm/contract/approval.ts'
import type { KeyId } from '../../hsm/contract/keys.ts'
import type { NewKeyInput } from '../keys/new-key.ts'
import type { KeyRecord } from '../keys/rows.ts'

/** What the answer of every use tells. */
export interface Used {
  readonly key: KeyId
  readonly version: number
  readonly algorithm: AlgorithmName
}

/** The key's own when left out. */
export interface Choice {
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  /** What people have signed for this use. */
  readonly approvals?: Approvals | undefined
}

interface Signing extends Choice {
  readonly data: Uint8Array
  /** What the data are: a message (default), a ready digest, or the mu of ML-DSA. */
  readonly input?: 'message' | 'digest' | 'mu' | undefined
  readonly format?: 'der' | 'p1363' | undefined
  /** Of ML-DSA. */
  readonly context?: Uint8Array | undefined
}

/** aad instead of a context. raw: iv and ciphertext as the algorithm makes them, without our prefix. */
export interface Binding {
  readonly context?: Readonly<Record<string, string>> | undefined
  readonly aad?: Uint8Array | undefined
  readonly iv?: Uint8Array | undefined
  readonly raw?: boolean | undefined
}

/** What the key is to be; approvals of the use name its id. */
export interface IntoInput extends NewKeyInput {
  readonly id?: string | undefined
}

/** Into a new key, or out if the key's plaintextRelease permits that. */
interface SecretTarget extends Choice {
  readonly into?: IntoInput | undefined
  readonly lengthBytes?: number | undefined
}

export interface UseInputs {
  sign: Signing
  verify: Signing & { readonly signature: Uint8Array }
  encrypt: Choice & Binding & { readonly plaintext: Uint8Array }
  decrypt: Choice & Binding & { readonly ciphertext: Uint8Array }
  mac: Choice & { readonly data: Uint8Array; readonly lengthBytes?: number | undefined }
  verifyMac: Choice & { readonly data: Uint8Array; readonly mac: Uint8Array }
  /** The target by id, name or alias, in the same namespace; one that the caller may read. */
  wrap: Choice & { readonly target: string; readonly targetVersion?: number | undefined }
  unwrap: Choice & {
    readonly wrapped: Uint8Array
    readonly class: 'secret' | 'private'
    readonly into: IntoInput
  }
  derive: SecretTarget & {
    readonly salt?: Uint8Array | undefined
    readonly info?: Uint8Array | undefined
    readonly label?: Uint8Array | undefined
    readonly context?: Uint8Array | undefined
    readonly iterations?: number | undefined
  }
  agree: SecretTarget & { readonly peer: Uint8Array }
  encapsulate: SecretTarget
  decapsulate: SecretTarget & { readonly ciphertext: Uint8Array }
}

interface Made {
  readonly made?: KeyRecord
  readonly secret?: Uint8Array
}

export interface UseResults {
  sign: Used & { readonly signature: Uint8Array }
  verify: Used & { readonly valid: boolean }
  /** iv only for raw. */
  encrypt: Used & { readonly ciphertext: Uint8Array; readonly iv?: Uint8Array }
  decrypt: Used & { readonly plaintext: Uint8Array }
  mac: Used & { readonly mac: Uint8Array }
  verifyMac: Used & { readonly valid: boolean }
  wrap: Used & { readonly wrapped: Uint8Array }
  unwrap: Used & { readonly made: KeyRecord }
  derive: Used & Made
  agree: Used & Made
  encapsulate: Used & Made & { readonly ciphertext: Uint8Array }
  decapsulate: Used & Made
}
