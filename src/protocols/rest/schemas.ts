/**
 * The shapes that several routes share, strict throughout: an unknown member is refused. Each is one
 * schema for both directions, read as it stands on the wire; bytes are base64 there (RFC 4648 section
 * 4, padded, canonical) and Buffers inside. Times are milliseconds since 1970.
 */

import { z } from 'zod'
import { algorithms, keyClasses, keyTypes, keyUses } from '../../hsm/contract/algorithms.ts'
import { approvalsMax } from '../../hsm/contract/domain-state.ts'
import { keyStates, provenances } from '../../hsm/contract/keys.ts'
import { identityKinds } from '../../kms/access/identities.ts'
import { operations } from '../../kms/access/operations.ts'
import { roles } from '../../kms/access/permissions.ts'
import {
  contextPairsMax,
  cursorCharactersMax,
  labelNameCharactersMax,
  labelsMax,
  labelValueCharactersMax,
  pageItemsMax,
  textCharactersMax,
} from '../../kms/limits.ts'

const uint8Array = z.custom<Uint8Array>((value) => value instanceof Uint8Array)

/** Base64 on the wire, bytes in the program. */
export function bytes(bytesMax: number) {
  const text = z.string().max(Math.ceil(bytesMax / 3) * 4)
  return z.codec(text.meta({ contentEncoding: 'base64' }), uint8Array, {
    decode: (encoded, context) => {
      const decoded = Buffer.from(encoded, 'base64')
      // Node skips what is not base64; only what is canonical comes back the same.
      if (decoded.length <= bytesMax && decoded.toString('base64') === encoded) return decoded
      context.issues.push({
        code: 'custom',
        message: `must be padded base64 of at most ${bytesMax} bytes`,
        input: encoded,
      })
      return z.NEVER
    },
    encode: base64,
  })
}

export function base64(decoded: Uint8Array): string {
  return Buffer.from(decoded.buffer, decoded.byteOffset, decoded.length).toString('base64')
}

const namePattern = /^[a-z0-9][a-z0-9._-]{0,62}$/
export const name = z.string().regex(namePattern)
export const identityId = z.string().regex(/^id_[0-9a-f]{32}$/)
export const keyId = z.string().regex(/^key_[0-9a-f]{32}$/)
export const grantId = z.string().regex(/^grant_[0-9a-f]{32}$/)
export const tokenId = z.string().regex(/^[0-9a-f]{16}$/)
/** Id, name or alias. */
export const keyName = z.string().regex(/^(?:key_[0-9a-f]{32}|[a-z0-9][a-z0-9._-]{0,62})$/)
/** A namespace, or "*" for all of them. */
export const namespaceOrAll = z.string().regex(/^(?:\*|[a-z0-9][a-z0-9._-]{0,62})$/)

const wellFormed = (text: string) => text.isWellFormed()
const notWellFormed = 'must be well-formed Unicode'
/** For people: owner, purpose. */
export const text = z.string().min(1).max(textCharactersMax).refine(wellFormed, notWellFormed)
export const time = z.int().min(0)
export const version = z.int().min(1).max(0xffff_ffff)

export const algorithmName = z.enum(namesOf(algorithms)).meta({ id: 'AlgorithmName' })
export const keyTypeName = z.enum(namesOf(keyTypes)).meta({ id: 'KeyTypeName' })
export const keyUse = z.enum(keyUses).meta({ id: 'KeyUse' })
export const keyClass = z.enum(keyClasses)
export const operation = z.enum(operations).meta({ id: 'Operation' })
export const role = z.enum(roles).meta({ id: 'Role' })
export const keyState = z
  .enum([...keyStates, 'destroyed', 'destroyed-compromised'])
  .meta({ id: 'KeyState' })

export const labels = z
  .record(
    z.string().min(1).max(labelNameCharactersMax).refine(wellFormed, notWellFormed),
    z.string().max(labelValueCharactersMax).refine(wellFormed, notWellFormed),
  )
  .refine((pairs) => Object.keys(pairs).length <= labelsMax, `at most ${labelsMax} labels`)

/** Bound to a ciphertext as associated data; the same pairs in any order open it. */
export const encryptionContext = z
  .record(
    z.string().refine(wellFormed, notWellFormed),
    z.string().refine(wellFormed, notWellFormed),
  )
  .refine(
    (pairs) => Object.keys(pairs).length <= contextPairsMax,
    `at most ${contextPairsMax} pairs`,
  )

/** In a query every value is text. */
const integerText = z.string().regex(/^(?:0|[1-9][0-9]{0,15})$/)
export const queryInteger = (minimum: number, maximum: number) =>
  z.codec(integerText, z.int().min(minimum).max(maximum), { decode: Number, encode: String })

export const pageQuery = {
  limit: queryInteger(1, pageItemsMax).optional(),
  cursor: z.string().max(cursorCharactersMax).optional(),
}

export const namespacePath = z.strictObject({ namespace: name })
export const keyPath = z.strictObject({ namespace: name, key: keyName })
export const identityPath = z.strictObject({ identity: identityId })

const etag = z.string().max(64)

export const namespace = z.strictObject({ name, created: time }).meta({ id: 'Namespace' })

export const identity = z
  .strictObject({
    id: identityId,
    kind: z.enum([...identityKinds, 'system']),
    name,
    state: z.enum(['enabled', 'disabled']),
    created: time,
    updated: time,
    etag,
  })
  .meta({ id: 'Identity' })

const tokenMembers = {
  id: tokenId,
  identity: identityId,
  name,
  created: time,
  expires: time,
  revoked: time.optional(),
}

export const token = z.strictObject(tokenMembers).meta({ id: 'Token' })
/** With the token itself, which is shown once. */
export const newToken = z
  .strictObject({ ...tokenMembers, token: z.string().max(128) })
  .meta({ id: 'NewToken' })

export const roleAssignment = z
  .strictObject({ namespace: namespaceOrAll, identity: identityId, roles: z.array(role), etag })
  .meta({ id: 'RoleAssignment' })

export const grant = z
  .strictObject({
    id: grantId,
    namespace: name,
    key: keyId,
    identity: identityId,
    operations: z.array(operation),
    created: time,
  })
  .meta({ id: 'Grant' })

export const alias = z.strictObject({ name, key: keyId, etag }).meta({ id: 'Alias' })

export const key = z
  .strictObject({
    id: keyId,
    name,
    namespace: name,
    owner: z.string(),
    purpose: z.string(),
    labels: z.record(z.string(), z.string()),
    type: keyTypeName,
    class: keyClass,
    algorithms: z.array(algorithmName),
    uses: z.array(keyUse),
    state: keyState,
    exportable: z.boolean(),
    externalIv: z.boolean(),
    plaintextRelease: z.boolean(),
    approvals: z.int().min(0),
    canary: z.boolean(),
    usesMax: z.int().min(0),
    currentVersion: version,
    versions: z.int().min(0),
    created: time,
    updated: time,
    notBefore: time,
    notAfter: time,
    destructionDue: time.optional(),
    aliases: z.array(name),
    etag,
  })
  .meta({ id: 'Key' })

export const keyVersion = z
  .strictObject({
    version,
    revision: z.int().min(0),
    state: keyState,
    provenance: z.enum(provenances),
    created: time,
    checkValue: z.strictObject({
      cmac: z.string().optional(),
      zeroBlock: z.string().optional(),
      fingerprint: z.string().optional(),
    }),
    publicKey: bytes(16 * 1024).optional(),
    destroyedBy: z.int().min(1).optional(),
  })
  .meta({ id: 'KeyVersion' })

const newKeyMembers = {
  name,
  owner: text,
  purpose: text,
  labels: labels.optional(),
  type: keyTypeName.optional(),
  algorithms: z.array(algorithmName).min(1).max(64).optional(),
  uses: z.array(keyUse).min(1).max(keyUses.length).optional(),
  exportable: z.boolean().optional(),
  externalIv: z.boolean().optional(),
  plaintextRelease: z.boolean().optional(),
  approvals: z.int().min(0).max(approvalsMax).optional(),
  canary: z.boolean().optional(),
  usesMax: z.int().min(0).optional(),
  notBefore: time.optional(),
  notAfter: time.optional(),
  lengthBytes: z.int().min(1).max(512).optional(),
}

/** AES-256 unless a type is named; algorithms and uses that suit it when they are left out. */
export const newKey = z.strictObject(newKeyMembers).meta({ id: 'NewKey' })

/** Out of a use of another key; the id is that of what people have approved. */
export const intoKey = z
  .strictObject({ id: keyId.optional(), ...newKeyMembers })
  .meta({ id: 'IntoKey' })

/** The key's bytes are sealed to the module's transport key, with all that the key is to be (door.md section 7). */
export const importedKey = (sealed: ReturnType<typeof bytes>) =>
  z
    .strictObject({ id: keyId, ...newKeyMembers, class: keyClass, sealed })
    .meta({ id: 'ImportedKey' })

/** One page of a list, and the cursor of the next; none on the last. */
export function pageOf<S extends z.ZodType>(item: S) {
  return z.strictObject({
    items: z.array(item),
    next: z.string().max(cursorCharactersMax).optional(),
  })
}

function namesOf<T extends object>(table: T): [keyof T & string, ...(keyof T & string)[]] {
  return Object.keys(table) as [keyof T & string, ...(keyof T & string)[]]
}
