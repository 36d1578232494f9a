/**
 * Min-entropy estimators of SP 800-90B section 6.3, for an assessment that needs no other program: most
 * common value, collision, Markov, compression, t-tuple, and the multi most-common-in-window and lag
 * predictors. Longest repeated substring, multi Markov-with-counting and LZ78Y are left to NIST's own tool
 * (docs/entropy.md). Samples are bytes; the bit estimators take one bit a byte.
 *
 * Each is in two halves, so that its arithmetic can be held to figures that NIST published: counting, and
 * what follows from the counts.
 */

/** The upper end of a 99 % confidence interval. */
const z = 2.5758293035489008

export interface Estimate {
  readonly name: string
  /** Bits per sample. */
  readonly entropyBits: number
}

/** Bits of each sample, highest first (section 6.1). */
export function bitsOf(samples: Uint8Array): Uint8Array {
  const bits = new Uint8Array(samples.length * 8)
  for (const [index, sample] of samples.entries()) {
    for (let bit = 0; bit < 8; bit += 1) bits[8 * index + bit] = (sample >> (7 - bit)) & 1
  }
  return bits
}

function upperBound(probability: number, count: number): number {
  return Math.min(1, probability + z * Math.sqrt((probability * (1 - probability)) / (count - 1)))
}

/** 6.3.1 */
export function mostCommonValue(samples: Uint8Array): number {
  const counts = new Uint32Array(256)
  for (const sample of samples) counts[sample] = (counts[sample] ?? 0) + 1
  return mostCommonBits(
    counts.reduce((most, count) => Math.max(most, count), 0),
    samples.length,
  )
}

export function mostCommonBits(mode: number, total: number): number {
  return -Math.log2(upperBound(mode / total, total))
}

/** 6.3.2, of bits: two or three of them until one comes again. */
export function collision(bits: Uint8Array): number {
  let twos = 0
  let threes = 0
  for (let at = 0; at + 1 < bits.length; ) {
    const isTwo = bits[at] === bits[at + 1]
    if (!isTwo && at + 2 >= bits.length) break
    if (isTwo) twos += 1
    else threes += 1
    at += isTwo ? 2 : 3
  }
  const count = twos + threes
  const mean = (2 * twos + 3 * threes) / count
  const squares = twos * (2 - mean) ** 2 + threes * (3 - mean) ** 2
  return collisionBits(mean - (z * Math.sqrt(squares / (count - 1))) / Math.sqrt(count))
}

/** For bits the expected time is 2 + 2 p q exactly, which needs no search. @param mean its lower bound */
export function collisionBits(mean: number): number {
  const product = (mean - 2) / 2
  if (product >= 0.25) return 1
  const most = product <= 0 ? 1 : 0.5 + Math.sqrt(0.25 - product)
  return -Math.log2(most)
}

/** 6.3.3, of bits. */
export function markov(bits: Uint8Array): number {
  const pairs = [0, 0, 0, 0]
  let ones = bits[0] ?? 0
  for (let at = 1; at < bits.length; at += 1) {
    const pair = 2 * (bits[at - 1] ?? 0) + (bits[at] ?? 0)
    pairs[pair] = (pairs[pair] ?? 0) + 1
    ones += bits[at] ?? 0
  }
  const [p00 = 0, p01 = 0, p10 = 0, p11 = 0] = pairs
  return markovBits({
    p0: 1 - ones / bits.length,
    p00: p00 / Math.max(1, p00 + p01),
    p10: p10 / Math.max(1, p10 + p11),
  })
}

/** The likeliest of the sequences of 128 bits that the standard lists. */
export function markovBits({ p0, p00, p10 }: { p0: number; p00: number; p10: number }): number {
  const [log0, log1] = [Math.log2(p0), Math.log2(1 - p0)]
  const [log00, log01, log10, log11] = [p00, 1 - p00, p10, 1 - p10].map(Math.log2) as number[]
  const sum = (...terms: readonly (readonly [number, number | undefined])[]) =>
    terms.reduce((total, [count, log = 0]) => total + (count === 0 ? 0 : count * log), 0)
  const likeliest = Math.max(
    log0 + sum([127, log00]),
    log0 + sum([64, log01], [63, log10]),
    log0 + sum([1, log01], [126, log11]),
    log1 + sum([1, log10], [126, log00]),
    log1 + sum([64, log10], [63, log01]),
    log1 + sum([127, log11]),
  )
  return Math.min(1, -likeliest / 128)
}

const blockBits = 6
const dictionaryBlocks = 1_000

/** 6.3.4, of bits: Maurer's universal statistic over blocks of six. */
export function compression(bits: Uint8Array): number {
  const blocks = Math.floor(bits.length / blockBits)
  const last = new Int32Array(1 << blockBits)
  let sum = 0
  let squares = 0
  for (let block = 1; block <= blocks; block += 1) {
    let value = 0
    for (let bit = 0; bit < blockBits; bit += 1) {
      value = 2 * value + (bits[(block - 1) * blockBits + bit] ?? 0)
    }
    if (block > dictionaryBlocks) {
      const log = Math.log2(block - (last[value] ?? 0))
      sum += log
      squares += log * log
    }
    last[value] = block
  }
  const count = blocks - dictionaryBlocks
  const mean = sum / count
  const deviation = 0.5907 * Math.sqrt(squares / (count - 1) - mean * mean)
  return compressionBits(mean - (z * deviation) / Math.sqrt(count), blocks)
}

/** The probability at which the statistic is expected where its lower bound was found. */
export function compressionBits(mean: number, blocks: number): number {
  const logs = Float64Array.from({ length: blocks + 1 }, (_, at) => (at < 2 ? 0 : Math.log2(at)))
  const expected = (p: number) => {
    const q = (1 - p) / ((1 << blockBits) - 1)
    return expectedLog(p, blocks, logs) + ((1 << blockBits) - 1) * expectedLog(q, blocks, logs)
  }
  let [low, high] = [2 ** -blockBits, 1]
  if (mean >= expected(low)) return 1
  for (let step = 0; step < 50; step += 1) {
    const middle = (low + high) / 2
    if (expected(middle) > mean) low = middle
    else high = middle
  }
  return -Math.log2(low) / blockBits
}

/** G of 6.3.4: for each u the number of blocks t that it can lie behind, in one pass. */
function expectedLog(probability: number, blocks: number, logs: Float64Array): number {
  const p = probability
  const count = blocks - dictionaryBlocks
  let sum = 0
  let power = 1
  for (let u = 1; u <= blocks; u += 1) {
    const log = logs[u] ?? 0
    const later = blocks - Math.max(dictionaryBlocks, u)
    sum += log * p * p * power * later
    if (u > dictionaryBlocks) sum += log * p * power
    power *= 1 - p
    if (power < 1e-300) break
  }
  return sum / count
}

const tupleCountMin = 35

/** 6.3.5: the most frequent tuple of each length of which one comes at least 35 times. */
export function tTuple(samples: Uint8Array, lengthMax = 128): number {
  let highest = 0
  let identities: Int32Array = Int32Array.from(samples)
  for (let length = 1; length <= lengthMax; length += 1) {
    const total = samples.length - length + 1
    const counts = new Map<number, number>()
    for (let at = 0; at < total; at += 1) {
      const identity = identities[at] ?? 0
      counts.set(identity, (counts.get(identity) ?? 0) + 1)
    }
    const most = [...counts.values()].reduce((one, other) => Math.max(one, other), 0)
    if (most < tupleCountMin) break
    highest = Math.max(highest, (most / total) ** (1 / length))
    identities = lengthen(identities, samples, length, counts)
  }
  return -Math.log2(upperBound(highest, samples.length))
}

/** A number for each tuple one longer; those that came too rarely share the number of none. */
function lengthen(
  identities: Int32Array,
  samples: Uint8Array,
  length: number,
  counts: ReadonlyMap<number, number>,
): Int32Array {
  const known = new Map<number, number>()
  let rare = -1
  return identities.map((identity, at) => {
    if (at + length >= samples.length) return -1
    if (identity < 0 || (counts.get(identity) ?? 0) < tupleCountMin) {
      rare -= 1
      return rare
    }
    const key = identity * 256 + (samples[at + length] ?? 0)
    const found = known.get(key)
    if (found !== undefined) return found
    known.set(key, known.size)
    return known.size - 1
  })
}

interface Predictions {
  readonly made: number
  readonly correct: number
  readonly longestRun: number
}

/** From the share that was right, and from the longest run of right ones (6.3.7 steps 4 to 6). */
export function predictionBits({ made, correct, longestRun }: Predictions, values: number): number {
  const share = correct / made
  const global = correct === 0 ? 1 - 0.01 ** (1 / made) : upperBound(share, made)
  return -Math.log2(Math.max(global, localProbability(longestRun + 1, made), 1 / values))
}

/** For which probability a run of this length is missing with a probability of 0.99 (6.3.7 step 5). */
export function localProbability(run: number, made: number): number {
  let [low, high] = [0, 1]
  for (let step = 0; step < 60; step += 1) {
    const middle = (low + high) / 2
    if (missingRun(middle, run, made) > 0.99) low = middle
    else high = middle
  }
  return low
}

/** Feller's approximation of the probability that no such run comes in so many tries. */
function missingRun(p: number, run: number, made: number): number {
  if (p === 0) return 1
  const q = 1 - p
  let x = 1
  for (let step = 0; step < 65; step += 1) x = 1 + q * p ** run * x ** (run + 1)
  if (!Number.isFinite(x) || x <= 0) return 0
  const log = Math.log((1 - p * x) / ((run + 1 - run * x) * q)) - (made + 1) * Math.log(x)
  return Number.isNaN(log) ? 0 : Math.exp(log)
}

/** Keeps count of guesses, and of which of several guessers has been right most often. */
class Guessers {
  readonly #scores: Int32Array
  #winner = 0
  #made = 0
  #correct = 0
  #run = 0
  #longestRun = 0

  constructor(count: number) {
    this.#scores = new Int32Array(count)
  }

  get predictions(): Predictions {
    return { made: this.#made, correct: this.#correct, longestRun: this.#longestRun }
  }

  take(guesses: Int16Array, actual: number): void {
    this.#made += 1
    const isRight = guesses[this.#winner] === actual
    this.#correct += Number(isRight)
    this.#run = isRight ? this.#run + 1 : 0
    this.#longestRun = Math.max(this.#longestRun, this.#run)
    for (let index = 0; index < guesses.length; index += 1) {
      if (guesses[index] !== actual) continue
      const score = (this.#scores[index] ?? 0) + 1
      this.#scores[index] = score
      if (score >= (this.#scores[this.#winner] ?? 0)) this.#winner = index
    }
  }
}

const lags = 128

/** 6.3.8: the sample that came so many before, for each distance up to 128. */
export function lag(samples: Uint8Array, values: number): number {
  const guessers = new Guessers(lags)
  const guesses = new Int16Array(lags)
  for (let at = 1; at < samples.length; at += 1) {
    for (let distance = 1; distance <= lags; distance += 1) {
      guesses[distance - 1] = at >= distance ? (samples[at - distance] ?? 0) : -1
    }
    guessers.take(guesses, samples[at] ?? 0)
  }
  return predictionBits(guessers.predictions, values)
}

const windows = [63, 255, 1_023, 4_095] as const

/** 6.3.7: the value that is most common in the last 63, 255, 1,023 and 4,095 samples. */
export function multiMcw(samples: Uint8Array, values: number): number {
  const guessers = new Guessers(windows.length)
  const guesses = new Int16Array(windows.length).fill(-1)
  const counts = windows.map(() => new Int32Array(values))
  const latest = windows.map(() => new Int32Array(values).fill(-1))
  for (let at = 0; at < samples.length; at += 1) {
    const actual = samples[at] ?? 0
    if (at >= windows[0]) guessers.take(guesses, actual)
    for (const [index, width] of windows.entries()) {
      const count = counts[index]
      const seen = latest[index]
      if (!count || !seen) continue
      count[actual] = (count[actual] ?? 0) + 1
      seen[actual] = at
      if (at >= width) {
        const gone = samples[at - width] ?? 0
        count[gone] = (count[gone] ?? 0) - 1
      }
      if (at >= width - 1) guesses[index] = mostRecentMode(count, seen)
    }
  }
  return predictionBits(guessers.predictions, values)
}

/** Of the most common values the one that came last. */
function mostRecentMode(counts: Int32Array, seen: Int32Array): number {
  let mode = 0
  for (let value = 1; value < counts.length; value += 1) {
    const more = (counts[value] ?? 0) - (counts[mode] ?? 0)
    if (more > 0 || (more === 0 && (seen[value] ?? 0) > (seen[mode] ?? 0))) mode = value
  }
  return mode
}
