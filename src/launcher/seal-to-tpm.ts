/**
 * Makes a secret that the machine's TPM keeps for the launcher (`--seal tpm --secret DIR`), for whoever
 * founds a domain, or seals it anew, as root. What it makes is of no use without the TPM; the secret
 * itself goes nowhere: the launcher has the TPM give it back.
 *
 *   node seal-to-tpm.ts DIR [--pcrs BANK:LIST] [--tpm TCTI]
 */

import { parseArgs } from 'node:util'
import { TpmError } from '../host/tpm/errors.ts'
import { makeTpmSeal, policyDefault } from '../host/tpm/seal.ts'

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { pcrs: { type: 'string', default: policyDefault.pcrs }, tpm: { type: 'string' } },
})
const [folder, ...others] = positionals
if (folder === undefined || others.length > 0) {
  process.stderr.write('usage: seal-to-tpm.ts DIR [--pcrs BANK:LIST] [--tpm TCTI]\n')
  process.exit(78)
}
try {
  const secret = await makeTpmSeal(folder, { pcrs: values.pcrs, pin: false }, { tcti: values.tpm })
  secret.fill(0)
  process.stdout.write(`sealed to ${values.pcrs} of this machine's TPM, in ${folder}\n`)
} catch (error) {
  if (!(error instanceof TpmError)) throw error
  process.stderr.write(`${error.message} [${error.code}]\n`)
  process.exit(77)
}
