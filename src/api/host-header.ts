// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isIP } from 'node:net'

/**
 * Says whether a Host header can be that of someone who really meant this machine. A web page can point its own name
 * at 127.0.0.1 (DNS rebinding) and have a browser ask us; the browser then sends that name. It cannot make it send
 * an address or `localhost`. Without a Host header it is not a browser (HTTP/1.0).
 */
export function namesThisMachine(host: string | undefined): boolean {
  if (host === undefined) return true
  const match = /^(?:\[([^\]]*)\]|([^:[\]]*))(?::\d{0,5})?$/.exec(host)
  if (match === null) return false
  const [, inBrackets, bare] = match
  if (inBrackets !== undefined) return isIP(inBrackets) === 6
  return bare?.toLowerCase() === 'localhost' || isIP(bare ?? '') === 4
}
