/** Answers of the key derivations: HKDF, SP 800-108 in counter mode, PBKDF2. */

import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'

export const derivationsAnswers: readonly Answer[] = [
  {
    algorithm: 'HKDF-SHA-256',
    source: 'Wycheproof hkdf_sha256_test test 27',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('fa4f94e9cdbf725c1ee98decddbe42ec06196116'),
    },
    command: 'derive',
    expected: hex('f32a552257d372b16c5d8c46e6c07dc9c33be9bc'),
  },
  {
    algorithm: 'HKDF-SHA-384',
    source: 'Wycheproof hkdf_sha384_test test 1',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('24aeff2645e3e0f5494a9a102778c43a'),
    },
    command: 'derive',
    expected: hex('4b7045423d9156424b0b85d95a7d602fba3924b1'),
  },
  {
    algorithm: 'HKDF-SHA-512',
    source: 'Wycheproof hkdf_sha512_test test 1',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('24aeff2645e3e0f5494a9a102778c43a'),
    },
    command: 'derive',
    expected: hex('dd2599840b09699c6200b5cba79002b3aa75c61b'),
  },
  {
    algorithm: 'KDF-COUNTER-HMAC-SHA-256',
    source: 'CAVP nist-800-108-KBKDF-CTR case 349',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('dd1d91b7d90b2bd3138533ce92b272fbf8a369316aefe242e659cc0ae238afe0'),
    },
    command: 'derive',
    info: hex(
      '01322b96b30acd197979444e468e1c5c6859bf1b1cf951b7e725303e237e46b864a145fab25e517b08f8',
      '683d0315bb2911d80a0e8aba17f3b413faac',
    ),
    expected: hex('10621342bfb0fd40046c0e29f2cfdbf0'),
  },
  {
    algorithm: 'KDF-COUNTER-HMAC-SHA-384',
    source: 'CAVP nist-800-108-KBKDF-CTR case 397',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex(
        '216ed044769c4c3908188ece61601af8819c30f501d12995df608e06f5e0e607ab54f542ee2da41906df',
        'db4971f20f9d',
      ),
    },
    command: 'derive',
    info: hex(
      '638e9506a2c7be69ea346b84629a010c0e225b7548f508162c89f29c1ddbfd70472c2b58e7dc8aa6a5b0',
      '6602f1c8ed4948cda79c62708218e26ac0e2',
    ),
    expected: hex('d4b144bb40c7cabed13963d7d4318e72'),
  },
  {
    algorithm: 'KDF-COUNTER-HMAC-SHA-512',
    source: 'CAVP nist-800-108-KBKDF-CTR case 445',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex(
        'dd5dbd45593ee2ac139748e7645b450f223d2ff297b73fd71cbcebe71d41653c950b88500de5322d99ef',
        '18dfdd30428294c4b3094f4c954334e593bd982ec614',
      ),
    },
    command: 'derive',
    info: hex(
      'b50b0c963c6b3034b8cf19cd3f5c4ebe4f4985af0c03e575db62e6fdf1ecfe4f28b95d7ce16df8584324',
      '6e1557ce95bb26cc9a21974bbd2eb69e8355',
    ),
    expected: hex('e5993bf9bd2aa1c45746042e12598155'),
  },
  {
    algorithm: 'KDF-COUNTER-CMAC-AES',
    source: 'CAVP nist-800-108-KBKDF-CTR case 13',
    key: { type: 'AES-128', keyClass: 'secret', bytes: hex('c10b152e8c97b77e18704e0f0bd38305') },
    command: 'derive',
    info: hex(
      '98cd4cbbbebe15d17dc86e6dbad800a2dcbd64f7c7ad0e78e9cf94ffdba89d03e97eadf6c4f7b806caf5',
      '2aa38f09d0eb71d71f497bcc6906b48d36c4',
    ),
    expected: hex('26faf61908ad9ee881b8305c221db53f'),
  },
  {
    algorithm: 'KDF-COUNTER-CMAC-AES',
    source: 'CAVP nist-800-108-KBKDF-CTR case 61',
    key: {
      type: 'AES-192',
      keyClass: 'secret',
      bytes: hex('f4267280cb8667c2cf82bb37f389da6391f58cc74deba0cc'),
    },
    command: 'derive',
    info: hex(
      '34abbc9f7b12622309a827de5abfdd51fb5bb824838fcde88ca7bc5f3953abdcb445147f13e809e294f7',
      '5e6d4e3f13b66e47f2dfc881ed392e3a1bf6',
    ),
    expected: hex('2d1b4b5694b6741b2ed9c02c05474225'),
  },
  {
    algorithm: 'KDF-COUNTER-CMAC-AES',
    source: 'CAVP nist-800-108-KBKDF-CTR case 109',
    key: {
      type: 'AES-256',
      keyClass: 'secret',
      bytes: hex('d0b1b3b70b2393c48ca05159e7e28cbeadea93f28a7cdae964e5136070c45d5c'),
    },
    command: 'derive',
    info: hex(
      'dd2f151a3f173492a6fbbb602189d51ddf8ef79fc8e96b8fcbe6dabe73a35b48104f9dff2d63d48786d2',
      'b3af177091d646a9efae005bdfacb61a1214',
    ),
    expected: hex('8c449fb474d1c1d4d2a33827103b656a'),
  },
  {
    algorithm: 'PBKDF2-HMAC-SHA-256',
    source: 'Wycheproof pbkdf2_hmacsha256_test test 13',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('75507078436d7536577a68535030553947'),
    },
    command: 'derive',
    salt: hex('874d7cc9369ff9988642ffe05a7f2153'),
    iterations: 4096,
    expected: hex(
      '35367e9ce58daa37e51883e9828204d438ede1065acf9933dfee1aae0ac7b24b46ae0c2c16885b809e6b',
    ),
  },
  {
    algorithm: 'PBKDF2-HMAC-SHA-384',
    source: 'Wycheproof pbkdf2_hmacsha384_test test 11',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('75507078436d7536577a68535030553947'),
    },
    command: 'derive',
    salt: hex('874d7cc9369ff9988642ffe05a7f2153'),
    iterations: 4096,
    expected: hex(
      '38c6c68ab0ea2aab6e8ec42b6d08203e7f3c2a51c7771626b9df6ac6ac0e7c7b9e690ea53916e7a4ef0a',
    ),
  },
  {
    algorithm: 'PBKDF2-HMAC-SHA-512',
    source: 'Wycheproof pbkdf2_hmacsha512_test test 11',
    key: {
      type: 'generic-secret',
      keyClass: 'secret',
      bytes: hex('75507078436d7536577a68535030553947'),
    },
    command: 'derive',
    salt: hex('874d7cc9369ff9988642ffe05a7f2153'),
    iterations: 4096,
    expected: hex(
      'f6db4aec63695dfa52aa449120b118ef399ed5efa73c3f59c7aa08cd3cd0aa4401634a7bbf61d753752c',
    ),
  },
]
