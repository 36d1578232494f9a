/** What the module says of its noise sources and its generator, and what can be taken from it for tests. */

export const noiseSourceNames = ['operating-system', 'jitter', 'processor'] as const
export type NoiseSourceName = (typeof noiseSourceNames)[number]

/**
 * Why samples must not be used: the health test that they failed (repetition, proportion, lag, or the same
 * window twice), nothing or less than was asked for, and of the timing source a clock that does not move, goes
 * back, or moves too evenly.
 */
export const sourceFailures = [
  'repetition',
  'proportion',
  'lag',
  'replay',
  'dead',
  'clock-stopped',
  'clock-back',
  'stuck',
] as const
export type SourceFailure = (typeof sourceFailures)[number]

export interface SourceStatus {
  readonly name: string
  readonly physical: boolean
  readonly state: 'untested' | 'healthy' | 'failed'
  /** Min-entropy that is claimed for a sample, in bits. */
  readonly entropyBits: number
  readonly repetitionCutoff: number
  readonly proportionCutoff: number
  /** Raw samples that were read, those of the start-up tests among them. */
  readonly samples: number
  /** Blocks of 384 bits that it gave. */
  readonly blocks: number
  /** Since the tests were last asked for. */
  readonly failures: number
  /** Empty if there was none. */
  readonly lastFailure: SourceFailure | ''
  /** The longest run and the highest counts since it started: how near it came to its cut-offs. */
  readonly longestRun: number
  readonly highestProportion: number
  readonly highestLag: number
}

export interface GeneratorStatus {
  readonly mechanism: 'HMAC_DRBG-SHA-512'
  /** Since the last seeding. */
  readonly requests: number
  /** The first among them. */
  readonly seedings: number
  readonly seedAgeMs: number
  /** Bytes of the host that were mixed in, and never counted. */
  readonly hostBytes: number
}

export interface EntropyStatus {
  readonly generator: GeneratorStatus
  readonly sources: readonly SourceStatus[]
}

/** Raw: a byte a sample, as the health tests get them. Conditioned: blocks of 48 bytes. */
export const noiseForms = ['raw', 'conditioned'] as const
export type NoiseForm = (typeof noiseForms)[number]

/** Samples, or bytes of whole blocks, that one command gives: more does not fit beside a prelude. */
export const noiseSamplesMax = 524_288
export const conditionedBlockBytes = 48
/** What the host may give at a time to be mixed in. */
export const hostEntropyBytesMax = 4_096
export const hostEntropySources = ['hwrng', 'tpm'] as const
export type HostEntropySource = (typeof hostEntropySources)[number]

/** What the health tests came to over all that was sampled of a source so far; raw samples alone. */
export interface NoiseReport {
  /** The first one that failed, empty if none did. A test that failed does not keep samples back. */
  readonly failure: SourceFailure | ''
  readonly entropyBits: number
  readonly repetitionCutoff: number
  readonly proportionCutoff: number
  readonly longestRun: number
  readonly highestProportion: number
  readonly highestLag: number
  /** Step of the timing source's clock in nanoseconds; 0 for the others. */
  readonly tickNs: number
}

type None = Readonly<Record<never, never>>

/** Rows of the table of commands (commands.ts). */
export interface EntropyCommands {
  getEntropyStatus: { arguments: None; parts: None; result: EntropyStatus; answer: None }
  /** Bytes of a source of the host's: mixed in, never counted. */
  addEntropy: {
    arguments: { source: HostEntropySource }
    parts: { bytes: Uint8Array }
    result: { hostBytes: number }
    answer: None
  }
  /** For an assessment, from sources that seed nothing, and only while there is no domain. */
  sampleNoise: {
    arguments: { source: NoiseSourceName; form: NoiseForm; count: number }
    parts: None
    result: NoiseReport
    answer: { samples: Uint8Array }
  }
}
