/**
 * The launcher as root starts it, with a tree, a Node and two users of its own: who runs as whom and sees
 * what of the module, that the host never has the seal's secret, and that nothing at all is started
 * when one bit of what would be started is not as signed.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { hash } from 'node:crypto'
import {
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
import { after, before, suite, test } from 'node:test'
import { sourceSensor } from '../../src/host/sensors/source.ts'
import { checkRelease } from '../../src/launcher/release.ts'
import { releaseName } from '../../src/launcher/release-keys.ts'
import { signNote } from '../../src/launcher/signed-note.ts'
import { openAt } from '../host/open.ts'
import { assertRoot, scanMemory } from '../invariants/scan.ts'
import { SoftwareTpm } from '../tpm/swtpm.ts'
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
    // What was checked is what the module attests.
    const note = readFileSync(tree.file('release/manifest'), 'utf8')
    const checked = hash('sha256', note.slice(0, note.lastIndexOf('\n\n') + 1))
    assert.partialDeepStrictEqual(first.attested, { sourceManifest: checked })
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
    const manifest = tree.file('release/manifest')
    const domain = tree.file('release/hsm/domain.js')
    const further = tree.file('release/hsm/contract/package.json')
    const lastByte = statSync(tree.node).size - 1
    const note = readFileSync(manifest, 'utf8')
    const text = note.slice(0, note.lastIndexOf('\n\n') + 1)
    const forged = signNote(text, releaseName, newKeys())
    /** What, the code, how it is changed, and how it is put right. */
    const changes: readonly (readonly [string, string, () => void, () => void])[] = [
      ...['release/hsm/domain.js', 'src/hsm/domain.ts', 'package.json'].map((name) => {
        const flip = () => flipBit(tree.file(name), 80)
        return [`one bit of ${name}`, 'SOURCE_CHANGED', flip, flip] as const
      }),
      ['a longer file', 'SOURCE_CHANGED', ...edited(domain, (bytes) => `${bytes}\n`)],
      ['a missing file', 'SOURCE_CHANGED', ...edited(domain, () => undefined)],
      [
        'a file that nobody signed',
        'SOURCE_CHANGED',
        () => writeFileSync(further, '{}'),
        () => rmSync(further),
      ],
      [
        'one bit of Node',
        'NODE_CHANGED',
        () => flipBit(tree.node, lastByte),
        () => flipBit(tree.node, lastByte),
      ],
      [
        'one bit of the manifest',
        'MANIFEST_SIGNATURE_INVALID',
        () => flipBit(manifest, 100),
        () => flipBit(manifest, 100),
      ],
      ['another signature', 'MANIFEST_SIGNATURE_INVALID', ...edited(manifest, () => forged)],
      ['no manifest', 'MANIFEST_MISSING', ...edited(manifest, () => undefined)],
      [
        'a file that another user can change',
        'FILE_UNSAFE',
        () => chmodSync(domain, 0o666),
        () => chmodSync(domain, 0o644),
      ],
      [
        'a folder that another user can change',
        'FILE_UNSAFE',
        () => chmodSync(tree.file('src'), 0o777),
        () => chmodSync(tree.file('src'), 0o755),
      ],
    ]
    const seen = new Set<string>()
    for (const [name, code, change, undo] of changes) {
      change()
      const check = { root: tree.root, keys: tree.verifierKeys, node: tree.node, oursAlone: true }
      await assert.rejects(checkRelease(check), { code }, name)
      // The launcher itself, once for each code.
      if (!seen.has(code)) {
        const launched = tree.launch()
        assert.equal(await launched.ended, 77, `${name}: ${launched.errors}`)
        assert.deepEqual(codes(launched), [code], `${name}: ${launched.errors}`)
        assert.equal(await launched.said('launched'), undefined, name)
      }
      seen.add(code)
      undo()
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

  test('a host that asks for anything else, or for too much, is ended', async () => {
    const seal = ['--seal=passphrase', `--secret=${tree.secretFile}`]
    for (const attack of ['garbage', 'text', 'number', 'flood']) {
      const launched = tree.launchWith(seal, [attack])
      assert.equal(await launched.ended, 70, attack)
      assert.match(launched.errors, /no question, or too much/, attack)
    }
  })

  test('by the TPM: the launcher alone asks it; when it refuses, the module waits for people', async () => {
    await using tpm = await SoftwareTpm.start()
    const place = tree.file('tpm')
    const program = tree.file('src/launcher/seal-to-tpm.ts')
    const sealed = spawnSync(tree.node, [program, place, `--tpm=${tpm.tcti}`], { encoding: 'utf8' })
    assert.equal(sealed.status, 0, sealed.stderr)
    const data = tree.file('tpm-data')
    tree.makeData(data)
    const seal = ['--seal=tpm', `--secret=${place}`, `--tpm=${tpm.tcti}`]
    for (const more of [['--found'], []]) {
      await using launched = tree.launchWith(seal, [data, ...more])
      assert.equal((await launched.said('memory'))?.state, 'operational', launched.errors)
    }
    tpm.tool('pcrextend', `7:sha256=${'11'.repeat(32)}`)
    await using launched = tree.launchWith(seal, [data])
    assert.equal((await launched.said('state'))?.state, 'locked', launched.errors)
    assert.deepEqual(codes(launched), ['TPM_POLICY_REFUSED'])
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

/** A change of a file's bytes, undefined to remove it, and its undoing. */
function edited(file: string, change: (bytes: Buffer) => string | undefined) {
  const bytes = readFileSync(file)
  const changed = change(bytes)
  const edit = () => (changed === undefined ? rmSync(file) : writeFileSync(file, changed))
  return [edit, () => writeFileSync(file, bytes)] as const
}
