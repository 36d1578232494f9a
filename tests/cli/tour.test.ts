/** `keyhold tour` does every step, in a log, and leaves nothing behind. */

import assert from 'node:assert/strict'
import { mkdtempSync, readdirSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { steps } from '../../src/cli/tour/steps.ts'
import { finish, keyhold, start } from './keyhold.ts'

suite('the tour', { timeout: 240_000 }, () => {
  test('shows and does the whole life of a key', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tour-test-'))
    try {
      const environment = { TMPDIR: folder }
      const { code, stdout, stderr } = await keyhold(['tour'], { cwd: folder, environment })
      assert.equal(code, 0, `${stdout}${stderr}`)
      for (const [index, { title }] of steps.entries()) {
        assert(stdout.includes(`${index + 1}/${steps.length} ${title}`), title)
      }
      assert.match(stdout, /Verified OK/)
      assert.match(stdout, /\$ kill -9 \d+/)
      assert.match(stdout, /code: +(WRAPPED_KEY_OUTDATED|KEY_DESTROYED)/)
      assert.equal(stdout.match(/the record holds/g)?.length, 2)
      assert.match(stdout, /in \d+ seconds/)
      assert.match(stdout, /code: +APPROVALS_MISSING/)
      assert.match(stdout, /code: +MODULE_TAMPERED/)
      assert.match(stdout, /signed by +the module, olga, omar, otto\n/)
      assert.equal(stdout.match(/the module was zeroised on/g)?.length, 2)
      assert.equal(stdout.match(/The module is open/g)?.length, 2)
      assert.equal(stdout.match(/1 more needed/g)?.length, 2)
      assert.match(stdout, /Signed by: nobody yet/)
      assert.deepEqual(readdirSync(folder), [])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })

  test('stopped in the middle, it cleans up', async () => {
    const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tour-test-'))
    try {
      const child = start(['tour'], { cwd: folder, environment: { TMPDIR: folder } })
      const ended = finish(child, '')
      await delay(3_000)
      child.kill('SIGINT')
      assert.equal((await ended).code, 130)
      assert.deepEqual(readdirSync(folder), [])
    } finally {
      rmSync(folder, { recursive: true, force: true })
    }
  })
})
