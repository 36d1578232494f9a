/**
 * `./keyhold --node bench/entropy/assess.ts FILE…`: the estimators of `estimators.ts` over files of raw
 * samples, one byte each, as `keyhold entropy --output FOLDER` writes them. For each file a table, and the
 * smaller of the estimate over samples and eight times that over bits (SP 800-90B section 3.1.3). With
 * `--restarts FILE` the sanity check of section 3.1.4.3 over a thousand starts of a thousand samples.
 */

import { readFileSync } from 'node:fs'
import { parseArgs } from 'node:util'
import { criticalCount } from '../../src/hsm/entropy/health-tests.ts'
import * as estimators from './estimators.ts'

const { values, positionals } = parseArgs({
  options: { restarts: { type: 'string' }, claim: { type: 'string', default: '1' } },
  allowPositionals: true,
})

interface Row {
  readonly name: string
  readonly ofSample: number | undefined
  readonly ofBit: number
}

for (const file of positionals) assess(file)
if (values.restarts !== undefined) checkRestarts(values.restarts, Number(values.claim))

function assess(file: string): void {
  const samples = readFileSync(file)
  const bits = estimators.bitsOf(samples)
  const { mostCommonValue, collision, markov, compression, tTuple, multiMcw, lag } = estimators
  const rows: readonly Row[] = [
    { name: 'most common value', ofSample: mostCommonValue(samples), ofBit: mostCommonValue(bits) },
    { name: 'collision', ofSample: undefined, ofBit: collision(bits) },
    { name: 'Markov', ofSample: undefined, ofBit: markov(bits) },
    { name: 'compression', ofSample: undefined, ofBit: compression(bits) },
    { name: 't-tuple', ofSample: tTuple(samples), ofBit: tTuple(bits) },
    { name: 'multi MCW', ofSample: multiMcw(samples, 256), ofBit: multiMcw(bits, 2) },
    { name: 'lag', ofSample: lag(samples, 256), ofBit: lag(bits, 2) },
  ]
  say(`${file}: ${samples.length} samples`)
  for (const { name, ofSample, ofBit } of rows) {
    const left = ofSample === undefined ? '' : ofSample.toFixed(3)
    say(
      `  ${name.padEnd(18)} ${left.padStart(6)}  ${ofBit.toFixed(4)} a bit, ${(8 * ofBit).toFixed(3)}`,
    )
  }
  const ofSamples = Math.min(...rows.map(({ ofSample = 8 }) => ofSample))
  const ofBits = 8 * Math.min(...rows.map(({ ofBit }) => ofBit))
  say(`  smallest: ${Math.min(ofSamples, ofBits).toFixed(3)} bits a sample`)
}

/** The most frequent value of any start, and of any place after the start, against its bound. */
function checkRestarts(file: string, claim: number): void {
  const samples = readFileSync(file)
  const side = Math.sqrt(samples.length)
  if (!Number.isInteger(side)) throw new RangeError('as many starts as samples of each')
  const most = (at: (line: number, place: number) => number) =>
    Math.max(
      ...Array.from({ length: side }, (_, line) => {
        const counts = new Uint32Array(256)
        for (let place = 0; place < side; place += 1) {
          const sample = samples[at(line, place)] ?? 0
          counts[sample] = (counts[sample] ?? 0) + 1
        }
        return Math.max(...counts)
      }),
    )
  const rows = most((line, place) => line * side + place)
  const columns = most((line, place) => place * side + line)
  // One in a hundred for all rows and columns together.
  const alpha = 1 - 0.99 ** (1 / (2 * side))
  const bound = criticalCount(side, 2 ** -claim, alpha)
  say(`${file}: most in a row ${rows}, in a column ${columns}, bound ${bound} for ${claim} bits`)
}

function say(line: string): void {
  process.stdout.write(`${line}\n`)
}
