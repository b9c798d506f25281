// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { hash } from 'node:crypto'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { addressParameter } from '../sip/uri.ts'
import { type Aged, type AgedMap, createAgedMap } from './aged-map.ts'
import type { Source } from './proof.ts'

const MAX_DIALOGS = 4_096 // chosen: 2 MB; the one that was quiet for longest is forgotten
const QUIET_MS = 10 * 60_000 // chosen: an attacker who holds a call tests what it costs, and sends something by then

/** A call that we answered, from our 200 to its BYE (RFC 3261 §12). */
export interface Dialog {
  /** Made of all that names it: Call-ID, both tags, and the address, since whoever else knows the tags is not in it. */
  readonly id: string
  /** The same in every description of our end of this session. */
  readonly session: Session
}

/** Our end of the media. */
export interface Session {
  readonly id: number
  readonly audioPort: number
  /** The user name in `o=`. */
  readonly owner: string
}

/** What is sent in a call once it is up, until it ends or is forgotten. */
export interface Audio {
  begin(): void
  stop(): void
}

/** The same, and whom to tell when something came in the call, which shows that our 200 has arrived. */
interface CallAudio extends Audio {
  heardOf(): void
}

/** What an in-dialog request meets. */
export type InDialog =
  | { readonly kind: 'dialog'; readonly dialog: Dialog }
  /** RFC 3261 §12.2.2: a lower CSeq than one before is answered 500. */
  | { readonly kind: 'out-of-order' }
  | { readonly kind: 'unknown' }

export interface Dialogs {
  /** The dialog that our 200 to this INVITE makes, with that tag of ours. */
  open(packet: Source, invite: SipRequest, localTag: string, session: Session, audio: CallAudio): void
  /** The dialog that a request with a To-tag belongs to (RFC 3261 §12.2.2); marks its sequence number as seen. */
  find(packet: Source, request: SipRequest): InDialog
  /** Begins the audio of the dialog that an ACK confirms, if it is one of ours. */
  confirm(packet: Source, ack: SipRequest): void
  end(dialog: Dialog): void
  stop(): void
}

interface Entry extends Aged<Entry> {
  readonly dialog: Dialog
  readonly audio: CallAudio
  sequence: number
  usedAtMs: number
}

/**
 * The dialogs of a node, bounded in number and in quiet time. Those of which nothing was heard since our 200 are counted
 * apart: forged INVITEs make any number of them, and shall not push out the others.
 */
export function createDialogs(steadyMs: () => number, maxDialogs = MAX_DIALOGS): Dialogs {
  const answered = createAgedMap<Entry>()
  const heardOf = createAgedMap<Entry>()

  function forgetOld(entries: AgedMap<Entry>): void {
    const nowMs = steadyMs()
    for (let oldest = entries.oldest(); oldest !== null; oldest = entries.oldest()) {
      if (entries.size() <= maxDialogs && nowMs - oldest.usedAtMs <= QUIET_MS) return
      remove(entries, oldest)
    }
  }

  function touched(packet: Source, request: SipRequest): Entry | null {
    forgetOld(answered)
    forgetOld(heardOf)
    const id = idOf(packet, request, tagOf(request, 'to'))
    const entry = heardOf.get(id) ?? answered.get(id)
    if (entry === undefined) return null
    entry.usedAtMs = steadyMs()
    answered.delete(id)
    heardOf.delete(id)
    heardOf.add(id, entry)
    forgetOld(heardOf)
    entry.audio.heardOf()
    return entry
  }

  function end({ id }: Pick<Dialog, 'id'>): void {
    for (const entries of [answered, heardOf]) {
      const entry = entries.get(id)
      if (entry !== undefined) remove(entries, entry)
    }
  }

  return {
    open(packet, invite, localTag, session, audio) {
      const id = idOf(packet, invite, localTag)
      end({ id })
      const sequence = sequenceOf(invite)
      answered.add(id, { dialog: { id, session }, audio, sequence, usedAtMs: steadyMs(), older: null, newer: null })
      forgetOld(answered)
    },
    find(packet, request) {
      const entry = touched(packet, request)
      if (entry === null) return { kind: 'unknown' }
      const sequence = sequenceOf(request)
      if (sequence < entry.sequence) return { kind: 'out-of-order' }
      entry.sequence = sequence
      return { kind: 'dialog', dialog: entry.dialog }
    },
    confirm: (packet, ack) => touched(packet, ack)?.audio.begin(),
    end,
    stop() {
      for (const entries of [answered, heardOf]) {
        for (let oldest = entries.oldest(); oldest !== null; oldest = entries.oldest()) remove(entries, oldest)
      }
    },
  }
}

function remove(entries: AgedMap<Entry>, { dialog, audio }: Entry): void {
  entries.delete(dialog.id)
  audio.stop()
}

/** The number of a CSeq that the parser let through. */
function sequenceOf(request: SipRequest): number {
  return Number.parseInt(headerValue(request, 'cseq') ?? '0', 10)
}

/** The tag of From or To; the empty string for none. */
export function tagOf(request: SipRequest, name: 'from' | 'to'): string {
  return addressParameter(headerValue(request, name) ?? '', 'tag') ?? ''
}

/** A hash, so that what is kept is short, and no piece of a long message that would keep all of it in memory. */
function idOf({ sourceIp }: Source, request: SipRequest, localTag: string): string {
  const callId = headerValue(request, 'call-id') ?? ''
  return hash('sha256', [sourceIp, localTag, tagOf(request, 'from'), callId].join('\n'), 'base64')
}
