/** Every limit of the door and the record, named. A count is checked before anything is allocated. */

/** A frame without its own length field (design section 4). */
export const frameBytesMax = 4 * 1024 * 1024
export const headerBytesMax = 64 * 1024
/** Commands in one frame: what a batch may hold. */
export const itemsMax = 256
/** Requests that the host may have unanswered at one module. */
export const requestsInFlightMax = 4_096
/** Each of the claimed strings: identity, request id, protocol, address. */
export const claimBytesMax = 128
/** Leaves that the host has not yet confirmed as stored; beyond it the module refuses to work. */
export const leavesUnstoredMax = 65_536
/** Leaves after which a head is signed without waiting for the second to pass. */
export const leavesPerHeadMax = 4_096
export const headIntervalMs = 1_000
/** Loaded keys; the one that was used longest ago makes room. */
export const loadedKeysMax = 16_384
/** Entries in the destruction floor. */
export const floorEntriesMax = 1_000_000
/** Sealed state that may be staged before unlocking. */
export const stagedBytesMax = 128 * 1024 * 1024
/** One part of the sealed snapshot, and one piece of the record, in one frame. */
export const chunkBytesMax = 2 * 1024 * 1024
export const randomBytesMax = 64 * 1024
/** Passphrase or key file that a seal takes. */
export const sealSecretBytesMax = 1_024
/** Commands that the module answers before it is unlocked, whose leaves it has to remember. */
export const preludeLeavesMax = 4_096
/** Of a command, in characters. */
export const commandNameLengthMax = 64
/** With which a module ends that has zeroised itself: whoever started it removes its sealed state. */
export const zeroisedExitCode = 86
