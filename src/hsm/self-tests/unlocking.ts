/**
 * Known answers of what unlocking rests on, from published sources: hashing and derivation, the ciphers
 * of seal and state, the signature under heads, the two halves of the transport key. They run at every
 * start, through the same calls as the work itself, and take a few milliseconds.
 */

import {
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  decapsulate,
  diffieHellman,
  hash,
  hkdfSync,
  sign,
  verify,
} from 'node:crypto'
import { open, seal } from '../primitives/aead.ts'
import { DerivingKey, openUnder, sealUnder } from '../primitives/xaes-256-gcm.ts'
import { hex, type KnownAnswer } from './known-answer.ts'

const gcm = {
  cipher: 'aes-256-gcm',
  key: hex('feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308'),
  iv: hex('cafebabefacedbaddecaf888'),
  aad: hex('feedfacedeadbeeffeedfacedeadbeefabaddad2'),
} as const
const gcmPlaintext = hex(
  'd9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a72',
  '1c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657ba637b39',
)
const gcmCiphertext = hex(
  '522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa',
  '8cb08e48590dbb3da7b08b1056828838c5f61e6393ba7a0abcc9f66276fc6ece0f4e1768cddf8853bb2d551b',
)

const xaesCall = {
  iv: Buffer.from('ABCDEFGHIJKLMNOPQRSTUVWX'),
  aad: Buffer.from('c2sp.org/XAES-256-GCM'),
}
const xaesPlaintext = Buffer.from('XAES-256-GCM')
const xaesCiphertext = hex('986ec1832593df5443a179437fd083bf3fdb41abd740a21f71eb769d')

/** The key is made for each run: its context holds key bytes until it is disposed. */
function underXaesKey<T>(use: (key: DerivingKey) => T): T {
  using key = new DerivingKey(createSecretKey(Buffer.alloc(32, 3)))
  return use(key)
}

const ed25519 = {
  privateKey: hex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'),
  message: hex('72'),
  signature: hex(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da',
    '085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  ),
}

function ed25519Key() {
  const { privateKey: key } = ed25519
  return createPrivateKey({ key, format: 'raw-private', asymmetricKeyType: 'ed25519' })
}

/** 1 for a signature that verifies, then 1 for the same with one bit changed. */
function ed25519Verdicts(): Buffer {
  const { message, signature } = ed25519
  const publicKey = createPublicKey(ed25519Key())
  const altered = Buffer.from(signature)
  altered.writeUInt8(altered.readUInt8(5) ^ 1, 5)
  const verdicts = [signature, altered].map((bytes) => verify(null, message, publicKey, bytes))
  return Buffer.from(verdicts.map(Number))
}

const x25519 = {
  privateKey: hex('c8a9d5a91091ad851c668b0736c1c9a02936c0d3ad62670858088047ba057475'),
  publicKey: hex('504a36999f489cd2fdbc08baff3d88fa00569ba986cba22548ffde80f9806829'),
}

function x25519Agreed(): Buffer {
  const asymmetricKeyType = 'x25519'
  const { privateKey, publicKey } = x25519
  return diffieHellman({
    privateKey: createPrivateKey({ key: privateKey, format: 'raw-private', asymmetricKeyType }),
    publicKey: createPublicKey({ key: publicKey, format: 'raw-public', asymmetricKeyType }),
  })
}

const mlKem768 = {
  seed: hex(
    '7c9935a0b07694aa0c6d10e4db6b1add2fd81a25ccb148032dcd739936737f2d8626ed79d451140800e03b59',
    'b956f8210e556067407d13dc90fa9e8b872bfb8f',
  ),
  ciphertext: hex(
    'c8391085b8d3ea9794212541b2914f08964d33521d3f67ad66096ebfb1f706424b49558f755b5625bae236f2',
    'e0079601c766f7d960808f7e2bb0c7a5e066ed346de628f8c57eebabbb0c22d911548463693ef3ce52a53f7f',
    'f415f00e657ae1c5a48fa5ec6e4be5cf462daffc84d2f6d5ff55dc9bbe8bb0d725ec64fd4cd4bd8dba0a844e',
    '8b5ce4b6a28934d7f7a050991fe185b506b451dabfad52d52cb2114ca7d9a5cf986c8fdc1bc10ec0c1869e50',
    'c03c55a76192a1049aca636ba9020bdaa8d0f58c763b0b89845ca06d4c4ddc21433e16b9c62e44871fdbc05b',
    'a218af871fdd7dcfa464e60faa5265264ce1391bd9a8c5faa7626d5f159b9805b975710a3503a0b858a11c6a',
    '647cc0e19ac88b1be9056c95b4d2087d0951d1d2f4992491117e6347794ba54571ec49bba71af3413d38a30b',
    'f5872248d1f6d07c86baf782e73d2637f043d341a00921857d8b21ddf3e1d6310036ed27af49e5de1b900fe4',
    'de79808ff29f9570859612b15adc01fbb265b305b1e3a12ae419da5b74261fa284c101da3d8dca8b2e4521ac',
    'a571ef44a058e844ff32b16d5aaea05f7f3af8e2ab16222e347662eddfb891d0ecc2a55c5638f9dde92d9a3d',
    '544a5f901ac501acd1ea6a010201fcb10ad702c425a94bdf5890d500a2a147eee1d1fcba8c3abe7c2dfe70f3',
    '46f033d816a0b2791b4f0b2d956d9ee5971715399a5688302495e2e07c1c8c01527184bcd0c208bc159f2e13',
    '318c0bb3dd24a6a7fc849f83385ed4dba07fe1d7bd5640cc9ed5ccfdd68763cb0d0edf61b292177fc1d2d3c1',
    '1dd0495056bcb12558aebcfddef9feb4aebc57afd9023c65cfe65a24e33f1b00111e92e63e011eaf0b212cf9',
    '5743cd07f5189ece1f205b7f6fcb2e6b1961b5404cebe47c8cd13b8599d5b49e6d87eeda36e9b8fc4c006358',
    '96aa2b75896e336d1b612ee13db811e1f07e61748d920f4865f3f11741399dc6162c91ca168a02329dff821d',
    '58198712dd558abb099b3a0baf9da1b730b2aa73bcf58d74f357b06f7211c804b6c8af16ff3509fad1d35b14',
    'bfdced7db8a6a25c48e5956480724daa057cd660b67ee3e472574182679d485838a6476eac02141075c812af',
    '7967ba7c9185cc2abd2a4545b80f3d3104d58d654a57792dcfabbe9c0715e8de2ef81ef404c8168fd7a43efa',
    'b3d448e686a088efd26a26159948926723d7eccc39e3c1b719cf8becb7be7e964f22cd8cb1b7e25e800ea97d',
    '60a64cc0bbd9cb407a3ab9f88f5e29169eeafd4e0322fde6590ae093ce8feeae98b622caa7556ff426c9e7a4',
    '04ce69355830a7a67767a76c7d9a97b84bfcf50a02f75c235d2f9c671138049ffc7c8055926c03eb3fb87f96',
    '95185a42eca9a41655873d30a6b3bf428b246223484a8ff61ee3eeafff10e99c2c13a76284d063e56ab711a3',
    '5a85b5383df81da23490f66e8ea3fcba067f5530c6541c2b8f74717c35023e7b9b3956c3ee2ff84ba03ccf4b',
    '4b5321b9240895481bc6d63c1693c1847852f8e97f50a133532ac3ee1e52d464',
  ),
}

function mlKem768Decapsulated(): Buffer {
  const { seed: key, ciphertext } = mlKem768
  const asymmetricKeyType = 'ml-kem-768'
  const privateKey = createPrivateKey({ key, format: 'raw-seed', asymmetricKeyType })
  return decapsulate(privateKey, ciphertext)
}

export const unlockingTests: readonly KnownAnswer[] = [
  {
    name: 'SHA-256, FIPS 180-4 example "abc"',
    run: () => hash('sha256', 'abc', 'buffer'),
    expected: hex('ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'),
  },
  {
    name: 'SHA3-256, FIPS 202 example of the empty message',
    run: () => hash('sha3-256', '', 'buffer'),
    expected: hex('a7ffc6f8bf1ed76651c14756a061d662f580ff4de43b49fa82d80a4b80f8434a'),
  },
  {
    name: 'SHAKE256, FIPS 202 example of the empty message',
    run: () => createHash('shake256', { outputLength: 32 }).digest(),
    expected: hex('46b9dd2b0ba88d13233b3feb743eeb243fcd52ea62b81b82b50c27646ed5762f'),
  },
  {
    name: 'HMAC-SHA-256, RFC 4231 test case 2',
    run: () => createHmac('sha256', 'Jefe').update('what do ya want for nothing?').digest(),
    expected: hex('5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843'),
  },
  {
    name: 'HKDF-SHA-256, RFC 5869 appendix A.1',
    run: () => {
      const salt = hex('000102030405060708090a0b0c')
      const info = hex('f0f1f2f3f4f5f6f7f8f9')
      return new Uint8Array(hkdfSync('sha256', Buffer.alloc(22, 0x0b), salt, info, 42))
    },
    expected: hex(
      '3cb25f25faacd57a90434f64d0362f2a2d2d0a90cf1a5a4c5db02d56ecc4c5bf34007208d5b887185865',
    ),
  },
  {
    name: 'AES-256-GCM encryption, McGrew and Viega test case 16',
    run: () => seal(gcm, gcmPlaintext),
    expected: gcmCiphertext,
  },
  {
    name: 'AES-256-GCM decryption, McGrew and Viega test case 16',
    run: () => open(gcm, gcmCiphertext),
    expected: gcmPlaintext,
  },
  {
    name: 'XAES-256-GCM encryption, C2SP with MSB1(L) = 1',
    run: () => underXaesKey((key) => sealUnder(key, xaesCall, xaesPlaintext)),
    expected: xaesCiphertext,
  },
  {
    name: 'XAES-256-GCM decryption, C2SP with MSB1(L) = 1',
    run: () => underXaesKey((key) => openUnder(key, xaesCall, xaesCiphertext)),
    expected: xaesPlaintext,
  },
  {
    name: 'Ed25519 signature, RFC 8032 section 7.1 test 2',
    run: () => sign(null, ed25519.message, ed25519Key()),
    expected: ed25519.signature,
  },
  {
    name: 'Ed25519 verification, RFC 8032 section 7.1 test 2',
    run: ed25519Verdicts,
    expected: hex('0100'),
  },
  {
    name: 'X25519, Wycheproof x25519_test case 1',
    run: x25519Agreed,
    expected: hex('436a2c040cf45fea9b29a0cb81b1f41458f863d0d61b453d0a982720d6d61320'),
  },
  {
    name: 'ML-KEM-768 decapsulation, Wycheproof mlkem_768_test case 2',
    run: mlKem768Decapsulated,
    expected: hex('e7184a0975ee3470878d2d159ec83129c8aec253d4ee17b4810311d198cd0368'),
  },
]
