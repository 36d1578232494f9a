/**
 * The outside witnesses of a record (c2sp.org/tlog-witness): each is brought the newest head, at most once in a few
 * seconds, and each in its own time. The last head that most of them have cosigned is the checkpoint that is published.
 */

import { setTimeout as delay } from 'node:timers/promises'
import { parseCheckpointText } from '../../hsm/contract/checkpoint.ts'
import { encodeNote, type NoteSignature } from '../../hsm/contract/signed-note.ts'
import type { Finding, Sensor } from '../sensors/sensor.ts'
import type { WitnessPlace } from './client.ts'
import { Witness, type WitnessOptions, type WitnessStatus } from './witness.ts'

/** Between two heads that are brought to a witness, and after a failure, growing up to a limit. */
const everyMsDefault = 5_000
const failedMsMax = 5 * 60_000

export interface WitnessesOptions extends WitnessOptions {
  /** Where the cosigned heads are kept. */
  readonly folder: string
  readonly places: readonly WitnessPlace[]
  readonly everyMs?: number
}

export class Witnesses implements AsyncDisposable {
  readonly #options: WitnessesOptions
  readonly #witnesses: readonly Witness[]
  readonly #stop = new AbortController()
  readonly #working: readonly Promise<void>[]
  #head: { readonly at: number; readonly note: string | undefined } | undefined

  private constructor(options: WitnessesOptions, witnesses: readonly Witness[]) {
    this.#options = options
    this.#witnesses = witnesses
    this.#working = witnesses.map((witness) => this.#watch(witness))
  }

  static async open(options: WitnessesOptions): Promise<Witnesses> {
    const { folder, places } = options
    const open = (place: WitnessPlace) => Witness.open(folder, place, options)
    return new Witnesses(options, await Promise.all(places.map(open)))
  }

  status(): WitnessStatus[] {
    return this.#witnesses.map(({ status }) => status)
  }

  /**
   * The head that most witnesses have cosigned, the larger of two: with the log's signatures and theirs. Undefined when
   * none has cosigned any.
   */
  checkpoint(): string | undefined {
    const byText = new Map<string, NoteSignature[]>()
    for (const { cosigned } of this.#witnesses) {
      if (!cosigned) continue
      const { text, signatures } = cosigned.note
      const [own] = signatures.slice(-1)
      byText.set(text, [...(byText.get(text) ?? signatures.slice(0, -1)), ...(own ? [own] : [])])
    }
    const [best] = [...byText].sort(
      ([one, ones], [other, others]) =>
        others.length - ones.length ||
        parseCheckpointText(other).size - parseCheckpointText(one).size,
    )
    return best && encodeNote({ text: best[0], signatures: best[1] })
  }

  /** Whether a witness has seen a record that this one does not go on from: a sign that it was put back or forked. */
  sensor(everyMs = 1_000): Sensor {
    return { name: 'witnesses', everyMs, look: async () => this.status().flatMap(findingsOf) }
  }

  /** What is under way is given up. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#stop.abort()
    for (const witness of this.#witnesses) witness[Symbol.dispose]()
    await Promise.all(this.#working)
  }

  async #watch(witness: Witness): Promise<void> {
    const { everyMs = everyMsDefault } = this.#options
    let failures = 0
    while (!this.#stop.signal.aborted) {
      const head = this.#newest()
      const isGood = head === undefined || (await witness.bring(head))
      failures = isGood ? 0 : failures + 1
      const waitMs = Math.min(everyMs * 2 ** failures, Math.max(everyMs, failedMsMax))
      const { signal } = this.#stop
      await delay(waitMs, undefined, { signal, ref: false }).catch(() => undefined)
    }
  }

  /** The same for all of them for a while, so that one checkpoint gets the cosignatures of all. */
  #newest(): string | undefined {
    const { everyMs = everyMsDefault, log } = this.#options
    const now = performance.now()
    if (!this.#head || now - this.#head.at >= everyMs) this.#head = { at: now, note: log.head }
    return this.#head.note
  }
}

const signals = { RECORD_BACK: 'state-back', RECORD_FORKED: 'record-broken' } as const

function findingsOf({ name, error }: WitnessStatus): Finding[] {
  const code = error?.code
  if (code !== 'RECORD_BACK' && code !== 'RECORD_FORKED') return []
  return [
    {
      signal: signals[code],
      about: `${name} ${code}`,
      detail: `witness ${name}: ${error?.message}`,
    },
  ]
}
