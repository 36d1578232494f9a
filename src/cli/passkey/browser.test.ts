/** The page's server against everybody who is not the page, and what ends a question. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type OutgoingHttpHeaders, request } from 'node:http'
import { createServer } from 'node:net'
import { suite, test } from 'node:test'
import { freePort } from '../../../tests/cli/free-port.ts'
import { clientError } from '../../client/errors.ts'
import { askBrowser } from './browser.ts'

const accept = (answer: unknown) => {
  if (JSON.stringify(answer) === '{"right":true}') return 'right'
  throw clientError('APPROVAL_INVALID', 'the answer is wrong')
}
const question = { html: '<h1>Question</h1>', accept }

interface Answer {
  readonly status: number | undefined
  readonly headers: Readonly<Record<string, unknown>>
  readonly text: string
}

/** A question in the air, and requests to it. */
async function asked({ count = 1, seconds = 10 } = {}) {
  const stop = new AbortController()
  const port = await freePort()
  const { promise: told, resolve: tell } = Promise.withResolvers<string>()
  const questions = Array(count).fill(question)
  const answers = askBrowser(questions, { port, seconds, signal: stop.signal, tell })
  answers.catch(() => undefined)
  const url = new URL(await told)
  const origin = url.origin
  const json = { origin, 'content-type': 'application/json' }
  const send = async (
    method: string,
    target: string,
    headers: OutgoingHttpHeaders = {},
    body = '',
    address = '127.0.0.1',
  ): Promise<Answer> => {
    const where = { host: address, port, method, path: target }
    const sent = request({ ...where, headers: { host: url.host, ...headers } }).end(body)
    const [response] = await once(sent, 'response')
    const pieces: Buffer[] = []
    for await (const piece of response) pieces.push(piece)
    const text = Buffer.concat(pieces).toString()
    return { status: response.statusCode, headers: response.headers, text }
  }
  const answer = (body: unknown, headers: OutgoingHttpHeaders = {}) =>
    send('POST', `${url.pathname}answer`, { ...json, ...headers }, JSON.stringify(body))
  return { stop, answers, url, port, send, answer }
}

suite('a question in the browser', () => {
  test('is shown at its secret path to its own host alone, under a strict policy', async () => {
    const { send, url, stop, answers } = await asked()
    const { status, headers, text } = await send('GET', url.pathname)
    assert.deepEqual([status, text], [200, question.html])
    assert.match(
      String(headers['content-security-policy']),
      /^default-src 'none'; script-src 'self'/,
    )
    for (const name of ['style.css', 'script.js']) {
      assert.equal((await send('GET', url.pathname + name)).status, 200)
    }
    const own = url.pathname
    const refusals: readonly [string, string, OutgoingHttpHeaders?][] = [
      ['GET', '/'],
      ['GET', `${own.slice(0, -2)}/`],
      ['GET', `${own}../${own.slice(1)}style.css`],
      ['GET', `${own}..%2fbrowser.ts`],
      ['GET', own, { host: `127.0.0.1:${url.port}` }],
      ['GET', own, { host: `localhost.example.org:${url.port}` }],
      ['GET', `${own}answer`],
      ['PUT', own],
    ]
    for (const [method, target, given] of refusals) {
      assert.equal((await send(method, target, given)).status, 404, `${method} ${target}`)
    }
    stop.abort()
    await assert.rejects(answers, { code: 'INTERRUPTED' })
  })

  test('takes its answer from its page alone', async () => {
    const { answer, answers } = await asked()
    const right = { right: true }
    assert.equal((await answer(right, { origin: 'https://example.org' })).status, 400)
    assert.equal((await answer(right, { origin: 'null' })).status, 400)
    assert.equal((await answer(right, { 'content-type': 'text/plain' })).status, 400)
    assert.equal((await answer(right, { host: 'localhost' })).status, 404)
    assert.equal((await answer('x'.repeat(20_000))).status, 400)
    assert.equal((await answer(undefined)).status, 400)
    assert.equal((await answer(right)).status, 200)
    assert.deepEqual(await answers, ['right'])
  })

  test('comes after the one before', async () => {
    const { answer, answers } = await asked({ count: 2 })
    assert.equal(JSON.parse((await answer({ right: true })).text).isMore, true)
    assert.equal(JSON.parse((await answer({ right: true })).text).isMore, false)
    assert.deepEqual(await answers, ['right', 'right'])
  })

  test('ends by an answer that is not right, by "no", by silence and by a taken port', async () => {
    const wrong = await asked({ count: 2 })
    const { status, text } = await wrong.answer({ right: false })
    assert.equal(status, 422)
    assert.match(JSON.parse(text).message, /^Not accepted: the answer is wrong/)
    await assert.rejects(wrong.answers, { code: 'APPROVAL_INVALID' })
    const no = await asked()
    assert.equal((await no.answer({ cancelled: true })).status, 200)
    await assert.rejects(no.answers, /refused in the browser: nothing was signed/)
    const silent = await asked({ seconds: 0.05 })
    await assert.rejects(silent.answers, /nobody answered within 0.05 seconds/)
    for (const host of ['127.0.0.1', '::1']) {
      const squatter = createServer().listen(0, host)
      await once(squatter, 'listening')
      const { port } = squatter.address() as { port: number }
      const where = { port, seconds: 1, signal: AbortSignal.any([]), tell: assert.fail }
      await assert.rejects(askBrowser([question], where), { code: 'PORT_IN_USE' })
      squatter.close()
    }
  })
})
