/** What a key is that is made without saying how: something that the domain's security level permits. */

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { approvalOfKeyType, isApproved } from '../../src/hsm/approved.ts'
import { type KeyTypeName, keyTypes } from '../../src/hsm/contract/algorithms.ts'
import { dependsOnLevel, templateFor } from '../../src/kms/keys/template.ts'

const types = (Object.keys(keyTypes) as KeyTypeName[]).filter(
  (type) => approvalOfKeyType[type] === 'approved',
)

test('from level 2 a type that is approved gets an algorithm that is approved', () => {
  for (const type of types) {
    for (const level of [2, 3, 4]) {
      assert(isApproved(templateFor({ type }, undefined, level)), `${type} at level ${level}`)
    }
  }
  const wrapping = templateFor({ uses: ['wrap', 'unwrap'] }, undefined, 2)
  assert.deepEqual(wrapping.algorithms, ['AES-256-GCM'])
  assert.deepEqual(templateFor({}, undefined, 1).algorithms, ['XAES-256-GCM'])
})

test('the level is asked for where it matters, and only there', () => {
  for (const type of types) {
    const differs =
      JSON.stringify(templateFor({ type }, undefined, 1)) !==
      JSON.stringify(templateFor({ type }, undefined, 2))
    assert.equal(dependsOnLevel({ type }), differs, type)
  }
  assert(dependsOnLevel({}))
  assert(!dependsOnLevel({ algorithms: ['XAES-256-GCM'] }))
})
