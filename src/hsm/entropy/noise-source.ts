/**
 * What a noise source is to the rest of the module, and the two whose bytes come ready from elsewhere:
 * the operating system's generator and the processor's own. The third, timing jitter, has a file of its
 * own (`jitter.ts`). Claims are per sample of one byte, and where each comes from is in docs/entropy.md.
 */

import type { SourceFailure } from '../contract/entropy.ts'
import { fillFromKernel, fillFromProcessor, hasProcessorGenerator } from '../native-random.ts'

export interface NoiseSource {
  readonly name: string
  /** Physical in the sense of SP 800-90C: hardware that is made for it. */
  readonly isPhysical: boolean
  /** Claimed min-entropy of one sample, in bits; at most 8. */
  readonly entropyBits: number
  /** Fills with the next raw samples, one a byte. What it answers is why they must not be used. */
  read(samples: Uint8Array): SourceFailure | undefined
  /** Begins from nothing, as after a start. */
  restart(): void
}

/**
 * getrandom(2). It is the output of a generator that nobody assessed under SP 800-90B; half of what it
 * would be worth if it were perfect is claimed.
 */
export function operatingSystem(): NoiseSource {
  return {
    name: 'operating-system',
    isPhysical: false,
    entropyBits: 4,
    read: (samples) => (fillFromKernel(samples) ? undefined : 'dead'),
    restart: () => undefined,
  }
}

/**
 * RDRAND: the output of the processor's own DRBG, which its maker reseeds from a ring oscillator or the
 * like. Undefined where the processor has none or OpenSSL does not trust it. Raw noise is out of reach;
 * half of what it would be worth if it were perfect is claimed.
 */
export function processorGenerator(): NoiseSource | undefined {
  if (!hasProcessorGenerator) return undefined
  return {
    name: 'processor',
    isPhysical: true,
    entropyBits: 4,
    read: (samples) => (fillFromProcessor(samples) ? undefined : 'dead'),
    restart: () => undefined,
  }
}
