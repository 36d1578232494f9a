/** `keyhold share`: what a custodian does with their share by themselves. It needs no server. */

import type { Command } from 'commander'
import { custodianFingerprint } from '../../hsm/contract/custodian-key.ts'
import {
  checkShare,
  describeShare,
  type ShareDescription,
  shareFileBytesMax,
} from '../../hsm/contract/share.ts'
import { fields, type Output, styled } from '../output.ts'
import { passphraseFileOption } from '../passphrase.ts'
import { action } from '../session.ts'
import { drawQr, qrTexts } from '../shares/qr.ts'
import { keyFileOption, type ShareKeyOptions, withShareKey } from '../shares/share-key.ts'
import { decodeShareText, encodeShareText } from '../shares/share-text.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'

const shareArgument = ['<file>', "a custodian's share"] as const
const printedBytesMax = 64 * 1024

export function addShareCommands(program: Command): void {
  const share = program
    .command('share')
    .summary("look at, check, print and read back a custodian's share")
  addShowCommand(share)
  addCheckCommand(share)
  addPrintCommand(share)
  addReadCommand(share)
}

function addShowCommand(share: Command): void {
  share
    .command('show')
    .argument(...shareArgument)
    .summary('what a share belongs to; proves nothing')
    .action(
      action(async ({ output }, { args: [file = ''] }) => {
        const bytes = await readSmallFile(file, shareFileBytesMax)
        show(output, describeShare(bytes), [])
      }),
    )
}

function addCheckCommand(share: Command): void {
  share
    .command('check')
    .argument(...shareArgument)
    .summary('open a share and check it, without the others')
    .description(
      'Opens the share, compares its check value and forgets it. The check value it prints is the one in ' +
        "the ceremony's transcript. The domain root key is not rebuilt, and no other share is needed.",
    )
    .option(...keyFileOption)
    .option(...passphraseFileOption)
    .addHelpText('after', '\nExample:\n  keyhold share check share-1-alice.share --key alice.key')
    .action(
      action<ShareKeyOptions>(async ({ output }, { args: [file = ''], options }) => {
        const bytes = await readSmallFile(file, shareFileBytesMax)
        const found = await withShareKey(bytes, options, (key) => checkShare(bytes, key))
        show(output, found, [['opened', styled('green', 'the share is whole', process.stdout)]])
      }),
    )
}

function show(
  output: Output,
  share: ShareDescription,
  more: readonly (readonly [string, string])[],
): void {
  const { domainId, shareSet, index, count, threshold, epoch, protection, check, keyDigest } = share
  const sealedTo = keyDigest && custodianFingerprint(keyDigest)
  const value = {
    domain: domainId.toString('hex'),
    epoch,
    shareSet: shareSet.toString('hex'),
    index,
    threshold,
    count,
    protection,
    check: check.toString('hex'),
    ...(sealedTo && { sealedTo }),
    ...(more.length > 0 && { opened: true }),
  }
  const rows = [
    ['share', `${index} of ${count}; ${threshold} of them open the domain`],
    ['domain', value.domain],
    ['epoch', epoch],
    ['share set', value.shareSet],
    ['check value', value.check],
    ['protected by', protection === 'key' ? `key ${sealedTo}` : 'passphrase'],
    ...more,
  ] as const
  output.result(value, fields(rows))
}

function addPrintCommand(share: Command): void {
  share
    .command('print')
    .argument(...shareArgument)
    .summary('a share as text for paper, or as QR codes')
    .description(
      'The share stays protected: whoever finds the paper needs the key or the passphrase too.',
    )
    .option('--qr', 'QR codes, one below the other')
    .addHelpText(
      'after',
      '\nExamples:\n  keyhold share print share-1-alice.share > share-1.txt\n  keyhold share print share-1-alice.share --qr',
    )
    .action(
      action<{ qr?: boolean }>(async ({ output }, { args: [file = ''], options }) => {
        const bytes = await readSmallFile(file, shareFileBytesMax)
        const text = encodeShareText(bytes)
        if (!options.qr) return output.result({ text }, text)
        const codes = qrTexts(bytes)
        const colour = process.stdout.hasColors?.() === true && !process.env.NO_COLOR
        const drawn = codes.map((code, position) => {
          const heading = `QR code ${position + 1} of ${codes.length}`
          return `${heading}\n${drawQr(code, { colour })}`
        })
        output.result({ codes }, drawn.join('\n'))
      }),
    )
}

function addReadCommand(share: Command): void {
  share
    .command('read')
    .argument('<text>', 'what was typed in again, or what the QR codes say, line by line')
    .summary('make the share from its printed form; says where a typing error is')
    .requiredOption('--output <path>', 'where the share is to be')
    .option('--force', 'replace an output that exists')
    .action(
      action<{ output: string; force?: boolean }>(
        async ({ output }, { args: [file = ''], options }) => {
          const text = await readSmallFile(file, printedBytesMax)
          const bytes = decodeShareText(text.toString('latin1'))
          await writeWhole(options.output, bytes, { force: options.force, mode: 0o600 })
          const { index, count } = describeShare(bytes)
          output.result(
            { file: options.output, index, count },
            `${options.output}: share ${index} of ${count}`,
          )
        },
      ),
    )
}
