/**
 * The witness's keys: one name, an Ed25519 and an ML-DSA-44 key under it (c2sp.org/tlog-cosignature), in a file that
 * its owner alone can read. They sign cosignatures and nothing else.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject } from 'node:crypto'
import { open, readFile, stat } from 'node:fs/promises'
import path from 'node:path'
import { cosign } from '../hsm/contract/cosignature.ts'
import { encodeSignatureLine, type NoteKey } from '../hsm/contract/signed-note.ts'
import { WitnessError } from './errors.ts'

const fileName = 'witness.key'
/** A name is one line of a key file and goes into a length of one byte (tlog-cosignature). */
const namePattern = /^[\x21-\x2a\x2c-\x7e]{1,200}$/
const types = { ed25519: 'ed25519-cosignature', 'ml-dsa-44': 'ml-dsa-44-cosignature' } as const

interface Signer {
  readonly key: NoteKey
  readonly privateKey: KeyObject
}

export class WitnessKey {
  readonly #signers: readonly Signer[]

  private constructor(name: string, privateKeys: readonly KeyObject[]) {
    this.#signers = privateKeys.map((privateKey) => {
      const type = types[privateKey.asymmetricKeyType as keyof typeof types]
      const publicKey = createPublicKey(privateKey).export({ format: 'raw-public' })
      return { key: { name, type, publicKey }, privateKey }
    })
  }

  /** @throws WitnessError WITNESS_ARGUMENT, WITNESS_EXISTS */
  static async make(folder: string, name: string): Promise<WitnessKey> {
    if (!namePattern.test(name)) {
      throw new WitnessError('WITNESS_ARGUMENT', 'a name is printable, without spaces and "+"')
    }
    const privateKeys = [
      generateKeyPairSync('ed25519').privateKey,
      generateKeyPairSync('ml-dsa-44').privateKey,
    ]
    const pems = privateKeys.map((key) => key.export({ format: 'pem', type: 'pkcs8' }))
    try {
      await using handle = await open(path.join(folder, fileName), 'wx', 0o600)
      await handle.writeFile(`${name}\n${pems.join('')}`)
      await handle.sync()
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== 'EEXIST') throw cause
      throw new WitnessError('WITNESS_EXISTS', `there is a witness in ${folder}`, { cause })
    }
    return new WitnessKey(name, privateKeys)
  }

  /** @throws WitnessError WITNESS_MISSING, WITNESS_UNSAFE, WITNESS_DAMAGED */
  static async read(folder: string): Promise<WitnessKey> {
    const file = path.join(folder, fileName)
    const text = await readPrivate(file)
    const [head = '', ...pems] = text.split(/^(?=-----BEGIN )/m)
    const name = head.trim()
    try {
      const privateKeys = pems.map((pem) => createPrivateKey(pem))
      const found = privateKeys.map((key) => key.asymmetricKeyType)
      if (!namePattern.test(name) || String(found) !== String(Object.keys(types)))
        throw new Error(String(found))
      return new WitnessKey(name, privateKeys)
    } catch (cause) {
      throw new WitnessError('WITNESS_DAMAGED', `${file} is not a witness's key`, { cause })
    }
  }

  get name(): string {
    return this.#signers[0]?.key.name ?? ''
  }

  get keys(): readonly NoteKey[] {
    return this.#signers.map(({ key }) => key)
  }

  /** The lines of the cosignatures. @param time seconds since 1970 */
  cosign(checkpointText: string, time: number): string {
    const signatures = this.#signers.map((signer) => cosign(checkpointText, signer, time))
    return signatures.map(encodeSignatureLine).join('')
  }
}

async function readPrivate(file: string): Promise<string> {
  try {
    const { mode } = await stat(file)
    if ((mode & 0o077) !== 0) {
      throw new WitnessError('WITNESS_UNSAFE', `others can read ${file}; type: chmod 600 ${file}`)
    }
    return await readFile(file, 'utf8')
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== 'ENOENT') throw cause
    throw new WitnessError('WITNESS_MISSING', `there is no ${file}`, { cause })
  }
}
