/** `keyhold entropy`: the files it writes, what it prints, and that it needs no server. */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, suite, test } from 'node:test'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { keyhold } from './keyhold.ts'

suite('entropy', () => {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-entropy-'))
  const args = ['entropy', '--source', 'jitter', '--samples', '5000', '--conditioned', '1000']
  after(() => rmSync(folder, { recursive: true }))

  test('raw and conditioned samples and restarts go into files', async () => {
    const more = ['--restarts', '2', '--output', folder, '--json']
    const { code, stdout, stderr } = await keyhold([...args, ...more])
    assert.equal(code, exitCodes.done, stderr)
    const lengths = ['raw', 'conditioned', 'restarts'].map((kind) => {
      const { size, mode } = statSync(path.join(folder, `jitter.${kind}`))
      assert.equal(mode & 0o777, 0o600)
      return size
    })
    assert.deepEqual(lengths, [5_000, 20 * 48, 2_000])
    const { sources, module, restarts } = JSON.parse(stdout)
    assert.equal(restarts, 2)
    assert.equal(sources.length, 1)
    assert.partialDeepStrictEqual(sources[0], { samples: 5_000, failure: '', entropyBits: 1 })
    assert(module.sources.every(({ state }: { state: string }) => state === 'healthy'))
    const raw = readFileSync(path.join(folder, 'jitter.raw'))
    const counts = new Array<number>(256).fill(0)
    for (const sample of raw) counts[sample] = (counts[sample] ?? 0) + 1
    assert.deepEqual(sources[0].distribution.counts, counts)
  })

  test('files that are there are kept, unless --force', async () => {
    const before = readFileSync(path.join(folder, 'jitter.raw'))
    const again = await keyhold([...args, '--output', folder])
    assert.equal(again.code, exitCodes.cannotCreate)
    assert.match(again.stderr, /FILE_EXISTS/)
    assert(readFileSync(path.join(folder, 'jitter.raw')).equals(before))
    const forced = await keyhold([...args, '--output', folder, '--force'])
    assert.equal(forced.code, exitCodes.done)
    assert(!readFileSync(path.join(folder, 'jitter.raw')).equals(before))
  })

  test('for people: the distribution, the counters and their cut-offs', async () => {
    const { code, stdout } = await keyhold(['entropy', '--samples', '2000', '--conditioned', '48'])
    assert.equal(code, exitCodes.done)
    assert.match(stdout, /^jitter: 2000 samples from \d+ to \d+, in ticks of [\d.]+ ns$/m)
    assert.match(Buffer.from(stdout, 'latin1').toString(), /^ {2}█{64}$/m)
    assert.match(stdout, /^jitter +\d+ of 31 +\d+ of 325 +\d+ of 325 +none$/m)
    assert.match(stdout, /^operating-system +\d+ of 9 +\d+ of 71 +\d+ of 71 +none$/m)
  })

  test('a source that does not exist is a usage error', async () => {
    const { code } = await keyhold(['entropy', '--source', 'dice'])
    assert.equal(code, exitCodes.usage)
  })
})
