/** The calls of the REST API and their shapes. Made by scripts/client-types.ts; not to be edited. */
// biome-ignore-all lint/style/noExcessiveLinesPerFile: made by a script

export type AgreeRequest = {
  readonly peer: Uint8Array
  readonly into?: IntoKey | undefined
  readonly lengthBytes?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type AgreeResult = {
  readonly made?: Key | undefined
  readonly secret?: Uint8Array | undefined
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type AlgorithmName =
  | 'AES-128-GCM'
  | 'AES-192-GCM'
  | 'AES-256-GCM'
  | 'AES-128-CBC-PKCS7'
  | 'AES-192-CBC-PKCS7'
  | 'AES-256-CBC-PKCS7'
  | 'AES-128-CTR'
  | 'AES-192-CTR'
  | 'AES-256-CTR'
  | 'AES-128-KW'
  | 'AES-192-KW'
  | 'AES-256-KW'
  | 'AES-128-KWP'
  | 'AES-192-KWP'
  | 'AES-256-KWP'
  | 'XAES-256-GCM'
  | 'ChaCha20-Poly1305'
  | 'AES-128-CCM'
  | 'AES-192-CCM'
  | 'AES-256-CCM'
  | 'AES-128-XTS'
  | 'AES-256-XTS'
  | 'AES-128-CMAC'
  | 'AES-192-CMAC'
  | 'AES-256-CMAC'
  | 'HMAC-SHA-1'
  | 'HMAC-SHA-224'
  | 'HMAC-SHA-256'
  | 'HMAC-SHA-384'
  | 'HMAC-SHA-512'
  | 'HMAC-SHA-512/224'
  | 'HMAC-SHA-512/256'
  | 'HMAC-SHA3-224'
  | 'HMAC-SHA3-256'
  | 'HMAC-SHA3-384'
  | 'HMAC-SHA3-512'
  | 'RSASSA-PKCS1-v1_5-SHA-256'
  | 'RSASSA-PKCS1-v1_5-SHA-384'
  | 'RSASSA-PKCS1-v1_5-SHA-512'
  | 'RSASSA-PSS-SHA-256'
  | 'RSASSA-PSS-SHA-384'
  | 'RSASSA-PSS-SHA-512'
  | 'RSAES-OAEP-SHA-1'
  | 'RSAES-OAEP-SHA-256'
  | 'RSAES-OAEP-SHA-384'
  | 'RSAES-OAEP-SHA-512'
  | 'RSA-AES-KEY-WRAP-SHA-256'
  | 'RSA-AES-KEY-WRAP-SHA-384'
  | 'RSA-AES-KEY-WRAP-SHA-512'
  | 'ECDSA-SHA-256'
  | 'ECDSA-SHA-384'
  | 'ECDSA-SHA-512'
  | 'ECDSA-SHA3-256'
  | 'ECDSA-SHA3-384'
  | 'ECDSA-SHA3-512'
  | 'ECDSA-SHA-224'
  | 'Ed25519'
  | 'Ed448'
  | 'ECDH'
  | 'X25519'
  | 'X448'
  | 'HPKE-P-256-HKDF-SHA-256-AES-128-GCM'
  | 'HPKE-P-384-HKDF-SHA-384-AES-256-GCM'
  | 'HPKE-P-521-HKDF-SHA-512-AES-256-GCM'
  | 'HPKE-X25519-HKDF-SHA-256-AES-128-GCM'
  | 'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305'
  | 'HPKE-X448-HKDF-SHA-512-AES-256-GCM'
  | 'ML-KEM-512'
  | 'ML-KEM-768'
  | 'ML-KEM-1024'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'
  | 'SLH-DSA-SHA2-128s'
  | 'SLH-DSA-SHA2-128f'
  | 'SLH-DSA-SHA2-192s'
  | 'SLH-DSA-SHA2-192f'
  | 'SLH-DSA-SHA2-256s'
  | 'SLH-DSA-SHA2-256f'
  | 'SLH-DSA-SHAKE-128s'
  | 'SLH-DSA-SHAKE-128f'
  | 'SLH-DSA-SHAKE-192s'
  | 'SLH-DSA-SHAKE-192f'
  | 'SLH-DSA-SHAKE-256s'
  | 'SLH-DSA-SHAKE-256f'
  | 'HKDF-SHA-256'
  | 'HKDF-SHA-384'
  | 'HKDF-SHA-512'
  | 'KDF-COUNTER-HMAC-SHA-256'
  | 'KDF-COUNTER-HMAC-SHA-384'
  | 'KDF-COUNTER-HMAC-SHA-512'
  | 'KDF-COUNTER-CMAC-AES'
  | 'PBKDF2-HMAC-SHA-256'
  | 'PBKDF2-HMAC-SHA-384'
  | 'PBKDF2-HMAC-SHA-512'

export type Alias = { readonly name: string; readonly key: string; readonly etag: string }

export type Approvals = {
  readonly module: string
  readonly challenge: string
  readonly predecessor: string
  readonly requester: string
  readonly notBefore: number
  readonly expires: number
  readonly approvals: readonly {
    readonly person: string
    readonly signature: string
    readonly authenticatorData?: string | undefined
    readonly clientData?: string | undefined
  }[]
}

export type CertificateRequestRequest = {
  readonly subject?: string | undefined
  readonly names?: readonly string[] | undefined
  readonly addresses?: readonly string[] | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type CertificateRequestResult = {
  readonly request: string
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type DecapsulateRequest = {
  readonly ciphertext: Uint8Array
  readonly into?: IntoKey | undefined
  readonly lengthBytes?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type DecapsulateResult = {
  readonly made?: Key | undefined
  readonly secret?: Uint8Array | undefined
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type DecryptRequest = {
  readonly ciphertext: Uint8Array
  readonly context?: Readonly<Record<string, string>> | undefined
  readonly aad?: Uint8Array | undefined
  readonly iv?: Uint8Array | undefined
  readonly raw?: boolean | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type DecryptResult = {
  readonly plaintext: Uint8Array
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type DeriveRequest = {
  readonly salt?: Uint8Array | undefined
  readonly info?: Uint8Array | undefined
  readonly label?: Uint8Array | undefined
  readonly context?: Uint8Array | undefined
  readonly iterations?: number | undefined
  readonly into?: IntoKey | undefined
  readonly lengthBytes?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type DeriveResult = {
  readonly made?: Key | undefined
  readonly secret?: Uint8Array | undefined
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type DomainChange = {
  readonly level?: 1 | 2 | 3 | 4 | undefined
  readonly people?:
    | readonly {
        readonly name: string
        readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
        readonly credential:
          | { readonly kind: 'ed25519' | 'p-256' | 'ml-dsa-65'; readonly publicKey: string }
          | {
              readonly kind: 'passkey'
              readonly publicKey: string
              readonly relyingParty: string
              readonly origin: string
            }
      }[]
    | undefined
  readonly rules?:
    | {
        readonly founding?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly officers?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly rules?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly export?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly restore?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly join?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly destroy?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly floor?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly unlock?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly level?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly epoch?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
        readonly tamper?:
          | {
              readonly approvals: number
              readonly roles: readonly ('officer' | 'operator' | 'auditor')[]
              readonly excludeRequester: boolean
            }
          | undefined
      }
    | undefined
  readonly tamper?:
    | {
        readonly 'source-changed'?: 1 | 2 | undefined
        readonly 'debugger-attached'?: 1 | 2 | undefined
        readonly 'wall-hit'?: 1 | 2 | undefined
        readonly 'clock-back'?: 1 | 2 | undefined
        readonly 'state-back'?: 1 | 2 | undefined
        readonly 'record-broken'?: 1 | 2 | undefined
        readonly 'entropy-failed'?: 1 | 2 | undefined
        readonly 'logins-failed'?: 1 | 2 | undefined
        readonly 'wrapped-keys-forged'?: 1 | 2 | undefined
        readonly 'canary-used'?: 1 | 2 | undefined
        readonly 'chassis-opened'?: 1 | 2 | undefined
        readonly 'temperature-outside'?: 1 | 2 | undefined
        readonly 'voltage-outside'?: 1 | 2 | undefined
        readonly 'officer-command'?: 1 | 2 | undefined
      }
    | undefined
  readonly destroysKeys?: boolean | undefined
}

export type DomainState = {
  readonly version: number
  readonly hash: string
  readonly statement: string
  readonly signature: { readonly ed25519: string; readonly mlDsa65: string }
  readonly certificate?: Uint8Array | undefined
  readonly destroyed?: { readonly epoch: number; readonly kek: number } | undefined
}

export type EncapsulateRequest = {
  readonly into?: IntoKey | undefined
  readonly lengthBytes?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type EncapsulateResult = {
  readonly ciphertext: Uint8Array
  readonly made?: Key | undefined
  readonly secret?: Uint8Array | undefined
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type EncryptRequest = {
  readonly plaintext: Uint8Array
  readonly context?: Readonly<Record<string, string>> | undefined
  readonly aad?: Uint8Array | undefined
  readonly iv?: Uint8Array | undefined
  readonly raw?: boolean | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type EncryptResult = {
  readonly ciphertext: Uint8Array
  readonly iv?: Uint8Array | undefined
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type EntropyStatus = {
  readonly generator: {
    readonly mechanism: 'HMAC_DRBG-SHA-512'
    readonly requests: number
    readonly seedings: number
    readonly seedAgeMs: number
    readonly hostBytes: number
  }
  readonly sources: readonly {
    readonly name: string
    readonly physical: boolean
    readonly state: 'untested' | 'healthy' | 'failed'
    readonly entropyBits: number
    readonly repetitionCutoff: number
    readonly proportionCutoff: number
    readonly samples: number
    readonly blocks: number
    readonly failures: number
    readonly lastFailure:
      | ''
      | 'repetition'
      | 'proportion'
      | 'lag'
      | 'replay'
      | 'dead'
      | 'clock-stopped'
      | 'clock-back'
      | 'stuck'
    readonly longestRun: number
    readonly highestProportion: number
    readonly highestLag: number
  }[]
}

export type ErrorCode =
  | 'ACCESS_DENIED'
  | 'ALGORITHM_NOT_SUPPORTED'
  | 'APPROVALS_MISSING'
  | 'APPROVAL_INVALID'
  | 'ARGUMENT_INVALID'
  | 'ATTESTATION_INVALID'
  | 'BODY_INVALID'
  | 'BODY_NOT_EXPECTED'
  | 'BODY_TOO_LARGE'
  | 'CHALLENGE_INVALID'
  | 'CIPHERTEXT_INVALID'
  | 'COMMAND_UNKNOWN'
  | 'CONFIRMATION_INVALID'
  | 'FLOOR_FULL'
  | 'FRAME_INVALID'
  | 'GRANT_NOT_FOUND'
  | 'HEADER_INVALID'
  | 'HEADERS_TOO_LARGE'
  | 'IDEMPOTENCY_CONFLICT'
  | 'IDENTITY_DISABLED'
  | 'IDENTITY_NOT_FOUND'
  | 'INTERNAL'
  | 'KEY_DESTROYED'
  | 'KEY_EXISTS'
  | 'KEY_NOT_EXPORTABLE'
  | 'KEY_NOT_FOUND'
  | 'KEY_NOT_LOADED'
  | 'KEY_STATE_INVALID'
  | 'KEY_TOO_WEAK'
  | 'KEY_USE_NOT_PERMITTED'
  | 'LEAF_NOT_FOUND'
  | 'LEDGER_FULL'
  | 'LEVEL_NOT_PERMITTED'
  | 'LIMIT_REACHED'
  | 'LOGIN_FAILED'
  | 'LOGIN_LOCKED'
  | 'LOG_NOT_FOUND'
  | 'MEDIA_TYPE_NOT_SUPPORTED'
  | 'METHOD_NOT_ALLOWED'
  | 'MODULE_BUSY'
  | 'MODULE_FAILED'
  | 'MODULE_STATE_INVALID'
  | 'MODULE_TAMPERED'
  | 'MODULE_UNAVAILABLE'
  | 'NAMESPACE_NOT_FOUND'
  | 'NAME_TAKEN'
  | 'NOT_READY'
  | 'OVERLOADED'
  | 'PERSON_NOT_FOUND'
  | 'PRECONDITION_FAILED'
  | 'PRECONDITION_REQUIRED'
  | 'RECORD_INVALID'
  | 'RECORD_NOT_STORED'
  | 'REWRAP_UNFINISHED'
  | 'REQUEST_INVALID'
  | 'REQUEST_TIMED_OUT'
  | 'ROUTE_NOT_FOUND'
  | 'RULES_NOT_MET'
  | 'SEAL_INVALID'
  | 'SEAL_LAST'
  | 'SEAL_MISSING'
  | 'SECURE_HEAP_FULL'
  | 'SHARE_INVALID'
  | 'STATE_INVALID'
  | 'TILE_NOT_FOUND'
  | 'TIMED_OUT'
  | 'TOKEN_INVALID'
  | 'TOKEN_NOT_FOUND'
  | 'TOO_MANY_FAILURES'
  | 'TPM_FAILED'
  | 'USES_EXHAUSTED'
  | 'VERSION_NOT_FOUND'
  | 'WRAPPED_KEY_INVALID'
  | 'WRAPPED_KEY_OUTDATED'

export type Grant = {
  readonly id: string
  readonly namespace: string
  readonly key: string
  readonly identity: string
  readonly operations: readonly Operation[]
  readonly created: number
}

export type Identity = {
  readonly id: string
  readonly kind: 'person' | 'application' | 'system'
  readonly name: string
  readonly state: 'enabled' | 'disabled'
  readonly created: number
  readonly updated: number
  readonly etag: string
}

export type ImportedKey = {
  readonly id: string
  readonly name: string
  readonly owner: string
  readonly purpose: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly type?: KeyTypeName | undefined
  readonly algorithms?: readonly AlgorithmName[] | undefined
  readonly uses?: readonly KeyUse[] | undefined
  readonly exportable?: boolean | undefined
  readonly externalIv?: boolean | undefined
  readonly plaintextRelease?: boolean | undefined
  readonly approvals?: number | undefined
  readonly canary?: boolean | undefined
  readonly usesMax?: number | undefined
  readonly notBefore?: number | undefined
  readonly notAfter?: number | undefined
  readonly lengthBytes?: number | undefined
  readonly class: 'secret' | 'private' | 'public'
  readonly sealed: Uint8Array
}

export type IntoKey = {
  readonly id?: string | undefined
  readonly name: string
  readonly owner: string
  readonly purpose: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly type?: KeyTypeName | undefined
  readonly algorithms?: readonly AlgorithmName[] | undefined
  readonly uses?: readonly KeyUse[] | undefined
  readonly exportable?: boolean | undefined
  readonly externalIv?: boolean | undefined
  readonly plaintextRelease?: boolean | undefined
  readonly approvals?: number | undefined
  readonly canary?: boolean | undefined
  readonly usesMax?: number | undefined
  readonly notBefore?: number | undefined
  readonly notAfter?: number | undefined
  readonly lengthBytes?: number | undefined
}

export type ItemError = {
  readonly code: ErrorCode
  readonly status: number
  readonly detail: string
}

export type Key = {
  readonly id: string
  readonly name: string
  readonly namespace: string
  readonly owner: string
  readonly purpose: string
  readonly labels: Readonly<Record<string, string>>
  readonly type: KeyTypeName
  readonly class: 'secret' | 'private' | 'public'
  readonly algorithms: readonly AlgorithmName[]
  readonly uses: readonly KeyUse[]
  readonly state: KeyState
  readonly exportable: boolean
  readonly externalIv: boolean
  readonly plaintextRelease: boolean
  readonly approvals: number
  readonly canary: boolean
  readonly usesMax: number
  readonly currentVersion: number
  readonly versions: number
  readonly created: number
  readonly updated: number
  readonly notBefore: number
  readonly notAfter: number
  readonly destructionDue?: number | undefined
  readonly aliases: readonly string[]
  readonly etag: string
}

export type KeyState =
  | 'pre-active'
  | 'active'
  | 'suspended'
  | 'deactivated'
  | 'compromised'
  | 'destroyed'
  | 'destroyed-compromised'

export type KeyTypeName =
  | 'AES-128'
  | 'AES-192'
  | 'AES-256'
  | 'ChaCha20'
  | 'generic-secret'
  | 'AES-128-XTS'
  | 'AES-256-XTS'
  | 'RSA-2048'
  | 'RSA-3072'
  | 'RSA-4096'
  | 'P-256'
  | 'P-384'
  | 'P-521'
  | 'secp256k1'
  | 'brainpoolP256r1'
  | 'brainpoolP384r1'
  | 'brainpoolP512r1'
  | 'P-224'
  | 'Ed25519'
  | 'X25519'
  | 'Ed448'
  | 'X448'
  | 'ML-KEM-512'
  | 'ML-KEM-768'
  | 'ML-KEM-1024'
  | 'ML-DSA-44'
  | 'ML-DSA-65'
  | 'ML-DSA-87'
  | 'SLH-DSA-SHA2-128s'
  | 'SLH-DSA-SHA2-128f'
  | 'SLH-DSA-SHA2-192s'
  | 'SLH-DSA-SHA2-192f'
  | 'SLH-DSA-SHA2-256s'
  | 'SLH-DSA-SHA2-256f'
  | 'SLH-DSA-SHAKE-128s'
  | 'SLH-DSA-SHAKE-128f'
  | 'SLH-DSA-SHAKE-192s'
  | 'SLH-DSA-SHAKE-192f'
  | 'SLH-DSA-SHAKE-256s'
  | 'SLH-DSA-SHAKE-256f'

export type KeyUse =
  | 'encrypt'
  | 'decrypt'
  | 'sign'
  | 'verify'
  | 'mac'
  | 'verifyMac'
  | 'wrap'
  | 'unwrap'
  | 'derive'
  | 'agree'
  | 'encapsulate'
  | 'decapsulate'

export type KeyVersion = {
  readonly version: number
  readonly revision: number
  readonly state: KeyState
  readonly provenance: 'generated' | 'imported' | 'derived' | 'unwrapped'
  readonly created: number
  readonly checkValue: {
    readonly cmac?: string | undefined
    readonly zeroBlock?: string | undefined
    readonly fingerprint?: string | undefined
  }
  readonly publicKey?: Uint8Array | undefined
  readonly destroyedBy?: number | undefined
}

export type MacRequest = {
  readonly data: Uint8Array
  readonly lengthBytes?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type MacResult = {
  readonly mac: Uint8Array
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type ModuleStatus = {
  readonly state: 'uninitialised' | 'locked' | 'operational' | 'tampered' | 'failed'
  readonly reason: string
  readonly moduleId: string
  readonly domainId: string
  readonly identityKey: string
  readonly development: boolean
  readonly level: number
  readonly epoch: number
  readonly kek: number
  readonly rewrapping: boolean
  readonly loadedKeys: number
  readonly floorEntries: number
  readonly recordSize: number
  readonly wall: string
  readonly selfTests: {
    readonly passed: number
    readonly failed: number
    readonly pending: number
    readonly lastRun: number
  }
  readonly residentBytes: number
  readonly cpuMicros: number
  readonly freshness: 'none' | 'unconfirmed' | 'tpm counter' | 'witness'
  readonly version: string
  readonly node: string
}

export type Namespace = { readonly name: string; readonly created: number }

export type NewKey = {
  readonly name: string
  readonly owner: string
  readonly purpose: string
  readonly labels?: Readonly<Record<string, string>> | undefined
  readonly type?: KeyTypeName | undefined
  readonly algorithms?: readonly AlgorithmName[] | undefined
  readonly uses?: readonly KeyUse[] | undefined
  readonly exportable?: boolean | undefined
  readonly externalIv?: boolean | undefined
  readonly plaintextRelease?: boolean | undefined
  readonly approvals?: number | undefined
  readonly canary?: boolean | undefined
  readonly usesMax?: number | undefined
  readonly notBefore?: number | undefined
  readonly notAfter?: number | undefined
  readonly lengthBytes?: number | undefined
}

export type NewToken = {
  readonly id: string
  readonly identity: string
  readonly name: string
  readonly created: number
  readonly expires: number
  readonly revoked?: number | undefined
  readonly token: string
}

export type Operation =
  | 'sign'
  | 'verify'
  | 'encrypt'
  | 'decrypt'
  | 'mac'
  | 'verifyMac'
  | 'wrap'
  | 'unwrap'
  | 'encapsulate'
  | 'decapsulate'
  | 'derive'
  | 'agree'

export type Problem = {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly code: ErrorCode
  readonly detail: string
  readonly requestId: string
}

export type RecordEntry = {
  readonly sequence: number
  readonly time: string
  readonly timeMicros: number
  readonly flags: number
  readonly moduleId: string
  readonly command: string
  readonly outcome: string
  readonly key: string
  readonly version: number
  readonly identity: string
  readonly requestId: string
  readonly protocol: string
  readonly address: string
  readonly argumentsDigest: string
}

export type Role =
  | 'administrator'
  | 'security-officer'
  | 'operator'
  | 'auditor'
  | 'monitor'
  | 'application'

export type RoleAssignment = {
  readonly namespace: string
  readonly identity: string
  readonly roles: readonly Role[]
  readonly etag: string
}

export type Rotation = {
  readonly kind: 'kek' | 'shred' | 'weaken'
  readonly phase: 'begun' | 'rewrap' | 'destroy' | 'retire' | 'done'
  readonly epoch: number
  readonly kek: number
  readonly total: number
  readonly left: number
  readonly started: number
  readonly ended: number
  readonly failed: readonly {
    readonly key: string
    readonly version: number
    readonly code: ErrorCode
  }[]
}

export type SignRequest = {
  readonly data?: Uint8Array | undefined
  readonly digest?: Uint8Array | undefined
  readonly mu?: Uint8Array | undefined
  readonly format?: 'der' | 'p1363' | undefined
  readonly context?: Uint8Array | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type SignResult = {
  readonly signature: Uint8Array
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type SignedStatement = {
  readonly signatures: { readonly ed25519: string; readonly mlDsa65: string }
  readonly statement: Readonly<Record<string, unknown>>
}

export type Statements = { readonly statements: readonly string[] }

export type Token = {
  readonly id: string
  readonly identity: string
  readonly name: string
  readonly created: number
  readonly expires: number
  readonly revoked?: number | undefined
}

export type UnwrapRequest = {
  readonly wrapped: Uint8Array
  readonly class?: 'secret' | 'private' | undefined
  readonly into: IntoKey
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type UnwrapResult = {
  readonly made: Key
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type VerifyMacRequest = {
  readonly data: Uint8Array
  readonly mac: Uint8Array
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type VerifyMacResult = {
  readonly valid: boolean
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type VerifyRequest = {
  readonly data?: Uint8Array | undefined
  readonly digest?: Uint8Array | undefined
  readonly mu?: Uint8Array | undefined
  readonly format?: 'der' | 'p1363' | undefined
  readonly context?: Uint8Array | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
  readonly signature: Uint8Array
}

export type VerifyResult = {
  readonly valid: boolean
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export type WitnessStatus = {
  readonly name: string
  readonly url: string
  readonly size: number
  readonly time: number
  readonly error?: { readonly code: string; readonly message: string } | undefined
}

export type WrapRequest = {
  readonly target: string
  readonly targetVersion?: number | undefined
  readonly algorithm?: AlgorithmName | undefined
  readonly version?: number | undefined
  readonly approvals?: Approvals | undefined
}

export type WrapResult = {
  readonly wrapped: Uint8Array
  readonly key: string
  readonly version: number
  readonly algorithm: AlgorithmName
}

export interface Api {
  acknowledgeTamper: {
    readonly request: { readonly body: { readonly approvals?: Approvals | undefined } }
    readonly answer: undefined
  }
  addSeal: {
    readonly request: {
      readonly body: {
        readonly kind: 'passphrase' | 'tpm'
        readonly sealed: Uint8Array
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: undefined
  }
  agree: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: AgreeRequest
    }
    readonly answer: AgreeResult
  }
  agreeBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly AgreeRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: AgreeResult } | { readonly error: ItemError })[]
    }
  }
  agreeStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: AgreeRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  attestKey: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly query: { readonly nonce: string; readonly version?: number | undefined }
    }
    readonly answer: SignedStatement
  }
  attestModule: {
    readonly request: { readonly query: { readonly nonce: string } }
    readonly answer: SignedStatement
  }
  cancelDestruction: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: Key
  }
  changeDomain: {
    readonly request: {
      readonly body: {
        readonly change: DomainChange
        readonly confirm?: string | undefined
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: DomainState
  }
  createGrant: {
    readonly request: {
      readonly path: { readonly namespace: string }
      readonly body: {
        readonly key: string
        readonly identity: string
        readonly operations: readonly Operation[]
      }
    }
    readonly answer: Grant
  }
  createIdentity: {
    readonly request: {
      readonly body: { readonly name: string; readonly kind: 'person' | 'application' }
    }
    readonly answer: Identity
  }
  createKey: {
    readonly request: { readonly path: { readonly namespace: string }; readonly body: NewKey }
    readonly answer: Key
  }
  createNamespace: {
    readonly request: { readonly body: { readonly name: string } }
    readonly answer: Namespace
  }
  createToken: {
    readonly request: {
      readonly path: { readonly identity: string }
      readonly body: { readonly name: string; readonly days?: number | undefined }
    }
    readonly answer: NewToken
  }
  decapsulate: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: DecapsulateRequest
    }
    readonly answer: DecapsulateResult
  }
  decapsulateBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly DecapsulateRequest[] }
    }
    readonly answer: {
      readonly items: readonly (
        | { readonly result: DecapsulateResult }
        | { readonly error: ItemError }
      )[]
    }
  }
  decapsulateStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: DecapsulateRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  decrypt: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: DecryptRequest
    }
    readonly answer: DecryptResult
  }
  decryptBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly DecryptRequest[] }
    }
    readonly answer: {
      readonly items: readonly (
        | { readonly result: DecryptResult }
        | { readonly error: ItemError }
      )[]
    }
  }
  decryptStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: DecryptRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  derive: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: DeriveRequest
    }
    readonly answer: DeriveResult
  }
  deriveBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly DeriveRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: DeriveResult } | { readonly error: ItemError })[]
    }
  }
  deriveStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: DeriveRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  destroyKey: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly confirm: string
        readonly approvals?: readonly Approvals[] | undefined
      }
    }
    readonly answer: Key
  }
  destroyStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly requester: string; readonly validSeconds?: number | undefined }
    }
    readonly answer: Statements
  }
  disableIdentity: {
    readonly request: { readonly path: { readonly identity: string } }
    readonly answer: Identity
  }
  disableKey: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: Key
  }
  domainStatement: {
    readonly request: {
      readonly body: {
        readonly command:
          | 'changeDomain'
          | 'acknowledgeTamper'
          | 'zeroise'
          | 'setPin'
          | 'login'
          | 'resetLogin'
          | 'rotateKek'
          | 'retireKek'
          | 'addSeal'
          | 'removeSeal'
          | 'confirmCounter'
        readonly arguments: Readonly<Record<string, unknown>>
        readonly parts?: Readonly<Record<string, Uint8Array>> | undefined
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  enableKey: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: Key
  }
  encapsulate: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: EncapsulateRequest
    }
    readonly answer: EncapsulateResult
  }
  encapsulateBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly EncapsulateRequest[] }
    }
    readonly answer: {
      readonly items: readonly (
        | { readonly result: EncapsulateResult }
        | { readonly error: ItemError }
      )[]
    }
  }
  encapsulateStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: EncapsulateRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  encrypt: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: EncryptRequest
    }
    readonly answer: EncryptResult
  }
  encryptBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly EncryptRequest[] }
    }
    readonly answer: {
      readonly items: readonly (
        | { readonly result: EncryptResult }
        | { readonly error: ItemError }
      )[]
    }
  }
  encryptStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: EncryptRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  getChallenge: {
    readonly request: { readonly body: { readonly command: string } }
    readonly answer: { readonly challenge: string; readonly expires: number }
  }
  getDestruction: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly query?: { readonly version?: number | undefined }
    }
    readonly answer: { readonly certificate: Uint8Array }
  }
  getDomainState: { readonly request: object; readonly answer: DomainState }
  getDomainStatement: { readonly request: object; readonly answer: SignedStatement }
  getEntropyStatus: { readonly request: object; readonly answer: EntropyStatus }
  getHealth: { readonly request: object; readonly answer: { readonly status: 'ok' } }
  getIdentity: {
    readonly request: { readonly path: { readonly identity: string } }
    readonly answer: Identity
  }
  getKey: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: Key
  }
  getLogCheckpoint: {
    readonly request: { readonly path: { readonly log: string } }
    readonly answer: string
  }
  getLogReceipt: {
    readonly request: { readonly path: { readonly log: string; readonly leaf: string } }
    readonly answer: string
  }
  getLogTile: {
    readonly request: { readonly path: { readonly log: string; readonly tile: string } }
    readonly answer: Uint8Array
  }
  getMetrics: { readonly request: object; readonly answer: string }
  getNamespace: {
    readonly request: { readonly path: { readonly namespace: string } }
    readonly answer: Namespace
  }
  getOpenApi: { readonly request: object; readonly answer: Readonly<Record<string, unknown>> }
  getPublicKey: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly query?: {
        readonly version?: number | undefined
        readonly format?: 'spki' | 'pem' | 'jwk' | undefined
      }
    }
    readonly answer: {
      readonly key: string
      readonly version: number
      readonly type: KeyTypeName
      readonly spki?: Uint8Array | undefined
      readonly pem?: string | undefined
      readonly jwk?: Readonly<Record<string, string>> | undefined
    }
  }
  getReadiness: { readonly request: object; readonly answer: { readonly status: 'ready' } }
  getRecordHead: { readonly request: object; readonly answer: { readonly note: string } }
  getRoles: {
    readonly request: { readonly path: { readonly namespace: string; readonly identity: string } }
    readonly answer: RoleAssignment
  }
  getRotation: {
    readonly request: object
    readonly answer: { readonly rotation?: Rotation | undefined }
  }
  getShredCertificate: {
    readonly request: { readonly path: { readonly epoch: string } }
    readonly answer: { readonly certificate: Uint8Array }
  }
  getStatus: {
    readonly request: object
    readonly answer: {
      readonly version: string
      readonly development: boolean
      readonly time: number
      readonly module: ModuleStatus
      readonly witnesses: readonly WitnessStatus[]
    }
  }
  getTransportKey: {
    readonly request: {
      readonly query?: { readonly command?: 'importKey' | 'addSeal' | 'beginEpoch' | undefined }
    }
    readonly answer: { readonly publicKey: Uint8Array; readonly challenge?: string | undefined }
  }
  importKey: {
    readonly request: { readonly path: { readonly namespace: string }; readonly body: ImportedKey }
    readonly answer: Key
  }
  listAliases: {
    readonly request: {
      readonly path: { readonly namespace: string }
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined }
    }
    readonly answer: { readonly items: readonly Alias[]; readonly next?: string | undefined }
  }
  listGrants: {
    readonly request: {
      readonly path: { readonly namespace: string }
      readonly query?: {
        readonly limit?: number | undefined
        readonly cursor?: string | undefined
        readonly key?: string | undefined
        readonly identity?: string | undefined
      }
    }
    readonly answer: { readonly items: readonly Grant[]; readonly next?: string | undefined }
  }
  listIdentities: {
    readonly request: {
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined }
    }
    readonly answer: { readonly items: readonly Identity[]; readonly next?: string | undefined }
  }
  listKeys: {
    readonly request: {
      readonly path: { readonly namespace: string }
      readonly query?: {
        readonly limit?: number | undefined
        readonly cursor?: string | undefined
        readonly state?: KeyState | undefined
        readonly type?: KeyTypeName | undefined
        readonly prefix?: string | undefined
      }
    }
    readonly answer: { readonly items: readonly Key[]; readonly next?: string | undefined }
  }
  listNamespaces: {
    readonly request: {
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined }
    }
    readonly answer: { readonly items: readonly Namespace[]; readonly next?: string | undefined }
  }
  listRecordHeads: {
    readonly request: {
      readonly query?: { readonly from?: number | undefined; readonly limit?: number | undefined }
    }
    readonly answer: { readonly heads: readonly string[]; readonly next?: number | undefined }
  }
  listRecordLeaves: {
    readonly request: {
      readonly query?: { readonly from?: number | undefined; readonly limit?: number | undefined }
    }
    readonly answer: { readonly leaves: readonly Uint8Array[]; readonly next?: number | undefined }
  }
  listRoles: {
    readonly request: {
      readonly path: { readonly namespace: string }
      readonly query?: { readonly limit?: number | undefined; readonly cursor?: string | undefined }
    }
    readonly answer: {
      readonly items: readonly RoleAssignment[]
      readonly next?: string | undefined
    }
  }
  listSeals: {
    readonly request: object
    readonly answer: {
      readonly seals: readonly {
        readonly kind: 'passphrase' | 'key-file' | 'tpm'
        readonly made: number
      }[]
    }
  }
  listSinks: {
    readonly request: object
    readonly answer: {
      readonly items: readonly {
        readonly name: string
        readonly type: 'file' | 'syslog' | 'http'
        readonly next: number
        readonly lagEntries: number
        readonly lagSeconds: number
        readonly late: boolean
        readonly error: string
        readonly errorTime: number
        readonly sentTime: number
      }[]
    }
  }
  listTokens: {
    readonly request: { readonly path: { readonly identity: string } }
    readonly answer: { readonly items: readonly Token[] }
  }
  listVersions: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: { readonly items: readonly KeyVersion[] }
  }
  lock: {
    readonly request: { readonly body: { readonly confirm: string } }
    readonly answer: undefined
  }
  logIn: {
    readonly request: {
      readonly body: {
        readonly person: string
        readonly challenge: string
        readonly pin: Uint8Array
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: { readonly expires: number }
  }
  mac: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: MacRequest
    }
    readonly answer: MacResult
  }
  macBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly MacRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: MacResult } | { readonly error: ItemError })[]
    }
  }
  macStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: MacRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  pinCounter: {
    readonly request: {
      readonly body: {
        readonly challenge: string
        readonly pin: { readonly publicKey: string; readonly name: string }
        readonly attestation: Uint8Array
        readonly signature: Uint8Array
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: undefined
  }
  prepareCounter: {
    readonly request: object
    readonly answer: {
      readonly challenge: string
      readonly pin: { readonly publicKey: string; readonly name: string }
      readonly attestation: Uint8Array
      readonly signature: Uint8Array
    }
  }
  prepareTpmSeal: {
    readonly request: {
      readonly body: {
        readonly pcrs?: string | undefined
        readonly command?: 'addSeal' | 'beginEpoch' | undefined
      }
    }
    readonly answer: { readonly sealed: Uint8Array }
  }
  random: {
    readonly request: {
      readonly body: {
        readonly lengthBytes: number
        readonly predictionResistance?: boolean | undefined
      }
    }
    readonly answer: { readonly bytes: Uint8Array }
  }
  randomBatch: {
    readonly request: {
      readonly body: {
        readonly items: readonly {
          readonly lengthBytes: number
          readonly predictionResistance?: boolean | undefined
        }[]
      }
    }
    readonly answer: {
      readonly items: readonly { readonly result: { readonly bytes: Uint8Array } }[]
    }
  }
  removeAlias: {
    readonly request: { readonly path: { readonly namespace: string; readonly alias: string } }
    readonly answer: undefined
  }
  removeGrant: {
    readonly request: { readonly path: { readonly namespace: string; readonly grant: string } }
    readonly answer: undefined
  }
  removeSeal: {
    readonly request: {
      readonly body: {
        readonly kind: 'passphrase' | 'key-file' | 'tpm'
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: undefined
  }
  renameIdentity: {
    readonly request: {
      readonly path: { readonly identity: string }
      readonly body: { readonly name: string }
    }
    readonly answer: Identity
  }
  requestCertificate: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: CertificateRequestRequest
    }
    readonly answer: CertificateRequestResult
  }
  requestStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: CertificateRequestRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  resetLogin: {
    readonly request: {
      readonly body: { readonly person: string; readonly approvals?: Approvals | undefined }
    }
    readonly answer: undefined
  }
  retireKek: {
    readonly request: { readonly body: { readonly approvals?: Approvals | undefined } }
    readonly answer: Rotation
  }
  revokeToken: {
    readonly request: { readonly path: { readonly identity: string; readonly token: string } }
    readonly answer: undefined
  }
  rotateKek: {
    readonly request: { readonly body: { readonly approvals?: Approvals | undefined } }
    readonly answer: Rotation
  }
  rotateKey: {
    readonly request: { readonly path: { readonly namespace: string; readonly key: string } }
    readonly answer: Key
  }
  scheduleDestruction: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly days?: number | undefined }
    }
    readonly answer: Key
  }
  searchRecord: {
    readonly request: {
      readonly query?: {
        readonly key?: string | undefined
        readonly identity?: string | undefined
        readonly command?: string | undefined
        readonly outcome?: string | undefined
        readonly requestId?: string | undefined
        readonly protocol?: string | undefined
        readonly since?: number | undefined
        readonly until?: number | undefined
        readonly order?: 'newest' | 'oldest' | undefined
        readonly from?: number | undefined
        readonly limit?: number | undefined
      }
    }
    readonly answer: {
      readonly entries: readonly RecordEntry[]
      readonly next?: number | undefined
    }
  }
  selfTest: {
    readonly request: { readonly body: { readonly tests?: readonly string[] | undefined } }
    readonly answer: {
      readonly tests: readonly { readonly name: string; readonly result: 'met' }[]
      readonly sources: readonly {
        readonly name: string
        readonly state: 'untested' | 'healthy' | 'failed'
      }[]
    }
  }
  setAlias: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly alias: string }
      readonly body: { readonly key: string }
    }
    readonly answer: Alias
  }
  setPin: {
    readonly request: {
      readonly body: {
        readonly person: string
        readonly challenge: string
        readonly pin: Uint8Array
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: DomainState
  }
  setRoles: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly identity: string }
      readonly body: { readonly roles: readonly Role[] }
    }
    readonly answer: RoleAssignment
  }
  shredEpoch: {
    readonly request: {
      readonly body: {
        readonly confirm: string
        readonly endsShares?: true | undefined
        readonly sealed?: Uint8Array | undefined
        readonly seal?: 'passphrase' | 'tpm' | undefined
        readonly custodians?:
          | {
              readonly threshold: number
              readonly people: readonly (
                | { readonly name: string; readonly kind: 'key'; readonly publicKey: string }
                | { readonly name: string; readonly kind: 'passphrase' }
              )[]
            }
          | undefined
        readonly passphrases?: Uint8Array | undefined
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: { readonly rotation: Rotation; readonly shares?: Uint8Array | undefined }
  }
  shredStatement: {
    readonly request: {
      readonly body: {
        readonly sealed?: Uint8Array | undefined
        readonly seal?: 'passphrase' | 'tpm' | undefined
        readonly custodians?:
          | {
              readonly threshold: number
              readonly people: readonly (
                | { readonly name: string; readonly kind: 'key'; readonly publicKey: string }
                | { readonly name: string; readonly kind: 'passphrase' }
              )[]
            }
          | undefined
        readonly passphrases?: Uint8Array | undefined
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  sign: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: SignRequest
    }
    readonly answer: SignResult
  }
  signBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly SignRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: SignResult } | { readonly error: ItemError })[]
    }
  }
  signStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: SignRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  unwrap: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: UnwrapRequest
    }
    readonly answer: UnwrapResult
  }
  unwrapBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly UnwrapRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: UnwrapResult } | { readonly error: ItemError })[]
    }
  }
  unwrapStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: UnwrapRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  updateKey: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly owner?: string | undefined
        readonly purpose?: string | undefined
        readonly labels?: Readonly<Record<string, string>> | undefined
      }
    }
    readonly answer: Key
  }
  verify: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: VerifyRequest
    }
    readonly answer: VerifyResult
  }
  verifyBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly VerifyRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: VerifyResult } | { readonly error: ItemError })[]
    }
  }
  verifyMac: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: VerifyMacRequest
    }
    readonly answer: VerifyMacResult
  }
  verifyMacBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly VerifyMacRequest[] }
    }
    readonly answer: {
      readonly items: readonly (
        | { readonly result: VerifyMacResult }
        | { readonly error: ItemError }
      )[]
    }
  }
  verifyMacStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: VerifyMacRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  verifyStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: VerifyRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  whoAmI: {
    readonly request: object
    readonly answer: { readonly identity: Identity; readonly roles: readonly RoleAssignment[] }
  }
  wrap: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: WrapRequest
    }
    readonly answer: WrapResult
  }
  wrapBatch: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: { readonly items: readonly WrapRequest[] }
    }
    readonly answer: {
      readonly items: readonly ({ readonly result: WrapResult } | { readonly error: ItemError })[]
    }
  }
  wrapStatement: {
    readonly request: {
      readonly path: { readonly namespace: string; readonly key: string }
      readonly body: {
        readonly request: WrapRequest
        readonly requester: string
        readonly validSeconds?: number | undefined
      }
    }
    readonly answer: Statements
  }
  zeroise: {
    readonly request: {
      readonly body: {
        readonly reason: string
        readonly confirm: string
        readonly approvals?: Approvals | undefined
      }
    }
    readonly answer: undefined
  }
}
