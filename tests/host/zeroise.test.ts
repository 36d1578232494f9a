/**
 * Zeroising as the host sees it: the process is gone, what was sealed is gone, the record and the module's
 * last statement stay, and the folder says why it does not open any more. A copy of the folder from before
 * opens with its seal: what is gone is this module, not the domain.
 */

import assert from 'node:assert/strict'
import { createPublicKey, verify } from 'node:crypto'
import { cpSync, existsSync, readdirSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { decodeLeaf } from '../../src/hsm/contract/leaf.ts'
import { call, claimOf, openAt, random, withFolder } from './open.ts'

interface Said {
  readonly statement: string
  readonly signature: { readonly ed25519: string }
}

function saidIn(folder: string, identityKey: string): Record<string, unknown> {
  const { statement, signature } = JSON.parse(
    readFileSync(path.join(folder, 'zeroised.json'), 'utf8'),
  ) as Said
  const key = createPublicKey({
    key: Buffer.from(identityKey, 'hex'),
    format: 'raw-public',
    asymmetricKeyType: 'ed25519',
  })
  const bytes = Buffer.from(signature.ed25519, 'base64')
  assert(verify(null, Buffer.from(statement), key, bytes), 'signed by the module')
  return JSON.parse(statement) as Record<string, unknown>
}

suite('zeroising', { timeout: 60_000 }, () => {
  test(
    'the process and all that was sealed are gone, and the folder says why',
    withFolder(async (folder) => {
      const copy = `${folder}-before`
      let identityKey = ''
      {
        await using host = await openAt(folder)
        await host.run(claimOf('work'), random)
        cpSync(folder, copy, { recursive: true })
        identityKey = (await host.run(claimOf('look'), call('getStatus', {}, {}))).result
          .identityKey
        const { pid } = host
        await host.run(claimOf('officer'), call('zeroise', { reason: 'a test' }, {}))
        while (host.status().state !== 'unavailable') await new Promise(setImmediate)
        assert.throws(() => process.kill(pid, 0), { code: 'ESRCH' })
        assert.match(host.status().reason, /officer-command: a test/)
        await assert.rejects(host.run(claimOf('late'), random), { code: 'MODULE_UNAVAILABLE' })
        const zeroised = async () =>
          (await host.events.read(10)).find((one) => one.event === 'module zeroised')
        while ((await zeroised()) === undefined) await new Promise(setImmediate)
        const event = await zeroised()
        assert.deepEqual(readdirSync(path.join(folder, 'module')), [])
        assert(Number(event?.reapedMs) >= 0 && Number(event?.removedMs) >= Number(event?.reapedMs))
        const { leaves } = await host.record.readLeaves(0, 1_000)
        const signals = leaves.map(decodeLeaf).filter(({ command }) => command === 'tamper')
        assert.deepEqual(
          signals.map(({ outcome }) => outcome),
          ['officer-command'],
        )
      }
      const said = saidIn(folder, identityKey)
      assert.partialDeepStrictEqual(said, { signal: 'officer-command', detail: 'a test' })
      await assert.rejects(openAt(folder), { code: 'FOLDER_ZEROISED' })
      assert(existsSync(path.join(folder, 'record')))
      await using again = await openAt(copy)
      await again.run(claimOf('again'), random)
    }),
  )
})
