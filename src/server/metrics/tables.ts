/**
 * Counts and histograms of the hot path: numbers in typed arrays under labels from fixed lists, so that
 * counting costs no memory and nothing that comes from outside ever makes a new series. What is in no list
 * is counted as `other`.
 */

export const other = 'other'

/** Positions of names in a list, with `other` behind them. */
class Names {
  readonly all: readonly string[]
  readonly #indexes: ReadonlyMap<string, number>

  constructor(names: readonly string[]) {
    this.all = [...names, other]
    this.#indexes = new Map(this.all.map((name, index) => [name, index]))
  }

  indexOf(name: string): number {
    return this.#indexes.get(name) ?? this.all.length - 1
  }
}

export class CountTable {
  readonly #rows: Names
  readonly #columns: Names
  readonly #counts: Float64Array

  constructor(rows: readonly string[], columns: readonly string[]) {
    this.#rows = new Names(rows)
    this.#columns = new Names(columns)
    this.#counts = new Float64Array(this.#rows.all.length * this.#columns.all.length)
  }

  add(row: string, column: string): void {
    const index = this.#rows.indexOf(row) * this.#columns.all.length + this.#columns.indexOf(column)
    this.#counts[index] = (this.#counts[index] ?? 0) + 1
  }

  /** Those that are not zero, under the labels that are made of row and column. */
  read<L>(labelsOf: (place: { row: string; column: string }) => L): { labels: L; value: number }[] {
    const width = this.#columns.all.length
    return this.#rows.all.flatMap((row, r) =>
      this.#columns.all.flatMap((column, c) => {
        const value = this.#counts[r * width + c] ?? 0
        return value === 0 ? [] : [{ labels: labelsOf({ row, column }), value }]
      }),
    )
  }
}

export interface Distribution {
  readonly row: string
  /** Observations up to each bound, and all. */
  readonly cumulative: readonly number[]
  readonly count: number
  readonly sum: number
}

export class HistogramTable {
  /** Ascending; the bucket without a bound comes behind them. */
  readonly bounds: readonly number[]
  readonly #rows: Names
  readonly #counts: Float64Array
  readonly #sums: Float64Array

  constructor(rows: readonly string[], bounds: readonly number[]) {
    this.bounds = bounds
    this.#rows = new Names(rows)
    this.#counts = new Float64Array(this.#rows.all.length * (bounds.length + 1))
    this.#sums = new Float64Array(this.#rows.all.length)
  }

  observe(row: string, value: number): void {
    const { bounds } = this
    const index = this.#rows.indexOf(row)
    let bucket = 0
    while (bucket < bounds.length && value > (bounds[bucket] ?? 0)) bucket += 1
    const place = index * (bounds.length + 1) + bucket
    this.#counts[place] = (this.#counts[place] ?? 0) + 1
    this.#sums[index] = (this.#sums[index] ?? 0) + value
  }

  /** Those that have observations. */
  read(): Distribution[] {
    const width = this.bounds.length + 1
    return this.#rows.all.flatMap((row, index) => {
      let count = 0
      const cumulative = Array.from(
        this.#counts.subarray(index * width, (index + 1) * width),
        (some) => (count += some),
      )
      return count === 0 ? [] : [{ row, cumulative, count, sum: this.#sums[index] ?? 0 }]
    })
  }
}
