/** How often each value came, and the same as a picture of blocks for the terminal. */

const values = 256
/** A column stands for so many neighbouring values. */
const valuesPerColumn = 4
const rowsDrawn = 8
const eighths = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const

export interface Distribution {
  readonly counts: readonly number[]
  readonly total: number
  /** The value that came most often, and the smallest and largest that came at all. */
  readonly mostCommon: number
  readonly lowest: number
  readonly highest: number
  /** -log2 of the share of the most common value: an upper bound of the min-entropy of a sample. */
  readonly mostCommonBits: number
}

export function distributionOf(samples: Uint8Array): Distribution {
  const counts = new Array<number>(values).fill(0)
  for (const sample of samples) counts[sample] = (counts[sample] ?? 0) + 1
  const most = Math.max(...counts)
  return {
    counts,
    total: samples.length,
    mostCommon: counts.indexOf(most),
    lowest: counts.findIndex((count) => count > 0),
    highest: counts.findLastIndex((count) => count > 0),
    mostCommonBits: Math.log2(samples.length / most),
  }
}

/** Eight lines of 64 columns and a scale, with the share of the highest column. */
export function drawDistribution({ counts, total }: Distribution): string {
  const columns = Array.from({ length: values / valuesPerColumn }, (_, column) =>
    counts
      .slice(column * valuesPerColumn, (column + 1) * valuesPerColumn)
      .reduce((sum, count) => sum + count, 0),
  )
  const highest = Math.max(...columns)
  const heights = columns.map((count) => Math.round((count / highest) * rowsDrawn * 8))
  const rows = Array.from({ length: rowsDrawn }, (_, row) => {
    const below = (rowsDrawn - 1 - row) * 8
    const blocks = heights.map((height) => eighths[Math.min(8, Math.max(0, height - below))] ?? '')
    return blocks.join('').trimEnd()
  })
  const share = `${((highest / total) * 100).toFixed(1)} %`
  const [top = '', ...others] = rows.map((row) => `  ${row}`)
  const marks = [0, 64, 128, 192].map((value) => String(value).padEnd(64 / valuesPerColumn))
  return [`${top.padEnd(68)}${share}`, ...others, `  ${marks.join('').trimEnd()}`].join('\n')
}
