/** `keyhold mac`: the MAC of a file, made or checked in the module. */

import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { InputFile } from '../../client/files/input.ts'
import type { AlgorithmName } from '../../hsm/contract/algorithms.ts'
import { exitCodes } from '../exit-codes.ts'
import { algorithmName, hex, integer } from '../options.ts'
import { styled } from '../output.ts'
import { action } from '../session.ts'

/** What one call takes; unlike a signature, a MAC cannot be made over a digest from outside. */
const dataBytesMax = 1024 * 1024

interface MacOptions {
  readonly key: string
  readonly algorithm?: AlgorithmName
  readonly keyVersion?: number
  readonly bytes?: number
  readonly check?: Buffer
}

export function addMacCommand(program: Command): void {
  program
    .command('mac')
    .argument('<file>', 'a path, or - for standard input; up to 1 MiB')
    .summary('make or check the MAC of a file')
    .description(
      'Prints the MAC in hex. With --check, ends with 0 if the MAC is right and with 3 if not.',
    )
    .requiredOption('--key <key>', 'name, alias or id of the key')
    .option('--algorithm <name>', "the key's own when left out", algorithmName)
    .option('--key-version <number>', 'a version of the key', integer(1, 0xffff_ffff))
    .option('--bytes <number>', 'cut the MAC to so many bytes', integer(1, 64))
    .option('--check <hex>', 'the MAC that the file should have', hex)
    .addHelpText(
      'after',
      `
Examples:
  keyhold keys create tokens --type generic-secret --owner web --purpose "session MACs"
  printf hello | keyhold mac - --key tokens`,
    )
    .action(
      action<MacOptions>(async ({ connect, namespace, output, signal, exitWith }, input) => {
        const { args, options } = input
        const [file = ''] = args
        const { key, algorithm, keyVersion: version, bytes: lengthBytes, check } = options
        const client = await connect()
        const data = await readWhole(file, signal)
        const path = { namespace, key }
        if (check === undefined) {
          const body = { data, algorithm, version, lengthBytes }
          const made = await client.call('mac', { path, body })
          return output.result(made, Buffer.from(made.mac).toString('hex'))
        }
        const body = { data, mac: check, algorithm, version }
        const found = await client.call('verifyMac', { path, body })
        if (!found.valid) exitWith(exitCodes.notValid)
        const [style, word] = found.valid
          ? (['green', 'valid'] as const)
          : (['red', 'NOT VALID'] as const)
        output.result(found, `${styled(style, word, process.stdout)}: ${found.algorithm} by ${key}`)
      }),
    )
}

/** @throws ClientError FILE_NOT_READABLE, FILE_TOO_LARGE, INTERRUPTED */
async function readWhole(file: string, signal: AbortSignal): Promise<Buffer> {
  await using input = await InputFile.open(file, { signal })
  const buffer = Buffer.alloc(dataBytesMax + 1)
  const length = await input.read(buffer)
  if (length > dataBytesMax) {
    throw clientError('FILE_TOO_LARGE', 'a MAC is made of at most 1 MiB; sign larger files instead')
  }
  return buffer.subarray(0, length)
}
