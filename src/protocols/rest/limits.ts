/** Every limit of the REST API, named. What the manager bounds too is taken from its own list. */

import { batchItemsMax } from '../../kms/limits.ts'

export { batchItemsMax }

/** Request line and headers together; Node refuses more while it reads. */
export const headerBytesMax = 16 * 1024
/** From the first byte of a request to the end of its headers, and to its last byte. */
export const headersTimeoutMs = 10_000
export const requestTimeoutMs = 30_000
export const connectionsCheckingMs = 5_000
/** An idle connection is kept this long. */
export const keepAliveTimeoutMs = 75_000
export const handshakeTimeoutMs = 10_000
export const connectionsMax = 2_048
/** Requests that have been let in and not yet answered, and the bytes that their bodies may have. */
export const requestsInFlightMax = 2_048
export const bodyBytesInFlightMax = 256 * 1024 * 1024
/** What a 503 for too much at once asks to wait, in seconds. */
export const retryAfterSeconds = 1
/** Longest name or id in a path, percent-decoded. */
export const pathPartCharactersMax = 128
export const queryCharactersMax = 2_048
/** Arrays and objects inside each other in a body. */
export const depthMax = 16

/** Bodies of calls that manage. */
export const bodyBytesDefault = 64 * 1024
/** Message, plaintext or ciphertext of one use; what is longer is hashed or encrypted in pieces outside. */
export const inputBytesMax = 1024 * 1024
/** Above inputBytesMax by what a ciphertext has more than its plaintext. */
export const ciphertextBytesMax = inputBytesMax + 4 * 1024
export const useBodyBytesMax = 1_536 * 1024
/** The manager's bound of 3 MiB a batch, in base64, with names around it. */
export const batchBodyBytesMax = 4_608 * 1024
export const sealedKeyBytesMax = 16 * 1024
export const randomLengthMax = 64 * 1024

export const timeoutMsDefault = 10_000
/** An RSA key of 4096 bits can take seconds to find. */
export const creationTimeoutMs = 60_000
export const batchTimeoutMs = 30_000

/** Failed authentications of one address before it is told to wait, and what one second forgives. */
export const failedLoginsMax = 20
export const failedLoginsForgivenPerSecond = 0.5
/** Addresses that are remembered; the one that failed longest ago makes room. */
export const failedAddressesMax = 4_096
