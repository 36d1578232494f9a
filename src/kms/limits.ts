/** Every limit of the manager, named. REST's schemas use the same numbers; they are asserted again here. */

export const nameCharactersMax = 63
/** Owner and purpose of a key. */
export const textCharactersMax = 256
export const labelsMax = 32
export const labelNameCharactersMax = 63
export const labelValueCharactersMax = 256
export const aliasesPerKeyMax = 32
export const versionsPerKeyMax = 1_024
export const pageItemsMax = 1_000
export const pageItemsDefault = 100
export const cursorCharactersMax = 512
/** Items of one batch: what one frame to the module may hold. */
export const batchItemsMax = 256
/** Bytes of input of one batch; one frame holds 4 MiB with its header. */
export const batchBytesMax = 3 * 1024 * 1024
export const contextPairsMax = 32
export const contextBytesMax = 8 * 1024
export const tokensPerIdentityMax = 64
export const tokenDaysMax = 366
export const tokenDaysDefault = 90
export const idempotencyKeyCharactersMax = 128
/** How long the answer to an idempotency key is kept. */
export const answerKeptMs = 24 * 60 * 60 * 1_000
/** How long a token that expired or was revoked is still shown. */
export const endedTokensKeptMs = 30 * 24 * 60 * 60 * 1_000
/** Waiting period before destruction. */
export const destructionDaysDefault = 7
export const destructionDaysMin = 1
export const destructionDaysMax = 30
/** How old anything that a cache says may be. */
export const cacheAgeMs = 2_000
export const cachedTokensMax = 16_384
export const cachedIdentitiesMax = 16_384
export const cachedKeysMax = 65_536
export const cachedWrappedKeysMax = 16_384
/** Grants that one identity's cached access remembers, granted or not. */
export const cachedGrantsPerIdentityMax = 16_384
