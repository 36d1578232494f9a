/**
 * Transparency logs over HTTP, exactly as c2sp.org/tlog-tiles has it below `/v1/logs/{log}`, and receipts beside them.
 * The log `module` is the module's record.
 */

import { z } from 'zod'
import { noteBytesMax } from '../../../hsm/contract/signed-note.ts'
import { assertPermission, everywhere } from '../../../kms/access/access.ts'
import { claimOf } from '../../../kms/commands.ts'
import { proofBytesMax } from '../../../tlog/proof.ts'
import { RestError } from '../errors.ts'
import type { LogReader } from '../options.ts'
import { type RestContext, type Route, route } from '../route.ts'
import { bytes } from '../schemas.ts'

const log = z.string().max(64)
const tilePathCharactersMax = 64
const bundleBytesMax = 256 * (2 + 0xffff)

export const logRoutes: readonly Route[] = [
  route({
    name: 'getLogCheckpoint',
    method: 'GET',
    path: '/v1/logs/{log}/checkpoint',
    summary: 'The last signed head of the log (c2sp.org/tlog-checkpoint)',
    permission: ['record:read'],
    parameters: z.strictObject({ log }),
    result: z.string().max(noteBytesMax),
    content: { type: 'text/plain; charset=utf-8' },
    handle: async ({ kms, rest, caller, path }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      return logOf(rest, path.log).checkpoint(claimOf(caller))
    },
  }),
  route({
    name: 'getLogTile',
    method: 'GET',
    path: '/v1/logs/{log}/tile/{+tile}',
    summary:
      'Hashes of the tree, "<L>/<N>[.p/<W>]", or "entries/<N>[.p/<W>]" (c2sp.org/tlog-tiles)',
    permission: ['record:read'],
    parameters: z.strictObject({ log, tile: z.string().max(tilePathCharactersMax) }),
    result: bytes(bundleBytesMax),
    content: { type: 'application/octet-stream', isImmutable: true },
    handle: async ({ kms, rest, caller, path }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      const tile = await logOf(rest, path.log).tile(`tile/${path.tile}`)
      if (tile === 'malformed')
        throw new RestError('REQUEST_INVALID', 'path.tile: not that of a tile')
      if (!tile) throw new RestError('TILE_NOT_FOUND', 'the log is not that long')
      return tile
    },
  }),
  route({
    name: 'getLogReceipt',
    method: 'GET',
    path: '/v1/logs/{log}/receipts/{leaf}',
    summary:
      'An entry with its proof, which verifies offline (c2sp.org/tlog-proof); Keyhold-Leaf of an answer says which',
    permission: ['record:read'],
    parameters: z.strictObject({ log, leaf: z.string().regex(/^(?:0|[1-9][0-9]{0,14})$/) }),
    result: z.string().max(proofBytesMax),
    content: { type: 'text/plain; charset=utf-8' },
    handle: async ({ kms, rest, caller, path }) => {
      await assertPermission(kms, caller, everywhere, 'record:read')
      const receipt = await logOf(rest, path.log).receipt(claimOf(caller), Number(path.leaf))
      if (receipt === undefined) throw new RestError('LEAF_NOT_FOUND', 'the log is not that long')
      return receipt
    },
  }),
]

/** @throws RestError LOG_NOT_FOUND */
function logOf({ logs }: RestContext, name: string): LogReader {
  const found = Object.hasOwn(logs, name) ? logs[name] : undefined
  if (!found) throw new RestError('LOG_NOT_FOUND', 'there is no such log')
  return found
}
