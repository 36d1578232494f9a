/** `keyhold record receipt` and `verify-receipt`: that one operation is in the record, shown without the server. */

import type { Command } from 'commander'
import { clientError } from '../../client/errors.ts'
import { parseCheckpointText } from '../../hsm/contract/checkpoint.ts'
import { cosignedAt, parseVerifierKey } from '../../hsm/contract/cosignature.ts'
import { HsmError } from '../../hsm/contract/errors.ts'
import { decodeLeaf, type Leaf, leafEntry } from '../../hsm/contract/leaf.ts'
import { parseNote } from '../../hsm/contract/signed-note.ts'
import { type ProvenEntry, parseProof, proofBytesMax, verifyProof } from '../../tlog/proof.ts'
import { identityKey, type TrustOptions, trustedKeys } from '../log-keys.ts'
import { integer, list } from '../options.ts'
import { fields, styled, time, UsageError } from '../output.ts'
import { action } from '../session.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'

export function addRecordReceiptCommands(record: Command): void {
  record
    .command('receipt')
    .summary('one leaf with the proof that it is in the record, for offline verification')
    .argument('<leaf>', 'its number, as Keyhold-Leaf of an answer or record list says', leafNumber)
    .requiredOption('--output <file>', 'into this file, by convention *.tlog-proof')
    .option('--force', 'replace the file')
    .addHelpText('after', '\nExample:\n  keyhold record receipt 17 --output signed.tlog-proof')
    .action(
      action<{ output: string; force?: boolean }>(async (session, { values: [leaf], options }) => {
        const client = await session.connect()
        const path = { log: 'module', leaf: String(leaf) }
        const receipt = Buffer.from(await client.call('getLogReceipt', { path }))
        await writeWhole(options.output, receipt, { force: options.force, mode: 0o644 })
        const { length } = receipt
        session.output.result(
          { file: options.output, bytes: length },
          `${options.output}: ${length} bytes`,
        )
      }),
    )
  record
    .command('verify-receipt <file>')
    .summary('check a receipt, with nothing but the file and whom you trust')
    .description(
      'Checks that the module signed a head of its record that has the leaf in this place, and ' +
        'says what the leaf says. With the statement of the domain both signatures of the module ' +
        'have to be there and right, Ed25519 and ML-DSA-65; with an identity key the first alone. ' +
        'Ends with 3 if something is wrong.',
    )
    .option('--domain <file>', "the domain's statement, from a source that you trust")
    .option(
      '--identity-key <hex>',
      "the module's Ed25519 key, from a source that you trust",
      identityKey,
    )
    .option(
      '--witness <key>',
      'verifier key of a witness that must have cosigned; repeatable',
      list,
    )
    .addHelpText(
      'after',
      '\nExample:\n  keyhold record verify-receipt signed.tlog-proof --domain domain.json',
    )
    .action(
      action<ReceiptOptions>(async ({ output }, { args: [file = ''], options }) => {
        const receipt = (await readSmallFile(file, proofBytesMax)).toString('utf8')
        const proven = await verifyReceipt(receipt, options)
        const cosigned = cosignatures(receipt, options.witness ?? [])
        const leaf = decodeLeaf(proven.entry)
        const { size, origin, isPostQuantum } = proven.checkpoint
        const signed = isPostQuantum ? 'Ed25519 and ML-DSA-65' : 'Ed25519'
        const rows = [
          ...leafRows(leaf),
          ['record', origin],
          ['head', `${size} leaves, signed with ${signed}`],
          ...cosigned.map(
            ({ name, seconds }) => ['cosigned', `${time(seconds * 1000)} by ${name}`] as const,
          ),
        ] as const
        const held = styled('green', 'the receipt holds', process.stdout)
        const head = { size, root: Buffer.from(proven.checkpoint.root), origin, isPostQuantum }
        output.result({ leaf: leafEntry(leaf), head, cosigned }, `${held}\n${fields(rows)}`)
      }),
    )
}

interface ReceiptOptions extends TrustOptions {
  readonly witness?: readonly string[]
}

const leafNumber = integer(0, 999_999_999_999_999)

/** @throws ClientError RECORD_BROKEN */
async function verifyReceipt(receipt: string, options: TrustOptions): Promise<ProvenEntry> {
  const origin = named(() =>
    parseCheckpointText(parseNote(parseProof(receipt).checkpoint).text),
  ).origin
  const keys = await trustedKeys(options, origin)
  if (!keys) throw new UsageError('--domain or --identity-key: whose signature counts')
  const proven = named(() => verifyProof(receipt, keys))
  if (keys.mlDsa65 && !proven.checkpoint.isPostQuantum) {
    throw clientError('RECORD_BROKEN', 'ML-DSA-65 has not signed the head of this receipt')
  }
  const { sequence, moduleId } = named(() => decodeLeaf(proven.entry))
  const isThere =
    sequence === proven.index && origin.endsWith(`/${Buffer.from(moduleId).toString('hex')}`)
  if (!isThere) throw clientError('RECORD_BROKEN', 'the leaf says that it is another one')
  return proven
}

/** When each of the witnesses cosigned, in seconds since 1970. @throws ClientError RECORD_BROKEN */
function cosignatures(receipt: string, witnesses: readonly string[]) {
  const note = parseNote(parseProof(receipt).checkpoint)
  return witnesses.map((witness) => {
    const key = named(() => parseVerifierKey(witness))
    const seconds = named(() => cosignedAt(key, note))
    if (seconds === undefined) {
      throw clientError('RECORD_BROKEN', `${key.name} has not cosigned the head of this receipt`)
    }
    return { name: key.name, seconds }
  })
}

function named<T>(work: () => T): T {
  try {
    return work()
  } catch (cause) {
    if (!(cause instanceof HsmError)) throw cause
    throw clientError('RECORD_BROKEN', cause.message, { cause })
  }
}

function leafRows(leaf: Leaf): readonly (readonly [string, unknown])[] {
  const { command, outcome, key, version, identity, requestId, protocol, address } = leaf
  return [
    ['leaf', leaf.sequence],
    ['time', time(Math.floor(leaf.timeMicros / 1000))],
    ['command', command],
    ['outcome', outcome],
    ['key', key === '' ? undefined : `${key} version ${version}`],
    ['identity', identity],
    ['request', requestId],
    ['over', address === '' ? protocol : `${protocol} from ${address}`],
  ]
}
