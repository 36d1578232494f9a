/**
 * What a key may be and do. Every combination of uses is tried against the rule that a key has one
 * purpose, and each refusal has its case.
 */

import assert from 'node:assert/strict'
import { suite, test } from 'node:test'
import fc from 'fast-check'
import {
  type AlgorithmName,
  algorithmsOf,
  type KeyTypeName,
  type KeyUse,
  keyTypes,
  keyUses,
} from '../contract/algorithms.ts'
import { HsmError } from '../contract/errors.ts'
import {
  type KeyAttributes,
  type KeyState,
  type KeyTemplate,
  keyStates,
  type Provenance,
  parseKeyId,
  usesByState,
} from '../contract/keys.ts'
import { newKeyId, p256, template } from '../door.testing.ts'
import {
  assertClass,
  assertExport,
  assertUse,
  attributesOf,
  changeAttributes,
  parseChange,
  parseTemplate,
} from './attributes.ts'
import { assertInherits, assertMakes } from './inheritance.ts'

const aes = template('AES-256', ['XAES-256-GCM'], ['encrypt', 'decrypt'])
const hkdf = template('generic-secret', ['HKDF-SHA-256'], ['derive'])

function made(of: KeyTemplate, more: Partial<KeyAttributes> = {}): KeyAttributes {
  const reference = { key: parseKeyId(newKeyId()), version: 1 }
  const origin = { keyClass: 'private', provenance: 'generated' } as const
  return { ...attributesOf(reference, of, origin, 1_000), ...more }
}

function refuses(code: string, value: unknown, provenance: Provenance = 'generated'): void {
  assert.throws(() => parseTemplate(value, provenance), { name: 'HsmError', code })
}

suite('templates', () => {
  test('a well-formed template is taken as it is', () => {
    const left = { approvals: 0, canary: false, usesMax: 0 }
    assert.deepEqual(parseTemplate(p256, 'generated'), { ...p256, ...left })
    assert.deepEqual(parseTemplate(hkdf, 'generated'), { ...hkdf, ...left })
    const guarded = { ...p256, approvals: 2, canary: true, usesMax: 7 }
    assert.deepEqual(parseTemplate(guarded, 'generated'), guarded)
    for (const approvals of [-1, 17, 1.5, '2', null]) {
      refuses('ARGUMENT_INVALID', { ...p256, approvals })
    }
    refuses('ARGUMENT_INVALID', { ...p256, canary: null })
    for (const usesMax of [-1, 1.5, '2', null]) refuses('ARGUMENT_INVALID', { ...p256, usesMax })
    refuses('ARGUMENT_INVALID', { ...p256, usesMax: 1, exportable: true })
  })

  test('uses come out in one order, however they were given', () => {
    const given = { ...p256, uses: ['verify', 'sign'] }
    assert.deepEqual(parseTemplate(given, 'generated').uses, ['sign', 'verify'])
  })

  test('uses of two purposes are refused, whichever they are', () => {
    const purposes = [
      ['encrypt', 'decrypt'],
      ['wrap', 'unwrap'],
      ['mac', 'verifyMac'],
      ['derive'],
    ] as const
    const algorithms = ['XAES-256-GCM', 'AES-256-CMAC', 'KDF-COUNTER-CMAC-AES'] as const
    for (const [index, purpose] of purposes.entries()) {
      for (const other of purposes.slice(index + 1)) {
        for (const use of purpose) {
          for (const second of other) {
            refuses('KEY_USE_NOT_PERMITTED', template('AES-256', algorithms, [use, second]))
          }
        }
      }
    }
    const curve = ['ECDSA-SHA-256', 'ECDH'] as const
    refuses('KEY_USE_NOT_PERMITTED', template('P-256', curve, ['sign', 'agree']))
  })

  test('whatever is accepted has one purpose and algorithms that serve every use', () => {
    const types = Object.keys(keyTypes) as KeyTypeName[]
    const shapes = fc
      .constantFrom(...types)
      .chain((type) =>
        fc.tuple(fc.constant(type), fc.subarray(algorithmsOf(type)), fc.subarray([...keyUses])),
      )
    fc.assert(
      fc.property(shapes, ([type, algorithms, uses]) => {
        let accepted: KeyTemplate
        try {
          accepted = parseTemplate(template(type, algorithms, uses), 'generated')
        } catch (error) {
          assert(error instanceof HsmError)
          return
        }
        const leaking: readonly KeyUse[][] = [
          ['wrap', 'decrypt'],
          ['wrap', 'encrypt'],
          ['unwrap', 'encrypt'],
          ['unwrap', 'decrypt'],
          ['derive', 'mac'],
          ['agree', 'sign'],
        ]
        for (const pair of leaking) assert(!pair.every((use) => accepted.uses.includes(use)))
        const plain = accepted.algorithms.some((name) => /-(CBC-PKCS7|CTR)$/.test(name))
        assert(!plain || accepted.algorithms.length === 1)
        for (const use of accepted.uses) assertUse(made(accepted), use, undefined, 1_000)
      }),
    )
  })

  test('a cipher that does not authenticate has its key for itself', () => {
    const uses = ['encrypt', 'decrypt'] as const
    for (const plain of ['AES-256-CTR', 'AES-256-CBC-PKCS7'] as const) {
      assert(parseTemplate(template('AES-256', [plain], uses), 'generated'))
      for (const other of ['AES-256-GCM', 'XAES-256-GCM', 'AES-256-CMAC', 'AES-256-KW'] as const) {
        refuses('ARGUMENT_INVALID', template('AES-256', [other, plain], uses))
        refuses('ARGUMENT_INVALID', template('AES-256', [plain, other], ['decrypt']))
      }
    }
    refuses('ARGUMENT_INVALID', template('AES-256', ['AES-256-CTR', 'AES-256-CBC-PKCS7'], uses))
    assert(parseTemplate(template('AES-256', ['XAES-256-GCM', 'AES-256-GCM'], uses), 'generated'))
  })

  test('what is wrapped behind an ephemeral key has its key for itself', () => {
    const uses = ['wrap', 'unwrap'] as const
    const alone = 'RSA-AES-KEY-WRAP-SHA-256'
    assert(parseTemplate(template('RSA-2048', [alone], uses), 'generated'))
    for (const other of ['RSAES-OAEP-SHA-256', 'RSA-AES-KEY-WRAP-SHA-384'] as const) {
      refuses('ARGUMENT_INVALID', template('RSA-2048', [alone, other], uses))
      refuses('ARGUMENT_INVALID', template('RSA-2048', [other, alone], ['unwrap']))
    }
  })

  test('only a key that was generated or imported wraps', () => {
    const wrapping = template('AES-256', ['AES-256-KWP'], ['wrap', 'unwrap'])
    assert(parseTemplate(wrapping, 'generated'))
    assert(parseTemplate(wrapping, 'imported'))
    refuses('KEY_USE_NOT_PERMITTED', wrapping, 'derived')
    refuses('KEY_USE_NOT_PERMITTED', { ...wrapping, uses: ['unwrap'] }, 'unwrapped')
  })

  test('what was unwrapped releases no secret, and what is made from a key no more than the key', () => {
    const releasing = { ...hkdf, plaintextRelease: true }
    refuses('KEY_USE_NOT_PERMITTED', releasing, 'unwrapped')
    assert.throws(() => assertInherits(releasing, made(hkdf)), { code: 'KEY_USE_NOT_PERMITTED' })
    assertInherits(releasing, made(releasing))
    assertInherits(hkdf, made(hkdf))
  })

  test('what is made from a key that never leaves never leaves', () => {
    const leaving = { ...hkdf, exportable: true }
    assert.throws(() => assertInherits(leaving, made(hkdf)), { code: 'KEY_USE_NOT_PERMITTED' })
    assertInherits(leaving, made(leaving))
    assertInherits(leaving, made({ ...hkdf, plaintextRelease: true }))
    const wrapping = template('AES-256', ['AES-256-KWP'], ['wrap'], { exportable: true })
    refuses('KEY_USE_NOT_PERMITTED', wrapping)
    refuses('KEY_USE_NOT_PERMITTED', { ...wrapping, uses: ['unwrap'] })
  })

  test('what is agreed only derives, and what is derived or unwrapped never', () => {
    const code = 'KEY_USE_NOT_PERMITTED'
    for (const command of ['agree', 'encapsulate', 'decapsulate'] as const) {
      assertMakes(command, hkdf)
      assert.throws(() => assertMakes(command, aes), { code })
    }
    for (const command of ['deriveKey', 'unwrapKey'] as const) {
      assertMakes(command, aes)
      assert.throws(() => assertMakes(command, hkdf), { code })
    }
  })

  test('each malformed template is refused', () => {
    const { uses: _, ...without } = p256
    const cases: readonly (readonly [string, unknown])[] = [
      ['ARGUMENT_INVALID', undefined],
      ['ARGUMENT_INVALID', null],
      ['ARGUMENT_INVALID', []],
      ['ARGUMENT_INVALID', without],
      ['ARGUMENT_INVALID', { ...p256, more: 1 }],
      ['ALGORITHM_NOT_SUPPORTED', { ...p256, type: 'P-255' }],
      ['ALGORITHM_NOT_SUPPORTED', { ...p256, type: 'constructor' }],
      ['ALGORITHM_NOT_SUPPORTED', { ...p256, algorithms: ['toString'] }],
      ['ALGORITHM_NOT_SUPPORTED', { ...p256, algorithms: ['Ed25519'] }],
      ['ARGUMENT_INVALID', { ...p256, algorithms: [] }],
      ['ARGUMENT_INVALID', { ...p256, algorithms: 'ECDSA-SHA-256' }],
      ['ARGUMENT_INVALID', { ...p256, algorithms: ['ECDSA-SHA-256', 'ECDSA-SHA-256'] }],
      ['ARGUMENT_INVALID', { ...p256, algorithms: Array(65).fill('ECDSA-SHA-256') }],
      ['ARGUMENT_INVALID', { ...p256, uses: [] }],
      ['ARGUMENT_INVALID', { ...p256, uses: ['sign', 'sign'] }],
      ['ARGUMENT_INVALID', { ...p256, uses: ['export'] }],
      ['ARGUMENT_INVALID', { ...p256, uses: ['agree'] }],
      ['ARGUMENT_INVALID', { ...p256, exportable: 1 }],
      ['ARGUMENT_INVALID', { ...p256, externalIv: true }],
      ['ARGUMENT_INVALID', { ...p256, plaintextRelease: true }],
      ['ARGUMENT_INVALID', { ...p256, notBefore: -1 }],
      ['ARGUMENT_INVALID', { ...p256, notAfter: 1.5 }],
      ['ARGUMENT_INVALID', { ...p256, notAfter: 8.64e15 + 1 }],
      ['ARGUMENT_INVALID', { ...p256, notBefore: 2, notAfter: 1 }],
      ['ARGUMENT_INVALID', { ...p256, lengthBytes: 32 }],
      ['ARGUMENT_INVALID', { ...aes, lengthBytes: 32 }],
      ['ARGUMENT_INVALID', { ...hkdf, lengthBytes: 513 }],
      ['KEY_TOO_WEAK', { ...hkdf, lengthBytes: 13 }],
      ['ARGUMENT_INVALID', { ...aes, plaintextRelease: true }],
      [
        'ARGUMENT_INVALID',
        template('AES-256', ['AES-256-KW'], ['wrap', 'unwrap'], { externalIv: true }),
      ],
      [
        'ARGUMENT_INVALID',
        template('AES-256', ['AES-256-GCM', 'AES-256-CTR'], ['encrypt'], { externalIv: true }),
      ],
      [
        'ARGUMENT_INVALID',
        template('RSA-2048', ['RSAES-OAEP-SHA-256'], ['encrypt'], { externalIv: true }),
      ],
    ]
    for (const [code, value] of cases) refuses(code, value)
  })

  test('a class that the type does not have is refused, and a public key with private uses', () => {
    assert.throws(() => assertClass(p256, 'secret'), { code: 'ARGUMENT_INVALID' })
    assert.throws(() => assertClass(aes, 'private'), { code: 'ARGUMENT_INVALID' })
    assert.throws(() => assertClass(p256, 'public'), { code: 'ARGUMENT_INVALID' })
    assertClass({ ...p256, uses: ['verify'] }, 'public')
    assertClass(p256, 'private')
    assertClass(aes, 'secret')
  })

  test('anything at all is either a template or an HsmError', () => {
    const members = fc.record(
      Object.fromEntries(Object.keys(p256).map((name) => [name, fc.anything()])),
      { requiredKeys: [] },
    )
    fc.assert(
      fc.property(fc.oneof(fc.anything(), members), (value) => {
        try {
          parseTemplate(value, 'generated')
        } catch (error) {
          assert(error instanceof HsmError)
        }
      }),
    )
  })
})

suite('changes', () => {
  test('states move as SP 800-57 says and nobody comes back from deactivated', () => {
    const moves = keyStates.map((from) =>
      keyStates.filter((state) => {
        try {
          changeAttributes(made(p256, { state: from }), { state })
          return true
        } catch (error) {
          assert.equal((error as HsmError).code, 'KEY_STATE_INVALID')
          return false
        }
      }),
    )
    assert.deepEqual(moves, [
      ['pre-active', 'active', 'compromised'],
      ['active', 'suspended', 'deactivated', 'compromised'],
      ['active', 'suspended', 'deactivated', 'compromised'],
      ['deactivated', 'compromised'],
      ['compromised'],
    ])
  })

  test('a change raises the revision, and only takes uses away', () => {
    const before = made(p256)
    const after = changeAttributes(before, parseChange({ uses: ['verify'] }))
    assert.deepEqual(after, { ...before, revision: 2, uses: ['verify'] })
    assert.throws(() => changeAttributes(after, { uses: ['sign', 'verify'] }), {
      code: 'KEY_USE_NOT_PERMITTED',
    })
  })

  test('a revision that the floor could take for destroyed is never reached', () => {
    const last = made(p256, { revision: 0xffff_fffe })
    assert.throws(() => changeAttributes(last, { notAfter: 1 }), { code: 'KEY_STATE_INVALID' })
  })

  test('exportable, IVs, release, type and algorithms cannot be changed at all', () => {
    for (const name of ['exportable', 'externalIv', 'plaintextRelease', 'type', 'algorithms']) {
      assert.throws(() => parseChange({ [name]: true }), { code: 'ARGUMENT_INVALID' })
    }
    for (const value of [{}, undefined, [], { state: 'destroyed' }, { uses: [] }]) {
      assert.throws(() => parseChange(value), { code: 'ARGUMENT_INVALID' })
    }
    assert.throws(() => changeAttributes(made(p256, { notBefore: 5 }), { notAfter: 4 }), {
      code: 'ARGUMENT_INVALID',
    })
  })
})

suite('use', () => {
  test('the first algorithm that serves the use is the default', () => {
    const both = template('P-256', ['ECDSA-SHA-384', 'ECDSA-SHA-256'], ['sign', 'verify'])
    assert.equal(assertUse(made(both), 'sign', undefined, 1_000), 'ECDSA-SHA-384')
    assert.equal(assertUse(made(both), 'sign', 'ECDSA-SHA-256', 1_000), 'ECDSA-SHA-256')
  })

  test('a use or an algorithm that was not granted is refused', () => {
    const asked: readonly (readonly [KeyUse, AlgorithmName | undefined])[] = [
      ['verify', undefined],
      ['sign', 'ECDSA-SHA-512'],
      ['sign', 'Ed25519'],
    ]
    const signing = made({ ...p256, uses: ['sign'] })
    for (const [use, algorithm] of asked) {
      assert.throws(() => assertUse(signing, use, algorithm, 1_000), {
        code: 'KEY_USE_NOT_PERMITTED',
      })
    }
  })

  test('each state leaves exactly the uses of its row', () => {
    const uses: readonly KeyUse[] = ['sign', 'verify']
    for (const state of keyStates) {
      const left: readonly KeyUse[] = usesByState[state]
      for (const use of uses) {
        const ask = () => assertUse(made(p256, { state }), use, undefined, 1_000)
        if (left.includes(use)) assert.equal(ask(), 'ECDSA-SHA-256')
        else assert.throws(ask, { code: 'KEY_STATE_INVALID' })
      }
    }
  })

  test('a key is used from its first to its last millisecond', () => {
    const dated = made(p256, { notBefore: 10, notAfter: 20 })
    for (const now of [10, 20]) assertUse(dated, 'sign', undefined, now)
    for (const now of [9, 21]) {
      assert.throws(() => assertUse(dated, 'sign', undefined, now), { code: 'KEY_STATE_INVALID' })
    }
  })
})

suite('export', () => {
  const exportable = (type: KeyTypeName, state: KeyState = 'active') =>
    made({ ...aes, type, exportable: true }, { state })

  test('a key that was not made exportable never is', () => {
    assert.throws(() => assertExport('AES-256', made(aes), 32), { code: 'KEY_NOT_EXPORTABLE' })
  })

  test('a wrapping key is at least as strong as what it wraps', () => {
    assertExport('AES-256', exportable('AES-256'), 32)
    assertExport('AES-128', exportable('P-256'), 138)
    assertExport('RSA-2048', exportable('generic-secret'), 14)
    const weak: readonly (readonly [KeyTypeName, KeyTypeName, number])[] = [
      ['AES-128', 'AES-192', 24],
      ['AES-192', 'AES-256', 32],
      ['RSA-2048', 'AES-128', 16],
      ['RSA-4096', 'AES-256', 32],
      ['RSA-2048', 'generic-secret', 15],
      ['AES-128', 'P-384', 185],
    ]
    for (const [wrapping, type, bytes] of weak) {
      assert.throws(() => assertExport(wrapping, exportable(type), bytes), { code: 'KEY_TOO_WEAK' })
    }
  })

  test('a key before its time or compromised is not exported', () => {
    for (const state of ['pre-active', 'compromised'] as const) {
      assert.throws(() => assertExport('AES-256', exportable('AES-256', state), 32), {
        code: 'KEY_STATE_INVALID',
      })
    }
  })
})
