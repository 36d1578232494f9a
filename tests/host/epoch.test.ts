/**
 * A new epoch on the disk: whatever step a crash falls on, the folder opens whole, as the epoch before or as
 * the new one, each with its own secret and with no other; and from the moment on at which somebody was told
 * of it, nothing older opens.
 */

import assert from 'node:assert/strict'
import { cpSync, existsSync, readdirSync, renameSync, rmSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import type { Host } from '../../src/host/host.ts'
import type { HostOptions } from '../../src/host/options.ts'
import { sealSecret } from '../../src/host/start-up.ts'
import { sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import { call, claimOf, openAt, withFolder } from './open.ts'

const newSecret = 'another key file for tests, 32 bytes or more'
const claim = claimOf('epoch')
const template = {
  type: 'P-256',
  algorithms: ['ECDSA-SHA-256'],
  uses: ['sign', 'verify'],
  ...{ exportable: false, externalIv: false, plaintextRelease: false },
  ...{ notBefore: 0, notAfter: 0, lengthBytes: 0 },
} as const

async function generate(host: Host, key: string) {
  const { parts } = await host.run(claim, call('generateKey', { key, version: 1, template }, {}))
  return parts.wrapped
}

const sealedNew = (host: Host, secret: Uint8Array = Buffer.from(newSecret)) =>
  sealSecret(host, sealSecretFor('beginEpoch', 'key-file'), secret)

async function renew(host: Host) {
  const sealed = await sealedNew(host)
  return host.renewEpoch(claim, { sealed })
}

const withNew: Partial<HostOptions> = { secret: async () => Buffer.from(newSecret) }

async function epochOf(folder: string, options: Partial<HostOptions>): Promise<number> {
  await using host = await openAt(folder, options)
  return (await host.run(claim, call('getStatus', {}, {}))).result.epoch
}

/** It opens as the epoch of this secret, and with the other secret not at all. */
async function assertOpensAs(folder: string, epoch: 1 | 2): Promise<void> {
  const [right, wrong] = epoch === 1 ? [{}, withNew] : [withNew, {}]
  await assert.rejects(openAt(folder, wrong), { code: 'SEAL_INVALID' })
  assert.equal(await epochOf(folder, right), epoch)
  const left = readdirSync(folder).filter((name) => name.startsWith('module'))
  assert.deepEqual(left, ['module'])
}

suite('a new epoch on the disk', () => {
  test(
    'calls wait and are answered; it holds over a restart, and the old secret opens nothing',
    withFolder(async (folder) => {
      const key = `key_${'1'.repeat(32)}`
      const host = await openAt(folder)
      const wrapped = await generate(host, key)
      const data = Buffer.from('data')
      const signing = Array.from({ length: 50 }, () =>
        host.run(claim, call('sign', { key, version: 1 }, { data })),
      )
      const renewing = renew(host)
      const later = host.run(claim, call('sign', { key, version: 1 }, { data, wrapped }))
      assert.deepEqual(await renewing, { epoch: 2, kek: 2 })
      await Promise.all([...signing, later])
      const destroyed = `key_${'2'.repeat(32)}`
      await host.run(claim, call('destroyKey', { key: destroyed, version: 1 }, {}))
      await host[Symbol.asyncDispose]()
      await assertOpensAs(folder, 2)
      await using again = await openAt(folder, withNew)
      const { result } = await again.run(claim, call('getStatus', {}, {}))
      assert.partialDeepStrictEqual(result, { epoch: 2, floorEntries: 1, rewrapping: true })
      await again.run(claim, call('sign', { key, version: 1 }, { data, wrapped }))
    }),
  )

  test(
    'a seal that is added meanwhile is of the root key that is in force, or gone',
    withFolder(async (folder) => {
      const passphrase = 'a passphrase for tests'
      {
        await using host = await openAt(folder)
        const destination = sealSecretFor('addSeal', 'passphrase')
        const added = () => sealSecret(host, destination, Buffer.from(passphrase))
        const [sealed, first, second] = [await sealedNew(host), await added(), await added()]
        const adding = (secret: Uint8Array) => host.seals.add(claim, 'passphrase', secret)
        await Promise.all([adding(first), host.renewEpoch(claim, { sealed }), adding(second)])
        const kinds = (await host.seals.list()).map(({ kind }) => kind)
        assert.deepEqual(kinds, ['key-file', 'passphrase'])
      }
      assert.equal(await epochOf(folder, withNew), 2)
      const secret = async () => Buffer.from(passphrase)
      assert.equal(await epochOf(folder, { sealKind: 'passphrase', secret }), 2)
    }),
  )

  test(
    'a refusal leaves everything as it was',
    withFolder(async (folder) => {
      await using host = await openAt(folder)
      const short = await sealedNew(host, Buffer.alloc(3))
      await assert.rejects(host.renewEpoch(claim, { sealed: short }), { code: 'ARGUMENT_INVALID' })
      await assert.rejects(host.renewEpoch(claim, {}), { code: 'ARGUMENT_INVALID' })
      assert.equal(host.status().state, 'operational')
      const { result } = await host.run(claim, call('getStatus', {}, {}))
      assert.equal(result.epoch, 1)
      assert(!existsSync(path.join(folder, 'module.next')))
      assert.equal((await renew(host)).epoch, 2)
    }),
  )

  test(
    'after a crash on any step it opens as the one or the other, with its own secret alone',
    { timeout: 120_000 },
    withFolder(async (folder) => {
      const host = await openAt(folder)
      await generate(host, `key_${'1'.repeat(32)}`)
      const copyOf = (name: string) => path.join(path.dirname(folder), name)
      const old = copyOf('old')
      cpSync(path.join(folder, 'module'), old, { recursive: true })
      await renew(host)
      await host[Symbol.asyncDispose]()
      const next = copyOf('next')
      cpSync(path.join(folder, 'module'), next, { recursive: true })

      const steps: readonly [string, 1 | 2, (place: (name: string) => string) => void][] = [
        [
          'the new folder half written',
          1,
          (at) => {
            cpSync(old, at('module'), { recursive: true })
            cpSync(path.join(next, 'seals'), at('module.next/seals'), { recursive: true })
          },
        ],
        [
          'the new folder written',
          1,
          (at) => {
            cpSync(old, at('module'), { recursive: true })
            cpSync(next, at('module.next'), { recursive: true })
          },
        ],
        [
          'the old one renamed',
          2,
          (at) => {
            cpSync(old, at('module.old'), { recursive: true })
            cpSync(next, at('module.next'), { recursive: true })
          },
        ],
        [
          'the new one in its place',
          2,
          (at) => {
            cpSync(old, at('module.old'), { recursive: true })
            cpSync(next, at('module'), { recursive: true })
          },
        ],
        [
          'the old one half removed',
          2,
          (at) => {
            cpSync(path.join(old, 'seals'), at('module.old/seals'), { recursive: true })
            cpSync(next, at('module'), { recursive: true })
          },
        ],
      ]
      for (const [what, epoch, make] of steps) {
        const crashed = copyOf('crashed')
        cpSync(folder, crashed, { recursive: true })
        rmSync(path.join(crashed, 'module'), { recursive: true })
        make((name) => path.join(crashed, name))
        await assertOpensAs(crashed, epoch).catch((cause) => assert.fail(`${what}: ${cause}`))
        rmSync(crashed, { recursive: true })
      }
      renameSync(next, copyOf('unused'))
    }),
  )
})
