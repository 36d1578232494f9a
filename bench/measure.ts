/** Timing of the bench: rates of one thread, percentiles, and what the machine is. */

import { cpus, release, totalmem, type } from 'node:os'
import { performance } from 'node:perf_hooks'

export interface Measured {
  readonly perSecond: number
  /** Microseconds. */
  readonly p50: number
  readonly p99: number
  readonly errors: number
}

/** The value below which the share of the sorted values lies. */
export function percentile(sorted: Float64Array, share: number): number {
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN
}

export function summarise(latencies: readonly number[], seconds: number, count: number): Measured {
  const sorted = Float64Array.from(latencies).sort()
  return {
    perSecond: count / seconds,
    p50: percentile(sorted, 0.5),
    p99: percentile(sorted, 0.99),
    errors: 0,
  }
}

/** Calls the work again and again on this thread for about the given time. */
export function measureSync(work: () => void, seconds: number): Measured {
  for (let index = 0; index < 200; index += 1) work()
  const latencies: number[] = []
  const start = performance.now()
  const end = start + seconds * 1000
  let now = start
  while (now < end) {
    const before = now
    work()
    now = performance.now()
    latencies.push((now - before) * 1000)
  }
  return summarise(latencies, (now - start) / 1000, latencies.length)
}

/** Keeps so many calls under way for about the given time; `items` counts what one call does. */
export async function measureAsync(
  work: () => Promise<void>,
  options: { readonly seconds: number; readonly inFlight: number; readonly items: number },
): Promise<Measured> {
  const latencies: number[] = []
  const start = performance.now()
  const end = start + options.seconds * 1000
  const lane = async (): Promise<void> => {
    while (performance.now() < end) {
      const before = performance.now()
      await work()
      latencies.push((performance.now() - before) * 1000)
    }
  }
  await Promise.all(Array.from({ length: options.inFlight }, lane))
  const seconds = (performance.now() - start) / 1000
  return summarise(latencies, seconds, latencies.length * options.items)
}

export function machine(): Readonly<Record<string, string | number>> {
  return {
    processor: cpus()[0]?.model ?? 'unknown',
    cores: cpus().length,
    memoryBytes: totalmem(),
    system: `${type()} ${release()} ${process.arch}`,
    node: process.version,
    openssl: process.versions.openssl ?? 'unknown',
  }
}
