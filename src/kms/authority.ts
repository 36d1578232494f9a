/** The local authority. */
import type { Kms } from './kms.ts'
export declare function ensureAuthority(kms: Kms): Promise<{ certificatePem: string }>
/** publicKeySpki: DER. days: at most 398. */
export declare function issueServerCertificate(kms: Kms, request: { publicKeySpki: Uint8Array; names: readonly string[]; addresses: readonly string[]; days: number }): Promise<{ certificatePem: string }>
