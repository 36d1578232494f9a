/** A room in which people wait, and somebody who asks without end. */

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { Agent, request } from 'node:https'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, test } from 'node:test'
import type { Configuration } from './configuration.ts'
import { wait } from './waiting-room.ts'

const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-waiting-'))
after(() => rmSync(folder, { recursive: true, force: true }))

test('whoever asks without end is told to wait, and the module is asked no more', async () => {
  let asked = 0
  const answer = async () => {
    asked += 1
    return { answer: {} }
  }
  const room = {
    ...({ state: 'locked', bodyBytesMax: 1_024 } as const),
    routes: new Map([['POST /v1/unlock/shares', answer]]),
  }
  const stop = Promise.withResolvers<void>()
  const configuration = { folder, address: '127.0.0.1', port: 0 } as Configuration
  const waiting = wait(room, configuration, { stop: stop.promise, log: () => undefined })
  let place: { address: string; authority: string } | undefined
  while (!place) {
    try {
      place = JSON.parse(readFileSync(path.join(folder, 'unlock.json'), 'utf8'))
    } catch {
      await new Promise((resolve) => setTimeout(resolve, 10))
    }
  }
  const { address, authority: ca } = place
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  const statuses: (number | undefined)[] = []
  for (let count = 0; count < 60; count += 1) {
    const sent = request(`${address}/v1/unlock/shares`, { method: 'POST', ca, agent }).end('{}')
    const [response] = await once(sent, 'response')
    response.resume()
    statuses.push(response.statusCode)
    if (response.statusCode === 429) assert(Number(response.headers['retry-after']) > 0)
    await once(response, 'end')
  }
  agent.destroy()
  stop.resolve()
  assert.equal(await waiting, 'stopped')
  assert(asked < 40, `${asked}`)
  assert.equal(statuses.filter((status) => status === 429).length, 60 - asked)
})
