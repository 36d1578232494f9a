/**
 * What a sink is: somewhere that entries of the record go to, beside the record itself. pump.ts decides
 * what is sent when; a sink sends a batch and says whether it has arrived.
 */

import { decodeLeaf, type LeafEntry, leafEntry } from '../../hsm/contract/leaf.ts'

/** An entry as it goes out. */
export interface Line {
  readonly entry: LeafEntry
  /** JSON on one line, of ASCII alone, so that nothing in it ends a line or needs an encoding. */
  readonly json: string
}

export interface Sink extends AsyncDisposable {
  /** Entries that it takes at a time. */
  readonly entriesMax: number
  /**
   * Resolves when the sink has them; nothing of a batch that fails counts.
   * @throws Error that says why, without a secret
   */
  deliver(lines: readonly Line[], signal: AbortSignal): Promise<void>
}

export function lineOf(leaf: Uint8Array): Line {
  const entry = leafEntry(decodeLeaf(leaf))
  return { entry, json: asciiJson(entry) }
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(
    /[\u007f-\uffff]/g,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, '0')}`,
  )
}
