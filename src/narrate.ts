// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type BadActorEvent, NOT_FOUND } from './event/event.ts'
import { endpointText } from './net/ip.ts'
import { shown } from './ops/escape.ts'

const MAX_FIELD_CHARACTERS = 256
const MAX_MESSAGE_CHARACTERS = 4_096

/** One line about an event, for `-v`. */
export function eventLine({
  transport,
  sourceIp,
  sourcePort,
  method,
  calledNumber,
  userAgent,
  fault,
}: BadActorEvent): string {
  const field = (text: string | null) => shown(text ?? NOT_FOUND, MAX_FIELD_CHARACTERS)
  const what = `${field(method)} for ${field(calledNumber)}, agent ${field(userAgent)}`
  return `${transport} from ${endpointText(sourceIp, sourcePort)}: ${what}${fault === null ? '' : ` (${fault})`}`
}

/** The message, for `-d`, on one line. */
export function messageLine({ sipMessage }: BadActorEvent): string {
  return shown(sipMessage, MAX_MESSAGE_CHARACTERS)
}
