/**
 * Crockford's base32, for what people copy from paper: no letter looks like a digit, lower case is read too,
 * and O, I and L are read as the digits that they look like. Bits are cut into fives from the first on, the
 * last one filled with zeros.
 */

const alphabet = '0123456789ABCDEFGHJKMNPQRSTVWXYZ'
const alike: Readonly<Record<string, string>> = { O: '0', I: '1', L: '1' }

export function encodeBase32(bytes: Uint8Array): string {
  let text = ''
  let bits = 0
  let held = 0
  for (const byte of bytes) {
    held = (held << 8) | byte
    bits += 8
    while (bits >= 5) {
      bits -= 5
      text += alphabet[(held >> bits) & 31]
    }
    held &= (1 << bits) - 1
  }
  return bits === 0 ? text : text + alphabet[(held << (5 - bits)) & 31]
}

/** Undefined for a letter that is none, and for a last one that says more than whole bytes. */
export function decodeBase32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * 5) / 8))
  let length = 0
  let bits = 0
  let held = 0
  for (const letter of text.toUpperCase()) {
    const value = alphabet.indexOf(alike[letter] ?? letter)
    if (value < 0) return undefined
    held = (held << 5) | value
    bits += 5
    if (bits < 8) continue
    bits -= 8
    length = bytes.writeUInt8((held >> bits) & 0xff, length)
    held &= (1 << bits) - 1
  }
  return held === 0 && bits < 5 ? bytes : undefined
}
