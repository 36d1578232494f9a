/**
 * `./keyhold --node bench/algorithms.ts`: every row of the registry through the door, for every type of
 * key that it takes: rate and latency with 16 requests in flight, and with one. The rows come from the
 * registry itself, so that a new algorithm cannot be left out. `--seconds N` (default 0.5) for each
 * figure, `--only TEXT` picks rows by name. Prints a table and writes bench/results/algorithms.json.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Host, openHost } from '../src/host/host.ts'
import {
  type AlgorithmName,
  algorithms,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
} from '../src/hsm/contract/algorithms.ts'
import type { Call, CommandName, Outcome } from '../src/hsm/contract/commands.ts'
import { type KeyId, parseKeyId } from '../src/hsm/contract/keys.ts'
import { machine, measureAsync } from './measure.ts'

interface Subject {
  readonly algorithm: AlgorithmName
  readonly type: KeyTypeName
  readonly use: KeyUse
}

const claim = { identity: 'bench', requestId: 'bench', protocol: 'bench', address: 'local' }
const message = Buffer.alloc(64, 7)
const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '0.5' }, only: { type: 'string', default: '' } },
})
const seconds = Number(values.seconds)

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-bench-'))
try {
  await using host = await openHost({
    folder: path.join(folder, 'data'),
    development: true,
    sealKind: 'key-file',
    secret: async () => Buffer.alloc(32, 1),
    foundIfEmpty: true,
    log: () => undefined,
  })
  const rows = []
  for (const subject of subjects().filter(({ algorithm }) => algorithm.includes(values.only))) {
    const call = await prepare(host, subject)
    const once = async (): Promise<void> => void (await run(host, call))
    const many = await measureAsync(once, { seconds, inFlight: 16, items: 1 })
    const one = await measureAsync(once, { seconds, inFlight: 1, items: 1 })
    rows.push({ ...subject, many, one })
    const { algorithm, type, use } = subject
    const name = `${algorithm.padEnd(42)} ${type.padEnd(16)} ${use.padEnd(11)}`
    const figures = [many.perSecond, one.p50, one.p99].map((value) => value.toFixed(0).padStart(8))
    process.stdout.write(`${name}${figures.join('')}\n`)
  }
  process.stdout.write('operations a second; p50 and p99 of one caller in microseconds\n')
  const result = { date: new Date().toISOString(), machine: machine(), seconds, rows }
  const file = path.join(import.meta.dirname, 'results/algorithms.json')
  writeFileSync(file, `${JSON.stringify(result, undefined, 1)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

/** Every algorithm with every type of its keys, by the first of its uses; not those for verification alone. */
function subjects(): Subject[] {
  return (Object.keys(algorithms) as AlgorithmName[]).flatMap((algorithm) => {
    const { keyTypes: types, uses } = algorithms[algorithm]
    const [use] = uses
    assert(use !== undefined)
    if (use === 'verify' || use === 'verifyMac') return []
    return types
      .filter((type) => !('publicOnly' in keyTypes[type]))
      .map((type) => ({ algorithm, type, use }))
  })
}

async function prepare(host: Host, subject: Subject): Promise<Call> {
  const key = await generate(host, subject, [subject.use])
  const reference = { key, version: 1 }
  const call = (command: CommandName, parts: Call['parts'], more: object = {}): Call =>
    ({ command, arguments: { ...reference, ...more }, parts }) as Call
  switch (subject.use) {
    case 'encrypt':
      return call('encrypt', { plaintext: message })
    case 'mac':
      return call('mac', { data: message })
    case 'sign':
      return call('sign', { data: message })
    case 'derive':
      return subject.algorithm.startsWith('PBKDF2')
        ? call('deriveKey', { salt: message }, { lengthBytes: 32, iterations: 1_000 })
        : call('deriveKey', { info: message }, { lengthBytes: 32 })
    case 'encapsulate':
      return call('encapsulate', {})
    case 'agree':
      return call('agree', { peer: peerOf(subject.type) })
    case 'wrap': {
      const target = targetOf(subject.type)
      const wrapped = await generate(host, target, [target.use], true)
      return call('wrapKey', {}, { target: { key: wrapped, version: 1 } })
    }
    default:
      throw new Error(`no bench for the use ${subject.use}`)
  }
}

/** What a key of this type wraps: one of its own size, or the private key of a signer. */
function targetOf(type: KeyTypeName): Subject {
  const gcm = (['AES-128-GCM', 'AES-192-GCM', 'AES-256-GCM'] as const).find((name) =>
    algorithms[name].keyTypes.some((permitted) => permitted === type),
  )
  if (gcm) return { type, algorithm: gcm, use: 'encrypt' }
  return keyTypes[type].family === 'rsa'
    ? { type: 'RSA-2048', algorithm: 'RSASSA-PSS-SHA-256', use: 'sign' }
    : { type: 'P-256', algorithm: 'ECDSA-SHA-256', use: 'sign' }
}

async function generate(
  host: Host,
  { algorithm, type, use }: Subject,
  uses: readonly KeyUse[],
  exportable = false,
): Promise<KeyId> {
  const key = parseKeyId(`key_${randomBytes(16).toString('hex')}`)
  const plaintextRelease = use === 'derive' || use === 'agree' || use === 'encapsulate'
  const template = {
    ...{ type, algorithms: [algorithm], uses, exportable, externalIv: false, plaintextRelease },
    ...{ notBefore: 0, notAfter: 0, lengthBytes: type === 'generic-secret' ? 32 : 0 },
  }
  const args = { key, version: 1, template }
  await run(host, { command: 'generateKey', arguments: args, parts: {} })
  return key
}

async function run(host: Host, call: Call): Promise<Outcome> {
  const [outcome] = await host.call(claim, [call])
  assert(outcome && 'result' in outcome, JSON.stringify(outcome))
  return outcome
}

/** Somebody else's public key on the same curve. */
function peerOf(type: KeyTypeName): Buffer {
  const { openssl } = keyTypes[type] as { openssl?: string }
  assert(openssl !== undefined)
  const { publicKey } =
    type === 'X25519' || type === 'X448'
      ? generateKeyPairSync(openssl as 'x25519')
      : generateKeyPairSync('ec', { namedCurve: openssl })
  return publicKey.export({ format: 'der', type: 'spki' })
}
