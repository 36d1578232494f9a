/** Answers of ECDSA: signatures with the nonces of RFC 6979, and verification on every curve. */

import type { Answer } from '../answer.ts'
import { hex } from '../known-answer.ts'

export const ecdsaAnswers: readonly Answer[] = [
  {
    algorithm: 'ECDSA-SHA-256',
    source: 'ACVP ECDSA-SigVer-FIPS186-5 test 5',
    key: {
      type: 'P-224',
      keyClass: 'public',
      bytes: hex(
        '304e301006072a8648ce3d020106052b81040021033a0004f3e0beb97b4b8b8fdc67bfe0f00298bc41ee',
        'bd007c7603d14b2ee6f231ed4aac5ecb437ef9cd78a59d6fd935116e2a93c513b0c1b0022805',
      ),
    },
    command: 'verify',
    data: hex(
      '0bb06d159a3cf0dfebed75b9a892549de3e415783914aae69404f3d141f9a2e5c1b78b42ac2274c9520d',
      '75c6883f0d80441bf700034c5d97f219380f0542ec61b4fdf8b51299b8dae419c496ab9d00cd13f9132e',
      '5a57e3ba6d9edb65fd59e217a32164880c207a58495157e606ca36cd7e3668e8599082188505d68cf102',
      '2c3c',
    ),
    signature: hex(
      'feb8fadb4d8d6f34f16f6e0eb1c4a65d9567fd7b2fbab7c6f1ce71ea27e9b9020596f769bc4f5b8c6b22',
      '9995c005d1976f9b935dfa47e8be',
    ),
    format: 'p1363',
  },
  {
    algorithm: 'ECDSA-SHA-256',
    source: 'Wycheproof ecdsa_secp256r1_sha256_test test 360',
    key: {
      type: 'P-256',
      keyClass: 'public',
      bytes: hex(
        '3059301306072a8648ce3d020106082a8648ce3d03010703420004931cc49cda4d87d25b1601c56c3b83',
        'b4f45e44971998f2d3e7d3c55152214edf058dc140abbba42fc1ddbf30dab8eb9b46ee7338b3f7ee9624',
        '2bf45e1df5e995',
      ),
    },
    command: 'verify',
    signature: hex('3006020106020103'),
    digest: hex('bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023'),
  },
  {
    algorithm: 'ECDSA-SHA-256',
    source: 'Wycheproof ecdsa_brainpoolP256r1_sha256_test test 360',
    key: {
      type: 'brainpoolP256r1',
      keyClass: 'public',
      bytes: hex(
        '305a301406072a8648ce3d020106092b2403030208010107034200046db366ee784b945641ae1fb3c777',
        '4b81de9fccb6ae3857ffa9df210dc31b78ac77f473f0c55c1c5476d72d11dcd872e0993fef11a4a0078d',
        '6064001569d62239',
      ),
    },
    command: 'verify',
    signature: hex('3006020102020103'),
    digest: hex('bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023'),
  },
  {
    algorithm: 'ECDSA-SHA-256',
    source: 'Wycheproof ecdsa_secp256k1_sha256_test test 360',
    key: {
      type: 'secp256k1',
      keyClass: 'public',
      bytes: hex(
        '3056301006072a8648ce3d020106052b8104000a03420004d30ca4a0ddb6616c851d30ced682c40f83c6',
        '2758a1f2759988d6763a88f1c0e503a80d5415650d41239784e8e2fb1235e9fe991d112ebb81186cbf0d',
        'a2de3aff',
      ),
    },
    command: 'verify',
    signature: hex('3006020102020103'),
    digest: hex('bb5a52f42f9c9261ed4361f59422a1e30036e7c32b270c8807a419feca605023'),
  },
  {
    algorithm: 'ECDSA-SHA-256',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 111',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420f69a77b56caf',
        '234368df0d69f96cf04f435f967ff39e28371c6fe7a8146b865da144034200040106fffbaa17060d23c9',
        'b90e84ecbbf369f853afa0ccf82a5c506ec443e6fb4b948bd0f661ef839d65180012e85feef4a8e181dc',
        '732793ae08a8b4d2c7ff0fe7',
      ),
    },
    command: 'signDeterministic',
    digest: hex('276274a51fd4ce68fb680175a52e380061181bd3e09f591720ccfba0eea710c0'),
    format: 'p1363',
    expected: hex(
      '46aeb40043eaf16df463894fc8d3161837930afbd621519f51d02d5a28012df66255be755fcf2e6dd4b7',
      '187158dc6253dde36e81dc114e09e6f6ed778acb2128',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-384',
    source: 'Wycheproof ecdsa_secp384r1_sha384_test test 392',
    key: {
      type: 'P-384',
      keyClass: 'public',
      bytes: hex(
        '3076301006072a8648ce3d020106052b81040022036200041301dee63fca91b6de8835480c3d86297b1e',
        '6a0a7339fc5011a50c33f350e9938743df496aeaa1e3170ba1e2f0c449187b6812948761816232e414e2',
        '3b0f9904d171da5cc0492a341e2b4f9477da0a311cdac7c7d01037ed7dddb3376892fd44',
      ),
    },
    command: 'verify',
    signature: hex('3006020103020104'),
    digest: hex(
      'f9b127f0d81ebcd17b7ba0ea131c660d340b05ce557c82160e0f793de07d38179023942871acb7002dfa',
      'fdfffc8deace',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-384',
    source: 'Wycheproof ecdsa_brainpoolP384r1_sha384_test test 392',
    key: {
      type: 'brainpoolP384r1',
      keyClass: 'public',
      bytes: hex(
        '307a301406072a8648ce3d020106092b240303020801010b0362000448936d9579659b46b476999c476a',
        '0d6f2e68c902b5af2c01dcb1e8f7b2fbb06eb93f1f427e836cb07be147c596494dc971c9f2de6c9ae7d3',
        '43f27eb8ab54e2d1c93ad87131dc3aceac635b8d42996cb750e7e364fe4eab90d9d3e0516abd9c38',
      ),
    },
    command: 'verify',
    signature: hex('3006020103020104'),
    digest: hex(
      'f9b127f0d81ebcd17b7ba0ea131c660d340b05ce557c82160e0f793de07d38179023942871acb7002dfa',
      'fdfffc8deace',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-384',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 121',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420e3cb607338cf',
        'e428dc13f2cf02d7119731255355f2ad86c3aeb82b01200a265fa1440342000431edd599a26c16a1b76a',
        'd490a9d4479b50ba4c20d6a74b5fc5f5f71844b1616d4eea3a177b0d6fb08c887ec86a2a899dfc72cd7c',
        '6de05b36be9212ddfce47a83',
      ),
    },
    command: 'signDeterministic',
    digest: hex(
      '629ca31432ae954ef6d7947f4aa36dbccafa565166184afc9a19008cd53d2b827f5242ee06a9d90b7442',
      'b4c77029e278',
    ),
    format: 'p1363',
    expected: hex(
      '43808af487f2d306cde23c316891214bcccef6a598d0ac16aeaced4fa3ac4795ed994990c8fa8569cd6a',
      '974bd58fb8d7be809323291507cfcafb5e1741cc265b',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-512',
    source: 'Wycheproof ecdsa_secp521r1_sha512_test test 424',
    key: {
      type: 'P-521',
      keyClass: 'public',
      bytes: hex(
        '30819b301006072a8648ce3d020106052b810400230381860004005e7eb6c4f481830abaad8a60ddb098',
        '91164ee418ea4cd2995062e227d33c229fb737bf330703097d6b3b69a3f09e79c9de0b402bf846dd26b5',
        'bb1191cff801355d01789c9afda567e61de414437b0e93a17611e6e76853762bc0aff1e2bc9e46ce1285',
        'b931651d7129b85aef2c1fab1728e7eb4449b2956dec33e6cd7c9ba125c5cd9d',
      ),
    },
    command: 'verify',
    signature: hex('3006020101020101'),
    digest: hex(
      '43f800fbeaf9238c58af795bcdad04bc49cd850c394d3382953356b023210281757b30e19218a37cbd61',
      '2086fbc158caa8b4e1acb2ec00837e5d941f342fb3cc',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-512',
    source: 'Wycheproof ecdsa_brainpoolP512r1_sha512_test test 424',
    key: {
      type: 'brainpoolP512r1',
      keyClass: 'public',
      bytes: hex(
        '30819b301406072a8648ce3d020106092b240303020801010d03818200049741c2634e42f1865625a9d9',
        '7ebc549ac8c67eb6d03cd2a7c5987f0f5164c9be9775e32c5d59d3175de468e243591021ab623f6b09b3',
        '1a4028639b041684f359470ddff173c67c71055f5f715b7b74993800305938bbda89d24b187f4819c305',
        '75d5e2275f08cbf3ba86b1a11f12671d2eb009d02516f3d1da0aafcd1d81a0c1',
      ),
    },
    command: 'verify',
    signature: hex('3006020103020103'),
    digest: hex(
      '43f800fbeaf9238c58af795bcdad04bc49cd850c394d3382953356b023210281757b30e19218a37cbd61',
      '2086fbc158caa8b4e1acb2ec00837e5d941f342fb3cc',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-512',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 131',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104205faa2bc1bf75',
        'e6443eebde76833d1fa59bd8aff7ce35e030d32b1b8585b1330ea144034200045db770eca232968db7f0',
        '3aea846d12a41ab86c71c3705965d48f0411fae6b93591606c3d266c87e210bf66dfedf96ab42965775b',
        '7750b5e55424ab8160866edf',
      ),
    },
    command: 'signDeterministic',
    digest: hex(
      '738aa518f2d388cd995224a5b06b14cc8c9241bc111454954316acbaf3875847eb83066cae5be55da8f5',
      '2ae583bddaae0983694c2542b81f58935bdb5dc0d323',
    ),
    format: 'p1363',
    expected: hex(
      '2cab569f71fa3793188abada74456d6087c62aad7318aa2847a4219b9672f598f6bb4632f00e3d4df643',
      '44b8a6d92a694f9086e50ebf871d740fe3192f5dd825',
    ),
  },
  {
    algorithm: 'ECDSA-SHA3-256',
    source: 'Wycheproof ecdsa_secp256r1_sha3_256_test test 368',
    key: {
      type: 'P-256',
      keyClass: 'public',
      bytes: hex(
        '3059301306072a8648ce3d020106082a8648ce3d0301070342000452c01eaee2e5c30e7db97061b0e00b',
        '44f7199a23c1db44f2428e342a71e1df6ee37cc4355d79bfa76afc34e2db9cdac7f451cc9b28f772269c',
        '8b017d964d9a67',
      ),
    },
    command: 'verify',
    signature: hex('3006020106020103'),
    digest: hex('5731b7c4bd04cb9efb836935ff2e547bf2909f86824af4d8df78acf76d7b3d4e'),
  },
  {
    algorithm: 'ECDSA-SHA3-256',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 171',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104208e59fb01d467',
        '6d582e98bc0235f56f060d5e35346f11f44b5a0cc910e2a40896a14403420004d3a0d7735938e42f3c96',
        '5d068986cf70afa20ec3d53e8d576a6f211dc784e67a940776068047727b3a0e214ff24824036c0e59d9',
        '8dd92afe2835a8a572ccc309',
      ),
    },
    command: 'signDeterministic',
    digest: hex('99d2be7de9978054e379cdfaeb0e64e08970e319a53f9b062d3bded646b7d324'),
    format: 'p1363',
    expected: hex(
      '8dda12edcde59e8aba79cea66ec4f288ed0fe4309fe8add0142a43a6fd77f66a720c3d375089783221b0',
      '1f75107ac4a7b08998ee1a8e779183fc397df9054a3f',
    ),
  },
  {
    algorithm: 'ECDSA-SHA3-384',
    source: 'ACVP ECDSA-SigGen-FIPS186-5 test 321',
    key: {
      type: 'P-384',
      keyClass: 'public',
      bytes: hex(
        '3076301006072a8648ce3d020106052b81040022036200041940edc87a974c7981b4effab59a751a8925',
        '0ad3c20bcc9d637e9e1967b24703d306974bb4baa6b475a0fa892e8c37dff182682af7ed0fd3643c597b',
        '645e62e214bdc9666c55487150e01e89fec9676bd711127f9dde6bbd8b09cb4154f08bcc',
      ),
    },
    command: 'verify',
    data: hex(
      'b8327d29988cd38b9c7a28772d5ca643d7a441dcd39ab855b1aa19e046abdd10dfcae027ade6ac99a782',
      '242911a04524129e9f517bd75498592a0f44267b0dc0a43a177381b8e277f5bdb428331280c1ef405c54',
      '6c814bf73e61df8f5da2565baa583b916135656ef20bd2c6ce92fa39b96de77dd7b818dfcb79a8e626d5',
      '82c8',
    ),
    signature: hex(
      '06fc2c885849c82c1d020aaa436c71d9e43acf6a3d07f6b596a7791a79e20aa15e9f29850ea6f7794f3b',
      '6fa699806be3f7b3c58365a1316f61d93303799254fceaf3b3563774c1bfb35150378c1d61a17c73446d',
      '465ad1f122ef3b63a82069fb',
    ),
    format: 'p1363',
  },
  {
    algorithm: 'ECDSA-SHA3-384',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 181',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b0201010420ad181c03ff31',
        'a9a26c35a4552303e19c4adccf2bcb21c6e9828de81cd682c3efa1440342000403908a69f29d3f8018e3',
        '5a8bb0e61538d1c47c9775b6fa90d69e181c26be7a6c9ab9d4d30b60da637ad50ba76e72c752e5008d53',
        'c907ac610e608d241b6ad55a',
      ),
    },
    command: 'signDeterministic',
    digest: hex(
      '71ce66f955419d3b649f552a460a22b929cf267f56906186b31ac99b79eda362b1e610f785aaa6b0954e',
      'd5d7f2710eac',
    ),
    format: 'p1363',
    expected: hex(
      '9a4c5be9231f7e062d155a8009d208e2feadc3cbacf00e5ebe8d516008ca87c88f3697d45486796f118f',
      'd2c2012d69065924dc75279148e77d98ab5bdb283c66',
    ),
  },
  {
    algorithm: 'ECDSA-SHA3-512',
    source: 'ACVP ECDSA-SigVer-FIPS186-5 test 78',
    key: {
      type: 'P-256',
      keyClass: 'public',
      bytes: hex(
        '3059301306072a8648ce3d020106082a8648ce3d03010703420004b59bb95b6c85a1166f48935987aa06',
        '4136d1a05f30dc2a7212a488ffaa7ad16ddd78d369e1acc3b32bd73ae60ea89d8ad861123634bac4727f',
        '21c434695dff11',
      ),
    },
    command: 'verify',
    data: hex(
      '926e93d8ef6e1f170bbbf62ae9c49a1edc3e54c140fc58b6f36465071a9a5d925f1cb7de11a7f9c56194',
      'e697993c8eea914a21c58448a1494ca580e93480abf253906678ae2b68fe03d809e145a45b734d9987c6',
      '8cb023c694650a7aa5fc9e6b752c3cf5afdc831810ae75a70f35af561f26e5d2eb211e8f851654324478',
      'ad79',
    ),
    signature: hex(
      '934150f1da9dac60a46ec18fa275d735bfd7617da8842e60a4ce837f24ca5797765e813ebfb95968e1ce',
      '14179ae178d78e5ecdba9a74f4f4169bfb3281108ffe',
    ),
    format: 'p1363',
  },
  {
    algorithm: 'ECDSA-SHA3-512',
    source: 'ACVP DetECDSA-SigGen-FIPS186-5 test 191',
    key: {
      type: 'P-256',
      keyClass: 'private',
      bytes: hex(
        '308187020100301306072a8648ce3d020106082a8648ce3d030107046d306b02010104201bac8f38432d',
        'f79dfbf06f0196e6ae42ea897c0ace830d11700b22cbb1533c9ea1440342000426955046cdd5c9e55b86',
        '1daafa4599404295ae2f18664d99cf5f73e9a940e360b6167aaa0df2405c57b7e00baecf3aaad952c5f1',
        '584f2a37bde4c9128b82c516',
      ),
    },
    command: 'signDeterministic',
    digest: hex(
      '3aa7e064af1413e5e06ca947eb8e75652940679a191b5e4c891a94fbf3a0a9f428b761ebea5e290c646e',
      '53bf1c360758daf2154584f8e34f24475c6c3d32074d',
    ),
    format: 'p1363',
    expected: hex(
      'ff0c78a80dc81708fd9edbac0fffa3977a8033a41e5d2f5bcb4625b47a13756978a73c95b173c11f9312',
      'da9ce6790c52d132953e765013822cd0b710ad5b9ae1',
    ),
  },
  {
    algorithm: 'ECDSA-SHA-224',
    source: 'ACVP ECDSA-SigGen-FIPS186-5 test 1',
    key: {
      type: 'P-224',
      keyClass: 'public',
      bytes: hex(
        '304e301006072a8648ce3d020106052b81040021033a0004d8c4223a4c10755f36db873453a45cf4899e',
        '97a8e3558c9a5dc7af5f3b04e552b7b63e1fe787d276842e4ba5bbb0ab8c4cdc907c87db3e24',
      ),
    },
    command: 'verify',
    data: hex(
      '49234abd8233e3cab29a5d025326a05e21eddf4ddf54cac68e434ea913354d548df64798fe95b72dfd96',
      'e7239eec19eb69b0786ae8912691bc48523961e0619abefcef6c12090f9958c7de06e6860fe17daf8a74',
      'cf0b517c6359a10d2e0ff5dc9ccda9aece969bf3254876390d8aeb5d56814956bdfd6868abbd02adfc34',
      'e2ce',
    ),
    signature: hex(
      'bdf3ef476860ef874288898c9f45eb86d93c1403cb0cc8c20ef8215261542870199b46337364cf5c2a6d',
      '9631b71b9fa9b44487c47795efd9',
    ),
    format: 'p1363',
  },
]
