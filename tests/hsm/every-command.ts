/**
 * A domain with a key for each use, and from it one well-formed request for every command of the table:
 * what a module answers to it tells about the module's state and nothing else.
 */

import assert from 'node:assert/strict'
import type { CommandName, SealKind } from '../../src/hsm/contract/commands.ts'
import type { KeyTemplate } from '../../src/hsm/contract/keys.ts'
import { type Ask, newKeyId, p256, template } from '../../src/hsm/door.testing.ts'
import { ProcessCaller } from './process-caller.ts'

const seal: SealKind = 'key-file'
const secret = Buffer.alloc(32, 7)
const data = Buffer.from('what is done')
const releasing = { plaintextRelease: true }
const exportable = template('AES-128', ['AES-128-GCM'], ['encrypt'], { exportable: true })

const templates = {
  signer: p256,
  changing: p256,
  cipher: template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt']),
  macer: template('AES-256', ['AES-256-CMAC'], ['mac', 'verifyMac']),
  wrapper: template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap']),
  target: exportable,
  deriver: template('generic-secret', ['HKDF-SHA-256'], ['derive'], releasing),
  agreer: template('X25519', ['X25519'], ['agree'], releasing),
  kem: template('ML-KEM-768', ['ML-KEM-768'], ['encapsulate', 'decapsulate'], releasing),
} as const satisfies Record<string, KeyTemplate>

interface Made {
  readonly reference: { readonly key: string; readonly version: number }
  readonly wrapped: Uint8Array
  readonly publicKey: Uint8Array
}

type Parts = Readonly<Record<string, Uint8Array>>
type Keys = Readonly<Record<keyof typeof templates, Made>>
/** What keys made, for the commands that take it in. */
type MadeParts = Readonly<Record<'sign' | 'encrypt' | 'mac' | 'wrapKey' | 'encapsulate', Parts>>

export class Kit {
  readonly #snapshot: Uint8Array
  readonly #seal: Uint8Array
  readonly #keys: Keys
  readonly #made: MadeParts

  private constructor(
    sealed: { readonly snapshot: Uint8Array; readonly seal: Uint8Array },
    keys: Keys,
    made: MadeParts,
  ) {
    this.#snapshot = sealed.snapshot
    this.#seal = sealed.seal
    this.#keys = keys
    this.#made = made
  }

  /** Founded in a module of its own, which is gone then. */
  static async make(): Promise<Kit> {
    await using founder = await ProcessCaller.start()
    const { snapshot, seal: sealOfRoot } = (await founder.ok(founding(founder))).parts
    assert(snapshot && sealOfRoot)
    const entries: [string, Made][] = []
    for (const [name, of] of Object.entries(templates)) {
      entries.push([name, await makeKey(founder, of)])
    }
    const keys = Object.fromEntries(entries) as Keys
    const asks = makingAsks(keys)
    const made: [string, Parts][] = []
    for (const [name, ask] of Object.entries(asks)) {
      made.push([name, (await founder.ok({ command: name, ...ask })).parts])
    }
    const sealed = { snapshot, seal: sealOfRoot }
    return new Kit(sealed, keys, Object.fromEntries(made) as MadeParts)
  }

  /** A module that has been handed its sealed state. */
  async locked(): Promise<ProcessCaller> {
    const caller = await ProcessCaller.start()
    await caller.ok(this.#stage())
    return caller
  }

  async operational(): Promise<ProcessCaller> {
    const caller = await this.locked()
    await caller.ok(this.#unlock(caller))
    return caller
  }

  /** Well-formed, for this module. */
  ask(command: CommandName, caller: ProcessCaller): Ask {
    const asks = this.#asks(caller)
    return { command, ...asks[command] }
  }

  #asks(caller: ProcessCaller): Readonly<Record<CommandName, Omit<Ask, 'command'>>> {
    const { signer, changing, cipher, macer, deriver, agreer, kem, wrapper } = this.#keys
    const { sign, encrypt, mac, wrapKey, encapsulate } = this.#made
    const fresh = { key: newKeyId(), version: 1 }
    const sealedSecret = caller.sealed('seal secret', secret)
    const into = { ...fresh, template: exportable, class: 'secret' }
    return {
      ...makingAsks(this.#keys),
      getStatus: {},
      selfTest: {},
      getTransportKey: {},
      found: founding(caller),
      stage: this.#stage(),
      unlock: this.#unlock(caller),
      lock: {},
      addSeal: { arguments: { seal }, parts: { secret: sealedSecret } },
      takeSnapshot: { arguments: { piece: 0 } },
      signHead: {},
      generateKey: { arguments: { ...fresh, template: p256 } },
      importKey: {
        arguments: { ...fresh, template: templates.cipher, class: 'secret' },
        parts: { sealed: caller.sealed('import key', secret) },
      },
      loadKey: keyed(signer),
      unloadKey: { arguments: signer.reference },
      changeKey: keyed(changing, {}, { change: { uses: ['verify'] } }),
      raiseFloor: keyed(cipher),
      destroyKey: { arguments: fresh },
      verify: keyed(signer, { data, ...sign }),
      decrypt: keyed(cipher, encrypt),
      verifyMac: keyed(macer, { data, ...mac }),
      unwrapKey: keyed(wrapper, wrapKey, { into }),
      deriveKey: keyed(deriver, {}, { lengthBytes: 32 }),
      agree: keyed(agreer, { peer: agreer.publicKey }),
      decapsulate: keyed(kem, { ciphertext: encapsulate.ciphertext ?? data }),
      random: { arguments: { lengthBytes: 8 } },
    }
  }

  #stage(): Ask {
    return { command: 'stage', arguments: { kind: 'snapshot' }, parts: { data: this.#snapshot } }
  }

  #unlock(caller: ProcessCaller): Ask {
    const parts = { seal: this.#seal, secret: caller.sealed('seal secret', secret) }
    return { command: 'unlock', arguments: { seal }, parts }
  }
}

/** A use of a key that it brings along: no state of the loaded keys decides. */
function keyed({ reference, wrapped }: Made, parts: Parts = {}, args: object = {}) {
  return { arguments: { ...reference, ...args }, parts: { wrapped, ...parts } }
}

/** The commands whose results others take in. */
function makingAsks({ signer, cipher, macer, wrapper, target, kem }: Keys) {
  return {
    sign: keyed(signer, { data }),
    encrypt: keyed(cipher, { plaintext: data }),
    mac: keyed(macer, { data }),
    wrapKey: keyed(wrapper, { targetWrapped: target.wrapped }, { target: target.reference }),
    encapsulate: keyed(kem),
  }
}

function founding(caller: ProcessCaller): Ask {
  return {
    command: 'found',
    arguments: { development: true, seal },
    parts: { secret: caller.sealed('seal secret', secret) },
  }
}

async function makeKey(caller: ProcessCaller, of: KeyTemplate): Promise<Made> {
  const reference = { key: newKeyId(), version: 1 }
  const ask = { command: 'generateKey', arguments: { ...reference, template: of } }
  const { wrapped, publicKey = new Uint8Array() } = (await caller.ok(ask)).parts
  assert(wrapped)
  return { reference, wrapped, publicKey }
}
