/**
 * What the command line ends with, and what it advises, by the code of the failure. Exit codes from 64
 * on are those of sysexits. `keyhold --help` prints the table.
 */

export const exitCodes = {
  done: 0,
  refused: 1,
  usage: 2,
  notValid: 3,
  noInput: 66,
  unavailable: 69,
  internal: 70,
  cannotCreate: 73,
  accessDenied: 77,
  configuration: 78,
  interrupted: 130,
} as const

export type ExitCode = (typeof exitCodes)[keyof typeof exitCodes]

const meanings = {
  done: 'done; for verify: valid',
  refused: 'refused by the server, or failed',
  usage: 'the command was not understood',
  notValid: 'verify, mac --check, share, transcript: not valid; record, attest verify: broken',
  noInput: 'an input file is missing or cannot be read',
  unavailable: 'no server, no module, or too much to do; try again',
  internal: 'a bug: please report it',
  cannotCreate: 'an output file exists already or cannot be written',
  accessDenied: 'the token is not valid, or does not permit this',
  configuration: 'client.json is missing or not usable',
  interrupted: 'stopped by Ctrl-C or a signal',
} as const satisfies Record<keyof typeof exitCodes, string>

/** Codes that do not end with 1. */
const byCode: Readonly<Record<string, keyof typeof exitCodes>> = {
  ACCESS_DENIED: 'accessDenied',
  APPROVAL_INVALID: 'notValid',
  ATTESTATION_INVALID: 'notValid',
  CONFIGURATION_INVALID: 'configuration',
  CONFIGURATION_MISSING: 'configuration',
  FILE_EXISTS: 'cannotCreate',
  FILE_NOT_READABLE: 'noInput',
  FILE_NOT_WRITABLE: 'cannotCreate',
  IDENTITY_DISABLED: 'accessDenied',
  INTERNAL: 'internal',
  INTERRUPTED: 'interrupted',
  MODULE_BUSY: 'unavailable',
  MODULE_UNAVAILABLE: 'unavailable',
  OVERLOADED: 'unavailable',
  PORT_IN_USE: 'unavailable',
  RECORD_BROKEN: 'notValid',
  SERVER_UNREACHABLE: 'unavailable',
  SHARE_INVALID: 'notValid',
  TOKEN_INVALID: 'accessDenied',
  TRANSCRIPT_INVALID: 'notValid',
  TRANSPORT_KEY_INVALID: 'notValid',
  USAGE: 'usage',
  WITNESS_EXISTS: 'cannotCreate',
  WITNESS_MISSING: 'noInput',
  WITNESS_UNSAFE: 'accessDenied',
}

/** What to do next, where there is something to say. */
const advice: Readonly<Record<string, string>> = {
  ACCESS_DENIED:
    'ask an administrator: keyhold roles set IDENTITY ROLE…, keyhold grants add KEY IDENTITY OPERATION…',
  APPROVALS_MISSING:
    'ask those who decide: keyhold approval request, approval sign; then add --approvals FILE',
  ATTESTATION_INVALID: 'trust nothing that it says; ask for a fresh one: keyhold attest',
  CIPHERTEXT_INVALID: 'check the key, and give the same --context as for encryption',
  CONFIGURATION_INVALID: 'repair the file, or name another data folder with --data',
  CONFIGURATION_MISSING:
    'start the server with npm start, open it if it is locked (keyhold unlock), or name its folder with --data',
  CONFIRMATION_INVALID: 'give the exact name of the key: --confirm NAME',
  FILE_EXISTS: 'choose another --output, or replace it with --force',
  FILE_INVALID: 'check that it is the right file, and get a fresh copy of it',
  KEY_DESTROYED: 'nothing brings it back; create another key',
  KEY_NOT_FOUND: 'see which keys there are: keyhold keys list',
  KEY_STATE_INVALID: 'see its state: keyhold keys show KEY',
  KEY_USE_NOT_PERMITTED: 'see what the key may do: keyhold keys show KEY',
  LEVEL_NOT_PERMITTED: 'docs/security-levels.md says what each level asks for',
  MODULE_TAMPERED:
    'keyhold status says why; officers let it go on: keyhold domain acknowledge-tamper',
  MODULE_UNAVAILABLE: 'try again; keyhold status says how the module is',
  NAMESPACE_NOT_FOUND: 'see which there are: keyhold namespaces list',
  NAME_TAKEN: 'choose another name',
  OVERLOADED: 'try again in a moment',
  PASSPHRASE_INVALID: 'choose a longer one, or type it again',
  PORT_IN_USE: 'end what listens there: passkeys answer to pages at this port alone',
  PRECONDITION_FAILED: 'somebody changed it in the meantime: look again, then repeat the command',
  RECORD_BROKEN:
    'get a fresh copy if it is a file that you were given; if not, keep the data folder as it is and find out who changed it',
  SHARE_INVALID:
    'give the passphrase or the key file of this very share, or another share if this one is there already',
  SERVER_UNREACHABLE: 'start the server with npm start, or keyhold serve',
  TRANSPORT_KEY_INVALID:
    'seal nothing: somebody stands between you and the module, or it was started anew just now',
  TOKEN_INVALID: 'the token has ended or was revoked; ask an administrator for another one',
  USAGE: 'add --help to see how the command is used',
  WITNESS_DAMAGED: 'make a new witness: this one could sign a second history',
  WITNESS_MISSING: 'make its keys: keyhold witness init --name NAME',
}

export function exitCodeFor(code: string): ExitCode {
  return exitCodes[byCode[code] ?? 'refused']
}

export function adviceFor(code: string): string | undefined {
  return Object.hasOwn(advice, code) ? advice[code] : undefined
}

/** The table, for people. */
export function exitCodesText(): string {
  const lines = (Object.keys(exitCodes) as (keyof typeof exitCodes)[]).map(
    (name) => `${String(exitCodes[name]).padStart(5)}  ${meanings[name]}`,
  )
  return `Exit codes:\n${lines.join('\n')}\n`
}
