/** How a command speaks of the browser: where the page is, whether it is opened, how long it waits. */

import { spawn } from 'node:child_process'
import { integer } from '../options.ts'
import type { Session } from '../session.ts'
import type { Where } from './browser.ts'

export interface BrowserOptions {
  readonly open?: boolean
  readonly seconds?: number
}

const secondsUsual = 300

export const browserOptions = {
  open: ['--open', 'open the page in your browser; its address is printed in any case'],
  seconds: [
    '--seconds <number>',
    'how long the page waits for you',
    integer(1, 3_600),
    secondsUsual,
  ],
} as const

export function inBrowser(
  { output, signal }: Session,
  { open, seconds = secondsUsual }: BrowserOptions,
): Omit<Where, 'port'> {
  const tell = (url: string) => {
    output.note(`Open in a browser on this machine:\n  ${url}`)
    if (open) openBrowser(url)
  }
  return { seconds, signal, tell }
}

/** That it does not open is no failure: the address is printed as well. */
function openBrowser(url: string): void {
  const opener = process.platform === 'darwin' ? 'open' : 'xdg-open'
  const child = spawn(opener, [url], { stdio: 'ignore', detached: true })
  child.on('error', () => undefined).unref()
}
