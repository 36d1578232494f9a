/** A server with a witness: the status says what was cosigned. */

import assert from 'node:assert/strict'
import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { checkpointOrigin } from '../../src/hsm/contract/checkpoint.ts'
import { cosignedAt, encodeVerifierKey } from '../../src/hsm/contract/cosignature.ts'
import { type NoteKey, parseNote } from '../../src/hsm/contract/signed-note.ts'
import { TestServer } from '../server.ts'
import { Outside } from './outside.ts'

interface Status {
  readonly module: {
    readonly domainId: string
    readonly moduleId: string
    readonly identityKey: string
  }
  readonly witnesses: readonly {
    readonly size: number
    readonly error?: { readonly code: string }
  }[]
}

suite('a server with a witness', { timeout: 120_000 }, () => {
  test('heads are cosigned while it serves, also after kill -9', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-witnessed-'))
    await using outside = await Outside.start(folder)
    const { key, url } = outside.place(0)
    const data = path.join(folder, 'data')
    {
      await using founded = await TestServer.start(data)
      const { module } = (await founded.ok('GET', '/v1/status')).body as unknown as Status
      outside.store.addLog(logKeyOf(module))
    }
    const more = ['--witness', `${encodeVerifierKey(key)}=${url}`]
    await using server = await TestServer.start(data, more)
    const status = async () => (await server.ok('GET', '/v1/status')).body as unknown as Status
    const until = async (condition: (witness: Status['witnesses'][number]) => boolean) => {
      for (const end = performance.now() + 30_000; performance.now() < end; await delay(200)) {
        const [witness] = (await status()).witnesses
        if (witness && condition(witness)) return witness
      }
      return assert.fail('not in time')
    }
    const { name } = logKeyOf((await status()).module)
    const { size } = await until((witness) => witness.size > 0 && !witness.error)
    assert.equal(outside.store.cosigned(name)?.size, size)
    const { text } = await server.ok('GET', '/v1/logs/module/checkpoint')
    assert(cosignedAt(key, parseNote(text)))
    const receipt = (await server.ok('GET', '/v1/logs/module/receipts/0')).text
    assert(cosignedAt(key, parseNote(receipt.slice(receipt.indexOf('\n\n') + 2))))
    await server.stop('SIGKILL')
    await server.restart()
    const later = await until((witness) => witness.size > size)
    assert.equal(outside.store.cosigned(name)?.size, later.size)
    rmSync(folder, { recursive: true, force: true })
  })
})

function logKeyOf({ domainId, moduleId, identityKey }: Status['module']): NoteKey {
  const [domain, module, publicKey] = [domainId, moduleId, identityKey].map((text) =>
    Buffer.from(text, 'hex'),
  ) as [Buffer, Buffer, Buffer]
  return { name: checkpointOrigin(domain, module), type: 'ed25519', publicKey }
}
