/**
 * What makes an attestation not hold: every way of changing the file, and files that are whole and answer
 * another question. The files come from real modules; tests/interop verifies them with other programs.
 */

import assert from 'node:assert/strict'
import { before, suite, test } from 'node:test'
import fc from 'fast-check'
import { generate } from '../../src/hsm/commands.testing.ts'
import {
  attestationBytesMax,
  type DomainStatement,
  domainStatementBytesMax,
  keyFormat,
  moduleFormat,
  openDomainStatement,
  verifyAttestation,
} from '../../src/hsm/contract/attestation.ts'
import { canonicalJson } from '../../src/hsm/contract/canonical-json.ts'
import { Caller, p256 } from '../../src/hsm/door.testing.ts'

const nonce = '5a'.repeat(32)
const isLong = process.env.KEYHOLD_LONG !== undefined
const refused = { code: 'ATTESTATION_INVALID' }

interface Files {
  readonly module: Buffer
  readonly key: Buffer
  readonly domain: Buffer
}

type Document = {
  statement: Record<string, unknown>
  signatures: Record<string, unknown>
}

async function filesOf(caller: Caller): Promise<Files> {
  const { reference } = await generate(caller, p256)
  const ask = async (command: string, args: object) => {
    const { parts } = await caller.ok({ command, arguments: args })
    return Buffer.from(parts.attestation ?? parts.statement ?? [])
  }
  return {
    module: await ask('attest', { nonce }),
    key: await ask('attestKey', { ...reference, nonce }),
    domain: await ask('getDomainStatement', {}),
  }
}

let files: Files
let others: Files
let domain: DomainStatement
before(async () => {
  files = await filesOf(await Caller.founded())
  others = await filesOf(await Caller.founded())
  domain = openDomainStatement(files.domain)
})

function parsed(file: Uint8Array): Document {
  return JSON.parse(Buffer.from(file).toString())
}

function written(document: unknown): Buffer {
  return Buffer.from(`${canonicalJson(document)}\n`)
}

/** Every value in the statement that is no object, by its path. */
function* leavesOf(value: unknown, path: readonly string[] = []): Generator<readonly string[]> {
  if (typeof value !== 'object' || value === null) yield path
  else for (const [name, member] of Object.entries(value)) yield* leavesOf(member, [...path, name])
}

/** The same document with another value at the path. */
function changed(file: Uint8Array, path: readonly string[]): Buffer {
  const document = parsed(file)
  let holder: Record<string, unknown> = document.statement
  for (const name of path.slice(0, -1)) holder = holder[name] as Record<string, unknown>
  const last = path.at(-1) ?? ''
  holder[last] = otherValue(holder[last])
  return written(document)
}

/** Of the same type and, where that matters, of the same form. */
function otherValue(value: unknown): unknown {
  if (typeof value === 'boolean') return !value
  if (typeof value === 'number') return value === 1 ? 2 : 1
  const text = String(value)
  const first = text.charAt(0)
  return `${first === '0' ? '1' : '0'}${text.slice(1)}`
}

suite('attestations that hold', () => {
  test('of the module and of a key, with the nonce and without', () => {
    for (const [file, format] of [
      [files.module, moduleFormat],
      [files.key, keyFormat],
    ] as const) {
      assert.equal(verifyAttestation(file, domain, nonce).format, format)
      assert.equal(verifyAttestation(file, domain, nonce.toUpperCase()).nonce, nonce)
      assert.equal(verifyAttestation(file, domain).nonce, nonce)
    }
  })

  test('say in so many words that they prove nothing about the machine', () => {
    assert.match(verifyAttestation(files.module, domain).notice, /proves nothing about the machine/)
  })
})

suite('invariant 6: a change of one bit is refused', () => {
  for (const name of ['module', 'key', 'domain'] as const) {
    const verify = (file: Uint8Array) =>
      name === 'domain' ? openDomainStatement(file) : verifyAttestation(file, domain)

    test(`anywhere in the file (${name})`, () => {
      const check = (bit: number) => {
        const flipped = Buffer.from(files[name])
        flipped[bit >> 3] = (flipped[bit >> 3] ?? 0) ^ (1 << (bit & 7))
        assert.throws(() => verify(flipped), refused, `bit ${bit}`)
      }
      const bits = files[name].length * 8
      if (isLong) for (let bit = 0; bit < bits; bit += 1) check(bit)
      else fc.assert(fc.property(fc.nat(bits - 1), check), { numRuns: 600 })
    })

    test(`in any value of the statement, written in its one encoding (${name})`, () => {
      const paths = [...leavesOf(parsed(files[name]).statement)]
      assert(paths.length > 10)
      for (const path of paths) {
        assert.throws(() => verify(changed(files[name], path)), refused, path.join('.'))
      }
    })

    test(`written anew with the same meaning (${name})`, () => {
      const document = parsed(files[name])
      for (const text of [
        JSON.stringify(document, undefined, 2),
        `${canonicalJson(document)}`,
        ` ${canonicalJson(document)}\n`,
        `\ufeff${canonicalJson(document)}\n`,
        `${canonicalJson(document).replace('{', '{"signatures":{},')}\n`,
      ]) {
        assert.throws(() => verify(Buffer.from(text)), refused)
      }
    })
  }
})

suite('attestations that do not hold', () => {
  const refuses = (file: Uint8Array, why: RegExp, asked?: string) =>
    assert.throws(() => verifyAttestation(file, domain, asked), { ...refused, message: why })

  test('of another nonce', () => {
    for (const file of [files.module, files.key]) refuses(file, /another nonce/, 'aa'.repeat(32))
    refuses(files.module, /another nonce/, nonce.slice(2))
  })

  test('of another domain, or of a module that is no member', () => {
    refuses(others.module, /another domain/)
    refuses(others.key, /another domain/)
    const foreign = parsed(others.module)
    foreign.statement.domain = domain.domain
    refuses(written(foreign), /no member/)
    foreign.statement.module = domain.maker
    refuses(written(foreign), /identity keys/)
    const foreignKey = parsed(others.key)
    Object.assign(foreignKey.statement, { domain: domain.domain, module: domain.maker })
    refuses(written(foreignKey), /signatures/)
  })

  test('with one of the signatures missing, empty, swapped or of another statement', () => {
    const of = parsed(files.module)
    const { ed25519, mlDsa65 } = of.signatures
    const ofKey = parsed(files.key).signatures
    for (const signatures of [
      { ed25519 },
      { mlDsa65 },
      {},
      { ed25519, mlDsa65: '' },
      { ed25519: '', mlDsa65 },
      { ed25519: mlDsa65, mlDsa65: ed25519 },
      { ed25519: ofKey.ed25519, mlDsa65 },
      { ed25519, mlDsa65: ofKey.mlDsa65 },
      { ...ofKey },
      { ed25519, mlDsa65, third: '' },
    ]) {
      refuses(written({ ...of, signatures }), /signatures/)
    }
  })

  test('in an older, a newer or no format', () => {
    for (const format of ['keyhold module attestation v0', 'keyhold module attestation v2', '']) {
      const document = parsed(files.module)
      document.statement.format = format
      refuses(written(document), /format is not one of/)
    }
    const { format: _, ...statement } = parsed(files.module).statement
    refuses(written({ ...parsed(files.module), statement }), /format is not one of/)
    refuses(files.domain, /format is not one of/)
    assert.throws(() => openDomainStatement(files.module), refused)
  })

  test('with a member too many or one too few', () => {
    const names = Object.keys(parsed(files.key).statement).filter((name) => name !== 'format')
    for (const name of names) {
      const document = parsed(files.key)
      delete document.statement[name]
      refuses(written(document), /lacks what/)
    }
    const document = parsed(files.key)
    document.statement.more = 1
    refuses(written(document), /lacks what/)
  })

  test('with a domain statement whose maker is no member, or that another made', () => {
    const document = parsed(files.domain)
    document.statement.maker = 'ab'.repeat(16)
    assert.throws(() => openDomainStatement(written(document)), refused)
    const members = parsed(others.domain).statement.members
    assert.throws(
      () =>
        openDomainStatement(
          written({ ...document, statement: { ...document.statement, members } }),
        ),
      refused,
    )
  })

  test('in a file that is too long, empty or no JSON', () => {
    assert.throws(() => verifyAttestation(Buffer.alloc(attestationBytesMax + 1), domain), refused)
    assert.throws(() => openDomainStatement(Buffer.alloc(domainStatementBytesMax + 1)), refused)
    for (const text of ['', '\n', '[]\n', 'null\n', '"x"\n', '{"a":1.5}\n', '{}\n', '[[[[\n']) {
      refuses(Buffer.from(text), /./)
    }
  })

  test('any bytes are refused with the same code', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        assert.throws(() => verifyAttestation(bytes, domain), refused)
        assert.throws(() => openDomainStatement(bytes), refused)
      }),
      { numRuns: 300 },
    )
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const file = Buffer.from(`${JSON.stringify({ signatures: value, statement: value })}\n`)
        assert.throws(() => verifyAttestation(file, domain), refused)
      }),
      { numRuns: 300 },
    )
  })
})
