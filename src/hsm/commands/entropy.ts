/**
 * Commands about randomness: how the noise sources and the generator are, bytes that the host gives to be
 * mixed in, and noise for an assessment, which only a module without a domain gives.
 */

import { moduleStates } from '../contract/commands.ts'
import {
  conditionedBlockBytes,
  hostEntropyBytesMax,
  hostEntropySources,
  noiseForms,
  noiseSamplesMax,
  noiseSourceNames,
} from '../contract/entropy.ts'
import { HsmError } from '../contract/errors.ts'
import { tapNoise } from '../entropy/noise-tap.ts'
import { parseChoice, parseInteger, parseNothing, parseObject } from '../parse.ts'
import { entropyStatus, mixHostEntropy } from '../random.ts'
import { command, unrestricted } from './row.ts'

export const getEntropyStatus = command({
  name: 'getEntropyStatus',
  states: moduleStates,
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: parseNothing,
  run: () => ({ result: entropyStatus(), parts: {} }),
})

/** Whoever gives them may know them: they are additional input of a reseeding, and count for nothing. */
export const addEntropy = command({
  name: 'addEntropy',
  states: ['uninitialised', 'locked', 'operational'],
  ...unrestricted,
  record: 'nothing',
  parts: { bytes: { bytesMax: hostEntropyBytesMax } },
  parse: (untrusted) => {
    const { source } = parseObject(untrusted, ['source'], 'arguments')
    return { source: parseChoice(source, hostEntropySources, 'source') }
  },
  run: (_module, _args, { bytes }) => {
    if (bytes.length === 0) throw new HsmError('ARGUMENT_INVALID', 'there are no bytes')
    mixHostEntropy(bytes)
    return { result: { hostBytes: entropyStatus().generator.hostBytes }, parts: {} }
  },
})

export const sampleNoise = command({
  name: 'sampleNoise',
  states: ['uninitialised'],
  ...unrestricted,
  record: 'nothing',
  parts: {},
  parse: (untrusted) => {
    const args = parseObject(untrusted, ['source', 'form', 'count'], 'arguments')
    const form = parseChoice(args.form, noiseForms, 'form')
    const min = form === 'raw' ? 1 : conditionedBlockBytes
    return {
      source: parseChoice(args.source, noiseSourceNames, 'source'),
      form,
      count: parseInteger(args.count, { name: 'count', min, max: noiseSamplesMax }),
    }
  },
  run: (_module, { source, form, count }) => {
    const { samples, report } = tapNoise(source, form, count)
    return { result: report, parts: { samples } }
  },
})
