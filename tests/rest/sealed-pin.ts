/** A PIN as a person's own program seals it to the module, for one challenge. */

import { sealToTransportKey } from '../../src/hsm/contract/transport.ts'

export function passphraseSealed(publicKey: Uint8Array, challenge: string, pin: string): Buffer {
  return sealToTransportKey(publicKey, 'login', Buffer.from(pin), Buffer.from(challenge, 'hex'))
}
