/** Commands of the module that concern no key. */
import type { ModuleStatus } from '../hsm/contract/commands.ts'
import type { Caller, Kms } from './kms.ts'
export declare function moduleStatus(kms: Kms, caller: Caller): Promise<ModuleStatus>
/** For readiness, without a caller. */
export declare function moduleIsOperational(kms: Kms): Promise<boolean>
export declare function transportKey(kms: Kms, caller: Caller): Promise<Uint8Array>
export declare function randomBytes(kms: Kms, caller: Caller, lengths: readonly number[]): Promise<readonly Uint8Array[]>
