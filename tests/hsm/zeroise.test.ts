/** A real module process that zeroises or locks itself: how it ends, what it says last, and what is left. */

import assert from 'node:assert/strict'
import { createPublicKey, randomBytes, verify } from 'node:crypto'
import { suite, test } from 'node:test'
import { setTimeout } from 'node:timers/promises'
import { type Ask, newKeyId, p256 } from '../../src/hsm/door.testing.ts'
import { openSeal } from '../../src/hsm/seals.ts'
import { Secret } from '../../src/hsm/secret.ts'
import { bytesOfSecret } from '../invariants/known-keys.ts'
import { assertRoot, scanMemory } from '../invariants/scan.ts'
import { ProcessCaller } from './process-caller.ts'

const zeroise: Ask = { command: 'zeroise', arguments: { reason: 'end of life' } }
const chassis: Ask = {
  command: 'reportTamper',
  arguments: { signal: 'chassis-opened', detail: 'the lid' },
}

suite('the end of a module', () => {
  for (const [ask, signal, detail] of [
    [zeroise, 'officer-command', 'end of life'],
    [chassis, 'chassis-opened', 'the lid'],
  ] as const) {
    test(`by ${signal}: the process ends with 86, and its last word is signed`, async () => {
      await using caller = await ProcessCaller.start()
      const secret = await caller.sealed('found', 'key-file', Buffer.alloc(32, 7))
      const found = { development: true, seal: 'key-file' }
      await caller.ok({ command: 'found', arguments: found, parts: { secret } })
      const change = { tamper: { 'chassis-opened': 2 } }
      await caller.ok({ command: 'changeDomain', arguments: { change } })
      const key = { key: newKeyId(), version: 1, template: p256 }
      await caller.ok({ command: 'generateKey', arguments: key })
      const status = (await caller.ok({ command: 'getStatus' })).result
      await caller.ok(ask)
      const { code, kind, output } = await caller.ended
      assert.deepEqual([code, kind, output], [86, 'zeroised', ''])

      const { header, body } = caller.frames.at(-1) ?? assert.fail()
      const { id, leaves, zeroised } = header as Readonly<Record<string, number>>
      assert.deepEqual([id, body.length], [0, Number(leaves) + Number(zeroised)])
      const certificate = JSON.parse(String(Buffer.from(body.subarray(leaves))))
      const x = Buffer.from(String(status.identityKey), 'hex').toString('base64url')
      const publicKey = createPublicKey({ key: { kty: 'OKP', crv: 'Ed25519', x }, format: 'jwk' })
      const { ed25519 } = certificate.signature
      const statement = Buffer.from(certificate.statement)
      assert(verify(null, statement, publicKey, Buffer.from(ed25519, 'base64')))
      const said = JSON.parse(certificate.statement)
      assert.deepEqual(
        [said.domain, said.module, said.signal, said.detail],
        [status.domainId, status.moduleId, signal, detail],
      )
    })
  }

  for (const ask of [zeroise, { command: 'lock' }]) {
    test(`invariant 2: after ${ask.command} the root key is not in memory, even before the process is gone`, async () => {
      assertRoot()
      await using caller = await ProcessCaller.start(undefined, 'lingering-entry.ts')
      const keyFile = randomBytes(32)
      const secret = await caller.sealed('found', 'key-file', keyFile)
      const found = { development: true, seal: 'key-file' }
      const { parts } = await caller.ok({ command: 'found', arguments: found, parts: { secret } })
      assert(parts.seal)
      const key = { key: newKeyId(), version: 1, template: p256 }
      await caller.ok({ command: 'generateKey', arguments: key })
      using opener = Secret.copyOf(keyFile)
      using root = (await openSeal('key-file', parts.seal, opener)).root
      const needles = bytesOfSecret(
        'root',
        root.expose((bytes) => Buffer.from(bytes)),
      )
      assert.notDeepEqual(await scanMemory([caller.pid], needles), [])
      await caller.ok(ask)
      // Its last word comes behind the answer, and the rest when that is written.
      await setTimeout(200)
      assert.deepEqual(await scanMemory([caller.pid], needles), [])
    })
  }
})
