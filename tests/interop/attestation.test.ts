/**
 * Attestations as a stranger checks them: the statement is cut out of the file's bytes, and the system's
 * openssl verifies the Ed25519 signature over it, and @noble/post-quantum the ML-DSA-65 signature, with the
 * keys that the domain's statement names. Then the same files go through `./keyhold attest verify` in a folder that knows no server.
 */

import assert from 'node:assert/strict'
import { readFileSync, writeFileSync } from 'node:fs'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { ml_dsa65 } from '@noble/post-quantum/ml-dsa.js'
import { keyhold } from '../cli/keyhold.ts'
import { keysPath } from '../rest/people.ts'
import { Bench } from './openssl.ts'

/** RFC 8410 section 4: what stands before the 32 bytes of an Ed25519 key as SPKI. */
const spkiPrefix = '302a300506032b6570032100'
const nonce = '00112233445566778899aabbccddeeff'

let bench: Bench
before(async () => {
  bench = await Bench.start()
})
after(() => bench?.[Symbol.asyncDispose]())

interface Cut {
  readonly statement: Buffer
  readonly ed25519: Buffer
  readonly mlDsa65: Buffer
  readonly member: { readonly ed25519: string; readonly mlDsa65: string }
}

/** By the text of docs/formats/attestation.md alone. */
function cut(file: string, domain: string): Cut {
  const mark = ',"statement":'
  const statement = file.slice(file.indexOf(mark) + mark.length, -2)
  const { signatures } = JSON.parse(file)
  const { module, maker } = JSON.parse(statement)
  const { members } = JSON.parse(domain).statement
  return {
    statement: Buffer.from(statement),
    ed25519: Buffer.from(signatures.ed25519, 'base64'),
    mlDsa65: Buffer.from(signatures.mlDsa65, 'base64'),
    member: members.find((each: { module: string }) => each.module === (module ?? maker)),
  }
}

function opensslAccepts({ statement, ed25519, member }: Cut): boolean {
  const der = bench.file(Buffer.from(spkiPrefix + member.ed25519, 'hex'))
  const files = ['-inkey', der, '-in', bench.file(statement), '-sigfile', bench.file(ed25519)]
  return bench.accepts(['pkeyutl', '-verify', '-pubin', '-keyform', 'DER', '-rawin', ...files])
}

function nobleAccepts({ statement, mlDsa65, member }: Cut): boolean {
  return ml_dsa65.verify(mlDsa65, statement, Buffer.from(member.mlDsa65, 'hex'))
}

async function fetched(): Promise<Readonly<Record<string, string>>> {
  const key = await bench.installation.makeKey({ type: 'P-256' }, [])
  const text = async (place: string) => (await bench.installation.server.ok('GET', place)).text
  return {
    module: await text(`/v1/attestation?nonce=${nonce}`),
    key: await text(`${keysPath}/${key}/attestation?nonce=${nonce}`),
    domain: await text('/v1/domain'),
  }
}

suite('attestations', { timeout: 60_000 }, () => {
  test('both signatures of each verify outside, and of none that was altered', async () => {
    const files = await fetched()
    for (const [name, file] of Object.entries(files)) {
      const whole = cut(file, files.domain ?? '')
      assert(opensslAccepts(whole), name)
      assert(nobleAccepts(whole), name)
      const altered = Buffer.from(whole.statement)
      altered[altered.length >> 1] = (altered[altered.length >> 1] ?? 0) ^ 1
      assert(!opensslAccepts({ ...whole, statement: altered }), name)
      assert(!nobleAccepts({ ...whole, statement: altered }), name)
    }
  })

  test('attest verify needs the file, the statement of the domain, and no server', async () => {
    const files = await fetched()
    const folder = path.dirname(bench.file(''))
    for (const [name, file] of Object.entries(files)) {
      writeFileSync(path.join(folder, `${name}.json`), file)
    }
    const empty = { cwd: folder, environment: { KEYHOLD_DATA: path.join(folder, 'none') } }
    const verify = (file: string, ...more: string[]) =>
      keyhold(['attest', 'verify', file, '--domain', 'domain.json', ...more], empty)
    const module = await verify('module.json', '--nonce', nonce)
    assert.equal(module.code, 0, module.stderr)
    assert.match(module.stdout, /^the attestation holds$/m)
    assert.match(module.stdout, /^wall +kernel filter/m)
    assert.match(module.stdout, /proves nothing about the machine/)
    const key = await verify('key.json')
    assert.match(key.stdout, /^provenance +generated$/m)
    assert.match(key.stdout, /^nonce +\w+ \(not compared\)$/m)
    for (const [file, why, ...more] of [
      ['module.json', /another nonce/, '--nonce', 'ff'.repeat(16)],
      ['domain.json', /format is not one of/],
      ['altered.json', /signatures/],
    ] as const) {
      const text = readFileSync(path.join(folder, 'module.json'), 'utf8')
      writeFileSync(path.join(folder, 'altered.json'), text.replace('"level":1', '"level":4'))
      const { code, stderr } = await verify(file, ...more)
      assert.equal(code, 3, `${file}: ${stderr}`)
      assert.match(stderr, why)
      assert.match(stderr, /^code: {2}ATTESTATION_INVALID$/m)
    }
    const missing = await verify('nowhere.json')
    assert.equal(missing.code, 66)
  })
})
