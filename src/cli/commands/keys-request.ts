/** `keyhold keys request`: a certificate request for a key, as PEM. */

import { writeFile } from 'node:fs/promises'
import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import type { algorithms } from '../../hsm/contract/algorithms.ts'
import { integer, list } from '../options.ts'
import { action } from '../session.ts'
import { keyArgument } from './keys.ts'

interface RequestOptions {
  readonly subject?: string
  readonly dns?: string[]
  readonly ip?: string[]
  readonly algorithm?: keyof typeof algorithms
  readonly keyVersion?: number
  readonly output?: string
}

export function addKeyRequestCommand(keys: Command): void {
  keys
    .command('request')
    .summary('a request for a certificate of the key (PKCS #10), as PEM')
    .description(
      'Asks for a certificate of the key: the request is signed with it in the module, which reads that it ' +
        'is one, and for this key. You need a grant to sign with the key.',
    )
    .argument(...keyArgument)
    .option('--subject <name>', 'for whom, the most specific name first: CN=…,O=…,C=…')
    .option('--dns <names>', 'DNS names, with commas between', list)
    .option('--ip <addresses>', 'IP addresses, with commas between', list)
    .option('--algorithm <name>', "the key's first when left out")
    .option('--key-version <number>', 'the current one when left out', integer(1, 0xffff_ffff))
    .option('--output <path>', 'standard output when left out')
    .addHelpText(
      'after',
      `
Example:
  keyhold keys request payments --subject "CN=pay.example,O=Bank,C=DE" \\
    --dns pay.example,www.pay.example --output payments.csr
  openssl req -in payments.csr -verify -noout -text`,
    )
    .action(
      action<RequestOptions>(
        async ({ connect, namespace, output }, { args: [key = ''], options }) => {
          const { subject, dns: names, ip: addresses, algorithm, keyVersion: version } = options
          const answer = await (await connect()).call('requestCertificate', {
            path: { namespace, key },
            body: { subject, names, addresses, algorithm, version },
          })
          const { output: file } = options
          if (file !== undefined) {
            await writeFile(file, answer.request).catch((cause: unknown) => {
              throw clientError('FILE_NOT_WRITABLE', `${file} cannot be written`, { cause })
            })
            return output.result({ ...answer, file }, `written: ${file}`)
          }
          if (output.json) return output.result(answer, '')
          process.stdout.write(answer.request)
        },
      ),
    )
}
