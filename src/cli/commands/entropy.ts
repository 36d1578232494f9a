/**
 * `keyhold entropy`: noise for an assessment. It starts a module of its own, without a domain, takes raw
 * and conditioned samples from it, which seed nothing, and shows how the health tests took them. It needs
 * no server; with --server it samples nothing and shows the counters of the module that works there.
 */

import { mkdir } from 'node:fs/promises'
import path from 'node:path'
import { type Command, Option } from 'commander'
import { ScratchModule } from '../../host/scratch-module.ts'
import {
  conditionedBlockBytes,
  type EntropyStatus,
  type NoiseForm,
  type NoiseReport,
  type NoiseSourceName,
  noiseSamplesMax,
  noiseSourceNames,
} from '../../hsm/contract/entropy.ts'
import { type Distribution, distributionOf, drawDistribution } from '../entropy/distribution.ts'
import { integer, oneOf } from '../options.ts'
import { fields, type Output, table } from '../output.ts'
import { progressBar } from '../progress.ts'
import { action } from '../session.ts'
import { writeWhole } from '../small-file.ts'

/** As in operation: what comes first is thrown away (docs/entropy.md). */
const discardedSamples = 2_048
const samplesMax = 16 * 1024 * 1024
/** Of a restart: SP 800-90B section 3.1.4.1. */
const restartSamples = 1_000

interface Options {
  readonly source?: NoiseSourceName
  readonly samples: number
  readonly conditioned: number
  readonly restarts: number
  readonly output?: string
  readonly force?: true
  readonly server?: true
}

interface Sampled {
  readonly source: NoiseSourceName
  readonly raw: Uint8Array
  readonly conditioned: Uint8Array
  readonly report: NoiseReport
  readonly distribution: Distribution
}

export function addEntropyCommand(program: Command): void {
  program
    .command('entropy')
    .summary('raw and conditioned noise for an assessment')
    .description(
      'Starts a module of its own, samples its noise sources and draws their distribution. With --output the ' +
        'samples go into files for other tools: SOURCE.raw, one byte a sample, and SOURCE.conditioned. None of ' +
        'them seeds anything.',
    )
    .addOption(new Option('--source <name>', 'one source alone').argParser(oneOf(noiseSourceNames)))
    .option('--samples <n>', 'raw samples', integer(1_000, samplesMax), 1_000_000)
    .option('--conditioned <bytes>', 'conditioned bytes', integer(48, samplesMax), 96_000)
    .option('--restarts <n>', `the first ${restartSamples} of n starts`, integer(0, 1_000), 0)
    .option('--output <folder>', 'where the files go')
    .option('--force', 'replace files that are there')
    .option('--server', "no samples: how the server's module and its sources are")
    .addHelpText('after', '\nExample:\n  keyhold entropy --source jitter --output samples')
    .action(
      action<Options>(async ({ connect, output, signal }, { options }) => {
        if (options.server) {
          const status = await (await connect()).call('getEntropyStatus', {})
          output.result(status, describe(status))
          return
        }
        const { sampled, status } = await sample(options)
        if (options.output !== undefined) await write(options.output, sampled, options)
        const restarted = await restart(options, output, signal)
        show(output, sampled, status, restarted)
      }),
    )
}

async function sample({ source, samples, conditioned }: Options) {
  await using scratch = new ScratchModule()
  const { result: status } = await scratch.run('getEntropyStatus', {}, {})
  const known = status.sources.map(({ name }) => name)
  const names = source ? [source] : noiseSourceNames.filter((name) => known.includes(name))
  const sampled: Sampled[] = []
  for (const name of names) {
    await take(scratch, name, 'raw', discardedSamples)
    const { bytes: raw, report } = await take(scratch, name, 'raw', samples)
    const { bytes: blocks } = await take(scratch, name, 'conditioned', conditioned)
    const distribution = distributionOf(raw)
    sampled.push({ source: name, raw, conditioned: blocks, report, distribution })
  }
  return { sampled, status }
}

/** As many commands as it takes, one right behind the other. */
async function take(
  scratch: ScratchModule,
  source: NoiseSourceName,
  form: NoiseForm,
  count: number,
): Promise<{ readonly bytes: Buffer; readonly report: NoiseReport }> {
  const pieces: Uint8Array[] = []
  const least = form === 'raw' ? 1 : conditionedBlockBytes
  for (let left = count; ; ) {
    const args = { source, form, count: Math.min(left, noiseSamplesMax) }
    const { result: report, parts } = await scratch.run('sampleNoise', args, {})
    pieces.push(parts.samples)
    left -= args.count
    if (left < least) return { bytes: Buffer.concat(pieces), report }
  }
}

async function write(folder: string, sampled: readonly Sampled[], { force }: Options) {
  await mkdir(folder, { recursive: true })
  for (const { source, raw, conditioned } of sampled) {
    await writeWhole(path.join(folder, `${source}.raw`), raw, { force })
    await writeWhole(path.join(folder, `${source}.conditioned`), conditioned, { force })
  }
}

/** The first samples after each of so many starts, one start behind the other (ea_restart's order). */
async function restart(
  { source = 'jitter', restarts, output: folder, force }: Options,
  output: Output,
  signal: AbortSignal,
): Promise<number> {
  if (restarts === 0) return 0
  using bar = progressBar('restarts', output.json, 2)
  const pieces: Uint8Array[] = []
  while (pieces.length < restarts) {
    signal.throwIfAborted()
    await using scratch = new ScratchModule()
    await take(scratch, source, 'raw', discardedSamples)
    pieces.push((await take(scratch, source, 'raw', restartSamples)).bytes)
    bar.report(pieces.length, restarts)
  }
  if (folder !== undefined) {
    const file = path.join(folder, `${source}.restarts`)
    await writeWhole(file, Buffer.concat(pieces), { force })
  }
  return restarts
}

function show(
  output: Output,
  sampled: readonly Sampled[],
  status: EntropyStatus,
  restarts: number,
): void {
  const value = {
    sources: sampled.map(({ source, raw, conditioned, report, distribution }) => ({
      source,
      samples: raw.length,
      conditionedBytes: conditioned.length,
      ...report,
      distribution: { ...distribution, counts: distribution.counts },
    })),
    module: status,
    restarts,
  }
  const pictures = sampled.map(({ source, report, distribution }) => {
    const { lowest, highest, mostCommon, mostCommonBits, total } = distribution
    if (total === 0) return `${source}: no samples (${report.failure})`
    const tick = report.tickNs > 0 ? `, in ticks of ${report.tickNs.toFixed(3)} ns` : ''
    return [
      `${source}: ${total} samples from ${lowest} to ${highest}${tick}`,
      drawDistribution(distribution),
      `  most common ${mostCommon}; it alone bounds the entropy of a sample to ${mostCommonBits.toFixed(2)} bits; ` +
        `claimed ${report.entropyBits}`,
    ].join('\n')
  })
  output.result(value, [...pictures, counters(sampled), ...started(status)].join('\n\n'))
}

/** What the samples came to in the health tests, beside what would have been a failure. */
function counters(sampled: readonly Sampled[]): string {
  const heads = ['source', 'longest run', 'proportion', 'lag', 'failure']
  const rows = sampled.map(({ source, report }) => [
    source,
    `${report.longestRun} of ${report.repetitionCutoff}`,
    `${report.highestProportion} of ${report.proportionCutoff}`,
    `${report.highestLag} of ${report.proportionCutoff}`,
    report.failure || 'none',
  ])
  return table(heads, rows, '')
}

function started({ sources }: EntropyStatus): string[] {
  const rows = sources.map(({ name, state, samples, failures }) => {
    return [name, state, String(samples), String(failures)]
  })
  return [table(['start-up test', 'state', 'samples', 'failures'], rows, '')]
}

/** Of a module that works. */
function describe({ generator, sources }: EntropyStatus): string {
  const heads = [
    'source',
    'state',
    'samples',
    'longest run',
    'proportion',
    'lag',
    'failures',
    'last',
  ]
  const rows = sources.map((source) => [
    source.name,
    source.state,
    String(source.samples),
    `${source.longestRun} of ${source.repetitionCutoff}`,
    `${source.highestProportion} of ${source.proportionCutoff}`,
    `${source.highestLag} of ${source.proportionCutoff}`,
    String(source.failures),
    source.lastFailure || 'none',
  ])
  const { mechanism, seedings, requests, seedAgeMs, hostBytes } = generator
  const own = fields([
    ['generator', mechanism],
    [
      'seedings',
      `${seedings}, the last ${Math.round(seedAgeMs / 1_000)} s and ${requests} requests ago`,
    ],
    ['from the host', `${hostBytes} bytes, not counted`],
  ])
  return `${table(heads, rows, '')}\n\n${own}`
}
