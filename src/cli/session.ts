/**
 * What every command gets: the client of the server that --data names, how to speak, the namespace,
 * and a signal that ends the work on Ctrl-C. One place turns failures into text and exit codes.
 */

import type { Command } from 'commander'
import { Client } from '../client/client.ts'
import { dataFolder, readConfig } from '../client/config.ts'
import { exitCodes } from './exit-codes.ts'
import { Output } from './output.ts'

/** Known by every command. */
export interface GlobalOptions {
  readonly json?: boolean
  readonly data?: string
  readonly namespace: string
}

export interface Session {
  readonly output: Output
  readonly folder: string
  readonly namespace: string
  readonly signal: AbortSignal
  /** Opened at the first look; needs client.json. */
  readonly connect: () => Promise<Client>
  /** Ends the process with this code unless something fails later. */
  readonly exitWith: (code: number) => void
}

export interface Input<O> {
  /** The arguments that are text. */
  readonly args: readonly string[]
  /** All arguments as their parsers left them. */
  readonly values: readonly unknown[]
  readonly options: O & GlobalOptions
}

/** A command's work, its arguments and its own options. */
export type Run<O> = (session: Session, input: Input<O>) => Promise<void>

/** What commander calls for a command: runs the work within a session. */
export function action<O extends object>(run: Run<O>): (...given: unknown[]) => Promise<void> {
  return async (...given) => {
    const command = given.at(-1) as Command
    const options: O & GlobalOptions = command.optsWithGlobals()
    const output = new Output(options.json ?? false)
    const stop = new AbortController()
    const onSignal = (): void => stop.abort()
    // Once: a second Ctrl-C ends the process where it stands.
    process.once('SIGINT', onSignal).once('SIGTERM', onSignal)
    let client: Client | undefined
    const folder = dataFolder(options.data)
    const session: Session = {
      output,
      folder,
      namespace: options.namespace,
      signal: stop.signal,
      connect: async () => {
        client ??= Client.open(await readConfig(folder), { signal: stop.signal })
        return client
      },
      exitWith: (code) => {
        process.exitCode = code
      },
    }
    try {
      const values: readonly unknown[] = command.processedArgs.flat()
      await run(session, { args: values.filter(isText), values, options })
    } catch (error) {
      process.exitCode = stop.signal.aborted ? exitCodes.interrupted : undefined
      const code = output.failure(error)
      process.exitCode ??= code
    } finally {
      client?.[Symbol.dispose]()
      process.off('SIGINT', onSignal).off('SIGTERM', onSignal)
    }
  }
}

function isText(value: unknown): value is string {
  return typeof value === 'string'
}
