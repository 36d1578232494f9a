/**
 * client.json in the data folder (mode 0600): where the server is, the authority to trust, and the
 * first administrator's token. It is written with the token once, at the first start; later starts
 * change address and authority and leave the token as it is. Whoever removes the file keeps the
 * server from writing it again.
 */

import path from 'node:path'
import { readIfThere, writeDurably } from '../host/durable-file.ts'

export interface ClientFile {
  readonly address: string
  /** PEM. */
  readonly authority: string
  readonly token: string
}

/** The token is that of a new administrator, or undefined. Answers whether there is a file now. */
export async function writeClientFile(
  folder: string,
  place: Omit<ClientFile, 'token'>,
  newToken: string | undefined,
): Promise<boolean> {
  const file = path.join(folder, 'client.json')
  const token = newToken ?? tokenIn((await readIfThere(file))?.toString('utf8'))
  if (token === undefined) return false
  const content: ClientFile = { ...place, token }
  await writeDurably(file, [Buffer.from(`${JSON.stringify(content, undefined, 2)}\n`)])
  return true
}

function tokenIn(text: string | undefined): string | undefined {
  if (text === undefined) return undefined
  try {
    const { token } = { ...JSON.parse(text) }
    return typeof token === 'string' ? token : undefined
  } catch {
    return undefined
  }
}
