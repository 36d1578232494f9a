/**
 * The launcher as root starts it, with a tree, a Node and two users of its own: who runs as whom and sees
 * what of the module, that the host never has the seal's secret, and that nothing at all is started
 * when one bit of what would be started is not as signed.
 */

import assert from 'node:assert/strict'
import {
  appendFileSync,
  chmodSync,
  closeSync,
  existsSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  statSync,
  writeFileSync,
  writeSync,
} from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { makeRelease } from '../../scripts/release.ts'
import { sourceSensor } from '../../src/host/sensors/source.ts'
import { openAt } from '../host/open.ts'
import { assertRoot, scanMemory } from '../invariants/scan.ts'
import { hostUid, Launched, moduleUid, newKeys, passphrase, Tree } from './tree.ts'

let tree: Tree

before(async () => {
  assertRoot()
  tree = await Tree.make()
})
after(() => tree?.[Symbol.dispose]())

/** Real, effective, saved and file system user of a process. */
function usersOf(pid: unknown): string[] {
  const status = readFileSync(`/proc/${pid}/status`, 'utf8')
  return [...status.matchAll(/^(?:Uid|Gid|Groups):[ \t]*(.*)$/gm)].map((match) =>
    (match[1] ?? '').trim().replaceAll('\t', ' '),
  )
}

function flipBit(file: string, position: number): void {
  const byte = Buffer.alloc(1)
  const descriptor = openSync(file, 'r+')
  readSync(descriptor, byte, 0, 1, position)
  writeSync(descriptor, Buffer.from([(byte[0] ?? 0) ^ 1]), 0, 1, position)
  closeSync(descriptor)
}

const codes = (launched: Launched) =>
  [...launched.errors.matchAll(/"code":"([A-Z_]+)"/g)].map((match) => match[1])

suite('launcher', () => {
  test('host and module are two users; the host sees nothing of the module and has no secret', async () => {
    await using launched = tree.launch('--found')
    const first = await launched.said('memory')
    assert(first, launched.errors)
    assert.equal(first.state, 'operational')
    assert.equal(first.hostUid, hostUid)
    assert.deepEqual(first.groups, [hostUid])
    assert.deepEqual(first.environment, [])
    assert.equal(first.memory, 'EACCES')
    assert.equal(first.signal, 'EPERM')
    const [uid, gid, groups] = usersOf(first.pid)
    assert.equal(uid, Array(4).fill(moduleUid).join(' '))
    assert.equal(gid, Array(4).fill(moduleUid).join(' '))
    assert.equal(groups, '')
    // The launcher may have had it; the host must not.
    const needles = { passphrase: Buffer.from(passphrase) }
    const { pid = 0 } = launched.process
    const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ')
    const host = children.map(Number).filter((child) => child !== first.pid)
    assert.equal(host.length, 1)
    assert.deepEqual(await scanMemory(host, needles), [])
    // A module that is killed is started, checked and fed again, in the same life of the host.
    process.kill(Number(first.pid), 'SIGKILL')
    const second = await launched.said('memory')
    assert(second, launched.errors)
    assert.equal(second.state, 'operational')
    assert.equal(second.generation, 2)
    assert.notEqual(second.pid, first.pid)
    assert.equal(usersOf(second.pid)[0], Array(4).fill(moduleUid).join(' '))
    launched.process.kill('SIGTERM')
    assert.equal(await launched.ended, 0)
    assert(!existsSync(`/proc/${second.pid}`))
  })

  test('the domain opens again; without its launcher the host ends the module and serves nothing', async () => {
    await using launched = tree.launch()
    const first = await launched.said('memory')
    assert(first, launched.errors)
    launched.process.kill('SIGKILL')
    await launched.ended
    while (existsSync(`/proc/${first.pid}`)) await new Promise((resolve) => setImmediate(resolve))
  })

  test('one changed bit, file or signature: nothing is started, and the log says what', async () => {
    const changes: readonly (readonly [string, string, () => void, () => void | Promise<void>])[] =
      [
        ...(['release/hsm/domain.js', 'src/hsm/domain.ts', 'package.json'] as const).map(
          (name) =>
            [
              `one bit of ${name}`,
              'SOURCE_CHANGED',
              () => flipBit(tree.file(name), 80),
              () => flipBit(tree.file(name), 80),
            ] as const,
        ),
        [
          'a file that is longer',
          'SOURCE_CHANGED',
          () => appendFileSync(tree.file('release/hsm/main.js'), '\n'),
          makeAgain,
        ],
        [
          'a file that is missing',
          'SOURCE_CHANGED',
          () => rmSync(tree.file('release/hsm/worker.js')),
          makeAgain,
        ],
        [
          'a file that nobody signed',
          'SOURCE_CHANGED',
          () => writeFileSync(tree.file('release/hsm/contract/package.json'), '{}'),
          () => rmSync(tree.file('release/hsm/contract/package.json')),
        ],
        [
          'one bit of Node',
          'NODE_CHANGED',
          () => flipBit(tree.node, statSync(tree.node).size - 1),
          () => flipBit(tree.node, statSync(tree.node).size - 1),
        ],
        [
          'one bit of the manifest',
          'MANIFEST_SIGNATURE_INVALID',
          () => flipBit(tree.file('release/manifest'), 100),
          () => flipBit(tree.file('release/manifest'), 100),
        ],
        [
          'a manifest that somebody else signed',
          'MANIFEST_SIGNATURE_INVALID',
          () => undefined,
          makeAgain,
        ],
        ['no manifest', 'MANIFEST_MISSING', () => rmSync(tree.file('release/manifest')), makeAgain],
        [
          'a file that another user can change',
          'FILE_UNSAFE',
          () => chmodSync(tree.file('release/hsm/domain.js'), 0o666),
          () => chmodSync(tree.file('release/hsm/domain.js'), 0o644),
        ],
        [
          'a folder that another user can change',
          'FILE_UNSAFE',
          () => chmodSync(tree.file('src'), 0o777),
          () => chmodSync(tree.file('src'), 0o755),
        ],
      ]
    for (const [name, code, change, undo] of changes) {
      if (name.includes('somebody else')) await makeRelease(tree.root, newKeys(), [], tree.node)
      change()
      const launched = tree.launch()
      assert.equal(await launched.ended, 77, `${name}: ${launched.errors}`)
      assert.deepEqual(codes(launched), [code], `${name}: ${launched.errors}`)
      assert.equal(await launched.said('launched'), undefined, name)
      await undo()
    }
    await using launched = tree.launch()
    assert.equal((await launched.said('memory'))?.state, 'operational', launched.errors)
  })

  test('what changes while it runs: the next module is not started', async () => {
    await using launched = tree.launch()
    const first = await launched.said('memory')
    assert(first, launched.errors)
    flipBit(tree.file('release/hsm/domain.js'), 10)
    process.kill(Number(first.pid), 'SIGKILL')
    const given = await launched.said('level')
    assert.match(JSON.stringify(given), /ended/)
    const refused = await launched.said('level')
    assert.match(JSON.stringify(refused), /not started again.*SOURCE_CHANGED/)
    flipBit(tree.file('release/hsm/domain.js'), 10)
  })

  test('below level 3 the host checks the same before it starts a module, and warns without a manifest', async () => {
    const folder = tree.file('own-data')
    const logged: string[] = []
    const release = { root: tree.root, keys: tree.verifierKeys, node: tree.node }
    const log = ({ message }: { message: string }) => void logged.push(message)
    const first = await openAt(folder, { release, log })
    assert.equal(first.status().state, 'operational')
    const commandLine = readFileSync(`/proc/${first.pid}/cmdline`, 'utf8')
    assert(commandLine.includes(tree.file('release/hsm/main.js')), commandLine)
    await first[Symbol.asyncDispose]()
    flipBit(tree.file('release/hsm/domain.js'), 80)
    await assert.rejects(openAt(folder, { release, log }), { code: 'SOURCE_CHANGED' })
    flipBit(tree.file('release/hsm/domain.js'), 80)
    assert.deepEqual(logged, [])
    const sensor = sourceSensor(release)
    assert.deepEqual(await sensor.look(), [])
    for (const file of [tree.file('src/hsm/domain.ts'), tree.node]) {
      flipBit(file, statSync(file).size - 1)
      const [found] = await sensor.look()
      assert.equal(found?.signal, 'source-changed')
      assert.match(found?.detail ?? '', /^(SOURCE|NODE)_CHANGED: /)
      flipBit(file, statSync(file).size - 1)
    }
    const checkout = { ...release, root: tree.data }
    await (await openAt(folder, { release: checkout, log }))[Symbol.asyncDispose]()
    assert.match(logged.join(), /no signed manifest/)
    const isTooHigh = openAt(folder, { unlaunchedLevelMax: 0 as never })
    await assert.rejects(isTooHigh, { code: 'LAUNCHER_MISSING' })
  })

  test('one user for both, root, a secret that others can read: refused', async () => {
    const node = tree.node
    const main = tree.file('src/launcher/main.ts')
    const others = ['--seal=passphrase', `--secret=${tree.secretFile}`]
    for (const users of [
      ['--module-user=61001:61001', '--host-user=61001:61001'],
      ['--module-user=0:0', '--host-user=61001:61001'],
      ['--module-user=61001:61001', '--host-user=root'],
      ['--module-user=nobody-of-that-name', '--host-user=61001:61001'],
      ['--module-user=61001:61001'],
    ]) {
      const launched = new Launched(node, [main, ...users, ...others])
      assert.equal(await launched.ended, 78, users.join(' '))
      assert.deepEqual(codes(launched), ['CONFIGURATION_INVALID'])
    }
    chmodSync(tree.secretFile, 0o644)
    const launched = tree.launch()
    assert.equal(await launched.ended, 1, launched.errors)
    assert(codes(launched).includes('FILE_UNSAFE'), launched.errors)
    chmodSync(tree.secretFile, 0o600)
  })
})

async function makeAgain(): Promise<void> {
  await makeRelease(tree.root, tree.keys, [], tree.node)
  assert(existsSync(path.join(tree.root, 'release/manifest')))
}
