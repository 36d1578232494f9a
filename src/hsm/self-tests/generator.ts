/**
 * Known answers of the module's generator: instantiating, reseeding and generating (SP 800-90A section
 * 11.3), SHA-384, by which noise is conditioned, and that the health tests answer to a source that is
 * stuck, that is uneven and that repeats itself.
 */

import { hash } from 'node:crypto'
import { cutoffsFor, HealthTests } from '../entropy/health-tests.ts'
import { HmacDrbg } from '../entropy/hmac-drbg.ts'
import { hex, type KnownAnswer } from './known-answer.ts'

const drbg = {
  entropy: hex('3aca6b55561521007c9ece085e9a6635e346fa804335d6ad42ebd6814c017fa8'),
  nonce: hex('aa7fd3c3dd5d03d9b8efc7f70574581f'),
  personalisation: hex('4bc9a485ec840d377ae4504aa1df41e444c4231687f3d7851c26c275bc687463'),
  reseedings: [
    {
      entropy: hex('4cc19fae5a456f8a53a656d23a0b665d6ddf7f43020a5febbb552714e447565d'),
      additional: hex('b39c43539fdc24343085cbb65b8d36c54732476d781104c355c391a951313a30'),
    },
    {
      entropy: hex('637386b3ab33f78fd9751c7b7e67e1e15f6e50ddc548a1eb5813f6d0d48381bf'),
      additional: hex('b6850edd4622675ef5a507eab911e249d63fcf62f330cc8a16bb2ccc5858de5d'),
    },
  ],
}

function drbgOutput(): Buffer {
  using generator = new HmacDrbg('SHA2-512', drbg)
  const output = Buffer.alloc(256)
  for (const { entropy, additional } of drbg.reseedings) {
    generator.reseed(entropy, additional)
    generator.generate(output)
  }
  return output
}

/** After how many samples each kind of bad source is found, and by which test, for four bits claimed. */
function healthVerdicts(): Buffer {
  const faults = [
    () => 7,
    (index: number) => (index % 3 === 0 ? 7 : index & 0xff),
    (index: number) => index & 3,
  ]
  const verdicts = faults.map((fault) => {
    const tests = new HealthTests(cutoffsFor(4))
    for (let index = 0; index < 512; index += 1) {
      const failure = tests.check(Uint8Array.of(fault(index)))
      if (failure) return `${failure} ${index + 1}`
    }
    return ''
  })
  return Buffer.from(verdicts.join(', '))
}

export const generatorTests: readonly KnownAnswer[] = [
  {
    name: 'SHA-384, FIPS 180-4 example "abc"',
    run: () => hash('sha384', 'abc', 'buffer'),
    expected: hex(
      'cb00753f45a35e8bb5a03d699ac65007272c32ab0eded1631a8b605a43ff5bed',
      '8086072ba1e7cc2358baeca134c825a7',
    ),
  },
  {
    name: 'HMAC_DRBG-SHA-512 with prediction resistance, CAVP drbgvectors_pr_true count 0',
    run: drbgOutput,
    expected: hex(
      '546664042bef33064da28a5718f2c2e5f72d7725e3fbe87ad2ee90fbfe6c114ed36440fbbccf29698b4360bc4a',
      'd74650de13825838106adc53002bc389ee900691649b972f3187b84d05cecc8fd034497dd99c6c997d1914b4ef',
      '838d84abf23fae7f3ac9efdcdc04c003ac642c5126b00f9f24bf1431a4f19ef0b5f3d230aab3fdf091ba31b7dd',
      'cacdf2566f2cfab30f55b3123e733829b697b7c8b248420ab98ba6f11b017175256368e8d8361102c9e6d57386',
      'becbeabda092dd57aec65bc20ebee78eea7294571e168c454066d256b81bb8b7bb469207a18ebedbb4348fbe97',
      'a4d86d2bd095c41f6de59aa0800e131e98181886a2633cdcc550914d83b327',
    ),
  },
  {
    name: 'health tests of SP 800-90B section 4.4, cut-offs 9 and 71',
    run: healthVerdicts,
    expected: Buffer.from('repetition 9, proportion 208, lag 75'),
  },
]
