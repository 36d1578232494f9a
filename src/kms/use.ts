/** Use of keys. */
import type { AlgorithmName } from '../hsm/contract/algorithms.ts'
import type { KeyId } from '../hsm/contract/keys.ts'
import type { Operation } from './access/grants.ts'
import type { KmsError } from './errors.ts'
import type { Caller, Creation, Kms } from './kms.ts'
import type { NewKeyInput } from './keys/create.ts'
import type { KeyRecord } from './keys/record.ts'

/** What the answer of every use tells. */
export interface Used { readonly key: KeyId; readonly version: number; readonly algorithm: AlgorithmName }
interface Choice { readonly algorithm?: AlgorithmName | undefined; readonly version?: number | undefined }
interface Signing extends Choice { readonly data: Uint8Array; readonly input?: 'message' | 'digest' | 'mu' | undefined; readonly format?: 'der' | 'p1363' | undefined; readonly context?: Uint8Array | undefined }
type Context = Readonly<Record<string, string>>
/** aad instead of a context. raw: iv and ciphertext as the algorithm makes them, without our prefix. */
interface Binding { readonly context?: Context | undefined; readonly aad?: Uint8Array | undefined; readonly iv?: Uint8Array | undefined; readonly raw?: boolean | undefined }
interface Secret extends Choice { readonly into?: NewKeyInput | undefined; readonly lengthBytes?: number | undefined }
export interface UseInputs {
  sign: Signing
  verify: Signing & { readonly signature: Uint8Array }
  encrypt: Choice & Binding & { readonly plaintext: Uint8Array }
  decrypt: Choice & Binding & { readonly ciphertext: Uint8Array }
  mac: Choice & { readonly data: Uint8Array; readonly lengthBytes?: number | undefined }
  verifyMac: Choice & { readonly data: Uint8Array; readonly mac: Uint8Array }
  wrap: Choice & { readonly target: string; readonly targetVersion?: number | undefined }
  unwrap: Choice & { readonly wrapped: Uint8Array; readonly class: 'secret' | 'private'; readonly into: NewKeyInput }
  derive: Secret & { readonly salt?: Uint8Array | undefined; readonly info?: Uint8Array | undefined; readonly label?: Uint8Array | undefined; readonly context?: Uint8Array | undefined }
  agree: Secret & { readonly peer: Uint8Array }
  encapsulate: Secret
  decapsulate: Secret & { readonly ciphertext: Uint8Array }
}
interface Made { readonly made?: KeyRecord; readonly secret?: Uint8Array }
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
export interface UseTarget<O extends Operation> { readonly namespace: string; readonly key: string; readonly operation: O }
export type UseOutcome<O extends Operation> = { readonly result: UseResults[O] } | { readonly error: KmsError }
/** One outcome per input; throws what refuses all of them (KEY_NOT_FOUND, ACCESS_DENIED, MODULE_UNAVAILABLE …). */
export declare function useKey<O extends Operation>(kms: Kms, caller: Caller, target: UseTarget<O>, inputs: readonly UseInputs[O][], creation?: Creation): Promise<UseOutcome<O>[]>
/** One input; throws its error. */
export declare function useKeyOnce<O extends Operation>(kms: Kms, caller: Caller, target: UseTarget<O>, input: UseInputs[O], creation?: Creation): Promise<UseResults[O]>
