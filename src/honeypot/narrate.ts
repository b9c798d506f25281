// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type BadActorEvent, NOT_FOUND } from '../event/event.ts'
import { endpointText } from '../net/ip.ts'

/** One line about an event for `-v`; the log escapes what the attacker wrote. */
export function eventLine(event: BadActorEvent): string {
  const { transport, sourceIp, sourcePort, method, calledNumber, userAgent, fault } = event
  const what = `${method ?? NOT_FOUND} for ${calledNumber ?? NOT_FOUND}, agent ${userAgent ?? NOT_FOUND}`
  return `${transport} from ${endpointText(sourceIp, sourcePort)}: ${what}${fault === null ? '' : ` (${fault})`}`
}
