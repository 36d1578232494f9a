/**
 * docs/security-levels.md is complete and refers to what exists: every clause of both standards has rows,
 * every row one of three answers, every file that it names is there, and the profiles are the code's.
 */

import assert from 'node:assert/strict'
import { existsSync, readFileSync } from 'node:fs'
import path from 'node:path'
import { suite, test } from 'node:test'
import { securityLevels } from '../src/hsm/contract/domain-state.ts'
import { type LevelProfile, levelProfiles } from '../src/hsm/levels.ts'

const root = path.join(import.meta.dirname, '..')
const text = readFileSync(path.join(root, 'docs/security-levels.md'), 'utf8')
const answers = ['module', 'host', 'nothing']

/** ISO/IEC 19790:2012 clause 7 and FIPS 140-2 section 4, as far as they ask for something. */
const clauses = {
  'FIPS 140-3': [
    ...['7.2.2', '7.2.3', '7.2.4', '7.3.2', '7.3.3', '7.3.4', '7.4.2', '7.4.3', '7.4.4', '7.5'],
    ...['7.6.2', '7.6.3', '7.7.2', '7.7.4', '7.8', '7.9.1', '7.9.2', '7.9.3', '7.9.4', '7.9.5'],
    ...['7.9.6', '7.9.7', '7.10.1', '7.10.2', '7.10.3', '7.11.2', '7.11.3', '7.11.4', '7.11.5'],
    ...['7.11.6', '7.11.7', '7.11.8', '7.11.9', '7.12'],
  ],
  'FIPS 140-2': [
    ...['4.1', '4.2', '4.3.1', '4.3.2', '4.3.3', '4.4', '4.5.1', '4.5.5', '4.6.1', '4.7.1'],
    ...['4.7.2', '4.7.3', '4.7.4', '4.7.5', '4.7.6', '4.8', '4.9.1', '4.9.2', '4.10.1', '4.10.2'],
    ...['4.10.3', '4.10.4', '4.11'],
  ],
} as const

/** What each member of a profile is called in the document. */
const profileNames: Readonly<Record<Exclude<keyof LevelProfile, 'tamper'>, string>> = {
  strengthBitsMin: 'least strength of a key that protects, in bits',
  legacyStrengthBitsMin: 'the same of one that only verifies, decrypts or unwraps',
  approvedOnly: 'approved algorithms only',
  externalIv: 'IVs of the caller',
  plaintextRelease: 'release of secrets in plaintext',
  hardwareEntropy: 'a noise source in hardware is needed',
  loginFactorsMin: 'least factors of a person who approves',
  quorumMin: 'least approvals by each rule, all of which are there from 1 on',
  custodiansMin: 'least custodians who unlock together',
  launcher: 'the launcher is needed',
  seals: 'seals',
  freshness: 'freshness',
  selfTestHoursMax: 'hours between self-tests, at most',
}

interface Requirement {
  readonly clause: string
  readonly levels: string
  readonly asked: string
  readonly answer: string
  readonly by: string
}

function section(heading: string): string {
  const start = text.indexOf(`\n## ${heading}`)
  assert(start >= 0, `no section ${heading}`)
  const end = text.indexOf('\n## ', start + 1)
  return text.slice(start, end < 0 ? undefined : end)
}

function cellsOf(line: string): string[] {
  return line
    .split('|')
    .slice(1, -1)
    .map((cell) => cell.trim())
}

function requirementsOf(heading: string): Requirement[] {
  return section(heading)
    .split('\n')
    .filter((line) => /^\| \d/.test(line))
    .map((line) => {
      const cells = cellsOf(line)
      assert.equal(cells.length, 5, line)
      const [clause = '', levels = '', asked = '', answer = '', by = ''] = cells
      return { clause, levels, asked, answer, by }
    })
}

for (const [standard, expected] of Object.entries(clauses)) {
  suite(standard, () => {
    const rows = requirementsOf(standard)

    test('every clause has a row, and there are no others', () => {
      assert.deepEqual([...new Set(rows.map(({ clause }) => clause))], expected)
    })

    test('every requirement has one of the three answers, its levels, and says by what', () => {
      for (const { levels, asked, answer, by } of rows) {
        assert(answers.includes(answer), `${asked}: ${answer}`)
        assert.match(levels, /^[1-4](–[1-4])?$/, asked)
        assert(by !== '' && asked !== '')
      }
    })

    test('what the module meets names a file or a service of it', () => {
      for (const { asked, answer, by } of rows) {
        if (answer === 'module') assert.match(by, /`[^`]+`|git|there is no/, asked)
      }
    })

    test('no requirement is there twice', () => {
      const names = rows.map(({ clause, levels, asked }) => `${clause} ${levels} ${asked}`)
      assert.equal(new Set(names).size, names.length)
    })
  })
}

test('every file that the document names exists', () => {
  const named = [...text.matchAll(/`([\w./-]+\.(?:ts|md|json))`/g)].map(([, file = '']) => file)
  assert(named.length > 40)
  const missing = named.filter((file) => !existsSync(path.join(root, file)))
  assert.deepEqual(missing, [])
})

test('it claims no certificate', () => {
  assert.match(text, /It\s+holds no certificate, claims none/)
  assert.doesNotMatch(text, /\b(is|are) (FIPS )?(certified|validated at|compliant)\b/i)
})

/** As the document writes a value. */
function written(value: LevelProfile[keyof typeof profileNames]): string {
  if (value === undefined) return 'on demand'
  if (typeof value === 'boolean') return value ? 'yes' : 'no'
  return typeof value === 'object' ? value.join(', ') : String(value)
}

test('the profiles are those of the code', () => {
  const lines = section('The profiles').split('\n')
  const rows = lines.filter((line) => line.startsWith('| ')).map(cellsOf)
  const members = Object.keys(profileNames) as (keyof typeof profileNames)[]
  const head = (name: string) => [name, ...securityLevels.map((level) => `level ${level}`)]
  const signals = Object.keys(levelProfiles[1].tamper) as (keyof LevelProfile['tamper'])[]
  assert.deepEqual(
    rows.filter(([first]) => !/^-+$/.test(first ?? '')),
    [
      head('profile'),
      ...members.map((member) => [
        profileNames[member],
        ...securityLevels.map((level) => written(levelProfiles[level][member])),
      ]),
      head('signal'),
      ...signals.map((signal) => [
        `\`${signal}\``,
        ...securityLevels.map((level) => String(levelProfiles[level].tamper[signal])),
      ]),
    ],
  )
})
