/**
 * Security levels 1 to 4: the profiles of a domain after FIPS 140-3 (ISO/IEC 19790), as one table that
 * the module enforces. What each member comes from, and what no software can meet whatever stands here,
 * is in docs/security-levels.md. A level is chosen at the founding, and lowered only together with the end
 * of every key; a higher number permits nothing that a lower one refuses, which a test holds.
 */

import { isApproved, type KeyProperties, protects, strengthBits } from './approved.ts'
import { sourceUnverified } from './contract/attestation.ts'
import type { SecurityLevel } from './contract/domain-state.ts'
import { HsmError } from './contract/errors.ts'
import type { KeyTemplate } from './contract/keys.ts'
import type { TamperResponse, TamperSignal } from './contract/tamper.ts'

/** How the module gets the domain root key back at start; a key file is for development domains. */
export const profileSeals = ['key-file', 'passphrase', 'tpm', 'shares'] as const
export type ProfileSeal = (typeof profileSeals)[number]

export interface LevelProfile {
  /**
   * Least strength in bits of a key that protects (SP 800-57 part 1 table 2). 112 is acceptable now and
   * no longer after 2030 (SP 800-131A, SP 800-57 part 1 table 4); keys made today outlive that, and
   * SP 800-152 asks 128 of systems for which levels 3 and 4 are meant.
   */
  readonly strengthBitsMin: 112 | 128
  /** The same for keys that only verify, decrypt or unwrap: legacy use (SP 800-131A section 1.2.2). */
  readonly legacyStrengthBitsMin: 112
  /**
   * False: keys of algorithms that are not approved exist, and are marked so (FIPS 140-3 IG 2.4.C).
   * True: they cannot be made, imported, unwrapped or used.
   */
  readonly approvedOnly: boolean
  /** IVs of the caller's choice are never approved (SP 800-38D section 8, IG C.H). */
  readonly externalIv: boolean
  /** Secrets in plaintext through the door: from level 3 a trusted channel is asked for (7.3). */
  readonly plaintextRelease: boolean
  /** A noise source in hardware has to work; below, timing jitter and the system's are enough. */
  readonly hardwareEntropy: boolean
  /** Independent factors of a person whose signature approves; a passkey has two (7.4 level 4). */
  readonly loginFactorsMin: 0 | 1 | 2
  /** Signatures of different people that each rule asks for at least; from 1 on, every rule is there. */
  readonly quorumMin: 0 | 1 | 2
  /** Shares of the root key that have to come together; 0: custodians are not needed. */
  readonly custodiansMin: 0 | 2
  /** The launcher checks source and Node against the signed manifest, under another user than the host. */
  readonly launcher: boolean
  readonly seals: readonly ProfileSeal[]
  /**
   * Required: without a peer, witness or TPM counter that confirms the last head, it does not serve. No
   * standard asks for it; a domain that pins a TPM counter has it at every level (freshness.ts).
   */
  readonly freshness: 'warned' | 'required'
  /** From level 3 without being asked (7.10): the longest time between two rounds. */
  readonly selfTestHoursMax: 24 | undefined
  readonly tamper: { readonly [signal in TamperSignal]: TamperResponse }
}

const stopAlways = {
  'source-changed': 1,
  'debugger-attached': 1,
  'wall-hit': 1,
  'clock-back': 1,
  'state-back': 1,
  'record-broken': 1,
  // A broken source is a fault rather than an attack, and stopping already keeps its output in.
  'entropy-failed': 1,
  'logins-failed': 1,
  'wrapped-keys-forged': 1,
  'canary-used': 1,
  'chassis-opened': 1,
  'temperature-outside': 1,
  'voltage-outside': 1,
  // That is what the command is for.
  'officer-command': 2,
} as const

/** 7.7 level 3: what opens the box or looks into the process zeroises. */
const zeroiseOnEntry = {
  ...stopAlways,
  'source-changed': 2,
  'debugger-attached': 2,
  'chassis-opened': 2,
} as const

const level1: LevelProfile = {
  strengthBitsMin: 112,
  legacyStrengthBitsMin: 112,
  approvedOnly: false,
  externalIv: true,
  plaintextRelease: true,
  hardwareEntropy: false,
  loginFactorsMin: 0,
  quorumMin: 0,
  custodiansMin: 0,
  launcher: false,
  seals: ['key-file', 'passphrase', 'tpm', 'shares'],
  freshness: 'warned',
  selfTestHoursMax: undefined,
  tamper: stopAlways,
}

const level2: LevelProfile = {
  ...level1,
  approvedOnly: true,
  externalIv: false,
  loginFactorsMin: 1,
  quorumMin: 1,
  seals: ['passphrase', 'tpm', 'shares'],
}

const level3: LevelProfile = {
  ...level2,
  strengthBitsMin: 128,
  plaintextRelease: false,
  hardwareEntropy: true,
  quorumMin: 2,
  custodiansMin: 2,
  launcher: true,
  // A passphrase is one person who holds the whole root key: 7.9 asks for split knowledge.
  seals: ['tpm', 'shares'],
  selfTestHoursMax: 24,
  tamper: zeroiseOnEntry,
}

const level4: LevelProfile = {
  ...level3,
  loginFactorsMin: 2,
  // 7.7 level 4: environmental failure protection of both.
  tamper: { ...zeroiseOnEntry, 'temperature-outside': 2, 'voltage-outside': 2 },
}

export const levelProfiles: { readonly [level in SecurityLevel]: LevelProfile } = {
  1: level1,
  2: level2,
  3: level3,
  4: level4,
}

/** What a level looks at in a key; a template and a key's attributes both have it. */
export type LevelledKey = KeyProperties & Pick<KeyTemplate, 'plaintextRelease'>

/**
 * That a domain of this level may have a key like this: asked when it is made, imported, unwrapped,
 * derived, and again when it is used, because a level can be raised: then of that one use, so that what
 * was protected below can still be verified and decrypted.
 * @param lengthBytes of a secret key
 * @throws HsmError LEVEL_NOT_PERMITTED, KEY_TOO_WEAK
 */
export function assertLevelPermits(
  level: SecurityLevel,
  key: LevelledKey,
  lengthBytes: number,
): void {
  const profile = levelProfiles[level]
  if (key.externalIv && protects(key) && !profile.externalIv) {
    throw notPermitted(level, 'an IV from outside')
  }
  if (key.plaintextRelease && !profile.plaintextRelease) {
    throw notPermitted(level, 'the release of secrets in plaintext')
  }
  if (profile.approvedOnly && !isApproved(key)) {
    throw notPermitted(level, 'what is not approved')
  }
  const least = protects(key) ? profile.strengthBitsMin : profile.legacyStrengthBitsMin
  if (strengthBits(key.type, lengthBytes) < least) {
    throw new HsmError('KEY_TOO_WEAK', `security level ${level} asks for ${least} bits of strength`)
  }
}

/**
 * That the root key may be under a seal of this kind: asked when one is made, and when one has opened.
 * @throws HsmError LEVEL_NOT_PERMITTED
 */
export function assertSealPermitted(level: SecurityLevel, seal: ProfileSeal): void {
  const { seals } = levelProfiles[level]
  if (!seals.includes(seal)) throw askedFor(level, `a seal by ${seals.join(' or ')}`)
}

/**
 * That a domain can be opened again at this level by one at least of what there is.
 * @throws HsmError LEVEL_NOT_PERMITTED
 */
export function assertCanBeOpened(level: SecurityLevel, present: readonly ProfileSeal[]): void {
  const { seals } = levelProfiles[level]
  if (present.some((seal) => seals.includes(seal))) return
  const others = present.length > 0 ? `; there is ${present.join(', ')}` : ''
  throw askedFor(level, `a seal by ${seals.join(' or ')}, in this epoch${others}`)
}

/** What a module is started with, as far as a level asks for it. */
export interface Standing {
  /** Digest of the manifest that the launcher checked; `unverified` when there was none. */
  readonly sourceManifest: string
  /** Whether a noise source in hardware passes its health tests. */
  readonly hasHardwareEntropy: () => boolean
}

/**
 * That a module of this standing may become operational in a domain of this level.
 * @throws HsmError LEVEL_NOT_PERMITTED
 */
export function assertStanding(level: SecurityLevel, standing: Standing): void {
  const { launcher, hardwareEntropy } = levelProfiles[level]
  if (launcher && standing.sourceManifest === sourceUnverified) {
    throw askedFor(level, 'a launcher that has checked the source')
  }
  if (hardwareEntropy && !standing.hasHardwareEntropy()) {
    throw askedFor(level, 'a noise source in hardware that works')
  }
}

function askedFor(level: SecurityLevel, what: string): HsmError {
  return new HsmError('LEVEL_NOT_PERMITTED', `security level ${level} asks for ${what}`)
}

function notPermitted(level: SecurityLevel, what: string): HsmError {
  return new HsmError('LEVEL_NOT_PERMITTED', `security level ${level} does not permit ${what}`)
}
