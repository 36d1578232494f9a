/**
 * GET /metrics: who may read it, that it counts what was done, that neither use nor rubbish puts a name or
 * a series into it that was not meant, and that Debian's promtool and Prometheus take it, the alert rules
 * and every expression of the dashboard.
 */

import assert from 'node:assert/strict'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { setTimeout as delay } from 'node:timers/promises'
import { problems } from '../../src/protocols/rest/errors.ts'
import { routes } from '../../src/protocols/rest/routes.ts'
import { commandNames } from '../../src/server/metrics/command-names.ts'
import {
  assertProblem,
  base64,
  Installation,
  keysPath,
  namespace,
  type Person,
  unique,
} from '../rest/people.ts'
import { exchange } from '../rest/raw.ts'
import { deployFolder, Prometheus, promtool } from './prometheus.ts'

/** Nobody listens there: a sink that is behind from the beginning. */
const deadSink = { type: 'http', url: 'https://127.0.0.1:9/', lagEntriesMax: 1 }

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-metrics-'))
let there: Installation
let monitor: Person
before(async () => {
  const sinks = path.join(folder, 'sinks.json')
  writeFileSync(sinks, JSON.stringify({ sinks: { collector: deadSink } }))
  there = await Installation.start([`--sinks=${sinks}`])
  monitor = await there.makePerson(unique('monitor'))
  await giveRole(monitor, '*', 'monitor')
})
after(async () => {
  await there[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true })
})

function giveRole(person: Person, place: string, role: string): Promise<unknown> {
  return there.server.ok('PUT', `/v1/namespaces/${place}/roles/${person.id}`, { roles: [role] })
}

async function scrape(accept = ''): Promise<string> {
  const options = { token: monitor.token, headers: { accept } }
  return (await there.server.ok('GET', '/metrics', undefined, options)).text
}

/** "name{labels}" → value. */
function samplesOf(text: string): Map<string, number> {
  const lines = text.split('\n').filter((line) => line !== '' && !line.startsWith('#'))
  return new Map(
    lines.map((line) => {
      const at = line.lastIndexOf(' ')
      return [line.slice(0, at), Number(line.slice(at + 1))]
    }),
  )
}

/** How much each sample grew while this was done. */
async function growth(work: () => Promise<unknown>): Promise<(name: string) => number> {
  const before = samplesOf(await scrape())
  await work()
  const after = samplesOf(await scrape())
  return (name) => (after.get(name) ?? 0) - (before.get(name) ?? 0)
}

suite('who reads the metrics', { timeout: 60_000 }, () => {
  test('whoever may read them, in the whole installation', async () => {
    const { server } = there
    assertProblem(
      await server.call('GET', '/metrics', undefined, { token: null }),
      401,
      'TOKEN_INVALID',
    )
    const inNamespace = await there.makePerson()
    await giveRole(inNamespace, namespace, 'monitor')
    assertProblem(
      await server.call('GET', '/metrics', undefined, inNamespace),
      403,
      'ACCESS_DENIED',
    )
    const application = await there.makePerson()
    await giveRole(application, '*', 'application')
    assertProblem(
      await server.call('GET', '/metrics', undefined, application),
      403,
      'ACCESS_DENIED',
    )
    assert.match(await scrape(), /^keyhold_module_up 1$/m)
  })

  test('and who reads them with the role for it reads nothing else', async () => {
    for (const place of [
      '/v1/status',
      '/v1/entropy',
      '/v1/record/head',
      keysPath,
      '/v1/identities',
    ]) {
      assertProblem(await there.server.call('GET', place, undefined, monitor), 403, 'ACCESS_DENIED')
    }
    const create = { name: unique('key'), owner: 'x', purpose: 'x', type: 'P-256' }
    assertProblem(await there.server.call('POST', keysPath, create, monitor), 403, 'ACCESS_DENIED')
  })

  test('under one path, with one method', async () => {
    const { server } = there
    assertProblem(
      await server.call('POST', '/metrics', undefined, monitor),
      405,
      'METHOD_NOT_ALLOWED',
    )
    for (const place of ['/v1/metrics', '/metrics/', '/Metrics', '/metrics%2f']) {
      assertProblem(await server.call('GET', place, undefined, monitor), 404, 'ROUTE_NOT_FOUND')
    }
    const queried = await server.call('GET', '/metrics?name[]=x', undefined, monitor)
    assertProblem(queried, 400, 'REQUEST_INVALID')
  })

  test('in the format that is asked for', async () => {
    const ask = (accept: string) =>
      there.server.ok('GET', '/metrics', undefined, { ...monitor, headers: { accept } })
    const text = await ask('text/plain')
    assert.equal(text.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8')
    const open = await ask('application/openmetrics-text; version=1.0.0')
    assert.match(
      String(open.headers['content-type']),
      /^application\/openmetrics-text; version=1.0.0/,
    )
    assert(open.text.endsWith('\n# EOF\n'))
  })
})

suite('what they say', { timeout: 60_000 }, () => {
  test('each request and each command is counted, by what became of it', async () => {
    const { server } = there
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    const stranger = await there.makePerson()
    const items = Array.from({ length: 7 }, () => ({ data: base64('x') }))
    const grown = await growth(async () => {
      for (let count = 0; count < 5; count += 1) {
        assert.equal((await there.use(key, 'sign', { data: base64('x') })).status, 200)
      }
      await there.use(key, 'sign', { data: base64('x') }, stranger)
      await there.use(key, 'sign', { data: 'not base64' })
      await there.use(key, 'sign/batch', { items })
      await server.call('GET', '/v1/nothing')
    })
    const request = (operation: string, outcome: string) =>
      grown(`keyhold_requests_total{protocol="rest",operation="${operation}",outcome="${outcome}"}`)
    assert.equal(request('sign', 'ok'), 5)
    assert.equal(request('sign', 'ACCESS_DENIED'), 1)
    assert.equal(request('sign', 'REQUEST_INVALID'), 1)
    assert.equal(request('signBatch', 'ok'), 1)
    assert.equal(request('other', 'ROUTE_NOT_FOUND'), 1)
    const count = 'keyhold_request_duration_seconds_count{protocol="rest",operation="sign"}'
    assert.equal(grown(count), 7)
    assert.equal(grown('keyhold_module_commands_total{command="sign",outcome="ok"}'), 12)
    const ofSeven =
      grown('keyhold_module_frame_commands_bucket{le="8"}') -
      grown('keyhold_module_frame_commands_bucket{le="4"}')
    assert.equal(ofSeven, 1)
    // The scrapes' own questions to the module are leaves too.
    const leaves = grown('keyhold_record_leaves_total')
    assert(leaves >= 12 && leaves <= 14, `${leaves} leaves`)
  })

  test('promtool finds nothing wrong with it', async () =>
    promtool(['check', 'metrics'], await scrape()))

  test('a sink that does not take the record is behind it', async () => {
    const labels = '{sink="collector",type="http"}'
    let samples = samplesOf(await scrape())
    while (samples.get(`keyhold_record_sink_late${labels}`) !== 1) {
      await delay(100)
      samples = samplesOf(await scrape())
    }
    assert.equal(samples.get(`keyhold_record_sink_failing${labels}`), 1)
    const lag = samples.get(`keyhold_record_sink_lag_entries${labels}`)
    assert.equal(lag, samples.get('keyhold_record_leaves_total'))
  })

  test('a module that is stopped, and one that was started again, are told', async () => {
    const { server } = there
    const value = async (name: string) => samplesOf(await scrape()).get(name) ?? 0
    const starts = await value('keyhold_module_starts_total')
    const [first = 0] = server.modulePids()
    process.kill(first, 'SIGKILL')
    while (server.modulePids().includes(first)) await delay(20)
    while ((await server.call('GET', '/v1/ready')).status !== 200) await delay(20)
    const [second = 0] = server.modulePids()
    process.kill(second, 'SIGSTOP')
    try {
      const samples = samplesOf(await scrape())
      assert.equal(samples.get('keyhold_module_starts_total'), starts + 1)
      assert.equal(samples.get('keyhold_module_up'), 0)
      assert.equal(samples.get('keyhold_module_queue_length'), 1)
      assert((samples.get('keyhold_module_queue_oldest_seconds') ?? 0) > 1)
      assert(!samples.has('keyhold_module_loaded_keys'))
    } finally {
      process.kill(second, 'SIGCONT')
    }
    while ((await value('keyhold_module_up')) !== 1) await delay(20)
  })
})

suite('what they never say', { timeout: 60_000 }, () => {
  test('no key, identity, namespace, address or secret, after all of them were used', async () => {
    const { server } = there
    const words = ['Owner-Ophelia', 'purpose-payroll', 'label-value-lagoon', 'request-id-rhubarb']
    const [owner = '', purpose = '', label = '', requestId = ''] = words
    const tenant = unique('tenant')
    await server.ok('POST', '/v1/namespaces', { name: tenant })
    const person = await there.makePerson(unique('person-petronella'))
    await giveRole(person, tenant, 'operator')
    const shape = { owner, purpose, labels: { team: label }, type: 'P-256' }
    const key = await there.makeKey(shape, ['sign', 'verify'], person.id)
    const { body } = await server.ok('GET', `${keysPath}/${key}`)
    const headers = { 'x-request-id': requestId }
    const data = base64('plaintext-pelican')
    const signed = await there.use(key, 'sign', { data }, { ...person, headers })
    const { signature } = signed.body
    await there.use(key, 'verify', { data, signature }, person)
    await there.use(unique('absent'), 'sign', { data }, person)
    await server.ok('DELETE', `/v1/identities/${person.id}`)
    await there.use(key, 'sign', { data }, person)
    const { module } = (await server.ok('GET', '/v1/status')).body as { module: object }
    const { moduleId, domainId, identityKey } = module as Readonly<Record<string, string>>
    const secret = [
      ...words,
      ...[tenant, namespace, key, String(body.id), person.id, monitor.id, there.first.id],
      ...[person.token, monitor.token, person.token.split('_')[1]],
      ...[moduleId, domainId, identityKey, String(signature), data, '127.0.0.1', 'petronella'],
    ]
    for (const format of ['text/plain', 'application/openmetrics-text']) {
      const text = await scrape(format)
      for (const word of secret) assert(word && !text.includes(word), `${word} is in the metrics`)
    }
  })

  test('rubbish makes no series but those of the tables', async () => {
    const { server } = there
    const rubbish = () => unique('x"\n{},=\\')
    const { port } = new URL(server.credentials.address)
    const place = { port: Number(port), authority: server.credentials.authority }
    await scrape()
    const series = new Set(samplesOf(await scrape()).keys())
    for (let count = 0; count < 50; count += 1) {
      const path = `/${encodeURIComponent(rubbish())}`
      await server.call('GET', path, undefined, { headers: { 'x-request-id': unique('r') } })
      await server.call('POST', `${keysPath}${path}/sign`, { [rubbish()]: rubbish() })
      await server.call('POST', `${keysPath}${path}${path}`, rubbish())
      await server.call('GET', '/v1/whoami', undefined, { headers: { accept: unique('a') } })
    }
    for (const method of ['PROPFIND', 'PURGE', 'X', 'get']) {
      await exchange(place, `${method} /v1/health HTTP/1.1\r\nHost: x\r\n\r\n`)
    }
    await exchange(place, 'GET /%zz HTTP/1.1\r\nHost: x\r\n\r\n')
    const now = samplesOf(await scrape())
    const made = [...now.keys()].filter((name) => !series.has(name))
    assert(made.length < 60, made.join('\n'))
    assertLabelsKnown(now)
  })
})

function assertLabelsKnown(samples: ReadonlyMap<string, number>): void {
  const known: Readonly<Record<string, readonly string[]>> = {
    operation: [...routes.map(({ name }) => name), 'other'],
    outcome: ['ok', ...Object.keys(problems), 'MODULE_ENDED'],
    command: commandNames,
    protocol: ['rest'],
  }
  for (const name of samples.keys()) {
    for (const [, label = '', value = ''] of name.matchAll(/(\w+)="((?:\\.|[^"\\])*)"/g)) {
      assert(known[label]?.includes(value) ?? /^[\w.+-]{1,32}$/.test(value), name)
    }
  }
}

suite('Prometheus', { timeout: 60_000 }, () => {
  test('fires the alerts for what they are for, and none for a healthy server', () => {
    promtool(['check', 'rules', path.join(deployFolder, 'alerts.yml')])
    promtool(['test', 'rules', path.join(import.meta.dirname, 'alerts.yml')])
  })

  test('reads the server, evaluates the rules, and finds every series of the dashboard', async () => {
    const { address, authority } = there.server.credentials
    const key = await there.makeKey({ type: 'P-256' }, ['sign'])
    await using prometheus = await Prometheus.start({ address, authority, token: monitor.token })
    const use = async () => {
      await there.use(key, 'sign', { data: '' })
      await there.use(key, 'sign', { data: 0 })
      await there.use(key, 'verify', { data: '', signature: '' })
    }
    await use()
    await prometheus.until('count_over_time(keyhold_module_up[1m]) >= 2 and keyhold_module_up == 1')
    await use()
    await delay(1_500)
    const { groups } = (await prometheus.get('rules')) as RuleGroups
    for (const { name, health, lastError } of groups.flatMap(({ rules }) => rules)) {
      assert.equal(health, 'ok', `${name}: ${lastError}`)
    }
    const firing = await prometheus.query(
      'ALERTS{alertstate="firing",alertname!="KeyholdDevelopment"}',
    )
    assert.deepEqual(firing, [])
    const asked = dashboardExpressions().map(async ({ title, expression }) => {
      const found = await prometheus.query(expression)
      return found.length > 0 ? [] : [title]
    })
    // A healthy server has no other panel without a line.
    assert.deepEqual((await Promise.all(asked)).flat(), ['Commands that it refused'])
    await assertNamesKnown(prometheus)
  })
})

interface RuleGroups {
  readonly groups: readonly {
    readonly rules: readonly { name: string; health: string; lastError?: string }[]
  }[]
}

function dashboardExpressions(): { title: string; expression: string }[] {
  const dashboard = JSON.parse(readFileSync(path.join(deployFolder, 'dashboard.json'), 'utf8'))
  const panels = dashboard.panels as { title: string; targets?: { expr: string }[] }[]
  return panels.flatMap(({ title, targets = [] }) =>
    targets.map(({ expr }) => ({
      title,
      expression: expr.replaceAll('$__rate_interval', '1m').replaceAll('$instance', '.*'),
    })),
  )
}

/** What rules and dashboard name is what the server gives, and all of ours that it gives is named. */
async function assertNamesKnown(prometheus: Prometheus): Promise<void> {
  const given = (await prometheus.get('label/__name__/values')) as string[]
  const files = ['alerts.yml', 'dashboard.json'].map((file) =>
    readFileSync(path.join(deployFolder, file), 'utf8'),
  )
  const used = new Set(files.join('\n').match(/\b(?:keyhold|process|nodejs)_[a-z0-9_]+\b/g))
  const isGiven = (name: string) => given.includes(name) || given.includes(`${name}_count`)
  assert.deepEqual(
    [...used].filter((name) => !isGiven(name)),
    [],
  )
  const ours = given.filter((name) => name.startsWith('keyhold_') && !/_(count|sum)$/.test(name))
  assert.deepEqual(
    ours.filter((name) => !used.has(name)),
    [],
  )
  const manual = readFileSync(path.join(deployFolder, '../../metrics.md'), 'utf8')
  const described = manual.match(/\b(?:keyhold|process|nodejs)_[a-z0-9_]+\b/g) ?? []
  const families = given.map((name) => name.replace(/_(bucket|count|sum)$/, ''))
  const all = families.filter((name) => /^(keyhold|process|nodejs)_/.test(name))
  assert.deepEqual(new Set(described), new Set(all))
}
