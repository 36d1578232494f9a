/**
 * The secret of a seal from a file that only its owner can read: a passphrase is the first line, a key
 * file all of it. Read anew for each start; whoever reads it overwrites the bytes.
 */

import { constants } from 'node:fs'
import { open } from 'node:fs/promises'
import { sealSecretBytesMax } from '../hsm/contract/limits.ts'
import { secretCopy } from '../hsm/contract/secret-memory.ts'
import { LauncherError } from './errors.ts'

/** @throws LauncherError CONFIGURATION_INVALID, FILE_UNSAFE */
export async function readSecretFile(
  kind: 'passphrase' | 'key-file',
  file: string,
): Promise<Uint8Array> {
  const handle = await open(file, constants.O_RDONLY | constants.O_NOFOLLOW).catch(
    (cause: unknown) => {
      throw new LauncherError('CONFIGURATION_INVALID', `${file} cannot be read`, { cause })
    },
  )
  const content = Buffer.alloc(sealSecretBytesMax + 2)
  try {
    const { mode, uid } = await handle.stat()
    if ((mode & 0o077) !== 0 || uid !== process.geteuid?.()) {
      throw new LauncherError(
        'FILE_UNSAFE',
        `${file} must belong to whoever starts the launcher, and be readable by nobody else; ` +
          `type: chmod 600 ${file}`,
      )
    }
    const { bytesRead } = await handle.read(content)
    const line = kind === 'passphrase' ? content.indexOf('\n') : -1
    const length = line < 0 ? bytesRead : line
    if (length > 0 && length <= sealSecretBytesMax) return secretCopy(content.subarray(0, length))
    const range = `1 to ${sealSecretBytesMax}`
    throw new LauncherError(
      'CONFIGURATION_INVALID',
      `the secret in ${file} must have ${range} bytes`,
    )
  } finally {
    content.fill(0)
    await handle.close()
  }
}
