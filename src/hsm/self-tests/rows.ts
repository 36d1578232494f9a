/** The known answers of all rows of the registry; a test holds that every row has one. */

import { type RowTest, rowTest } from './answer.ts'
import { aeadsAnswers } from './answers/aeads.ts'
import { derivationsAnswers } from './answers/derivations.ts'
import { ecdsaAnswers } from './answers/ecdsa.ts'
import { edwardsAndAgreementAnswers } from './answers/edwards-and-agreement.ts'
import { hpkeAnswers } from './answers/hpke.ts'
import { keyWrapsAnswers } from './answers/key-wraps.ts'
import { macsAnswers } from './answers/macs.ts'
import { mlDsaAndSlhDsaAnswers } from './answers/ml-dsa-and-slh-dsa.ts'
import { mlKemAnswers } from './answers/ml-kem.ts'
import { rsaAesKeyWrapsAnswers } from './answers/rsa-aes-key-wraps.ts'
import { rsaOaepAnswers } from './answers/rsa-oaep.ts'
import { rsaSignaturesAnswers } from './answers/rsa-signatures.ts'
import { unauthenticatedAnswers } from './answers/unauthenticated.ts'

const answers = [
  ...aeadsAnswers,
  ...unauthenticatedAnswers,
  ...keyWrapsAnswers,
  ...macsAnswers,
  ...derivationsAnswers,
  ...rsaSignaturesAnswers,
  ...rsaOaepAnswers,
  ...rsaAesKeyWrapsAnswers,
  ...hpkeAnswers,
  ...ecdsaAnswers,
  ...edwardsAndAgreementAnswers,
  ...mlKemAnswers,
  ...mlDsaAndSlhDsaAnswers,
]

export const rowTests: readonly RowTest[] = answers.map(rowTest)
