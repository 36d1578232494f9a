/**
 * Invariant 3: a module has no file, no socket and no child process. Seen from outside, on the module of
 * a real server under load: what its descriptors are, what the kernel still lets it do, and whether it
 * gives itself away to a debugger. What happens when it tries is in tests/wall.
 */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { closeSync, openSync, readdirSync, readFileSync, readlinkSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { allocatorSetting } from '../../src/hsm/allocator.ts'
import { base64, Installation } from '../rest/people.ts'
import { assertRoot } from './scan.ts'

const isTried = process.platform === 'linux' && process.arch === 'x64'
const skip = isTried ? false : 'the wall is tried on Linux on x86-64'

let there: Installation
let pid: number

before(async () => {
  there = await Installation.start()
  const [module] = there.server.modulePids()
  assert(module !== undefined)
  pid = module
  // What is slow goes to the worker and to the thread pool: whatever they open is open now.
  const rsa = await there.makeKey({ type: 'RSA-2048' }, ['sign'])
  for (let round = 0; round < 20; round += 1) {
    assert.equal((await there.use(rsa, 'sign', { data: base64('data') })).status, 200)
    const digest = base64(Buffer.alloc(32, round))
    assert.equal((await there.use(rsa, 'sign', { digest })).status, 200)
  }
})
after(() => there?.[Symbol.asyncDispose]())

const proc = (name: string) => readFileSync(`/proc/${pid}/${name}`, 'utf8')
const threads = () => readdirSync(`/proc/${pid}/task`)

suite('a module from outside', { skip }, () => {
  test('invariant 3: it has pipes to its host and nothing else open', () => {
    assertRoot()
    const links = readdirSync(`/proc/${pid}/fd`).map((name) =>
      readlinkSync(`/proc/${pid}/fd/${name}`),
    )
    for (const link of links) {
      assert.match(link, /^(\/dev\/null|(pipe|socket):\[\d+\]|anon_inode:\[event(poll|fd)\])$/)
    }
    // Door, standard output and standard error: Node makes pipes to a child as pairs of Unix sockets.
    const sockets = links.filter((link) => link.startsWith('socket:'))
    assert.equal(sockets.length, 3)
    const inode = (link: string) => /\d+/.exec(link)?.[0] ?? ''
    const net = ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6', 'packet', 'netlink']
    for (const link of sockets) {
      for (const table of net) {
        assert.doesNotMatch(proc(`net/${table}`), new RegExp(`\\b${inode(link)}\\b`), table)
      }
      const row = proc('net/unix')
        .split('\n')
        .filter((line) => line.includes(` ${inode(link)}`))
      assert.equal(row.length, 1)
      // A Unix socket with an address would end with it.
      assert.match(row[0] ?? '', new RegExp(` ${inode(link)}$`))
    }
  })

  test('invariant 3: what the host was handed down does not reach the module', () => {
    assertRoot()
    const { files } = lookFromHost(true)
    assert.deepEqual(files, { host: 1, module: 0 })
  })

  test('invariant 3: it has no child process, and no thread can have one', () => {
    assert(threads().length > 8)
    for (const thread of threads()) {
      assert.equal(proc(`task/${thread}/children`).trim(), '')
      const status = proc(`task/${thread}/status`)
      assert.match(status, /^NoNewPrivs:\t1$/m)
      assert.match(status, /^Seccomp:\t2$/m)
    }
  })

  test('invariant 3: nothing that it has mapped can be written to a file', () => {
    assertRoot()
    for (const line of proc('maps').trim().split('\n')) {
      const [, mode = '', , , , ...name] = line.split(/\s+/)
      const isShared = mode.endsWith('s') && mode.includes('w')
      assert(!isShared || name.length === 0, line)
    }
  })

  test('invariant 3: nothing but one constant is in its environment, and its command line tells nothing', () => {
    assertRoot()
    // glibc ends each of its settings with a zero byte.
    assert.equal(proc('environ'), `${allocatorSetting.replaceAll(':', '\0')}\0`)
    assert.doesNotMatch(proc('cmdline'), /keyhold-test/)
  })

  test('invariant 3: not even its own user may look into it', () => {
    const { memory } = lookFromHost(false)
    // The same look at a process that is no module: what refuses is the module's being not dumpable.
    assert.deepEqual(memory, { other: 'opened', module: 'EACCES' })
  })
})

const handedDown = '/etc/hostname'

/** What look-from-host.ts reports, with root's right to trace, from which nothing can be protected, or not. */
function lookFromHost(mayTrace: boolean): Readonly<Record<string, unknown>> {
  const script = path.join(import.meta.dirname, 'look-from-host.ts')
  const isRoot = process.getuid?.() === 0
  const privileges = isRoot && !mayTrace ? ['setpriv', '--bounding-set', '-sys_ptrace'] : []
  const [command = '', ...args] = [...privileges, process.execPath, script, handedDown]
  const file = openSync(handedDown, 'r')
  // Node marks the lower descriptors that it finds at its start as not to be handed on; not this one.
  const further = new Array<'ignore'>(60).fill('ignore')
  try {
    const { stdout, stderr } = spawnSync(command, args, {
      stdio: ['ignore', 'pipe', 'pipe', ...further, file],
      encoding: 'utf8',
    })
    assert(stdout !== '', stderr)
    return JSON.parse(stdout)
  } finally {
    closeSync(file)
  }
}
