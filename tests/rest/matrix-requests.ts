/**
 * For every route a request that does what the route is for, on things that are there: what each answers
 * then depends on the caller alone. What a request would use up is made anew for it.
 */

import assert from 'node:assert/strict'
import { generateKeyPairSync } from 'node:crypto'
import { sealForCommand, sealSecretFor } from '../../src/hsm/contract/sealed-part.ts'
import type { Route } from '../../src/protocols/rest/route.ts'
import { base64, bytesOf, type Installation, keysPath, namespace, unique } from './people.ts'
import { sealedKey } from './sealed-key.ts'

export interface Prepared {
  readonly path: string
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string>>
}

type Parameters = Readonly<Record<string, string>>
interface Wish extends Omit<Prepared, 'path'> {
  readonly parameters?: Parameters
  readonly query?: string
}

/** Keys of each kind, with grants for them, and valid inputs for each of their uses. */
export interface Stock {
  readonly keys: Readonly<Record<string, string>>
  readonly inputs: Readonly<Record<string, Readonly<Record<string, unknown>>>>
}

export const kinds: Readonly<
  Record<string, { readonly shape: object; readonly operations: readonly string[] }>
> = {
  signer: { shape: { type: 'P-256' }, operations: ['sign', 'verify'] },
  cipher: { shape: {}, operations: ['encrypt', 'decrypt'] },
  macker: { shape: { type: 'generic-secret' }, operations: ['mac', 'verifyMac'] },
  wrapper: { shape: { uses: ['wrap', 'unwrap'] }, operations: ['wrap', 'unwrap'] },
  deriver: {
    shape: { type: 'generic-secret', uses: ['derive'], plaintextRelease: true },
    operations: ['derive'],
  },
  agreer: { shape: { type: 'X25519', plaintextRelease: true }, operations: ['agree'] },
  kem: {
    shape: { type: 'ML-KEM-768', plaintextRelease: true },
    operations: ['encapsulate', 'decapsulate'],
  },
}

/** Everybody in the list is granted everything. */
export async function makeStock(
  installation: Installation,
  granted: readonly string[],
): Promise<Stock> {
  const keys: Record<string, string> = {}
  for (const { shape, operations } of Object.values(kinds)) {
    const name = await installation.makeKey({ ...shape }, operations)
    for (const identity of granted) await installation.grant(name, operations, identity)
    for (const operation of operations) keys[operation] = name
  }
  // A grant of any kind lets its holder see the key, and so name it as what is wrapped.
  const target = await installation.makeKey({ exportable: true }, [])
  for (const identity of granted) await installation.grant(target, ['decrypt'], identity)
  const used = async (operation: string, input: object) => {
    const answer = await installation.use(String(keys[operation]), operation, input)
    assert.equal(answer.status, 200, answer.text)
    return answer.body
  }
  const data = base64('data')
  const peer = generateKeyPairSync('x25519').publicKey.export({ format: 'der', type: 'spki' })
  const inputs = {
    sign: { data },
    verify: { data, signature: (await used('sign', { data })).signature },
    encrypt: { plaintext: data },
    decrypt: { ciphertext: (await used('encrypt', { plaintext: data })).ciphertext },
    mac: { data },
    verifyMac: { data, mac: (await used('mac', { data })).mac },
    wrap: { target },
    unwrap: { wrapped: (await used('wrap', { target })).wrapped },
    derive: { info: data, lengthBytes: 32 },
    agree: { peer: base64(peer) },
    encapsulate: {},
    decapsulate: { ciphertext: (await used('encapsulate', {})).ciphertext },
  }
  return { keys, inputs }
}

export async function prepareRequest(
  installation: Installation,
  stock: Stock,
  route: Route,
): Promise<Prepared> {
  const { parameters = {}, query = '', ...rest } = await wishFor(installation, stock, route)
  const path = route.path.replaceAll(/\{\+?(\w+)\}/g, (_, name: string) => {
    const value = { namespace, ...parameters }[name]
    assert(value !== undefined, `${route.name}: no ${name}`)
    return value
  })
  return { path: `${path}${query}`, ...rest }
}

async function wishFor(installation: Installation, stock: Stock, route: Route): Promise<Wish> {
  const { permission, name, path } = route
  const prepare = wishes[name]
  if (prepare) return prepare(installation, stock)
  if (typeof permission === 'object' && 'use' in permission) {
    const { use } = permission
    const given = stock.inputs[use] ?? {}
    const item = use === 'unwrap' ? { ...given, into: newKey() } : given
    const parameters = { key: String(stock.keys[use]) }
    if (path.endsWith('/statement')) {
      const request = use === 'unwrap' ? item : given
      return { parameters, body: { request, requester: 'Ada' } }
    }
    return { parameters, body: path.endsWith('/batch') ? { items: [item] } : item }
  }
  assert(route.body === undefined && !path.includes('{'), `no request for ${name}`)
  return {}
}

function newKey(): object {
  return { name: unique('new'), owner: 'Ada', purpose: 'tests' }
}

type Wisher = (installation: Installation, stock: Stock) => Promise<Wish>

const withKey =
  (more: Omit<Wish, 'parameters'> = {}): Wisher =>
  async (installation) => ({
    parameters: { key: await installation.makeKey({ type: 'P-256' }, []) },
    ...more,
  })

/** After this action the next one has something to do. */
const withKeyAfter =
  (action: string, body?: object): Wisher =>
  async (installation) => {
    const key = await installation.makeKey({ type: 'P-256' }, [])
    await installation.server.ok('POST', `${keysPath}/${key}/${action}`, body)
    return { parameters: { key } }
  }

const withIdentity =
  (more: Omit<Wish, 'parameters'> = {}): Wisher =>
  async (installation) => ({
    parameters: { identity: (await installation.makePerson()).id },
    ...more,
  })

const withAlias: Wisher = async ({ server }, { keys }) => {
  const alias = unique('alias')
  await server.ok('PUT', `/v1/namespaces/${namespace}/aliases/${alias}`, { key: keys.sign })
  return { parameters: { alias } }
}

const nothingMore: Wisher = async () => ({})
const nonce = `?nonce=${'aa'.repeat(16)}`
/** Of nobody, for a challenge that was never issued. */
const sealedPin = { person: 'nobody', challenge: '00'.repeat(32), pin: base64('pin') }
const readKey: Wisher = async (_, { keys }) => ({ parameters: { key: String(keys.sign) } })

/** When the rotation that another row has begun is done: until then it would be refused. */
const whenRotated =
  (wish: (installation: Installation) => Promise<Wish>): Wisher =>
  async (installation) => {
    await rotated(installation)
    return wish(installation)
  }

async function rotated({ server }: Installation): Promise<void> {
  for (;;) {
    const { body } = await server.ok('GET', '/v1/domain/rotation')
    const { rotation } = body as { rotation?: { phase: string } }
    if (rotation === undefined || rotation.phase === 'done') return
  }
}

async function newSeal({ server }: Installation): Promise<object> {
  const { body } = await server.ok('GET', '/v1/transport-key?command=addSeal')
  const passphrase = Buffer.from('a passphrase for tests')
  const [publicKey, challenge] = [bytesOf(body.publicKey), String(body.challenge)]
  const destination = sealSecretFor('addSeal', 'passphrase')
  const sealed = sealForCommand(publicKey, challenge, destination, passphrase)
  return { kind: 'passphrase', sealed: base64(sealed) }
}

const wishes: Readonly<Record<string, Wisher>> = {
  getLogCheckpoint: async () => ({ parameters: { log: 'module' } }),
  getLogTile: async () => ({ parameters: { log: 'module', tile: '0/000.p/1' } }),
  getLogReceipt: async () => ({ parameters: { log: 'module', leaf: '0' } }),
  rotateKek: async () => ({ body: {} }),
  retireKek: whenRotated(async () => ({ body: {} })),
  shredEpoch: whenRotated(async ({ server }) => {
    const { body } = await server.ok('GET', '/v1/status')
    const { domainId } = body.module as { domainId: string }
    return { body: { confirm: domainId } }
  }),
  shredStatement: async () => ({ body: { requester: 'Ada' } }),
  listSeals: nothingMore,
  addSeal: async (installation) => ({ body: await newSeal(installation) }),
  removeSeal: async (installation) => {
    const { server } = installation
    await server.ok('POST', '/v1/domain/seals', await newSeal(installation))
    return { body: { kind: 'passphrase' } }
  },
  // There is no TPM.
  prepareTpmSeal: async () => ({ body: {} }),
  pinCounter: async () => ({
    body: {
      challenge: '00'.repeat(32),
      pin: { publicKey: '00'.repeat(91), name: '00'.repeat(34) },
      ...{ attestation: base64('attestation'), signature: base64('signature') },
    },
  }),
  selfTest: async () => ({ body: { tests: ['HMAC-SHA-256'] } }),
  lock: async () => ({ body: { confirm: 'not the domain' } }),
  getShredCertificate: whenRotated(async () => ({ parameters: { epoch: '1' } })),
  createNamespace: async () => ({ body: { name: unique('place') } }),
  getNamespace: nothingMore,
  createIdentity: async () => ({ body: { name: unique('person'), kind: 'application' } }),
  getIdentity: withIdentity(),
  renameIdentity: async (installation) => ({
    parameters: { identity: (await installation.makePerson()).id },
    body: { name: unique('renamed') },
    headers: { 'if-match': '*' },
  }),
  disableIdentity: withIdentity(),
  createToken: withIdentity({ body: { name: 'further' } }),
  listTokens: withIdentity(),
  revokeToken: async (installation) => {
    const { id, token } = await installation.makePerson()
    return { parameters: { identity: id, token: token.split('_')[1] ?? '' } }
  },
  listRoles: nothingMore,
  getRoles: withIdentity(),
  setRoles: withIdentity({ body: { roles: ['auditor'] } }),
  createGrant: async (installation, { keys }) => {
    const { id } = await installation.makePerson()
    return { body: { key: keys.sign, identity: id, operations: ['sign'] } }
  },
  listGrants: nothingMore,
  removeGrant: async (installation, { keys }) => {
    const { id } = await installation.makePerson()
    const grants = `/v1/namespaces/${namespace}/grants`
    const input = { key: keys.sign, identity: id, operations: ['sign'] }
    const { body } = await installation.server.ok('POST', grants, input)
    return { parameters: { grant: String(body.id) } }
  },
  createKey: async () => ({ body: newKey() }),
  importKey: async ({ server }) => {
    const shape = { ...newKey(), class: 'secret' }
    return { body: await sealedKey(server, shape, Buffer.alloc(32, 7)) }
  },
  listKeys: nothingMore,
  getKey: readKey,
  listVersions: readKey,
  // Of a key that lives: there is none.
  getDestruction: readKey,
  getPublicKey: readKey,
  updateKey: withKey({ body: { owner: 'Grace' }, headers: { 'if-match': '*' } }),
  rotateKey: withKey(),
  enableKey: withKeyAfter('disable'),
  disableKey: withKey(),
  scheduleDestruction: withKey({ body: {} }),
  cancelDestruction: withKeyAfter('schedule-destruction', {}),
  destroyKey: async (installation) => {
    const key = await installation.makeKey({ type: 'P-256' }, [])
    return { parameters: { key }, body: { confirm: key } }
  },
  requestCertificate: async (_, { keys }) => ({
    parameters: { key: String(keys.sign) },
    body: { subject: 'CN=pay.example' },
  }),
  requestStatement: async (_, { keys }) => ({
    parameters: { key: String(keys.sign) },
    body: { request: { subject: 'CN=pay.example' }, requester: 'Ada' },
  }),
  destroyStatement: withKey({ body: { requester: 'Ada' } }),
  changeDomain: async () => ({ body: { change: { tamper: { 'officer-command': 2 } } } }),
  acknowledgeTamper: async () => ({ body: {} }),
  zeroise: async () => ({ body: { reason: 'by hand', confirm: 'not the domain' } }),
  getChallenge: async () => ({ body: { command: 'login' } }),
  domainStatement: async () => ({
    body: { command: 'zeroise', arguments: { reason: 'by hand' }, requester: 'Ada' },
  }),
  logIn: async () => ({ body: sealedPin }),
  setPin: async () => ({ body: sealedPin }),
  resetLogin: async () => ({ body: { person: 'nobody' } }),
  setAlias: async (_, { keys }) => ({
    parameters: { alias: unique('alias') },
    body: { key: keys.sign },
  }),
  removeAlias: withAlias,
  listAliases: nothingMore,
  attestModule: async () => ({ query: nonce }),
  attestKey: async (_, { keys }) => ({ parameters: { key: String(keys.sign) }, query: nonce }),
  random: async () => ({ body: { lengthBytes: 16 } }),
  randomBatch: async () => ({ body: { items: [{ lengthBytes: 16 }] } }),
}
