/** Answers of AES key wrap with and without padding, in both directions. */

import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'

export const keyWrapsAnswers: readonly Answer[] = [
  {
    algorithm: 'AES-128-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 401',
    key: { type: 'AES-128', keyClass: 'secret', bytes: hex('8f684992a8bcb568dda90ecf82d0ede7') },
    command: 'wrap',
    target: hex('e41b0cc0cb58b9a4edbcc6057748a1cf'),
    expected: hex('ca31b1b6fa7c9c1152524421924555edb25ac702d73037cd'),
  },
  {
    algorithm: 'AES-128-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 401',
    key: { type: 'AES-128', keyClass: 'secret', bytes: hex('8f684992a8bcb568dda90ecf82d0ede7') },
    command: 'unwrap',
    ciphertext: hex('ca31b1b6fa7c9c1152524421924555edb25ac702d73037cd'),
    expected: hex('e41b0cc0cb58b9a4edbcc6057748a1cf'),
  },
  {
    algorithm: 'AES-192-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 1001',
    key: {
      type: 'AES-192',
      keyClass: 'secret',
      bytes: hex('daa150e331ca487709620a9e62e06ffd16905801b99028e6'),
    },
    command: 'wrap',
    target: hex('0f369e5b9d2dd76f9457813db1e76dfb'),
    expected: hex('319a65ce21eece1325955a27191c917eb806ef0d1d6b8fe1'),
  },
  {
    algorithm: 'AES-192-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 1001',
    key: {
      type: 'AES-192',
      keyClass: 'secret',
      bytes: hex('daa150e331ca487709620a9e62e06ffd16905801b99028e6'),
    },
    command: 'unwrap',
    ciphertext: hex('319a65ce21eece1325955a27191c917eb806ef0d1d6b8fe1'),
    expected: hex('0f369e5b9d2dd76f9457813db1e76dfb'),
  },
  {
    algorithm: 'AES-256-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 1601',
    key: {
      type: 'AES-256',
      keyClass: 'secret',
      bytes: hex('cec66703b9dec70887be1c30d4db1ccfa7a0b24906280b87fa078bab1db4b097'),
    },
    command: 'wrap',
    target: hex('5207914442601fedd22f274c17975b27'),
    expected: hex('c949844b62ea0b68250687291e4eba6e3fa2693b7018e3b6'),
  },
  {
    algorithm: 'AES-256-KW',
    source: 'ACVP ACVP-AES-KW-1.0 test 1601',
    key: {
      type: 'AES-256',
      keyClass: 'secret',
      bytes: hex('cec66703b9dec70887be1c30d4db1ccfa7a0b24906280b87fa078bab1db4b097'),
    },
    command: 'unwrap',
    ciphertext: hex('c949844b62ea0b68250687291e4eba6e3fa2693b7018e3b6'),
    expected: hex('5207914442601fedd22f274c17975b27'),
  },
  {
    algorithm: 'AES-128-KWP',
    source: 'Wycheproof aes_kwp_test test 25',
    key: { type: 'AES-128', keyClass: 'secret', bytes: hex('1abf4b7fa2bb62a78f09ddab04625dca') },
    command: 'wrap',
    target: hex('9efd21e13855eea8907afdcd8935f4'),
    expected: hex('16e369351c40f220d3fb1197f35da652a3a40ca3b1e99bfb'),
  },
  {
    algorithm: 'AES-128-KWP',
    source: 'Wycheproof aes_kwp_test test 25',
    key: { type: 'AES-128', keyClass: 'secret', bytes: hex('1abf4b7fa2bb62a78f09ddab04625dca') },
    command: 'unwrap',
    ciphertext: hex('16e369351c40f220d3fb1197f35da652a3a40ca3b1e99bfb'),
    expected: hex('9efd21e13855eea8907afdcd8935f4'),
  },
  {
    algorithm: 'AES-192-KWP',
    source: 'Wycheproof aes_kwp_test test 99',
    key: {
      type: 'AES-192',
      keyClass: 'secret',
      bytes: hex('1abf4b7fa2bb62a78f09ddab04625dcacdd9e551d1a69b6b'),
    },
    command: 'wrap',
    target: hex('fefcf10c976309b2beb085771e50'),
    expected: hex('55396065905915ec914b8d1efbf471e37d283fc2c1496b49'),
  },
  {
    algorithm: 'AES-192-KWP',
    source: 'Wycheproof aes_kwp_test test 99',
    key: {
      type: 'AES-192',
      keyClass: 'secret',
      bytes: hex('1abf4b7fa2bb62a78f09ddab04625dcacdd9e551d1a69b6b'),
    },
    command: 'unwrap',
    ciphertext: hex('55396065905915ec914b8d1efbf471e37d283fc2c1496b49'),
    expected: hex('fefcf10c976309b2beb085771e50'),
  },
  {
    algorithm: 'AES-256-KWP',
    source: 'Wycheproof aes_kwp_test test 185',
    key: {
      type: 'AES-256',
      keyClass: 'secret',
      bytes: hex('1abf4b7fa2bb62a78f09ddab04625dcacdd9e551d1a69b6b162baa53d2700093'),
    },
    command: 'wrap',
    target: hex('72aaee126a822184806c7d22eed66b'),
    expected: hex('de497acf18a177a3a9b3d8da46d74dfa58dcc537a3a95323'),
  },
  {
    algorithm: 'AES-256-KWP',
    source: 'Wycheproof aes_kwp_test test 185',
    key: {
      type: 'AES-256',
      keyClass: 'secret',
      bytes: hex('1abf4b7fa2bb62a78f09ddab04625dcacdd9e551d1a69b6b162baa53d2700093'),
    },
    command: 'unwrap',
    ciphertext: hex('de497acf18a177a3a9b3d8da46d74dfa58dcc537a3a95323'),
    expected: hex('72aaee126a822184806c7d22eed66b'),
  },
]
