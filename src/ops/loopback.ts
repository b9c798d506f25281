// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isIP } from 'node:net'
import { OperatorError } from './errors.ts'

/** 127/8, ::1 and the name localhost. */
export function isLoopback(host: string): boolean {
  if (isIP(host) === 4) return host.startsWith('127.')
  return host === '::1' || host === 'localhost'
}

/**
 * Refuses to serve anyone at all: without a key the REST API listens on loopback, unless told to do otherwise. Asked
 * when settings are read, so that `config check` finds it, and by the API itself before it listens.
 */
export function requireKeyBeyondLoopback(host: string, keys: readonly string[], allowAnonymous: boolean): void {
  if (isLoopback(host) || keys.length > 0 || allowAnonymous) return
  throw new OperatorError(
    'API_NEEDS_KEY',
    `the REST API would answer anyone who reaches ${host}`,
    'Give it a key with --api-key, or listen on 127.0.0.1, or say that everyone may ask with --api-allow-anonymous.',
  )
}
