/** The sinks of a server, from their configuration: started with it, stopped with it, asked how they are. */

import path from 'node:path'
import { makeFolder } from '../../host/durable-file.ts'
import type { LogEntry } from '../../kms/kms.ts'
import type { SinkStatus } from '../../protocols/rest/options.ts'
import type { SinkSettings } from './configuration.ts'
import { FileSink } from './file-sink.ts'
import { HttpSink } from './http-sink.ts'
import { Pump, type Source } from './pump.ts'
import type { Sink } from './sink.ts'
import { SyslogSink } from './syslog-sink.ts'

export interface Sinks extends AsyncDisposable {
  status(): SinkStatus[]
}

export async function startSinks(
  settings: readonly SinkSettings[],
  options: {
    /** The data folder. */
    readonly folder: string
    readonly source: Source
    readonly log: (entry: LogEntry) => void
  },
): Promise<Sinks> {
  for (const { name, ...sink } of settings) {
    if (sink.type === 'file' && !path.relative(options.folder, sink.path).startsWith('..')) {
      throw new Error(`the file of sink ${name} must not be in the data folder`)
    }
  }
  const cursors = path.join(options.folder, 'sinks')
  if (settings.length > 0) await makeFolder(cursors)
  const pumps: Pump[] = []
  const stop = async () => {
    await Promise.all(pumps.map((pump) => pump[Symbol.asyncDispose]()))
  }
  try {
    for (const setting of settings) {
      const file = path.join(cursors, `${setting.name}.json`)
      const { source, log } = options
      const sink = sinkOf(setting)
      pumps.push(await Pump.start({ settings: setting, sink, source, file, now: Date.now, log }))
    }
  } catch (error) {
    await stop()
    throw error
  }
  return { status: () => pumps.map((pump) => pump.status()), [Symbol.asyncDispose]: stop }
}

function sinkOf(settings: SinkSettings): Sink {
  switch (settings.type) {
    case 'file':
      return new FileSink(settings)
    case 'syslog':
      return new SyslogSink(settings)
    case 'http':
      return new HttpSink(settings)
  }
}
