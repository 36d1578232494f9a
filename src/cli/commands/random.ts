/** `keyhold random`: random bytes from the module's generator. */

import type { Command } from 'commander'
import { integer, oneOf } from '../options.ts'
import { UsageError } from '../output.ts'
import { action } from '../session.ts'

const lengthMax = 64 * 1024

export function addRandomCommand(program: Command): void {
  program
    .command('random')
    .argument('[bytes]', `how many, up to ${lengthMax}`, integer(1, lengthMax), 32)
    .summary('random bytes from the module')
    .option('--format <format>', 'hex, base64 or raw', oneOf(['hex', 'base64', 'raw']), 'hex')
    .option('--prediction-resistance', 'put fresh entropy into the generator first')
    .addHelpText('after', '\nExample:\n  keyhold random 32 --format base64')
    .action(
      action<{ format: 'hex' | 'base64' | 'raw'; predictionResistance?: true }>(
        async (session, { values, options }) => {
          const [lengthBytes] = values
          if (typeof lengthBytes !== 'number') throw new UsageError('how many bytes?')
          const client = await session.connect()
          const { predictionResistance } = options
          const body = { lengthBytes, ...(predictionResistance && { predictionResistance }) }
          const { bytes } = await client.call('random', { body })
          const made = Buffer.from(bytes)
          if (options.format === 'raw' && !session.output.json) {
            process.stdout.write(made)
            return
          }
          const text = made.toString(options.format === 'base64' ? 'base64' : 'hex')
          session.output.result({ bytes: made }, text)
        },
      ),
    )
}
