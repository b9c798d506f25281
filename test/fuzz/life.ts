// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from '../../src/event/event.ts'
import { bytesOfText } from '../../src/event/text.ts'
import { createTestPbx } from '../../src/honeypot/fixture-pbx.ts'
import type { Persona } from '../../src/honeypot/persona.ts'
import { faultOfReply } from './faithful.ts'
import { guarded } from './finding.ts'
import { isSlowAgain, took } from './stall.ts'
import { MAX_STALL_MS } from './target.ts'

/** What is wrong with the event of these bytes, or null. */
export function faultOfEvent(event: BadActorEvent, bytes: Buffer): string | null {
  if (!bytesOfText(event.sipMessage).equals(bytes)) return 'the event does not give the message back'
  for (const text of [event.method, event.calledNumber, event.requestUser, event.userAgent, event.fault]) {
    if (text !== null && (text === '' || !isStorable(text))) return 'a text of the event cannot be stored'
  }
  for (const text of Object.values(event.credentials ?? {})) {
    if (text !== null && !isStorable(text)) return 'a text of the credentials cannot be stored'
  }
  return null
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

/** What is wrong with what a PBX of its own makes of one datagram, or null. */
export function faultOfLife(bytes: Buffer, persona: Persona): string | null {
  return guarded(() => {
    const once = () => void createTestPbx({ persona }).receive(bytes)
    if (took(once) > MAX_STALL_MS && isSlowAgain(once)) return 'slow'
    const { event, replies } = createTestPbx({ persona }).receive(bytes)
    const why = event === null ? null : faultOfEvent(event, bytes)
    return why ?? replies.map((reply) => faultOfReply(reply, bytes, persona)).find((fault) => fault !== null) ?? null
  })
}
