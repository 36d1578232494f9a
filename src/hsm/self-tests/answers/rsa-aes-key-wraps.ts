/**
 * Answers of unwrapping with RSA-AES-KEY-WRAP; wrapping is random. No answers are published for it as a whole:
 * the RSA part is published, or OpenSSL's under a published key, and the rest is OpenSSL's AES-KWP of the
 * second target of RFC 5649 section 6, under the key that the RSA part holds.
 */

import assert from 'node:assert/strict'
import type { AlgorithmName } from '../../contract/algorithms.ts'
import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'
import { rsaOaepAnswers } from './rsa-oaep.ts'

/** The key of the answer for OAEP alone. */
function keyOf(algorithm: AlgorithmName): Answer['key'] {
  const answer = rsaOaepAnswers.find((each) => each.algorithm === algorithm)
  assert(answer)
  return answer.key
}

export const rsaAesKeyWrapsAnswers: readonly Answer[] = [
  {
    algorithm: 'RSA-AES-KEY-WRAP-SHA-256',
    source: 'Wycheproof rsa_oaep_2048_sha256_mgf1sha256_test 7, and AES-KWP',
    key: keyOf('RSAES-OAEP-SHA-256'),
    command: 'unwrap',
    ciphertext: hex(
      '096958786ee7972050d67a9e4b69d6c6af7db7cc674386df725770dd29129b826e39552330104c8d71e6',
      'cc3a3014dd2f61b54153af51b0438d447ee939f9e3c13bb8b00a37dea6a068f6c9d27e848b1be7a1eeeb',
      '3ee50b78036fba95ae46948ca5b13f356ea24db10f60dc09e4b8bad8f766b668ef72524432080a0ce00e',
      'd676d6d5e354984b1078520412525848156d06f0652469f95791baa3d9a798ae537094f76f976faecd5c',
      '9ce0c930a75910c63dacf63485cb4b5e7bdbcf4d80e74037eaa1a8fe4b52930bec6be99cf6ac88cf5878',
      'dbf6859d456a95dbc34654eec425de84ca2a535d517403a9aada827e7d0093ecfc97ed056a7652825e9a',
      '45cb2dcb78b3afb513bbfa07d13f955eddee9cbc',
    ),
    expected: hex('466f7250617369'),
  },
  {
    algorithm: 'RSA-AES-KEY-WRAP-SHA-384',
    source: 'OAEP and AES-KWP of OpenSSL',
    key: keyOf('RSAES-OAEP-SHA-384'),
    command: 'unwrap',
    ciphertext: hex(
      'b6f569cecc2c8e6e1b255e1d8aae71f8f2e190c55449b575bd1cdd9d8d2ad8fda7c283a088e154272cc7',
      'f31808e6b927f1afff1bcfeb30ad760c88c2c2e7b863b8148ec61b0ed63e8f1a08fcaeea53c4f0e4db25',
      '7d14f4b51f1e4216d778c24c3e9769a129ada4b42329dea08975ee16bfd3448218be7e7ea2b4a4a15812',
      '9589186ebb379009ee31ba97d879a908d613eace737353b93d7d21c91782c33e72e86072764012b587fc',
      '0b80308549e852601de99970190c2e7c76583daa302a7aed96e9386a52c278496f5c6f92c3938b49db79',
      '78ff2c4ea1b26b5baafa3541671d7772de5d4b9b35649a1ff05150bd45940512c632ed248729f4563d08',
      '132f4e0f78b3afb513bbfa07d13f955eddee9cbc',
    ),
    expected: hex('466f7250617369'),
  },
  {
    algorithm: 'RSA-AES-KEY-WRAP-SHA-512',
    source: 'Wycheproof rsa_oaep_4096_sha512_mgf1sha512_test 7, and AES-KWP',
    key: keyOf('RSAES-OAEP-SHA-512'),
    command: 'unwrap',
    ciphertext: hex(
      '9e053f731455e4fccecfdd3260ac0056a291fb4a37e297899e812777054f13c9e836f27de12cb2549d6a',
      'ab0ed553544464119c495067e90699caed744e61ee17295673d2c868b41cc23f9e594a002a7eda75f1bd',
      '7e0b211c3c2e8122fc2568131b354b722bc1a29ec52e718e471c212cef4242270a4f9a765f6d077e37a0',
      '1091bb13ffd9ef02c70462aecff739a2624a5d8d8f5cb8f8cd3c6eaabb683a10bd131afc6197a8d21d6c',
      'b066c610277eea1221d55c9c0d26f553ff7c22bba1a883d22f153c18ad617b506ad55e4fa04fbfa7cbc7',
      'fd310b49809c80513322b9ab296aa4a033ad3bf785c1bc5ff0c928777de67a71b393b213227e102c145e',
      '9b40357f251c19bf572a48c2e3f5f0bc12604c8475aed9baed2155028feecfdbb328b488bd5bdc031213',
      'b0b122bdb9cd44097d1813a759d13122530587be372a779e1aaa08d18a84d26213f936885b73835c2793',
      '9e9c5d284076a09ecca3e6dc6e5be5c36666ac1ca1d8796502e0d5359cd6fa43edec58bc3d2b39938e69',
      'cd46e2a62ac4f6760d8c0c84765a6f5f6b66411dd3e217d690452745808a2c0f0fc504e6e56989a72bd1',
      'a59774abf529067cce618d2c39c05f0b400e644f7ede106e6eb1d0635f7f32ec04f86cd3628dba1f967b',
      '3109bf0052613fa84012da70ab4ea84e5d5942d42a0b9e3d0c80b0343fa9486c5a077fca77ffd30256cd',
      '4f8138dad30d6b5c78b3afb513bbfa07d13f955eddee9cbc',
    ),
    expected: hex('466f7250617369'),
  },
]
