/**
 * A domain of security level 3 is founded by a ceremony under the launcher: source and Node are checked, the
 * module is a user of its own, and custodians, people and rules are there from the first moment. Without the
 * launcher the module refuses the level.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { generateKeyPairSync } from 'node:crypto'
import { once } from 'node:events'
import { readFileSync, statSync } from 'node:fs'
import path from 'node:path'
import { createInterface } from 'node:readline'
import { after, before, suite, test } from 'node:test'
import { ruleNames } from '../../src/hsm/contract/domain-state.ts'
import { passphrasesFor, sealForCommand } from '../../src/hsm/contract/sealed-part.ts'
import { checkShare, encodeList } from '../../src/hsm/contract/share.ts'
import {
  type Transcript,
  transcriptFormat,
  verifyTranscript,
} from '../../src/hsm/contract/transcript.ts'
import { assertRoot } from '../invariants/scan.ts'
import { hostUid, moduleUid, Tree } from './tree.ts'

let tree: Tree

before(async () => {
  assertRoot()
  tree = await Tree.make()
})
after(() => tree?.[Symbol.dispose]())

const passphrase = Buffer.from('a passphrase of many words')
const people = ['olga', 'otto'].map((name) => ({
  name,
  roles: ['officer'],
  credential: {
    kind: 'ed25519',
    publicKey: generateKeyPairSync('ed25519')
      .publicKey.export({ type: 'spki', format: 'der' })
      .toString('base64'),
  },
}))
const rule = { approvals: 2, roles: ['officer'], excludeRequester: false }
const asked = {
  development: false,
  founding: {
    level: 3,
    people,
    rules: Object.fromEntries(ruleNames.map((name) => [name, rule])),
    tamper: {},
  },
  custodians: {
    threshold: 2,
    people: ['alice', 'bob'].map((name) => ({ name, kind: 'passphrase' })),
  },
}

class Ceremony {
  readonly #child: ChildProcess
  readonly #lines: AsyncIterator<string>
  readonly ended: Promise<unknown>

  constructor(node: string, args: readonly string[]) {
    const flags = ['--no-experimental-ffi', ...args]
    this.#child = spawn(node, flags, { stdio: ['pipe', 'pipe', 'ignore'], cwd: '/' })
    const { stdout } = this.#child
    assert(stdout)
    this.#lines = createInterface({ input: stdout })[Symbol.asyncIterator]()
    this.ended = once(this.#child, 'exit').then(([code]) => code)
  }

  async next(order?: object): Promise<Readonly<Record<string, unknown>>> {
    if (order) this.#child.stdin?.write(`${JSON.stringify(order)}\n`)
    const { value } = await this.#lines.next()
    return JSON.parse(value)
  }

  end(): Promise<unknown> {
    this.#child.stdin?.end()
    return this.ended
  }
}

function orderFor({
  transportKey,
  challenge,
}: {
  transportKey?: unknown
  challenge?: unknown
}): object {
  const list = encodeList([passphrase, passphrase])
  const key = Buffer.from(String(transportKey), 'base64')
  const sealed = sealForCommand(key, String(challenge), passphrasesFor('found'), list)
  return { arguments: asked, secret: null, passphrases: sealed.toString('base64') }
}

suite('the ceremony under the launcher', () => {
  test('founds a domain of level 3, which is there from commit on', async () => {
    const ceremony = new Ceremony(tree.node, [
      tree.file('src/launcher/main.ts'),
      `--module-user=${moduleUid}:${moduleUid}`,
      `--host-user=${hostUid}:${hostUid}`,
      '--seal=shares',
      '--ceremony',
      '--',
      `--data=${tree.data}`,
    ])
    const started = await ceremony.next()
    assert(started.transportKey && started.challenge)
    const found = await ceremony.next(orderFor(started))
    assert(found.founding, JSON.stringify(found))
    const file = path.join(tree.data, 'keyhold.json')
    assert(!readFileSync(file, 'utf8').includes('domainId'))
    assert.deepEqual(await ceremony.next({ commit: true }), { committed: true })
    assert.equal(await ceremony.end(), 0)
    const { shares, domainState, founding } = found as unknown as Transcript & { shares: string[] }
    const parts = { founding, domainState, events: [], signatures: [] }
    const verified = verifyTranscript({ format: transcriptFormat, ...parts })
    assert(typeof verified !== 'string', String(verified))
    assert.equal(verified.domainState.level, 3)
    assert.deepEqual(verified.statement.seals, [])
    for (const share of shares) checkShare(Buffer.from(share, 'base64'), { passphrase })
    assert.equal(JSON.parse(readFileSync(file, 'utf8')).domainId, verified.statement.domain)
    assert.equal(statSync(file).uid, hostUid)
  })

  test('without the launcher the module refuses the level', async () => {
    const program = path.join(import.meta.dirname, '../../src/server/ceremony.ts')
    const ceremony = new Ceremony(process.execPath, [program, `--data=${tree.file('other')}`])
    const started = await ceremony.next()
    const { error } = await ceremony.next(orderFor(started))
    assert.equal((error as { code: string }).code, 'LEVEL_NOT_PERMITTED')
    assert.equal(await ceremony.end(), 0)
  })
})
