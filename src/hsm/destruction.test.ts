/** Certificates of destruction through the door: what they say, and that they are checked offline. */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import { openDomainStatement } from './contract/attestation.ts'
import { type DestructionCertificate, verifyCertificate } from './contract/certificate.ts'
import { template } from './door.testing.ts'
import { KeptModule, type MadeKey } from './kept.testing.ts'

const aes = template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt'])

async function destroyed(kept: KeptModule, made: MadeKey, parts = {}) {
  const args = { ...made.reference, certify: true }
  const answer = await kept.ok({ command: 'destroyKey', arguments: args, parts })
  const { certificate: file } = answer.parts
  const { statement } = (await kept.ok({ command: 'getDomainStatement' })).parts
  assert(file && statement)
  const domain = openDomainStatement(statement)
  const certificate = verifyCertificate(file, domain) as DestructionCertificate
  return { certificate, file, domain }
}

suite('certificates of destruction', () => {
  test('name the key, its check value and provenance, and what is not proved destroyed', async () => {
    const kept = await KeptModule.founded()
    const made = await kept.generate({ ...aes, exportable: true })
    const { checkValue } = (
      await kept.ok({
        command: 'loadKey',
        arguments: made.reference,
        parts: { wrapped: made.wrapped },
      })
    ).result
    const { certificate } = await destroyed(kept, made)
    assert.partialDeepStrictEqual(certificate, {
      ...made.reference,
      ...{ epoch: 1, floorRevision: 0xffff_ffff, recordSize: 3 },
      known: { type: 'AES-256', provenance: 'generated', exportable: true, checkValue },
      notProvedDestroyed: { outside: ['exported'] },
    })
    assert.equal(
      await kept.refusal({ command: 'encrypt', arguments: made.reference, parts: {} }),
      'ARGUMENT_INVALID',
    )
  })

  test('a key that is not loaded is known by its wrapped key, and one that is torn by nothing', async () => {
    const first = await KeptModule.founded()
    const [whole, torn] = [await first.generate(aes), await first.generate(aes)]
    const kept = await first.restarted()
    const known = await destroyed(kept, whole, { wrapped: whole.wrapped })
    assert.equal(known.certificate.known?.type, 'AES-256')
    assert.deepEqual(known.certificate.notProvedDestroyed.outside, [])
    const bytes = Buffer.from(torn.wrapped).fill(1, 60)
    const unknown = await destroyed(kept, torn, { wrapped: bytes })
    assert.equal(unknown.certificate.known, null)
    assert.deepEqual(unknown.certificate.notProvedDestroyed.outside, ['unknown'])
    const sign = { command: 'decrypt', arguments: torn.reference, parts: { ciphertext: bytes } }
    assert.equal(await kept.refusal(sign), 'KEY_DESTROYED')
  })

  test('invariant 6: one changed bit in a certificate is refused', async () => {
    const kept = await KeptModule.founded()
    const { file, domain } = await destroyed(kept, await kept.generate(aes))
    for (let bit = 0; bit < file.length * 8; bit += 37) {
      const changed = Buffer.from(file)
      changed.writeUInt8(changed.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
      assert.throws(() => verifyCertificate(changed, domain), { code: 'ATTESTATION_INVALID' })
    }
  })
})
