// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { endpointText } from '../net/ip.ts'
import { errorCode, OperatorError, reason } from '../ops/errors.ts'

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program listens there (see: ss -lntup). Stop it, or choose another address or port',
  EACCES: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE. Choose a higher port, or give the capability',
  EADDRNOTAVAIL: 'This machine has no such address (see: ip addr). Choose one that it has',
  EAFNOSUPPORT: 'This machine has no IPv6. Name IPv4 addresses only',
}

/** The one clear line for a socket that cannot be opened: which, why, and what to do with which flag. */
export function listenFailure(what: string, host: string, port: number, flag: string, cause: unknown): OperatorError {
  const code = errorCode(cause) ?? ''
  const hint = HINTS[code] ?? 'Choose another address or port'
  return new OperatorError(
    'LISTEN_FAILED',
    `cannot listen for ${what} on ${endpointText(host, port)}: ${code === '' ? reason(cause) : code}`,
    `${hint} with ${flag}.`,
    cause,
  )
}

/** IPv6 is not there at all on this machine: a default listener on `[::]` is then left out instead of failing. */
export function hasNoIpv6(error: unknown): boolean {
  return error instanceof OperatorError && errorCode(error.cause) === 'EAFNOSUPPORT'
}

/** Somebody else listens there. */
export function isTaken(error: unknown): boolean {
  return error instanceof OperatorError && errorCode(error.cause) === 'EADDRINUSE'
}
