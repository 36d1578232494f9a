/**
 * Debian's Chromium without a window, and people in it: each has a page with an authenticator of its own (a
 * virtual one, by the DevTools protocol), and drives what a command of ours has put there.
 */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type Browser, chromium, type Page } from 'playwright-core'
import { finish, type Ran, type RunOptions, start } from './keyhold.ts'

const options = ['gpu', 'quic', 'background-networking', 'component-update', 'sync']

export function openBrowser(): Promise<Browser> {
  const executablePath = '/usr/bin/chromium'
  const args = ['--no-sandbox', '--no-first-run', ...options.map((name) => `--disable-${name}`)]
  return chromium.launch({ executablePath, headless: true, args })
}

export interface Driven extends Ran {
  /** Requests that the page has made, but for those of its own origin. */
  readonly elsewhere: readonly string[]
}

/** Somebody with one authenticator. */
export class Person {
  readonly page: Page
  readonly #setVerified: (isVerified: boolean) => Promise<unknown>

  private constructor(page: Page, setVerified: (isVerified: boolean) => Promise<unknown>) {
    this.page = page
    this.#setVerified = setVerified
  }

  static async in(browser: Browser): Promise<Person> {
    const context = await browser.newContext()
    const page = await context.newPage()
    page.setDefaultTimeout(30_000)
    const devTools = await context.newCDPSession(page)
    await devTools.send('WebAuthn.enable')
    const { authenticatorId } = await devTools.send('WebAuthn.addVirtualAuthenticator', {
      options: {
        ...{ protocol: 'ctap2', transport: 'usb', hasResidentKey: true },
        ...{ hasUserVerification: true, isUserVerified: true, automaticPresenceSimulation: true },
      },
    })
    return new Person(page, (isUserVerified) =>
      devTools.send('WebAuthn.setUserVerified', { authenticatorId, isUserVerified }),
    )
  }

  /** What the authenticator says when it is to know its user. */
  async setVerified(isVerified: boolean): Promise<void> {
    await this.#setVerified(isVerified)
  }

  /** Starts the command, opens the page that it names, acts, and waits for the end of the command. */
  async meets(
    args: readonly string[],
    act: (page: Page) => Promise<unknown>,
    options: RunOptions = {},
  ): Promise<Driven> {
    const child = start(args, options)
    const finished = finish(child, '')
    let said = ''
    const address = /http:\/\/localhost:\d+\/\S+\//
    child.stderr?.on('data', (text: string) => (said += text))
    while (!address.test(said) && child.exitCode === null) {
      assert(child.stderr)
      await Promise.race([once(child.stderr, 'data'), finished])
    }
    const [url = ''] = address.exec(said) ?? []
    const elsewhere: string[] = []
    const note = (request: { url: () => string }) => {
      if (!request.url().startsWith(url)) elsewhere.push(request.url())
    }
    this.page.on('request', note)
    try {
      assert(url !== '', said)
      await this.page.goto(url)
      await act(this.page)
      return { ...(await finished), elsewhere }
    } finally {
      this.page.off('request', note)
      child.kill()
    }
  }

  /** Presses the button, and waits for what the page says then. */
  async press(button: string, says: RegExp): Promise<void> {
    await this.page.getByRole('button', { name: button }).click()
    await this.page.getByRole('status').filter({ hasText: says }).waitFor()
  }
}
