/**
 * One answer to Prometheus. The values are read when it asks, into a registry that is made for this answer:
 * a registry that is used for both formats changes the names of its counters in one of them.
 */

import { Counter, Gauge, type Metric, Registry } from 'prom-client'
import type { HistogramTable } from './tables.ts'

export interface Sample {
  readonly value: number
  readonly labels?: Readonly<Record<string, string>>
}

/** By name: what it says, and its only value; of what has none nothing is said. */
export type Values = Readonly<Record<string, readonly [help: string, value: number | undefined]>>

export interface HistogramPart {
  readonly table: HistogramTable
  readonly labelsOf: (row: string) => Readonly<Record<string, string>>
}

const contentTypes = {
  text: Registry.PROMETHEUS_CONTENT_TYPE,
  openMetrics: Registry.OPENMETRICS_CONTENT_TYPE,
} as const

/** RFC 9110 section 12.5.1; Prometheus's text format unless OpenMetrics 1.0.0 is preferred. */
export function formatFor(accept: string): keyof typeof contentTypes {
  const ranges = accept.split(',').map((range) => {
    const [type = '', ...parameters] = range.toLowerCase().replaceAll(/\s/g, '').split(';')
    const values = new Map(parameters.map((each) => each.split('=', 2) as [string, string]))
    const quality = Number(values.get('q') ?? 1)
    return { type, version: values.get('version'), quality }
  })
  const best = (name: string, version: string) =>
    Math.max(
      0,
      ...ranges
        .filter((range) => range.type === name && (range.version ?? version) === version)
        .map(({ quality }) => quality),
    )
  const isPreferred = best('application/openmetrics-text', '1.0.0') > best('text/plain', '0.0.4')
  return isPreferred ? 'openMetrics' : 'text'
}

export class Page {
  readonly type: string
  readonly #registry: Registry

  constructor(accept: string) {
    this.type = contentTypes[formatFor(accept)]
    // The declarations bind a registry to one type; the class takes either.
    this.#registry = new (Registry as new (type: string) => Registry)(this.type)
  }

  /** Without samples nothing is written, here and below. */
  counter(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    const metric = new Counter(this.#configuration(name, help, samples))
    for (const { labels = {}, value } of samples) metric.inc(labels, value)
  }

  gauge(name: string, help: string, samples: readonly Sample[]): void {
    if (samples.length === 0) return
    const metric = new Gauge(this.#configuration(name, help, samples))
    for (const { labels = {}, value } of samples) metric.set(labels, value)
  }

  counters(values: Values): void {
    for (const [name, help, samples] of singles(values)) this.counter(name, help, samples)
  }

  gauges(values: Values): void {
    for (const [name, help, samples] of singles(values)) this.gauge(name, help, samples)
  }

  /** The class of the library would have to observe each value anew; it is asked for its text as this is. */
  histogram(name: string, help: string, parts: readonly HistogramPart[]): void {
    const values = parts.flatMap(({ table, labelsOf }) =>
      table.read().flatMap(({ row, cumulative, count, sum }) => {
        const labels = labelsOf(row)
        const buckets = cumulative.map((value, index) => ({
          metricName: `${name}_bucket`,
          labels: { le: table.bounds[index] ?? '+Inf', ...labels },
          value,
        }))
        return [
          ...buckets,
          { metricName: `${name}_sum`, labels, value: sum },
          { metricName: `${name}_count`, labels, value: count },
        ]
      }),
    )
    const metric = { name, help, type: 'histogram', get: async () => ({ ...metric, values }) }
    this.#registry.registerMetric(metric as unknown as Metric)
  }

  text(): Promise<string> {
    return this.#registry.metrics()
  }

  #configuration(name: string, help: string, [first]: readonly Sample[]) {
    return {
      name,
      help,
      labelNames: Object.keys(first?.labels ?? {}),
      registers: [this.#registry],
    }
  }
}

function singles(values: Values): [name: string, help: string, samples: Sample[]][] {
  return Object.entries(values).map(([name, [help, value]]) => {
    return [name, help, value === undefined ? [] : [{ value }]]
  })
}
