/**
 * A share as QR codes on the terminal (ISO/IEC 18004; docs/formats/share.md section 4). Two modules stand one above
 * the other in a character, with the quiet zone of four modules around. With colour the code is black on
 * white whatever the terminal is; without, light modules are drawn, for terminals that are dark.
 */

import qrcode from 'qrcode-generator'
import { encodeBase32 } from './base32.ts'

const partLetters = 400
const quietModules = 4
const blackOnWhite = '\u001b[30;107m'
const plain = '\u001b[0m'

/** What the codes say, in their order. */
export function qrTexts(file: Uint8Array): string[] {
  const letters = encodeBase32(file)
  const parts = Math.ceil(letters.length / partLetters)
  return Array.from({ length: parts }, (_, position) => {
    const piece = letters.slice(position * partLetters, (position + 1) * partLetters)
    return `KHSH1:${position + 1}/${parts}:${piece}`
  })
}

/** What a line says that was read from a code, if it was. */
export function qrPartOf(line: string): { part: number; parts: number; text: string } | undefined {
  const [, part, parts, text] =
    /^(?:QR-Code:)?KHSH1:([1-9])\/([1-9]):([0-9A-Z]{1,400})$/.exec(line.trim()) ?? []
  if (text === undefined || Number(part) > Number(parts)) return undefined
  return { part: Number(part), parts: Number(parts), text }
}

/** Lines to print. */
export function drawQr(text: string, { colour }: { readonly colour: boolean }): string {
  const code = qrcode(0, 'M')
  code.addData(text, 'Alphanumeric')
  code.make()
  const size = code.getModuleCount()
  const isDark = (row: number, column: number): boolean => {
    const isInside = row >= 0 && row < size && column >= 0 && column < size
    return isInside && code.isDark(row, column)
  }
  const lines: string[] = []
  for (let row = -quietModules; row < size + quietModules; row += 2) {
    let line = ''
    for (let column = -quietModules; column < size + quietModules; column += 1) {
      const [upper, lower] = [isDark(row, column), isDark(row + 1, column)]
      line += colour ? block(upper, lower) : block(!upper, !lower)
    }
    lines.push(colour ? `${blackOnWhite}${line}${plain}` : line)
  }
  return `${lines.join('\n')}\n`
}

function block(upper: boolean, lower: boolean): string {
  if (upper) return lower ? '█' : '▀'
  return lower ? '▄' : ' '
}
