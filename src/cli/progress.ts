/**
 * A progress bar on standard error for work that takes a while: only on a terminal, and only when there
 * is enough to do that somebody might wonder.
 */

import { progress } from '@clack/prompts'

/** Units of work below which no bar is worth its flicker. */
const worthShowing = 32 * 1024 * 1024
const barSteps = 100

export type Report = (done: number, total: number | undefined) => void

export interface Bar extends Disposable {
  readonly report: Report
}

/** least: from which total on the bar is shown. */
export function progressBar(title: string, json: boolean, least = worthShowing): Bar {
  const shown = process.stderr.isTTY && !json
  let bar: ReturnType<typeof progress> | undefined
  let step = 0
  const end = (): void => {
    bar?.clear()
    bar = undefined
  }
  return {
    report: (done, total) => {
      if (step >= barSteps || !shown || total === undefined || total < least) return
      if (!bar) {
        bar = progress({ max: barSteps, output: process.stderr, style: 'light', withGuide: false })
        bar.start(title)
      }
      const reached = Math.floor((done / total) * barSteps)
      if (reached <= step) return
      bar.advance(reached - step, `${title} ${reached} %`)
      step = reached
      // Gone before the result is written: they would share a line.
      if (reached >= barSteps) end()
    },
    [Symbol.dispose]: end,
  }
}
