/**
 * `keyhold bench`: how fast the running server is for this caller, with keys that are made for it and
 * destroyed afterwards. A quick look; the measurements that are compared are in bench/.
 */

import { randomBytes } from 'node:crypto'
import { performance } from 'node:perf_hooks'
import type { Command } from 'commander'
import { Client } from '../../client/client.ts'
import { readConfig } from '../../client/config.ts'
import { clientError } from '../../client/errors.ts'
import type { Key } from '../../client/types.ts'
import { integer } from '../options.ts'
import { table } from '../output.ts'
import { action, type Session } from '../session.ts'

const batchItems = 100
const messageBytes = 64

interface Figures {
  readonly name: string
  readonly clients: number
  readonly perSecond: number
  /** Milliseconds of one call. */
  readonly p50: number
  readonly p99: number
}

interface Work {
  readonly name: string
  /** Operations that one call does. */
  readonly items: number
  readonly run: () => Promise<unknown>
}

export function addBenchCommand(program: Command): void {
  program
    .command('bench')
    .summary('measure the running server')
    .description(
      'Makes two keys, signs and encrypts with them for some seconds, one call at a time and many, ' +
        'single and in batches, and destroys the keys. Everything is recorded like any other use.',
    )
    .option('--seconds <number>', 'for each line', integer(1, 60), 1)
    .option('--clients <number>', 'calls at the same time', integer(1, 64), 16)
    .addHelpText('after', '\nExample:\n  keyhold bench --seconds 5')
    .action(
      action<{ seconds: number; clients: number }>(async (session, { options }) => {
        const client = await session.connect()
        const { identity } = await client.call('whoAmI', {})
        const figures: Figures[] = []
        const keys: Key[] = []
        const make = async (type: 'P-256' | 'AES-256') => {
          const key = await makeKey(session, client, type)
          keys.push(key)
          await grantUse(session, client, key, identity.id)
          return key
        }
        try {
          const signer = await make('P-256')
          const cipher = await make('AES-256')
          for (const work of worksOf(client, session.namespace, signer, cipher)) {
            for (const clients of new Set([1, options.clients])) {
              if (session.signal.aborted) throw clientError('INTERRUPTED', 'stopped')
              session.output.note(`measuring ${work.name}, ${clients} at a time`)
              figures.push(await measure(work, clients, options.seconds))
            }
          }
        } finally {
          await destroy(session, keys)
        }
        const heads = ['WORK', 'AT A TIME', 'PER SECOND', 'P50', 'P99']
        session.output.result({ items: figures }, table(heads, figures.map(row), 'Nothing.'))
      }),
    )
}

function row({ name, clients, perSecond, p50, p99 }: Figures): string[] {
  const rate = Math.round(perSecond).toLocaleString('en')
  return [name, String(clients), rate, `${p50.toFixed(2)} ms`, `${p99.toFixed(2)} ms`]
}

async function makeKey(
  { namespace }: Session,
  client: Client,
  type: 'P-256' | 'AES-256',
): Promise<Key> {
  const name = `bench-${randomBytes(6).toString('hex')}`
  const body = { name, type, owner: 'keyhold bench', purpose: 'measure the server' }
  return client.call('createKey', { path: { namespace }, body })
}

async function grantUse({ namespace }: Session, client: Client, key: Key, identity: string) {
  const body = { key: key.id, identity, operations: key.uses }
  await client.call('createGrant', { path: { namespace }, body })
}

function worksOf(client: Client, namespace: string, signer: Key, cipher: Key): Work[] {
  const message = randomBytes(messageBytes)
  const signing = { namespace, key: signer.id }
  const encryption = { namespace, key: cipher.id }
  const many = <T>(item: T): T[] => Array.from({ length: batchItems }, () => item)
  const data = { data: message }
  const plaintext = { plaintext: message }
  const batch = `, batches of ${batchItems}`
  return [
    {
      name: 'sign P-256',
      items: 1,
      run: () => client.call('sign', { path: signing, body: data }),
    },
    {
      name: `sign P-256${batch}`,
      items: batchItems,
      run: () => client.call('signBatch', { path: signing, body: { items: many(data) } }),
    },
    {
      name: `encrypt ${messageBytes} B`,
      items: 1,
      run: () => client.call('encrypt', { path: encryption, body: plaintext }),
    },
    {
      name: `encrypt ${messageBytes} B${batch}`,
      items: batchItems,
      run: () =>
        client.call('encryptBatch', { path: encryption, body: { items: many(plaintext) } }),
    },
  ]
}

async function measure({ name, items, run }: Work, clients: number, seconds: number) {
  await run()
  const latencies: number[] = []
  const start = performance.now()
  const end = start + seconds * 1000
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      const before = performance.now()
      await run()
      latencies.push(performance.now() - before)
    }
  }
  await Promise.all(Array.from({ length: clients }, lane))
  const elapsed = (performance.now() - start) / 1000
  const sorted = Float64Array.from(latencies).sort()
  const at = (share: number) => sorted[Math.floor((sorted.length - 1) * share)] ?? 0
  const perSecond = (latencies.length * items) / elapsed
  return { name, clients, perSecond, p50: at(0.5), p99: at(0.99) }
}

/**
 * With a client of its own, because Ctrl-C has ended the work of the other one. Whoever may not
 * destroy keys is told which ones are left.
 */
async function destroy({ namespace, output, folder }: Session, keys: readonly Key[]) {
  using client = Client.open(await readConfig(folder))
  for (const { id, name } of keys) {
    const path = { namespace, key: id }
    try {
      const { etag } = await client.call('getKey', { path })
      await client.call('destroyKey', { path, body: { confirm: name }, ifMatch: `"${etag}"` })
    } catch (error) {
      const why = error instanceof Error ? error.message : String(error)
      output.note(`the key ${name} could not be destroyed: ${why}`)
    }
  }
}
