/**
 * Whether somebody traces a thread of the host or the module: `TracerPid` in /proc. The kernel lets
 * nobody but root trace the module, which is not dumpable; this tells when root does. A tracer that comes
 * and goes between two looks is not seen.
 */

import { readdir, readFile } from 'node:fs/promises'
import type { Finding, Sensor } from './sensor.ts'

export interface TracerOptions {
  /** Process id of the module; 0 while there is none. */
  readonly modulePid: () => number
  readonly everyMs?: number
}

export function tracerSensor({ modulePid, everyMs = 1_000 }: TracerOptions): Sensor {
  return {
    name: 'debugger',
    everyMs,
    look: async () => {
      const pid = modulePid()
      const found = [await tracerOf('host', process.pid)]
      if (pid !== 0) found.push(await tracerOf('module', pid))
      return found.flat()
    },
  }
}

const threadsMax = 256

async function tracerOf(about: string, pid: number): Promise<Finding[]> {
  const tasks = `/proc/${pid}/task`
  const threads = await readdir(tasks).catch(() => [])
  for (const thread of threads.slice(0, threadsMax)) {
    const status = await readFile(`${tasks}/${thread}/status`, 'utf8').catch(() => '')
    const tracer = Number(/^TracerPid:\s+(\d+)$/m.exec(status)?.[1] ?? 0)
    if (tracer === 0) continue
    const detail = `process ${tracer} is attached to the ${about} (process ${pid})`
    return [{ signal: 'debugger-attached', about, detail }]
  }
  return []
}
