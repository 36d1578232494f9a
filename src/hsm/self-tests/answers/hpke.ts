/** Answers of unwrapping with HPKE; wrapping has a key pair of its own each time. */

import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'

/** The same in every published vector. */
const inputs = { info: hex('4f6465206f6e2061204772656369616e2055726e'), aad: hex('436f756e742d30') }
const expected = hex('4265617574792069732074727574682c20747275746820626561757479')

export const hpkeAnswers: readonly Answer[] = [
  {
    algorithm: 'HPKE-P-256-HKDF-SHA-256-AES-128-GCM',
    source: 'RFC 9180 A.3.1',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420f3ce7fdae57e',
        '1a310d87f1ebbde6f328be0a99cdbcadf4d6589cf29de4b8ffd2a14403420004fe8c19ce0905191ebc29',
        '8a9245792531f26f0cece2460639e8bc39cb7f706a826a779b4cf969b8a0e539c7f62fb3d30ad6aa8f80',
        'e30f1d128aafd68a2ce72ea0',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '04a92719c6195d5085104f469a8b9814d5838ff72b60501e2c4466e5e67b325ac98536d7b61a1af4b78e',
      '5b7f951c0900be863c403ce65c9bfcb9382657222d18c45ad590bb8baa577f8619db35a36311226a896e',
      '7342a6d836d8b7bcd2f20b6c7f9076ac232e3ab2523f39513434',
    ),
    expected,
  },
  {
    algorithm: 'HPKE-P-384-HKDF-SHA-384-AES-256-GCM',
    source: 'OpenSSL 3.5 OSSL_HPKE_seal; none is published',
    key: {
      type: 'P-384',
      keyClass: 'private',
      bytes: hex(
        '3081b6020100301006072a8648ce3d020106052b8104002204819e30819b02010104300b5c5c5c5c5c5c',
        '5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c5c77a1',
        '6403620004abc32076784aa8f70540147b5bfcdd08d8a90aff670bf9a96f7fa0cc80d2fc5e8b1a6a6e20',
        'f9ced72476c4e1cc51a827ebb2a4a96d6bc5ff09c1ef1efb60ecb2ecd0ec524423c7e1b4be30ca896640',
        'cd91457b2d24a1d60f59441c5d381f2f39',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '0423e4baf1a790a3d1d397c0e36cb9080db31f5c0eed195afd115708a1c302c6403d186cfeffc78e534e',
      'c73126f3026708dd51514a2a8835ae27ee960f525b9459a72e2688cd6a763812e1a59a58ee8e9dc204f4',
      '46310abb965aab8573c8feaff1e0b11c6ce3362f79a71fb8b63854d35a11fc7401ad3b2edfa80e17f092',
      '00e212e1638da2072438a0180d7da7b8',
    ),
    expected,
  },
  {
    algorithm: 'HPKE-P-521-HKDF-SHA-512-AES-256-GCM',
    source: 'RFC 9180 A.6.1',
    key: {
      type: 'P-521',
      keyClass: 'private',
      bytes: hex(
        '3081ee020100301006072a8648ce3d020106052b810400230481d63081d3020101044201462680369ae3',
        '75e4b3791070a7458ed527842f6a98a79ff5e0d4cbde83c27196a3916956655523a6a2556a7af62c5cad',
        'abe2ef9da3760bb21e005202f7b2462847a18189038186000401b45498c1714e2dce167d3caf162e45e0',
        '642afc7ed435df7902ccae0e84ba0f7d373f646b7738bbbdca11ed91bdeae3cdcba3301f2457be452f27',
        '1fa6837580e661012af49583a62e48d44bed350c7118c0d8dc861c238c72a2bda17f64704f464b57338e',
        '7f40b60959480c0e58e6559b190d81663ed816e523b6b6a418f66d2451ec64',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '040138b385ca16bb0d5fa0c0665fbbd7e69e3ee29f63991d3e9b5fa740aab8900aaeed46ed73a4905575',
      '8425a0ce36507c54b29cc5b85a5cee6bae0cf1c21f2731ece2013dc3fb7c8d21654bb161b463962ca19e',
      '8c654ff24c94dd2898de12051f1ed0692237fb02b2f8d1dc1c73e9b366b529eb436e98a996ee522aef86',
      '3dd5739d2f29b0170f8beddfe949b75ef9c387e201baf4132fa7374593dfafa90768788b7b2b200aafcc',
      '6d80ea4c795a7c5b841a',
    ),
    expected,
  },
  {
    algorithm: 'HPKE-X25519-HKDF-SHA-256-AES-128-GCM',
    source: 'RFC 9180 A.1.1',
    key: {
      type: 'X25519',
      keyClass: 'private',
      bytes: hex(
        '302e020100300506032b656e042204204612c550263fc8ad58375df3f557aac531d26850903e55a9f23f',
        '21d8534e8ac8',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '37fda3567bdbd628e88668c3c8d7e97d1d1253b6d4ea6d44c150f741f1bf4431f938558b5d72f1a23810',
      'b4be2ab4f84331acc02fc97babc53a52ae8218a355a96d8770ac83d07bea87e13c512a',
    ),
    expected,
  },
  {
    algorithm: 'HPKE-X25519-HKDF-SHA-256-ChaCha20-Poly1305',
    source: 'RFC 9180 A.2.1',
    key: {
      type: 'X25519',
      keyClass: 'private',
      bytes: hex(
        '302e020100300506032b656e042204208057991eef8f1f1af18f4a9491d16a1ce333f695d4db8e38da75',
        '975c4478e0fb',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '1afa08d3dec047a643885163f1180476fa7ddb54c6a8029ea33f95796bf2ac4a1c5250d8034ec2b784ba',
      '2cfd69dbdb8af406cfe3ff938e131f0def8c8b60b4db21993c62ce81883d2dd1b51a28',
    ),
    expected,
  },
  {
    algorithm: 'HPKE-X448-HKDF-SHA-512-AES-256-GCM',
    source: 'HPKE test-vectors.json, mode 0, kem 33, kdf 3, aead 2',
    key: {
      type: 'X448',
      keyClass: 'private',
      bytes: hex(
        '3046020100300506032b656f043a0438c4e72a57af1640806c01617b947ee6d1bbe5eb1a5b4616fb705a',
        '5d2ed30b7f4317365c504249750e090805d44a2ddc2970172414a90a09e5',
      ),
    },
    command: 'unwrap',
    ...inputs,
    ciphertext: hex(
      '390f2971ca97d513915a2bc5aac0cb81b832d9424d2264eaa9e868d80862edd7918276883a8d0434309e',
      '049408fec2340ae5799702f948d76a5ef0f8c88a17c6d26bee63b4468cd43360eb69804fb392d8c9b8eb',
      'a2f9bd806726c7d99cb9073022000ce41a',
    ),
    expected,
  },
]
