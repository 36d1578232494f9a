/**
 * What a command is: a row of the table in `../commands.ts`. The members of a row are the whole rule for
 * the command; a row that leaves one out does not compile.
 */

import type { CommandName, Commands, ModuleState } from '../contract/commands.ts'
import type { RuleName } from '../contract/domain-state.ts'
import type { LoadedKey } from '../keys/loaded.ts'
import type { Module } from '../module.ts'
import type { Maybe } from '../primitives/implementation.ts'

/** A message, its ciphertext, and what goes with them fit a frame in both directions. */
export const messageBytesMax = 3 * 1024 * 1024
export const aadBytesMax = 64 * 1024
/** Salt, info, label and context of a derivation. */
export const contextBytesMax = 8 * 1024
/** The largest is that of SLH-DSA-SHA2-256f, 49,856 bytes. */
export const signatureBytesMax = 49_856
/** SubjectPublicKeyInfo, and a key in its canonical form. */
export const keyBytesMax = 8 * 1024
export const ivBytesMax = 128

export type Parts = Readonly<Record<string, Uint8Array>>

interface Required {
  readonly bytesMax: number
}
interface Optional {
  readonly bytesMax: number
  readonly optional: true
}
export type PartRule = Required | Optional

/** Says "optional" of exactly those parts that may be left out. */
type PartRules<P> = {
  readonly [K in keyof P]-?: Record<never, never> extends Pick<P, K> ? Optional : Required
}

/** What a command that succeeded leaves to be done by whoever asked for it. */
export interface Done<Result = object, Answer = object> {
  readonly result: Result
  readonly parts: Answer
  /** Of the floor, to be sealed in the order in which answers go out. */
  readonly changes?: readonly Uint8Array[]
  /** A key to be loaded once it is clear that its answer goes out; `isNew` when none may be there. */
  readonly key?: { readonly loaded: LoadedKey; readonly isNew: boolean }
  /** The parts are secret: every copy of them is overwritten once it has been written. */
  readonly erase?: true
  /** The last answer of the module: it waits for all others, and the process ends behind it. */
  readonly last?: true
}

interface Rule {
  readonly states: readonly ModuleState[]
  /** True: the only command of its frame, because its place in the order of answers matters. */
  readonly alone?: true
  /** True: also while the next epoch is ready to take the place of the one in force. */
  readonly whileTurning?: true
  /** True: it works with a loaded key, and so a destruction waits until it is done. */
  readonly uses?: true
  /** True: it makes the next version of the domain state, whose predecessor binds its approvals. */
  readonly changesState?: true
  /** What its leaf says besides command, outcome, claim and digest. */
  readonly record: 'key' | 'nothing'
}

export interface Row<N extends CommandName, A = Commands[N]['arguments']> extends Rule {
  readonly name: N
  /** Longest part by name. */
  readonly parts: PartRules<Commands[N]['parts']>
  /** Strict. @throws HsmError ARGUMENT_INVALID, ALGORITHM_NOT_SUPPORTED and what templates refuse */
  parse(untrusted: unknown): A
  /** The rules of the domain that it falls under, as far as the domain has them; asked once there is one. */
  rules(args: A, module: Module): readonly RuleName[]
  /** True: asked again, it has nothing left to do, and so there is nothing to approve. */
  isDone?(module: Module, args: A): boolean
  run(
    module: Module,
    args: A,
    parts: Commands[N]['parts'],
  ): Maybe<Done<Commands[N]['result'], Commands[N]['answer']>>
}

/** A row as dispatch sees it. */
export interface AnyRow extends Rule {
  readonly name: string
  readonly parts: Readonly<Record<string, PartRule>>
  parse(untrusted: unknown): unknown
  rules(args: unknown, module: Module): readonly RuleName[]
  isDone?(module: Module, args: unknown): boolean
  run(module: Module, args: unknown, parts: unknown): Maybe<Done>
}

/** Binds a row's parse to its run. */
export function command<N extends CommandName, A extends Commands[N]['arguments']>(
  row: Row<N, A>,
): Row<N, A> {
  return row
}

/** Under no rule of the domain. */
export const unrestricted = { rules: (): readonly RuleName[] => [] }

/** Under this rule, where the domain has it. */
export function underRule(name: RuleName): { readonly rules: () => readonly RuleName[] } {
  const names = [name]
  return { rules: () => names }
}
