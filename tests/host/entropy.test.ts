/** What the host adds to the module's entropy: from /dev/hwrng or its like, and from a TPM 2.0. */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as sleep } from 'node:timers/promises'
import { collectHostEntropy } from '../../src/host/host-entropy.ts'
import { ScratchModule } from '../../src/host/scratch-module.ts'
import { call, claimOf, openAt, withFolder } from './open.ts'

const nowhere = { hwrng: '/nonexistent/hwrng', tpmDevice: '/nonexistent/tpm' }

suite('entropy of the host', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-host-entropy-'))
  const socket = path.join(folder, 'tpm')
  let swtpm: ChildProcess | undefined

  before(async () => {
    const sockets = [
      '--server',
      `type=unixio,path=${socket}`,
      '--ctrl',
      `type=unixio,path=${socket}.ctrl`,
    ]
    const args = ['--tpm2', '--tpmstate', `dir=${folder}`, ...sockets]
    const flags = ['--flags', 'not-need-init,startup-clear']
    swtpm = spawn('swtpm', ['socket', ...args, ...flags], { stdio: 'ignore' })
    for (let tries = 0; tries < 100 && !existsSync(socket); tries += 1) await sleep(20)
  })
  after(async () => {
    if (swtpm && swtpm.exitCode === null) {
      swtpm.kill()
      await once(swtpm, 'exit')
    }
    rmSync(folder, { recursive: true })
  })

  test('32 bytes of a device like /dev/hwrng', async () => {
    const hwrng = path.join(folder, 'hwrng')
    writeFileSync(hwrng, Buffer.alloc(100, 7))
    const collected = await collectHostEntropy({ ...nowhere, hwrng })
    assert.deepEqual(collected, [{ source: 'hwrng', bytes: Buffer.alloc(32, 7) }])
  })

  test('32 bytes of a TPM 2.0, others each time', async () => {
    const tpm = { ...nowhere, tcti: `swtpm:path=${socket}` }
    const [first, second] = [await collectHostEntropy(tpm), await collectHostEntropy(tpm)]
    assert.equal(first[0]?.source, 'tpm')
    assert.equal(first[0]?.bytes.length, 32)
    assert.notDeepEqual(first, second)
  })

  test('what is missing, empty or broken is left out', async () => {
    assert.deepEqual(await collectHostEntropy(nowhere), [])
    const hwrng = path.join(folder, 'empty')
    writeFileSync(hwrng, '')
    assert.deepEqual(await collectHostEntropy({ ...nowhere, hwrng }), [])
    const tcti = `swtpm:path=${folder}/nothing`
    assert.deepEqual(await collectHostEntropy({ ...nowhere, tcti }), [])
  })

  test(
    'at each start the module has what the host could collect',
    withFolder(async (folder) => {
      const collected = await collectHostEntropy()
      await using host = await openAt(folder)
      const { result } = await host.run(claimOf('1'), call('getEntropyStatus', {}, {}))
      assert.equal(result.generator.hostBytes, 32 * collected.length)
    }),
  )

  test('the module counts the bytes, and no entropy', async () => {
    await using scratch = new ScratchModule()
    const bytes = Buffer.alloc(32)
    const { result } = await scratch.run('addEntropy', { source: 'tpm' }, { bytes })
    assert.equal(result.hostBytes, 32)
    const { result: status } = await scratch.run('getEntropyStatus', {}, {})
    assert.equal(status.generator.hostBytes, 32)
    assert(status.sources.every(({ samples }) => samples >= 2_048))
  })
})
