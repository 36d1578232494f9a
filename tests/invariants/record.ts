/** The record as an auditor reads it over REST, page by page, checked on the way. */

import assert from 'node:assert/strict'
import { type VerifiedRecord, verifyRecord } from '../../src/cli/verify-record.ts'
import { checkpointOrigin } from '../../src/hsm/contract/checkpoint.ts'
import { decodeLeaf, type Leaf } from '../../src/hsm/contract/leaf.ts'
import { bytesOf } from '../rest/people.ts'
import type { TestServer } from '../server.ts'

export interface ReadRecord {
  readonly leaves: readonly Leaf[]
  readonly verified: VerifiedRecord
}

/** @throws ClientError RECORD_BROKEN when a leaf is missing, altered or out of order */
export async function readRecord(server: TestServer): Promise<ReadRecord> {
  const { body: status } = await server.ok('GET', '/v1/status')
  const { identityKey, domainId, moduleId } = status.module as Readonly<Record<string, string>>
  const hex = (text: string | undefined) => Buffer.from(text ?? '', 'hex')
  const { body: head } = await server.ok('GET', '/v1/record/head')
  const leaves: Leaf[] = []
  const verified = await verifyRecord(
    {
      head: String(head.note),
      heads: pages(server, 'heads', String),
      leaves: pages(server, 'leaves', (leaf) => {
        const bytes = bytesOf(leaf)
        leaves.push(decodeLeaf(bytes))
        return bytes
      }),
    },
    { keys: { ed25519: hex(identityKey) }, origin: checkpointOrigin(hex(domainId), hex(moduleId)) },
  )
  return { leaves, verified }
}

async function* pages<T>(
  server: TestServer,
  name: 'heads' | 'leaves',
  decode: (item: unknown) => T,
): AsyncGenerator<T> {
  for (let from: unknown = 0; from !== undefined; ) {
    const { body } = await server.ok('GET', `/v1/record/${name}?from=${from}`)
    const items = body[name]
    assert(Array.isArray(items))
    for (const item of items) yield decode(item)
    from = body.next
  }
}
