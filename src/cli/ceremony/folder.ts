/**
 * A ceremony on the disk, so that it goes on where it stopped: the plan, a state file of the steps that are
 * finished, the shares, the transcript. There is no secret in it: a share is protected for its custodian.
 * Each file appears whole or not at all, and a step is noted when what it made is durable.
 */

import { hash } from 'node:crypto'
import { chmod, mkdir, rm } from 'node:fs/promises'
import path from 'node:path'
import * as z from 'zod'
import { clientError, systemCode } from '../../client/errors.ts'
import { canonicalJson } from '../../hsm/contract/canonical-json.ts'
import {
  eventsMax,
  type Transcript,
  transcriptBytesMax,
  transcriptFormat,
} from '../../hsm/contract/transcript.ts'
import { readSmallFile, writeWhole } from '../small-file.ts'
import type { Founded } from './founding.ts'
import { type CeremonyPlan, fileOfPlan, planBytesMax, resolvePlan } from './plan.ts'
import { encodeTranscript } from './transcript-file.ts'

const stateFormat = 'keyhold ceremony state v1'
const stateBytesMax = 256 * 1024

const stateFile = z.strictObject({
  format: z.literal(stateFormat),
  /** SHA-256 of the plan, in hex. */
  plan: z.string(),
  /** Absolute, of the server that is going to serve the domain. */
  data: z.string(),
  /** The domain id once there are shares on the disk; it need not exist yet. */
  prepared: z.string().nullable(),
  /** Whether the domain exists. */
  founded: z.boolean(),
  /** Names of custodians who have taken their share. */
  taken: z.array(z.string()),
  closed: z.boolean(),
  events: z
    .array(z.strictObject({ time: z.int(), event: z.string(), name: z.string() }))
    .max(eventsMax),
})

export type CeremonyState = Readonly<z.output<typeof stateFile>>

export class CeremonyFolder {
  readonly path: string
  readonly plan: CeremonyPlan
  #state: CeremonyState

  private constructor(folder: string, plan: CeremonyPlan, state: CeremonyState) {
    this.path = folder
    this.plan = plan
    this.#state = state
  }

  /** Undefined when no ceremony was begun there. @throws ClientError FILE_INVALID when it was changed */
  static async open(folder: string): Promise<CeremonyFolder | undefined> {
    const text = await ifThere(readSmallFile(path.join(folder, 'state.json'), stateBytesMax))
    if (!text) return undefined
    const parsed = stateFile.safeParse(parseJson(text))
    const planText = await readSmallFile(path.join(folder, 'plan.json'), planBytesMax)
    if (!parsed.success || parsed.data.plan !== hash('sha256', planText)) {
      throw clientError('FILE_INVALID', `the ceremony in ${folder} was changed by somebody`)
    }
    return new CeremonyFolder(folder, await resolvePlan(parseJson(planText), folder), parsed.data)
  }

  /** @throws ClientError FILE_NOT_WRITABLE */
  static async begin(folder: string, plan: CeremonyPlan, data: string): Promise<CeremonyFolder> {
    await mkdir(folder, { recursive: true, mode: 0o700 })
    await chmod(folder, 0o700)
    const text = Buffer.from(canonicalJson(fileOfPlan(plan)))
    await writeWhole(path.join(folder, 'plan.json'), text, { force: true })
    const state: CeremonyState = {
      format: stateFormat,
      plan: hash('sha256', text),
      data,
      prepared: null,
      founded: false,
      taken: [],
      closed: false,
      events: [],
    }
    const begun = new CeremonyFolder(folder, plan, state)
    await begun.note('plan decided')
    return begun
  }

  get state(): CeremonyState {
    return this.#state
  }

  /** The plan can still be another: there is neither a share nor a domain by it. */
  get isOpen(): boolean {
    return this.#state.prepared === null && !this.#state.founded
  }

  isOf(plan: CeremonyPlan): boolean {
    return canonicalJson(fileOfPlan(plan)) === canonicalJson(fileOfPlan(this.plan))
  }

  get transcriptFile(): string {
    return path.join(this.path, 'transcript.json')
  }

  /** In the order of the custodians. */
  get shareFiles(): string[] {
    const people = this.plan.custodians?.people ?? []
    return people.map(({ name }, position) =>
      path.join(this.path, shareFileName(position + 1, name)),
    )
  }

  /** The shares and what the module says, before the domain exists; again when that never came to be. */
  async prepare({ shares, domainState, founding }: Founded): Promise<void> {
    for (const [position, file] of this.shareFiles.entries()) {
      const share = shares[position]
      if (!share) throw clientError('ANSWER_INVALID', 'the module made too few shares')
      await writeWhole(file, share, { force: true, mode: 0o600 })
    }
    await this.#write('founded.json', { domainState, founding })
    const { domain } = JSON.parse(founding.statement) as { readonly domain: string }
    const events = this.#state.events.filter(({ event }) => event === 'plan decided')
    await this.#change({ prepared: domain, events }, 'shares written')
  }

  /** The domain exists. */
  founded(): Promise<void> {
    return this.#change({ founded: true }, 'domain founded')
  }

  taken(name: string): Promise<void> {
    return this.#change({ taken: [...this.#state.taken, name] }, 'share taken', name)
  }

  note(event: string, name = ''): Promise<void> {
    return this.#change({}, event, name)
  }

  /** The transcript, for people to sign. */
  async close(): Promise<Transcript> {
    await this.#change({ closed: true }, 'ceremony closed')
    const text = await readSmallFile(path.join(this.path, 'founded.json'), transcriptBytesMax)
    const made = parseJson(text) as Pick<Transcript, 'founding' | 'domainState'>
    const { events } = this.#state
    const transcript: Transcript = { format: transcriptFormat, ...made, events, signatures: [] }
    await writeWhole(this.transcriptFile, encodeTranscript(transcript), {
      force: true,
      mode: 0o644,
    })
    return transcript
  }

  /** What was prepared never came to be: its shares are of no domain. */
  async forgetPrepared(): Promise<void> {
    for (const file of this.shareFiles) await rm(file, { force: true })
  }

  async #change(change: Partial<CeremonyState>, event: string, name = ''): Promise<void> {
    const events = [...(change.events ?? this.#state.events), { time: Date.now(), event, name }]
    this.#state = { ...this.#state, ...change, events }
    await this.#write('state.json', this.#state)
  }

  #write(name: string, value: unknown): Promise<void> {
    const text = Buffer.from(`${JSON.stringify(value, null, 2)}\n`)
    return writeWhole(path.join(this.path, name), text, { force: true, mode: 0o600 })
  }
}

function shareFileName(index: number, name: string): string {
  const plain = name.toLowerCase().replace(/[^a-z0-9]+/g, '-')
  return `share-${index}-${plain}.share`
}

function parseJson(text: Buffer): unknown {
  try {
    return JSON.parse(text.toString('utf8'))
  } catch (cause) {
    throw clientError('FILE_INVALID', 'a file of the ceremony is not JSON', { cause })
  }
}

async function ifThere<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    const cause = error instanceof Error ? error.cause : undefined
    if (systemCode(cause) === 'ENOENT') return undefined
    throw error
  }
}
