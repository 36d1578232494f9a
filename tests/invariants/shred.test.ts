/**
 * Invariant 2, second half: after `rotate and shred`, no backup that was taken before can bring a destroyed
 * key back. The whole data folder is copied, a key is destroyed, the epoch is shredded. What the copy holds
 * opens with the seal of then, which the certificate names as not proved destroyed, and with nothing else.
 */

import assert from 'node:assert/strict'
import { cpSync, rmSync } from 'node:fs'
import path from 'node:path'
import { test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import { sealSecret } from '../../src/host/start-up.ts'
import { openDomainStatement } from '../../src/hsm/contract/attestation.ts'
import { verifyCertificate } from '../../src/hsm/contract/certificate.ts'
import type { KeyId } from '../../src/hsm/contract/keys.ts'
import { sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import { bootstrap } from '../../src/kms/access/bootstrap.ts'
import { roles } from '../../src/kms/access/permissions.ts'
import { systemCaller } from '../../src/kms/commands.ts'
import { finishRotation, getRotation } from '../../src/kms/domain/rotation.ts'
import { shred, shredCertificate } from '../../src/kms/domain/shred.ts'
import { createKey } from '../../src/kms/keys/create.ts'
import { destroyKey } from '../../src/kms/keys/destruction.ts'
import type { KeyRecord } from '../../src/kms/keys/rows.ts'
import type { Caller, Kms } from '../../src/kms/kms.ts'
import { openKms } from '../../src/kms/open.ts'
import { findKeyVersion } from '../../src/storage/key-versions.ts'
import { call, claimOf, openAt, withFolder } from '../host/open.ts'

const newSecret = 'another key file for tests, 32 bytes or more'
const withNew = { secret: async () => Buffer.from(newSecret) }
const claim = claimOf('shred')

function open(folder: string, host: Host): Promise<Kms> {
  return openKms({ folder, host, now: Date.now, log: () => undefined })
}

async function first(kms: Kms): Promise<Caller> {
  const made = await bootstrap(kms, { name: 'first', roles })
  assert(made)
  return { ...systemCaller('shred'), identity: made.identity }
}

function create(kms: Kms, who: Caller, name: string): Promise<KeyRecord> {
  return createKey(kms, who, 'default', {
    ...{ name, owner: 'Ada', purpose: 'test', type: 'P-256' },
  })
}

async function wrappedOf(kms: Kms, keyId: string): Promise<Uint8Array> {
  const row = await findKeyVersion(kms.db.query, { keyId, version: 1 })
  assert(row?.wrapped)
  return row.wrapped
}

/** What the module says to a signature with this wrapped key. */
async function sign(host: Host, key: KeyId, wrapped: Uint8Array): Promise<string> {
  const data = Buffer.from('data')
  const asked = call('sign', { key, version: 1 }, { data, wrapped })
  return host.run(claim, asked).then(
    () => 'signed',
    (error) => error.code,
  )
}

test(
  'invariant 2: after rotate and shred no backup taken before brings a destroyed key back',
  { timeout: 60_000 },
  withFolder(async (folder) => {
    const backup = path.join(path.dirname(folder), 'backup')
    const before = await openAt(folder)
    const kms = await open(folder, before)
    const who = await first(kms)
    const [live, gone] = [await create(kms, who, 'live'), await create(kms, who, 'gone')]
    const goneWrapped = await wrappedOf(kms, gone.id)
    const liveWrapped = await wrappedOf(kms, live.id)
    cpSync(folder, backup, { recursive: true })
    await destroyKey(kms, who, 'default', 'gone', { confirm: 'gone' })

    const destination = sealSecretFor('beginEpoch', 'key-file')
    const sealed = await sealSecret(before, destination, Buffer.from(newSecret))
    const { domainId } = before.status()
    await assert.rejects(shred(kms, who, { confirm: 'no', sealed }), {
      code: 'CONFIRMATION_INVALID',
    })
    await shred(kms, who, { confirm: domainId, sealed })
    await kms.background.idle()
    await finishRotation(kms)
    assert.partialDeepStrictEqual(await getRotation(kms, who), { kind: 'shred', phase: 'done' })
    const { parts } = await before.run(claim, call('getDomainStatement', {}, {}))
    const certificate = await shredCertificate(kms, who, 1)
    assert.partialDeepStrictEqual(
      verifyCertificate(certificate, openDomainStatement(parts.statement)),
      { epochBefore: 1, epoch: 2, notProvedDestroyed: { seals: { 'key-file': 1 }, shares: null } },
    )
    const liveAgain = await wrappedOf(kms, live.id)
    await kms[Symbol.asyncDispose]()
    await before[Symbol.asyncDispose]()

    await assert.rejects(openAt(folder), { code: 'SEAL_INVALID' })
    {
      await using after = await openAt(folder, withNew)
      assert.equal((await after.run(claim, call('getStatus', {}, {}))).result.floorEntries, 0)
      assert.equal(await sign(after, gone.id, goneWrapped), 'WRAPPED_KEY_OUTDATED')
      assert.equal(await sign(after, live.id, liveWrapped), 'WRAPPED_KEY_OUTDATED')
      assert.equal(await sign(after, live.id, liveAgain), 'signed')
    }
    // The backup, whole, or its module's folder under everything that is newer.
    const mixed = path.join(path.dirname(folder), 'mixed')
    cpSync(folder, mixed, { recursive: true })
    rmSync(path.join(mixed, 'module'), { recursive: true })
    cpSync(path.join(backup, 'module'), path.join(mixed, 'module'), { recursive: true })
    for (const older of [backup, mixed]) {
      await assert.rejects(openAt(older, withNew), { code: 'SEAL_INVALID' })
      await using old = await openAt(older)
      assert.equal(await sign(old, live.id, liveAgain), 'WRAPPED_KEY_INVALID')
      assert.equal(await sign(old, gone.id, goneWrapped), 'signed', 'whoever kept the old secret')
    }
  }),
)
