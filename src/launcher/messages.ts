/**
 * What host and launcher say to each other over the channel between parent and child, from security
 * level 3. The host asks for modules and for their end; it can ask for nothing else, and the launcher
 * takes nothing from it but numbers. The door of a module that was started comes along with `started`;
 * it is the host's alone from `handedOver` on.
 */

import type { SealKind } from '../hsm/contract/domain-commands.ts'

export type ToLauncher =
  | { readonly ask: 'start'; readonly number: number }
  | { readonly ask: 'kill'; readonly number: number }

export type FromLauncher =
  | {
      readonly say: 'started'
      readonly number: number
      readonly pid: number
      readonly kind: SealKind
      /** The seal's secret, sealed to this process for either command, in base64; null without one. */
      readonly sealed: Readonly<Record<'found' | 'unlock', string>> | null
    }
  | { readonly say: 'handedOver'; readonly number: number }
  | {
      readonly say: 'refused'
      readonly number: number
      readonly code: string
      readonly message: string
    }
  | {
      readonly say: 'ended'
      readonly number: number
      readonly code: number | null
      readonly signal: NodeJS.Signals | null
      readonly output: string
    }

const numberMax = 1_000_000

/** Undefined for anything else than one of the two. */
export function parseToLauncher(message: unknown): ToLauncher | undefined {
  if (typeof message !== 'object' || message === null) return undefined
  if (!('ask' in message) || !('number' in message)) return undefined
  const { ask, number } = message
  if (typeof number !== 'number' || !Number.isSafeInteger(number)) return undefined
  if (number < 1 || number > numberMax) return undefined
  return ask === 'start' || ask === 'kill' ? { ask, number } : undefined
}
