/**
 * Passkeys from the browser to the module: enrolled on the page of one command, named by a founding plan,
 * and asked on the page of another for what a rule wants. The browser and its WebAuthn are Chromium's; the
 * authenticators are virtual; server and module are ours, and so is one of level 4 in this process.
 */

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import type { Browser, Page } from 'playwright-core'
import { readApprovals, writeRequest } from '../../src/cli/approvals/request-file.ts'
import { readPlan } from '../../src/cli/ceremony/plan.ts'
import { exitCodes } from '../../src/cli/exit-codes.ts'
import { statementBytes, termsFor, withPart } from '../../src/hsm/approvals.testing.ts'
import { encodeCustodianPublicKey } from '../../src/hsm/contract/custodian-key.ts'
import { ruleNames } from '../../src/hsm/contract/domain-state.ts'
import { XWingPrivateKey } from '../../src/hsm/contract/x-wing.ts'
import { type Ask, Caller, newKeyId } from '../../src/hsm/door.testing.ts'
import { type Driven, openBrowser, Person } from './browser.ts'
import { freePort } from './free-port.ts'
import { keyhold, program, type Ran } from './keyhold.ts'

const cwd = mkdtempSync(path.join(tmpdir(), 'keyhold-passkey-'))
const at = (name: string) => path.join(cwd, name)
const text = (name: string) => readFileSync(at(name), 'utf8')
const rule = { approvals: 2, roles: ['officer'] }
const approve = 'Approve with your passkey'
const refuse = 'Refuse'

let browser: Browser
let port: number
let people: Readonly<Record<'anna' | 'ben', Person>>
type Name = keyof typeof people

/** Of a ceremony with both as officers. */
function plan(level: number, custodians: object | null): object {
  const officers = ['anna', 'ben'].map((name) => ({
    ...{ name, roles: ['officer'], publicKeyFile: `${name}.passkey` },
  }))
  const rules = Object.fromEntries(ruleNames.map((name) => [name, rule]))
  return { format: 'keyhold ceremony v1', level, custodians, people: officers, rules }
}

const done = ({ code, stderr }: Ran) => assert.equal(code, 0, stderr)
const enrol = (name: Name, act: (person: Person) => Promise<unknown>, file = `${name}.passkey`) => {
  const args = ['--json', 'officer', 'passkey', file, '--name', name, '--port', String(port)]
  return people[name].meets(args, () => act(people[name]), { cwd })
}
const sign = (name: Name, request: string, act: (page: Page) => Promise<unknown>) => {
  const args = ['approval', 'sign', request, '--as', name, '--passkey', `${name}.passkey`]
  return people[name].meets(['--json', ...args], act, { cwd })
}
const signs = async (name: Name, request: string) => {
  done(await sign(name, request, () => people[name].press(approve, /^Done/)))
}
const refused = ({ code, stderr }: Ran, exit: number, errorCode: string, why = /./) => {
  assert.equal(code, exit, stderr)
  const { error } = JSON.parse(stderr.trim().split('\n').at(-1) ?? '')
  assert.equal(error.code, errorCode)
  assert.match(error.message, why)
}

suite('passkeys', { timeout: 120_000 }, () => {
  before(async () => {
    ;[browser, port] = await Promise.all([openBrowser(), freePort()])
    const [anna, ben] = await Promise.all([Person.in(browser), Person.in(browser)])
    people = { anna, ben }
  })
  after(async () => {
    await browser?.close()
    rmSync(cwd, { recursive: true, force: true })
  })

  test('are made and used once in the browser, and kept as id and public key', async () => {
    for (const name of ['anna', 'ben'] as const) {
      const ran = await enrol(name, async (person) => {
        await person.press('Make the passkey', /^The passkey is made/)
        await person.press('Use it once', /^Done/)
      })
      done(ran)
      assert.deepEqual(ran.elsewhere, [])
      const { credential, isSynchronisable } = JSON.parse(ran.stdout)
      const origin = `http://localhost:${port}`
      assert.partialDeepStrictEqual(credential, {
        kind: 'passkey',
        relyingParty: 'localhost',
        origin,
      })
      assert.equal(isSynchronisable, false)
      assert.deepEqual(JSON.parse(text(`${name}.passkey`)).credential, credential)
    }
  })

  test('whose user is not verified are not enrolled', async () => {
    const ran = await enrol(
      'anna',
      async (person) => {
        await person.press('Make the passkey', /^The passkey is made/)
        await person.setVerified(false)
        await person.press('Use it once', /^Nothing was signed/)
        await person.setVerified(true)
        await person.press('Cancel', /^Refused\. Nothing/)
      },
      'other.passkey',
    )
    refused(ran, exitCodes.interrupted, 'INTERRUPTED', /refused in the browser: nothing was signed/)
    assert.throws(() => text('other.passkey'), { code: 'ENOENT' })
  })

  suite('in a domain that was founded with them', () => {
    let server: ChildProcess
    const manager = (...args: string[]) => keyhold(['--json', '--data', 'data', ...args], { cwd })
    const request = async (file: string) => {
      const ask = ['approval', 'request', 'destroy', 'old', '--requester', 'anna']
      done(await manager(...ask, '--output', file))
    }
    const destroy = (file: string) =>
      manager('keys', 'destroy', 'old', '--confirm', 'old', '--approvals', file)

    before(async () => {
      writeFileSync(at('passphrase'), 'a passphrase of many words\n', { mode: 0o600 })
      writeFileSync(at('plan.json'), JSON.stringify({ ...plan(2, null), seal: 'passphrase' }))
      const from = ['--data', 'data', '--from', 'plan.json', '--passphrase-file', 'passphrase']
      done(await keyhold(['domain', 'found', ...from], { cwd }))
      const serve = ['--json', 'serve', '--data', 'data', '--port', '0']
      server = spawn(program, [...serve, '--passphrase-file', 'passphrase'], { cwd })
      assert(server.stdout)
      for await (const chunk of server.stdout) if (String(chunk).includes('"ready":true')) break
      done(await manager('roles', 'set', 'administrator', 'security-officer', 'operator'))
      const about = ['--owner', 'test', '--purpose', 'passkeys']
      done(await manager('keys', 'create', 'old', ...about))
      done(await manager('keys', 'rotate', 'old'))
    })
    after(async () => {
      server?.kill('SIGTERM')
      if (server) await once(server, 'exit')
    })

    test('they sign the transcript of the founding, each what the page shows', async () => {
      const file = 'keyhold-ceremony/transcript.json'
      const signs = (name: Name, act: (page: Page) => Promise<unknown>) => {
        const args = ['domain', 'sign-transcript', file, '--as', name]
        return people[name].meets([...args, '--passkey', `${name}.passkey`], act, { cwd })
      }
      const checked = () => keyhold(['domain', 'verify-transcript', file, '--everybody'], { cwd })
      const { founding, events } = JSON.parse(text(file))
      done(
        await signs('anna', async (page) => {
          const { domain } = JSON.parse(founding.statement)
          const headline = `Sign what happened when the domain ${domain} was founded.`
          assert.equal(await page.getByRole('heading').innerText(), headline)
          const shown = await page.getByLabel('statement').innerText()
          assert.deepEqual(JSON.parse(shown).events, events)
          await people.anna.press(approve, /^Done/)
        }),
      )
      assert.equal((await checked()).code, exitCodes.notValid, 'ben has not signed')
      const alien = await keyhold(
        ['domain', 'sign-transcript', file, '--as', 'ben', '--passkey', 'anna.passkey'],
        { cwd },
      )
      assert.equal(alien.code, exitCodes.refused)
      assert.match(alien.stderr, /the key is not that of ben/)
      done(await signs('ben', () => people.ben.press(approve, /^Done/)))
      done(await checked())
    })

    test('the page says what the terminal says, and every character that is signed', async () => {
      await request('said.json')
      const [statement = ''] = JSON.parse(text('said.json')).statements
      const ran = await sign('anna', 'said.json', async (page) => {
        const { arguments: args } = JSON.parse(statement)
        const heading = `Destroy version ${args.version} of the key ${args.key} for good.`
        assert.equal(await page.getByRole('heading').innerText(), heading)
        assert.equal(await page.getByLabel('statement').innerText(), statement)
        await people.anna.press(refuse, /^Refused\. Nothing was signed/)
      })
      refused(
        ran,
        exitCodes.interrupted,
        'INTERRUPTED',
        /refused in the browser: nothing was signed/,
      )
      assert.deepEqual(JSON.parse(text('said.json')).approvals, [[], []])
    })

    test('two of them let a key be destroyed, one does not', async () => {
      await request('a.json')
      // Two versions, two statements: the page comes twice.
      const twice = async (person: Person) => {
        await person.page.getByText('Command 1 of 2').waitFor()
        await person.page.getByRole('button', { name: approve }).click()
        await person.page.getByText('Command 2 of 2').waitFor()
        await person.press(approve, /^Done/)
      }
      const ran: Driven = await sign('anna', 'a.json', () => twice(people.anna))
      done(ran)
      assert.deepEqual(ran.elsewhere, [])
      refused(await destroy('a.json'), exitCodes.refused, 'APPROVALS_MISSING')
      done(await sign('ben', 'a.json', () => twice(people.ben)))
      writeFileSync(at('lie.json'), text('a.json').replaceAll('anna', 'ben'))
      refused(await destroy('lie.json'), exitCodes.notValid, 'APPROVAL_INVALID')
      done(await destroy('a.json'))
    })
  })

  suite('at a module of level 4', () => {
    let caller: Caller
    let ask: Ask

    before(async () => {
      const keepers = [1, 2].map((value) => {
        const { publicKey } = new XWingPrivateKey(Buffer.alloc(32, value))
        return { name: `keeper ${value}`, publicKey: encodeCustodianPublicKey(publicKey).trim() }
      })
      const custodians = { threshold: 2, people: keepers }
      writeFileSync(at('plan4.json'), JSON.stringify(plan(4, custodians)))
      const { level, people, rules, tamper, ...read } = await readPlan(at('plan4.json'))
      const checked = { sourceManifest: 'ab'.repeat(32), hasHardwareEntropy: () => true }
      caller = new Caller(checked)
      const founding = { level, people, rules, tamper }
      const args = { development: false, founding, custodians: read.custodians }
      await caller.ok({ command: 'found', arguments: args })
      ask = { command: 'destroyKey', arguments: { key: newKeyId(), version: 1 } }
    })

    /** A request for it, to be signed in the browser. */
    const request = async (file: string) => {
      const terms = await termsFor(caller, ask.command)
      const { domainId } = (await caller.ok({ command: 'getStatus' })).result
      const statement = statementBytes(String(domainId), ask, terms).toString()
      await writeRequest(at(file), { statements: [statement], approvals: [[]] }, {})
    }
    const runs = async (file: string) => {
      const [approvals] = await readApprovals([at(file)])
      return (await caller.one(withPart(ask, approvals ?? {}))).error?.code
    }
    test('both let the command run; it is level 4, where one factor is not enough', async () => {
      await request('four.json')
      assert.equal(caller.module.level, 4)
      await signs('anna', 'four.json')
      assert.equal(await runs('four.json'), 'APPROVALS_MISSING')
      await signs('ben', 'four.json')
      const [approvals] = await readApprovals([at('four.json')])
      const other = { ...ask, arguments: { key: newKeyId(), version: 1 } }
      const changed = await caller.one(withPart(other, approvals ?? {}))
      assert.equal(changed.error?.code, 'APPROVAL_INVALID', 'another statement than was signed')
      assert.equal(await runs('four.json'), undefined)
    })

    for (const [what, options, isVerified] of [
      ['over something else', 'challenge: new Uint8Array(32)', true],
      ['without its user verified', "userVerification: 'discouraged'", false],
    ] as const) {
      test(`a signature ${what} is refused here already, and nothing is written`, async () => {
        await request('forged.json')
        const before = text('forged.json')
        const ran = await sign('anna', 'forged.json', async (page) => {
          await people.anna.setVerified(isVerified)
          // As if the browser were asked by somebody else's page.
          await page.evaluate(`{
            const get = navigator.credentials.get.bind(navigator.credentials)
            navigator.credentials.get = ({ publicKey }) =>
              get({ publicKey: { ...publicKey, ${options} } })
          }`)
          await people.anna.press(approve, /^Not accepted: the passkey did not sign/)
          await people.anna.setVerified(true)
        })
        refused(ran, exitCodes.notValid, 'APPROVAL_INVALID')
        assert.equal(text('forged.json'), before)
        rmSync(at('forged.json'))
      })
    }
  })
})
