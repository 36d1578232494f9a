/** `keyhold tour`: the whole life of a key and of a domain in about a minute, on throwaway domains. */

import { performance } from 'node:perf_hooks'
import type { Command } from 'commander'
import { styled } from '../output.ts'
import { action } from '../session.ts'
import { Stage } from '../tour/stage.ts'
import { steps } from '../tour/steps.ts'

export function addTourCommand(program: Command): void {
  program
    .command('tour')
    .summary('the whole life of a key and of a domain, really done, in about a minute')
    .description(
      'Starts servers of its own on throwaway domains in a temporary folder and takes a key ' +
        'and a domain through their whole lives. Each step is really done with the commands that are shown. ' +
        'Nothing is left behind; your own data folder is not touched.',
    )
    .action(
      action(async ({ output, signal }) => {
        const started = performance.now()
        const done: { title: string; ms: number }[] = []
        const write = (text: string): void => {
          if (!output.json) process.stdout.write(text)
        }
        await using stage = new Stage({ write, signal })
        for (const [index, { title, run }] of steps.entries()) {
          const heading = `${index + 1}/${steps.length} ${title}`
          write(`\n${styled('bold', heading, process.stdout)}\n`)
          const before = performance.now()
          await run(stage)
          done.push({ title, ms: Math.round(performance.now() - before) })
        }
        const ms = Math.round(performance.now() - started)
        const text =
          `\nThat was the whole life of a key and of a domain, in ${(ms / 1000).toFixed(0)} seconds.\n` +
          'Your own domain: npm start\n'
        output.result({ steps: done, ms }, text)
      }),
    )
}
