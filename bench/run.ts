/**
 * `npm run bench`: in one run, for each piece of work, bare node:crypto on one core, `openssl speed` on
 * one core, the door, REST single and REST in batches of 100, with one client and with many. Prints a
 * table of rates and ratios and writes bench/results/<date>.json with the machine's description.
 * `--seconds N` sets how long each figure is taken (default 2), `--only TEXT` picks rows by name.
 */

import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { parseArgs } from 'node:util'
import { type Measured, machine, measureSync } from './measure.ts'
import { opensslSpeed } from './openssl.ts'
import { openTarget, type Target } from './target.ts'
import { type Work, works } from './work.ts'

const batchItems = 100
const manyClients = 32

interface Row {
  readonly name: string
  readonly bare: Measured
  readonly openssl: number | undefined
  readonly door: Measured & Cost
  readonly doorBatch: Measured & Cost
  readonly restOne: Measured & Cost
  readonly restMany: Measured & Cost
  readonly restBatch: Measured & Cost
}

/** What the module's own processor time was worth, whatever else ran on the machine. */
interface Cost {
  readonly perModuleCpuSecond: number
}

const { values } = parseArgs({
  options: { seconds: { type: 'string', default: '2' }, only: { type: 'string', default: '' } },
})
const seconds = Number(values.seconds)

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-bench-'))
try {
  await using target = await openTarget(folder)
  const rows: Row[] = []
  for (const work of works.filter(({ name }) => name.includes(values.only))) {
    process.stderr.write(`bench: ${work.name}\n`)
    rows.push(await measure(target, work))
  }
  process.stdout.write(table(rows))
  const result = { date: new Date().toISOString(), machine: machine(), seconds, rows }
  const file = path.join(import.meta.dirname, 'results', `${result.date.slice(0, 10)}.json`)
  writeFileSync(file, `${JSON.stringify(result, undefined, 1)}\n`)
  process.stderr.write(`bench: written to ${path.relative(process.cwd(), file)}\n`)
} finally {
  rmSync(folder, { recursive: true, force: true })
}

async function measure(target: Target, work: Work): Promise<Row> {
  const key = await target.createKey(work)
  const costed = async (run: () => Promise<Measured>): Promise<Measured & Cost> => {
    const before = await target.moduleCpuSeconds()
    const measured = await run()
    const used = (await target.moduleCpuSeconds()) - before
    return { ...measured, perModuleCpuSecond: (measured.perSecond * seconds) / used }
  }
  return {
    name: work.name,
    bare: measureSync(work.bare(), seconds),
    openssl: opensslSpeed(work, Math.max(1, Math.round(seconds))),
    door: await costed(() => target.door(key, work, { seconds, inFlight: 64, items: 1 })),
    doorBatch: await costed(() =>
      target.door(key, work, { seconds, inFlight: 4, items: batchItems }),
    ),
    restOne: await costed(() => target.rest(key, work, { seconds, connections: 1, items: 1 })),
    restMany: await costed(() =>
      target.rest(key, work, { seconds, connections: manyClients, items: 1 }),
    ),
    restBatch: await costed(() =>
      target.rest(key, work, { seconds, connections: 4, items: batchItems }),
    ),
  }
}

function table(rows: readonly Row[]): string {
  const rate = (value: number | undefined): string =>
    value === undefined ? '-' : Math.round(value).toLocaleString('en')
  const against = (measured: Measured, row: Row): string =>
    `${rate(measured.perSecond)} (${Math.round((100 * measured.perSecond) / row.bare.perSecond)} %)`
  const head = [
    '',
    'bare',
    'openssl',
    'door',
    'door x100',
    'REST 1',
    `REST ${manyClients}`,
    'REST x100',
    `p50/p99 ms (REST ${manyClients})`,
  ]
  const lines = rows.map((row) => [
    row.name,
    rate(row.bare.perSecond),
    rate(row.openssl),
    against(row.door, row),
    against(row.doorBatch, row),
    against(row.restOne, row),
    against(row.restMany, row),
    against(row.restBatch, row),
    `${(row.restMany.p50 / 1000).toFixed(2)}/${(row.restMany.p99 / 1000).toFixed(2)}`,
  ])
  const all = [head, ...lines]
  const widths = head.map((_, column) =>
    Math.max(...all.map((cells) => (cells[column] ?? '').length)),
  )
  const text = all.map((cells) =>
    cells
      .map((cell, at) => cell.padEnd(widths[at] ?? 0))
      .join('  ')
      .trimEnd(),
  )
  const errors = rows
    .flatMap((row) => [row.restOne, row.restMany, row.restBatch])
    .reduce((sum, { errors: count }) => sum + count, 0)
  return `${text.join('\n')}\noperations a second (percent of bare node:crypto on one core); failed requests: ${errors}\n`
}
