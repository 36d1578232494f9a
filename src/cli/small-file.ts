/** Small files that a command reads whole, and files that it writes whole, under their name or not at all. */

import { open, stat } from 'node:fs/promises'
import { clientError, systemCode } from '../client/errors.ts'
import { OutputFile, type OutputOptions } from '../client/files/output.ts'

/** @throws ClientError FILE_NOT_READABLE, FILE_TOO_LARGE */
export async function readSmallFile(file: string, bytesMax: number): Promise<Buffer> {
  try {
    await using handle = await open(file)
    const buffer = Buffer.allocUnsafeSlow(bytesMax + 1)
    let length = 0
    while (length < buffer.length) {
      const { bytesRead } = await handle.read(buffer, length)
      if (bytesRead === 0) break
      length += bytesRead
    }
    if (length <= bytesMax) return buffer.subarray(0, length)
  } catch (cause) {
    const code = systemCode(cause)
    const why = code === 'ENOENT' ? 'does not exist' : `cannot be read (${code ?? 'no reason'})`
    throw clientError('FILE_NOT_READABLE', `${file} ${why}`, { cause })
  }
  throw clientError('FILE_TOO_LARGE', `${file} is longer than ${bytesMax} bytes`)
}

/** A secret of one person. @throws ClientError FILE_NOT_READABLE also when others can read it */
export async function readPrivateFile(file: string, bytesMax: number): Promise<Buffer> {
  const bytes = await readSmallFile(file, bytesMax)
  const { mode } = await stat(file)
  if ((mode & 0o077) === 0) return bytes
  const message = `${file} can be read by others; type: chmod 600 ${file}`
  throw clientError('FILE_NOT_READABLE', message)
}

/** @throws ClientError FILE_EXISTS, FILE_NOT_WRITABLE */
export async function writeWhole(
  file: string,
  bytes: Uint8Array,
  options: OutputOptions,
): Promise<void> {
  await using output = await OutputFile.create(file, options)
  await output.write(bytes)
  await output.commit()
}
