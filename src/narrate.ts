// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type BadActorEvent, NOT_FOUND } from './event/event.ts'
import { endpointText } from './net/ip.ts'
import type { Counters } from './ops/counters.ts'
import { shown } from './ops/escape.ts'
import type { Log } from './ops/log.ts'
import { LEFT_OUT_FROM } from './overload.ts'

const MAX_FIELD_CHARACTERS = 256
const MAX_MESSAGE_CHARACTERS = 4_096

export interface NarratorParts {
  readonly log: Log
  readonly counters: Counters
  /** How much of the room for events that wait is taken. */
  readonly fullness: () => number
}

/** `-v` tells of each event, `-d` shows its message too; in an overload neither. */
export function createNarrator({ log, counters, fullness }: NarratorParts): (event: BadActorEvent) => void {
  return (event) => {
    if (fullness() >= LEFT_OUT_FROM.lines) return counters.add('leftOutLines')
    log.info(eventLine(event))
    log.debug(messageLine(event))
  }
}

/** One line about an event, for `-v`. */
function eventLine({ transport, sourceIp, sourcePort, method, calledNumber, userAgent, fault }: BadActorEvent): string {
  const field = (text: string | null) => shown(text ?? NOT_FOUND, MAX_FIELD_CHARACTERS)
  const what = `${field(method)} for ${field(calledNumber)}, agent ${field(userAgent)}`
  return `${transport} from ${endpointText(sourceIp, sourcePort)}: ${what}${fault === null ? '' : ` (${fault})`}`
}

/** The message, for `-d`, on one line. */
function messageLine({ sipMessage }: BadActorEvent): string {
  return shown(sipMessage, MAX_MESSAGE_CHARACTERS)
}
