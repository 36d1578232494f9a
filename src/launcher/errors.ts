/**
 * Why nothing is started, as stable codes. Each message says what is wrong with which file and what to
 * do next.
 */

export const launcherErrorCodes = [
  /** There is no signed manifest where the release should have one. */
  'MANIFEST_MISSING',
  /** The signed text is no manifest of a format that this program knows. */
  'MANIFEST_INVALID',
  /** The manifest is not signed with both of the release's keys, or was changed. */
  'MANIFEST_SIGNATURE_INVALID',
  /** A file of the module is missing, changed, or not in the manifest. */
  'SOURCE_CHANGED',
  /** The Node binary is not the one in the manifest. */
  'NODE_CHANGED',
  /** Somebody else than the administrator can change a file after it was checked. */
  'FILE_UNSAFE',
  /** The launcher's arguments, users or secret file are not as they must be. */
  'CONFIGURATION_INVALID',
  /** The module ended, or answered what it must not, before it was handed over. */
  'MODULE_NOT_STARTED',
] as const

export type LauncherErrorCode = (typeof launcherErrorCodes)[number]

/** An expected failure. A bug throws AssertionError. */
export class LauncherError extends Error {
  override readonly name = 'LauncherError'
  readonly code: LauncherErrorCode

  constructor(code: LauncherErrorCode, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}
