/** Answers of Ed25519 and Ed448, and of key agreement on every curve. */

import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'

export const edwardsAndAgreementAnswers: readonly Answer[] = [
  {
    algorithm: 'Ed25519',
    source: 'ACVP EDDSA-SigGen-1.0 test 1',
    key: {
      type: 'Ed25519',
      keyClass: 'private',
      bytes: hex(
        '302e020100300506032b65700422042060b9c57ea605c9147656883781ed28c847682faa3c7ad8fbe2fd',
        '9daf263c803c',
      ),
    },
    command: 'sign',
    data: hex(
      'f495660a1fc6a591b0e2fb90574e3a28e485152ecf6c5745c137e2c53e619832d58a5f101b3eeaf88887',
      'df1552ab16613e87aa4f38c91453a5824809be2e198ff84e3c6eaf79af8fd44ef7e4c0fdc70941a0f457',
      'f1908011f80e89cbcebe47806c9f131ab5580132de9be0b9db0d622f4d16c805ae852f0b68f1c6b1ab8e',
      '2bb4',
    ),
    expected: hex(
      'f9593859640fd47fa3a67f6cf00184b9696a2928f0013a72411325d7356af72460c26ddeb3b6a6c1bc89',
      '224179f72f75c8e3be6d2f9ef6002f29bce680c0b203',
    ),
  },
  {
    algorithm: 'Ed25519',
    source: 'Wycheproof ed25519_test test 111',
    key: {
      type: 'Ed25519',
      keyClass: 'public',
      bytes: hex(
        '302a300506032b657003210054cda623245759ad6d43e620a606908befc633d60792bc7798447a0ef38e',
        '7311',
      ),
    },
    command: 'verify',
    data: hex('27e792b28b2f1702'),
    signature: hex(
      '14d9b497c19b91d43481c55bb6f5056de252d9ecb637575c807e58e9b4c5eac8b284089d97e2192dc242',
      '014363208e2c9a3435edf8928fb1d893553e9be4c703',
    ),
  },
  {
    algorithm: 'Ed448',
    source: 'ACVP EDDSA-SigGen-1.0 test 25',
    key: {
      type: 'Ed448',
      keyClass: 'private',
      bytes: hex(
        '3047020100300506032b6571043b0439e9c5e12cb16f99f0a66e41d9e5a9af21d2780d0f63b20eb02e11',
        '7f13e51c4a946964bb3c8263e96bc75553fe384b12f281e99bf5dd9a65a403',
      ),
    },
    command: 'sign',
    data: hex(
      '5451699074d913f6374bfd72722c5e229af677c8bf36914621346d4eac146041e28462965c43843196f2',
      '1d68cc77e2ae86008b66629d76b6e8c6d3f90aaae854b3cae954dae423255cda6635ed790cf52d78f895',
      '69130bccd93c7a8069e00bfd270ae2d96d10267f96f47a6d694ff363463dd915a7105f95a357650163b9',
      '1ad6',
    ),
    context: hex('403753760521bbf2'),
    expected: hex(
      '9be19050c8ea500979a6756952b2fcc98036f1075a74771285ea680e90df2927cdc7a77d9f50e21e1471',
      '824a97d4e687befd82ba91c13de90012c4060ded5bb00389fd480cb2e4a00c3187e8ffc9d42bca10d008',
      'aab68edca394879977b7ecf3ff913575435ef73311d0aeb6c725b35b1700',
    ),
  },
  {
    algorithm: 'Ed448',
    source: 'Wycheproof ed448_test test 81',
    key: {
      type: 'Ed448',
      keyClass: 'public',
      bytes: hex(
        '3043300506032b6571033a00dcea9e78f35a1bf3499a831b10b86c90aac01cd84b67a0109b55a36e9328',
        'b1e365fce161d71ce7131a543ea4cb5f7e9f1d8b00696447001400',
      ),
    },
    command: 'verify',
    data: hex('0c3e544074ec63b0265e0c'),
    signature: hex(
      '1f0a8888ce25e8d458a21130879b840a9089d999aaba039eaf3e3afa090a09d389dba82c4ff2ae8ac5cd',
      'fb7c55e94d5d961a29fe0109941e00b8dbdeea6d3b051068df7254c0cdc129cbe62db2dc957dbb47b51f',
      'd3f213fb8698f064774250a5028961c9bf8ffd973fe5d5c206492b140e00',
    ),
  },
  {
    algorithm: 'ECDH',
    source: 'Wycheproof ecdh_brainpoolP256r1_test test 1',
    key: {
      type: 'brainpoolP256r1',
      keyClass: 'private',
      bytes: hex(
        '308188020100301406072a8648ce3d020106092b2403030208010107046d306b02010104200113db979e',
        '07d9c8fdbea5b06a682c0d2ad67170ffcb65d7547d8c442d3ac237a1440342000469f8f39b80040aa83b',
        'a99a1b218cc8b0c0f30c0d9ab60a4393a4d4b33905fb4206ca94cc7df2aa4605058a7bc1d9c8865c3e6e',
        '7957b3bf693b219f6bee03cfa3',
      ),
    },
    command: 'agree',
    peer: hex(
      '305a301406072a8648ce3d020106092b2403030208010107034200044cee5e1072b30d64f70bf01958e2',
      '2c044a2127ddd744ce3060c15990ff0fe1148c6ee56559829a5a84dd5c8646ee0c43d0b7c50181f234ec',
      '09eba43bc86b169e',
    ),
    expected: hex('3f00d9af7607fd32809ef7a4a30b396e3da9f465adf20597c9e2046f16a7b1be'),
  },
  {
    algorithm: 'ECDH',
    source: 'Wycheproof ecdh_secp256k1_test test 1',
    key: {
      type: 'secp256k1',
      keyClass: 'private',
      bytes: hex(
        '308184020100301006072a8648ce3d020106052b8104000a046d306b0201010420f4b7ff7cccc98813a6',
        '9fae3df222bfe3f4e28f764bf91b4a10d8096ce446b254a144034200042437217554f2c4a425d320acb9',
        '519abe59fb491279630c8daa8d19bcaa6d6d32fc1d8c23feba0a9ea3931fa3baa6684d870a514885b9f8',
        '54ba1d1fda8fb33cc3',
      ),
    },
    command: 'agree',
    peer: hex(
      '3056301006072a8648ce3d020106052b8104000a03420004d8096af8a11e0b80037e1ee68246b5dcbb0a',
      'eb1cf1244fd767db80f3fa27da2b396812ea1686e7472e9692eaf3e958e50e9500d3b4c77243db1f2acd',
      '67ba9cc4',
    ),
    expected: hex('544dfae22af6af939042b1d85b71a1e49e9a5614123c4d6ad0c8af65baf87d65'),
  },
  {
    algorithm: 'ECDH',
    source: 'Wycheproof ecdh_secp256r1_test test 1',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104200612465c89a0',
        '23ab17855b0a6bcebfd3febb53aef84138647b5352e02c10c346a14403420004b59cc7671dd6a6b836e2',
        'cd9396ef5618b2ff3e8192dd7c9d36c27cb56ff916614826d9dbd5ae64cdd8575068bbc9e63f231ea57e',
        'd03248844c09331b95392053',
      ),
    },
    command: 'agree',
    peer: hex(
      '3059301306072a8648ce3d020106082a8648ce3d0301070342000462d5bd3372af75fe85a040715d0f50',
      '2428e07046868b0bfdfa61d731afe44f26ac333a93a9e70a81cd5a95b5bf8d13990eb741c8c38872b4a0',
      '7d275a014e30cf',
    ),
    expected: hex('53020d908b0219328b658b525f26780e3ae12bcd952bb25a93bc0895e1714285'),
  },
  {
    algorithm: 'ECDH',
    source: 'Wycheproof ecdh_secp384r1_test test 1',
    key: {
      type: 'P-384',
      keyClass: 'private',
      bytes: hex(
        '3081b6020100301006072a8648ce3d020106052b8104002204819e30819b0201010430766e61425b2da9',
        'f846c09fc3564b93a6f8603b7392c785165bf20da948c49fd1fb1dee4edd64356b9f21c588b75dfd81a1',
        '64036200047a6ec8d311d5ca588baed41be3e98f30c9294844ecbb629995653635dbc22da2f083f29711',
        'e0f9c5963bc021bd8cb2109daf56a55f883a7200cea9c4de44488e6dc49fb9c394f51cb5a49fc69d7e8a',
        '034792963ae4eabc63483a2cf1a899e8c8',
      ),
    },
    command: 'agree',
    peer: hex(
      '3076301006072a8648ce3d020106052b8104002203620004790a6e059ef9a5940163183d4a7809135d29',
      '791643fc43a2f17ee8bf677ab84f791b64a6be15969ffa012dd9185d8796d9b954baa8a75e82df711b3b',
      '56eadff6b0f668c3b26b4b1aeb308a1fcc1c680d329a6705025f1c98a0b5e5bfcb163caa',
    ),
    expected: hex(
      '6461defb95d996b24296f5a1832b34db05ed031114fbe7d98d098f93859866e4de1e229da71fef0c77fe',
      '49b249190135',
    ),
  },
  {
    algorithm: 'ECDH',
    source: 'Wycheproof ecdh_secp521r1_ecpoint_test test 1',
    key: {
      type: 'P-521',
      keyClass: 'private',
      bytes: hex(
        '3081ee020100301006072a8648ce3d020106052b810400230481d63081d3020101044201939982b52959',
        '6ce77a94bc6efd03e92c21a849eb4f87b8f619d506efc9bb22e7c61640c90d598f795b64566dc6df4399',
        '2ae34a1341d458574440a7371f611c7dcda18189038186000401fac84b38d732daccfcefaad9a178e3d0',
        '4f2c30e19c4925d112e88235c10c088036d4d1ea2528f5e02003da703533170489c6576d6e1e4d0fc73e',
        'ec126ca55acd84000904b6199d2f6e890a654be20c9e65a40ad120157043881822fc52df4120e4563a7c',
        'd5905c01678d65e845eae9c653e303f79c523910551d212fbd7c25e2d13449',
      ),
    },
    command: 'agree',
    peer: hex(
      '30819b301006072a8648ce3d020106052b8104002303818600040064da3e94733db536a74a0d8a5cb226',
      '5a31c54a1da6529a198377fbd38575d9d79769ca2bdf2d4c972642926d444891a652e7f492337251adf1',
      '613cf3077999b5ce00e04ad19cf9fd4722b0c824c069f70c3c0e7ebc5288940dfa92422152ae4a4f7918',
      '3ced375afb54db1409ddf338b85bb6dbfc5950163346bb63a90a70c5aba098f7',
    ),
    expected: hex(
      '01f1e410f2c6262bce6879a3f46dfb7dd11d30eeee9ab49852102e1892201dd10f27266c2cf7cbccc7f6',
      '885099043dad80ff57f0df96acf283fb090de53df95f7d87',
    ),
  },
  {
    algorithm: 'X25519',
    source: 'ACVP XECDH-SSC-RFC7748 test 1',
    key: {
      type: 'X25519',
      keyClass: 'private',
      bytes: hex(
        '302e020100300506032b656e04220420b0d966297a3527516d1703893ae3986860fe7816738a1fbc70ae',
        'c58975b6e3c7',
      ),
    },
    command: 'agree',
    peer: hex(
      '302a300506032b656e03210042c4060df475a484e4236d10f17180af3b99f6d684ddf870e845881b9071',
      'a54e',
    ),
    expected: hex('c6b40e96749b960ad262d704c552663d1e68cf75c3562ef3aa1cd6cc22f4c721'),
  },
  {
    algorithm: 'X448',
    source: 'ACVP XECDH-SSC-RFC7748 test 26',
    key: {
      type: 'X448',
      keyClass: 'private',
      bytes: hex(
        '3046020100300506032b656f043a04388e83f7f125b4dd2709ed88bd94f1585607e64a96a5414f70709b',
        '303978f5d5ba832289cf72e495611cf06160058a0c28577e172f67ce8718',
      ),
    },
    command: 'agree',
    peer: hex(
      '3042300506032b656f03390088ff31342dda1fe5228513ea80f31b2f7d749a55fc13770b225da68a2721',
      '5c6be67af192b92f12ae01475134dbe5ba981ec1ec84ed4a6214',
    ),
    expected: hex(
      '31b2e83b411acd312e33312e3a61aaf8bcc17d3fc5b51d95ab4b2461203060b243d900534f8d9bd98f7b',
      '3a27ec9981aa40f6eb187b8359b6',
    ),
  },
]
