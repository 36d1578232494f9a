/**
 * The steps of the tour, in order: the whole life of a key, and of a domain (`domain-steps.ts`). Each does
 * what it says, or throws.
 */

import assert from 'node:assert/strict'
import { verify } from 'node:crypto'
import { copyFileSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { DatabaseSync } from 'node:sqlite'
import { exitCodes } from '../exit-codes.ts'
import { ceremony, exportKey, recover, tamper, unlock, zeroise } from './domain-steps.ts'
import { type Stage, TourError } from './stage.ts'

export interface Step {
  readonly title: string
  readonly run: (stage: Stage) => Promise<void>
}

export const steps: readonly Step[] = [
  { title: 'Found a security domain', run: found },
  { title: 'Make a key', run: create },
  { title: 'Sign a file, and check it with openssl', run: sign },
  { title: 'Encrypt a file and decrypt it', run: encrypt },
  { title: 'Rotate the keys', run: rotate },
  { title: 'Kill the module, and go on', run: kill },
  { title: 'Read and verify the record', run: record },
  { title: 'Destroy a key', run: destroy },
  { title: 'Bring the old wrapped copy back: it is refused', run: resurrect },
  { title: 'Found a domain with custodians and officers', run: ceremony },
  { title: 'Open it with two of three shares', run: unlock },
  { title: 'Let a key out: no officer can do it alone', run: exportKey },
  { title: 'Tamper with it: it stops', run: tamper },
  { title: 'Zeroise the module', run: zeroise },
  { title: 'Bring the domain back from shares', run: recover },
]

const secretText = 'The vault opens at nine.\n'

async function found(stage: Stage): Promise<void> {
  stage.say('A server and its module, with a domain of their own in a temporary folder.')
  stage.say('Only the module sees keys: it has no file, no socket, no child process.')
  await stage.startServer()
  await stage.keyhold(['status'])
}

async function create(stage: Stage): Promise<void> {
  stage.say('The module makes the key and hands it out encrypted; that is all the database gets.')
  stage.say('No role permits the use of a key, so whoever makes one is granted it, visibly.')
  const about = ['--owner', 'finance', '--purpose', 'sign payment files']
  await stage.keyhold(['keys', 'create', 'payments', '--type', 'P-256', ...about])
}

async function sign(stage: Stage): Promise<void> {
  stage.say('The file is hashed here; the module signs the digest and never sees the file.')
  writeFileSync(stage.file('letter.txt'), 'Pay 100 to Ada.\n')
  await stage.keyhold(['sign', 'letter.txt', '--key', 'payments'])
  await stage.keyhold(['keys', 'export-public', 'payments', '--output', 'payments.pem'])
  const openssl = 'dgst -sha256 -verify payments.pem -signature letter.txt.sig letter.txt'
  const checked = await stage.program('openssl', openssl.split(' '))
  if (checked) {
    if (!checked.stdout.includes('Verified OK'))
      throw new TourError('openssl refuses the signature')
  } else {
    stage.say("openssl is not installed here; Node's own crypto checks instead.")
    const [key, signature, file] = ['payments.pem', 'letter.txt.sig', 'letter.txt'].map((name) =>
      readFileSync(stage.file(name)),
    )
    assert(key && signature && file)
    if (!verify('sha256', file, key, signature)) throw new TourError('the signature is not valid')
  }
  stage.say('One character changed, and it is not valid any more (exit code 3):')
  writeFileSync(stage.file('forged.txt'), 'Pay 900 to Ada.\n')
  const forged = ['verify', 'forged.txt', '--signature', 'letter.txt.sig', '--key', 'payments']
  await stage.keyhold(forged, exitCodes.notValid)
}

async function encrypt(stage: Stage): Promise<void> {
  stage.say('Each file gets a key of its own, which only the module can open. Any size.')
  writeFileSync(stage.file('secret.txt'), secretText)
  const about = ['--owner', 'finance', '--purpose', 'encrypt archives']
  await stage.keyhold(['keys', 'create', 'vault', ...about])
  await stage.keyhold(['encrypt', 'secret.txt', '--key', 'vault'])
  await decryptTo(stage, 'copy.txt')
}

async function decryptTo(stage: Stage, copy: string): Promise<void> {
  await stage.keyhold(['decrypt', 'secret.txt.keyhold', '--output', copy])
  if (readFileSync(stage.file(copy), 'utf8') !== secretText) {
    throw new TourError('the decrypted file is not what was encrypted')
  }
}

async function rotate(stage: Stage): Promise<void> {
  stage.say('A new version is used from now on; the old ones still decrypt and verify.')
  await stage.keyhold(['keys', 'rotate', 'payments'])
  await stage.keyhold(['keys', 'rotate', 'vault'])
  await stage.keyhold(['verify', 'letter.txt', '--key', 'payments'])
  await decryptTo(stage, 'copy-after-rotation.txt')
}

async function kill(stage: Stage): Promise<void> {
  stage.say('The process that holds the keys ends, as in a crash. The server starts it again; it')
  stage.say('finds its sealed state and record whole, and the request that comes next is answered.')
  const pid = stage.modulePid()
  stage.show(`kill -9 ${pid}`)
  process.kill(pid, 'SIGKILL')
  await stage.keyhold(['sign', 'letter.txt', '--key', 'payments', '--force'])
  await stage.keyhold(['verify', 'letter.txt', '--key', 'payments'])
  if (stage.modulePid() === pid) throw new TourError('the module did not end')
}

async function record(stage: Stage): Promise<void> {
  stage.say('Every command is a leaf of a Merkle tree whose heads the module signs. No answer left')
  stage.say('before its leaf was on the disk; the crash has made no gap.')
  await stage.keyhold(['record', 'list', '--last', '6'])
  await stage.keyhold(['record', 'verify', '--save-head', 'head.txt'])
}

async function destroy(stage: Stage): Promise<void> {
  stage.say('First, as somebody with a backup would have it, a copy of the whole database:')
  const copy = stage.file('stolen.db')
  stage.show(`sqlite3 keyhold-data/keyhold.db "vacuum into 'stolen.db'"`)
  const database = new DatabaseSync(`${stage.data}/keyhold.db`, { readOnly: true })
  database.exec(`vacuum into '${copy.replaceAll("'", "''")}'`)
  database.close()
  stage.say('Then the key goes. It asks for its name before it does this.')
  await stage.keyhold(['keys', 'destroy', 'vault', '--confirm', 'vault'])
  await stage.keyhold(['decrypt', 'secret.txt.keyhold', '--output', 'again.txt'], exitCodes.refused)
}

async function resurrect(stage: Stage): Promise<void> {
  stage.say('The server stops, the old database takes the place of the new one, the server starts.')
  stage.say('The manager now believes that the key is alive. The module knows better: its')
  stage.say('destruction floor refuses each wrapped copy that is older than the destruction.')
  await stage.stopServer()
  stage.show('cp stolen.db keyhold-data/keyhold.db')
  for (const suffix of ['', '-wal', '-shm']) {
    rmSync(`${stage.data}/keyhold.db${suffix}`, { force: true })
  }
  copyFileSync(stage.file('stolen.db'), `${stage.data}/keyhold.db`)
  await stage.startServer()
  const shown = await stage.keyhold(['keys', 'show', 'vault'])
  if (!/^state +active$/m.test(shown.stdout)) throw new TourError('the copy was not put back')
  const again = ['decrypt', 'secret.txt.keyhold', '--output', 'again.txt']
  const { stderr } = await stage.keyhold(again, exitCodes.refused)
  if (!/WRAPPED_KEY_OUTDATED|KEY_DESTROYED/.test(stderr)) {
    throw new TourError('the old wrapped copy was not refused')
  }
  stage.say('It was the module that refused: here is its leaf.')
  const { stdout: leaves } = await stage.keyhold(['record', 'list', '--last', '4'])
  if (!/\bdecrypt +(WRAPPED_KEY_OUTDATED|KEY_DESTROYED)\b/.test(leaves)) {
    throw new TourError('the record does not say that the module refused')
  }
  stage.say(
    'And the record, which nobody can take back, still holds and goes on from the kept head:',
  )
  await stage.keyhold(['record', 'verify', '--known-head', 'head.txt'])
}
