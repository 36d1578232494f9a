/**
 * A share on paper and on the screen: what is printed is read back; a typing error is found and located; the
 * QR codes are read by a program that nobody here wrote (zbarimg), from an image that is drawn from the
 * terminal's text.
 */

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { suite, test } from 'node:test'
import { stripVTControlCharacters } from 'node:util'
import fc from 'fast-check'
import { decodeBase32, encodeBase32 } from './base32.ts'
import { drawQr, qrTexts } from './qr.ts'
import { decodeShareText, encodeShareText } from './share-text.ts'

const vector = JSON.parse(
  readFileSync(path.join(import.meta.dirname, '../../../docs/formats/share.json'), 'utf8'),
) as { readonly keyShare: string; readonly passphraseShare: string }
const keyShare = Buffer.from(vector.keyShare, 'hex')
const passphraseShare = Buffer.from(vector.passphraseShare, 'hex')

function refusal(text: string): string {
  try {
    decodeShareText(text)
  } catch (error) {
    assert(error instanceof Error)
    assert.equal(Reflect.get(error, 'code'), 'FILE_INVALID')
    return error.message
  }
  return assert.fail('was read')
}

suite('base32', () => {
  test('bytes come back, however long', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 64 }), (bytes) => {
        assert.deepEqual(decodeBase32(encodeBase32(bytes)), Buffer.from(bytes))
      }),
    )
  })

  test('the digits are those of the number that the bytes are', () => {
    assert.equal(encodeBase32(Buffer.from('0000000001', 'hex')), '00000001')
    assert.equal(encodeBase32(Buffer.from('f800000000', 'hex')), 'Z0000000')
    const number = BigInt('0x123456789abcdef0123456789abcdef012345678')
    const digits = number.toString(32).padStart(32, '0')
    const crockford = [...digits].map(
      (digit) => '0123456789ABCDEFGHJKMNPQRSTVWXYZ'[parseInt(digit, 32)],
    )
    const bytes = Buffer.from('123456789abcdef0123456789abcdef012345678', 'hex')
    assert.equal(encodeBase32(bytes), crockford.join(''))
  })

  test('what people mix up is read, what is no letter is not', () => {
    assert.deepEqual(decodeBase32('oil01'), decodeBase32('01101'))
    for (const wrong of ['U0', '0U', '*0', 'Z1', '0']) {
      assert.equal(decodeBase32(wrong), undefined, wrong)
    }
  })
})

suite('printed', () => {
  for (const [name, file] of Object.entries({ keyShare, passphraseShare })) {
    test(`${name}: is read back, in another order, in lower case, with dashes`, () => {
      const text = encodeShareText(file)
      assert.match(text, /^keyhold share, [12] of 5\n01 {2}9D45 6J01 0[7B]SF /)
      assert.deepEqual(decodeShareText(text), file)
      const [heading = '', ...lines] = text.trimEnd().split('\n')
      const typed = lines
        .reverse()
        .map((line) => line.toLowerCase().replace(/(\S{4}) (?=\S{4} )/g, '$1-'))
      assert.deepEqual(decodeShareText([heading, ...typed, typed[0], ''].join('\r\n')), file)
    })
  }

  test('one wrong letter is found, and its line and group named', () => {
    const lines = encodeShareText(passphraseShare).trimEnd().split('\n')
    const letters = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
    const places = fc.tuple(fc.integer({ min: 1, max: 8 }), fc.nat(31), fc.constantFrom(...letters))
    fc.assert(
      fc.property(places, ([number, letter, other]) => {
        const at = 4 + letter + Math.floor(letter / 4)
        const line = lines[number] ?? ''
        fc.pre(line[at] !== other)
        const wrong = line.slice(0, at) + other + line.slice(at + 1)
        const message = refusal(lines.with(number, wrong).join('\n'))
        const group = Math.floor(letter / 4) + 1
        assert.match(message, new RegExp(`^line 0${number}: .*look at group.*\\b${group}\\b`))
      }),
      { numRuns: 50 },
    )
  })

  test('two lines exchanged, one left out, one there twice, one cut: each is named', () => {
    const [heading = '', first = '', second = '', ...rest] = encodeShareText(passphraseShare)
      .trimEnd()
      .split('\n')
    const join = (...lines: string[]) => [heading, ...lines].join('\n')
    const swapped = [`01${second.slice(2)}`, `02${first.slice(2)}`]
    assert.match(refusal(join(...swapped, ...rest)), /line 01: .*; line 02: /)
    assert.equal(refusal(join(first, ...rest)), 'missing: line 02')
    assert.equal(refusal(join(first, second, ...rest.slice(0, -1))), 'missing: line 09')
    assert.equal(refusal(join(second, ...rest)), 'line 01 is missing')
    assert.match(refusal(join(first, second.slice(0, -9), ...rest)), /^line 02: the checksum/)
    assert.match(
      refusal(join(first, second.replace('Y890', 'Y8*0'), ...rest)),
      /^line 02: "\*" in group/,
    )
    assert.equal(refusal('nothing'), 'there is no line of a share in it')
    const other = encodeShareText(keyShare).split('\n')[1] ?? ''
    assert.match(refusal(join(first, other, second, ...rest)), /^line 01 is there twice/)
    assert.match(refusal('x'.repeat(100_000)), /more text/)
  })
})

suite('QR codes', () => {
  for (const [name, file] of Object.entries({ keyShare, passphraseShare })) {
    for (const colour of [true, false]) {
      test(`${name}, ${colour ? 'with' : 'without'} colour: zbarimg reads what was drawn`, () => {
        const texts = qrTexts(file)
        assert.equal(texts.length, file === keyShare ? 6 : 1)
        const drawn = texts.map((text) => drawQr(text, { colour }))
        for (const lines of drawn)
          assert(lines.split('\n').every((line) => plainLength(line) <= 80))
        const read = drawn.map((lines) => scan(image(lines, colour)))
        assert.deepEqual(
          read.map((text) => text.trim()),
          texts,
        )
        assert.deepEqual(decodeShareText(read.reverse().join('')), file)
      })
    }
  }

  test('a part that is missing or of another share is refused', () => {
    const [first = '', ...rest] = qrTexts(keyShare)
    assert.equal(refusal(rest.join('\n')), 'missing: QR code 1 of 6')
    assert.match(refusal([first, ...qrTexts(passphraseShare)].join('\n')), /different shares/)
    const other = `${first.slice(0, -1)}${first.endsWith('0') ? '1' : '0'}`
    assert.match(refusal([first, other, ...rest].join('\n')), /different shares/)
  })
})

function plainLength(line: string): number {
  return stripVTControlCharacters(line).length
}

/** What a terminal shows, as a portable grey map, four points a module. */
function image(text: string, colour: boolean): Buffer {
  const rows = text
    .trimEnd()
    .split('\n')
    .map((line) => [...stripVTControlCharacters(line)])
  const drawn = rows.flatMap((row) => [
    row.map((character) => character === '█' || character === '▀'),
    row.map((character) => character === '█' || character === '▄'),
  ])
  // With colour what is drawn is black on white, without it is light on a dark terminal.
  const points = drawn.flatMap((row) => {
    const line = row.flatMap((isDrawn) => Array<number>(4).fill(isDrawn === colour ? 0 : 255))
    return [line, line, line, line]
  })
  const width = points[0]?.length ?? 0
  const header = Buffer.from(`P5 ${width} ${points.length} 255\n`)
  return Buffer.concat([header, Buffer.from(points.flat())])
}

function scan(bytes: Buffer): string {
  const folder = mkdtempSync(path.join(tmpdir(), 'keyhold-qr-'))
  try {
    const file = path.join(folder, 'code.pgm')
    writeFileSync(file, bytes)
    const args = ['--quiet', '--raw', '-Sdisable', '-Sqrcode.enable', file]
    return execFileSync('zbarimg', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })
  } finally {
    rmSync(folder, { recursive: true, force: true })
  }
}
