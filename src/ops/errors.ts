// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** The codes an operator may meet. Each has its section in docs/errors.md; a test holds the two together. */
export const OPERATOR_ERROR_CODES = [
  'API_NEEDS_KEY',
  'CONFIG_INVALID',
  'CONFIG_UNREADABLE',
  'DB_CORRUPT',
  'DB_FOREIGN',
  'DB_NOT_WRITABLE',
  'DB_TOO_NEW',
  'FILE_UNREADABLE',
  'LISTEN_FAILED',
  'LOG_NOT_WRITABLE',
  'PERSONA_INVALID',
  'TLS_UNREADABLE',
  'USAGE',
] as const

export type OperatorErrorCode = (typeof OPERATOR_ERROR_CODES)[number]

/**
 * Something the operator can fix: what went wrong in `message`, what to do about it in `hint`, the underlying error
 * in `cause`. `main.ts` prints it as one line and exits with 2 for `USAGE` and 1 for everything else.
 */
export class OperatorError extends Error {
  readonly code: OperatorErrorCode
  readonly hint: string

  constructor(code: OperatorErrorCode, message: string, hint: string, cause?: unknown) {
    super(message, { cause })
    this.name = 'OperatorError'
    this.code = code
    this.hint = hint
  }
}

/** The text of any thrown value, for a log line. */
export function reason(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

/** The `code` of a system or SQLite error (`EADDRINUSE`, `ERR_SQLITE_ERROR`), or null when it has none. */
export function errorCode(error: unknown): string | null {
  if (typeof error !== 'object' || error === null || !('code' in error)) return null
  return typeof error.code === 'string' ? error.code : null
}
