/** The TPM by tpm2-tools, against a TPM in software: seal, counter, and what is refused. */

import assert from 'node:assert/strict'
import { spawnSync } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import {
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from 'node:fs'
import { tmpdir } from 'node:os'
import path from 'node:path'
import { after, before, suite, test } from 'node:test'
import { TpmCounter } from '../../src/host/tpm/counter.ts'
import { makeTpmSeal, openTpmSeal, policyDefault } from '../../src/host/tpm/seal.ts'
import { openNvCertificate } from '../../src/hsm/contract/nv-certificate.ts'
import { SoftwareTpm } from './swtpm.ts'

let tpm: SoftwareTpm
let other: SoftwareTpm
let folder: string

before(async () => {
  tpm = await SoftwareTpm.start()
  other = await SoftwareTpm.start()
  folder = mkdtempSync(path.join(tmpdir(), 'keyhold-tpm-test-'))
  // What is left behind is looked for, and other tests use a TPM at the same time.
  process.env.TMPDIR = folder
})
after(async () => {
  await tpm?.[Symbol.asyncDispose]()
  await other?.[Symbol.asyncDispose]()
  rmSync(folder, { recursive: true, force: true })
})

const extension = `sha256=${'11'.repeat(32)}`

suite('a secret sealed to a TPM', () => {
  test('comes back after a restart of the machine, and stands in no file', async () => {
    const place = path.join(folder, 'a')
    const secret = await makeTpmSeal(place, policyDefault, tpm)
    assert.equal(secret.length, 32)
    assert.deepEqual(await openTpmSeal(place, tpm), secret)
    await tpm.powerOff()
    await tpm.powerOn()
    assert.deepEqual(await openTpmSeal(place, tpm), secret)
    for (const name of readdirSync(place)) {
      assert(!readFileSync(path.join(place, name)).includes(secret), name)
    }
    const left = readdirSync(tmpdir()).filter((name) => /^keyhold-tpm-[A-Za-z0-9]{6}$/.test(name))
    assert.deepEqual(left, [], 'contexts were left behind')
  })

  test('is kept when a PCR of its policy is another, and comes back with the old one', async () => {
    const place = path.join(folder, 'pcr')
    const secret = await makeTpmSeal(place, { pcrs: 'sha256:0,7', pin: false }, tpm)
    tpm.tool('pcrextend', `8:${extension}`)
    assert.deepEqual(await openTpmSeal(place, tpm), secret, 'PCR 8 is not in the policy')
    tpm.tool('pcrextend', `7:${extension}`)
    await assert.rejects(openTpmSeal(place, tpm), { code: 'TPM_POLICY_REFUSED' })
    await tpm.powerOff()
    await tpm.powerOn()
    assert.deepEqual(await openTpmSeal(place, tpm), secret)
  })

  test('with a PIN: a wrong one is refused, the right one opens', async () => {
    const place = path.join(folder, 'pin')
    const pin = Buffer.from('4711-0815')
    const secret = await makeTpmSeal(place, { pcrs: 'sha256:7', pin: true }, tpm, pin)
    assert.deepEqual(await openTpmSeal(place, tpm, pin), secret)
    await assert.rejects(openTpmSeal(place, tpm, Buffer.from('4711-0816')), {
      code: 'TPM_AUTH_REFUSED',
    })
    const alone = path.join(folder, 'pin-alone')
    const another = await makeTpmSeal(alone, { pcrs: '', pin: true }, tpm, pin)
    assert.deepEqual(await openTpmSeal(alone, tpm, pin), another)
    // Guesses lock the PIN, and nothing else.
    await assert.rejects(openTpmSeal(alone, tpm), { code: 'TPM_AUTH_REFUSED' })
    await assert.rejects(openTpmSeal(alone, tpm, pin.subarray(1)), { code: 'TPM_AUTH_REFUSED' })
    await assert.rejects(openTpmSeal(alone, tpm, pin), { code: 'TPM_AUTH_REFUSED' })
    assert.equal((await openTpmSeal(path.join(folder, 'a'), tpm)).length, 32)
    const bound = makeTpmSeal(path.join(folder, 'x'), { pcrs: '', pin: false }, tpm)
    await assert.rejects(bound, { code: 'TPM_POLICY_REFUSED' })
  })

  test('of another TPM, with one changed bit, or without its policy: refused', async () => {
    const place = path.join(folder, 'foreign')
    await makeTpmSeal(place, policyDefault, tpm)
    await assert.rejects(openTpmSeal(place, other), { code: 'TPM_FOREIGN' })
    const file = path.join(place, 'priv')
    const good = readFileSync(file)
    const bad = Buffer.from(good)
    bad[40] = (bad[40] ?? 0) ^ 1
    writeFileSync(file, bad)
    await assert.rejects(openTpmSeal(place, tpm), { code: 'TPM_FOREIGN' })
    writeFileSync(file, good)
    // Somebody who asks for fewer PCRs meets another policy than the object has.
    writeFileSync(
      path.join(place, 'policy.json'),
      JSON.stringify({ format: 1, pcrs: 'sha256:8', pin: false }),
    )
    await assert.rejects(openTpmSeal(place, tpm), { code: 'TPM_POLICY_REFUSED' })
    writeFileSync(path.join(place, 'policy.json'), '{"format":1,"pcrs":"$(id)","pin":false}')
    await assert.rejects(openTpmSeal(place, tpm), { code: 'TPM_FOREIGN' })
    await assert.rejects(openTpmSeal(path.join(folder, 'none'), tpm), { code: 'TPM_NOT_SET_UP' })
  })

  test('without the TPM: said so', async () => {
    const place = path.join(folder, 'a')
    await tpm.powerOff()
    await assert.rejects(openTpmSeal(place, tpm), { code: 'TPM_UNAVAILABLE' })
    await assert.rejects(openTpmSeal(place, { tcti: 'device:/dev/no-such-tpm' }), {
      code: 'TPM_UNAVAILABLE',
    })
    await tpm.powerOn()
  })
})

suite('the counter of a TPM', () => {
  const nonce = randomBytes(16)

  test('goes up by one, is certified for each question, and outlives restarts', async () => {
    const place = path.join(folder, 'counter')
    const counter = await TpmCounter.create(place, tpm)
    const first = await counter.read(nonce)
    const second = await counter.increment(nonce)
    assert.equal(second.value, first.value + 1)
    await tpm.powerOff()
    await tpm.powerOn()
    const again = await TpmCounter.open(place, tpm)
    assert.deepEqual(again.pinned, counter.pinned)
    assert.equal((await again.read(nonce)).value, second.value)
    // By a program that is not ours.
    const file = path.join(folder, 'raw')
    tpm.tool('nvread', '0x018b4b48', '-C', '0x018b4b48', '-o', file)
    assert.equal(Number(readFileSync(file).readBigUInt64BE()), second.value)
  })

  test('openssl accepts the certificate; another nonce, key, name or bit does not pass', async () => {
    const counter = await TpmCounter.open(path.join(folder, 'counter'), tpm)
    const { attestation, signature, value } = await counter.read(nonce)
    const publicKey = Buffer.from(counter.pinned.publicKey, 'base64')
    const file = (name: string, bytes: Uint8Array): string => {
      writeFileSync(path.join(folder, name), bytes)
      return path.join(folder, name)
    }
    const { status } = spawnSync('openssl', [
      ...['dgst', '-sha256', '-keyform', 'DER', '-verify', file('key', publicKey)],
      ...['-signature', file('signature', signature), file('attestation', attestation)],
    ])
    assert.equal(status, 0)
    const { name } = counter.pinned
    const expected = { publicKey, name, nonce }
    const open = (changed: object, what: object = {}) =>
      openNvCertificate({ attestation, signature, ...what }, { ...expected, ...changed })
    assert.equal(Number(open({}).contents.readBigUInt64BE()), value)
    const invalid = { code: 'ARGUMENT_INVALID' }
    assert.throws(() => open({ nonce: randomBytes(16) }), invalid)
    assert.throws(() => open({ name: name.replace(/.$/, (c) => (c === '0' ? '1' : '0')) }), invalid)
    for (let bit = 0; bit < attestation.length * 8; bit += 1) {
      const changed = Buffer.from(attestation)
      changed[bit >> 3] = (changed[bit >> 3] ?? 0) ^ (1 << (bit & 7))
      assert.throws(() => open({}, { attestation: changed }), invalid, `bit ${bit}`)
    }
    const elsewhere = await TpmCounter.create(path.join(folder, 'elsewhere'), other)
    const foreign = Buffer.from(elsewhere.pinned.publicKey, 'base64')
    assert.throws(() => open({ publicKey: foreign }), invalid)
  })

  test('on another TPM, or removed and made again: never a lower value that passes', async () => {
    const place = path.join(folder, 'counter')
    const counter = await TpmCounter.open(place, tpm)
    const before = await counter.increment(nonce)
    copyFileSync(path.join(place, 'counter.json'), path.join(folder, 'counter.json'))
    const moved = await TpmCounter.open(folder, other)
    await assert.rejects(moved.read(nonce), { code: 'TPM_ANSWER_INVALID' })
    tpm.tool('nvundefine', '0x018b4b48', '-C', 'o')
    await assert.rejects(counter.read(nonce), { code: 'TPM_NOT_SET_UP' })
    const again = await TpmCounter.create(path.join(folder, 'again'), tpm)
    assert((await again.read(nonce)).value > before.value)
    assert((await counter.read(nonce)).value > before.value)
  })

  test('without the TPM, or never made: said so', async () => {
    await assert.rejects(TpmCounter.open(path.join(folder, 'none'), tpm), {
      code: 'TPM_NOT_SET_UP',
    })
    const counter = await TpmCounter.open(path.join(folder, 'counter'), tpm)
    await tpm.powerOff()
    await assert.rejects(counter.read(nonce), { code: 'TPM_UNAVAILABLE' })
    await tpm.powerOn()
  })
})
