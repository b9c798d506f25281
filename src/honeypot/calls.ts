// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, parseIp } from '../net/ip.ts'
import type { ReturnPath } from '../net/packet.ts'
import { headerElements } from '../sip/list.ts'
import { headerValue, type SipRequest } from '../sip/message.ts'
import { answerTo, remoteAudio } from '../sip/sdp.ts'
import type { CopiedLines, Reply } from '../sip/write.ts'
import { type Answers, contactAt } from './answer.ts'
import type { Audio, Dialogs, Session } from './dialogs.ts'
import type { Offer } from './offer.ts'
import type { Persona } from './persona.ts'
import type { Source, SourceProof } from './proof.ts'
import { readTokenTemplate } from './token.ts'
import type { Timers, Transaction } from './transactions.ts'

/** How a call ends that was let through. */
export const CALL_ENDS = ['answer', 'noise', 'busy', 'unavailable', 'not-found'] as const

export type CallEnd = (typeof CALL_ENDS)[number]

const REFUSALS = { busy: 486, unavailable: 480, 'not-found': 404 } as const
const OUR_OFFER = 'm=audio 9 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n' // RFC 3261 §13.3.1.4: the 200 to no offer has one
const NOISE_S = 60
const MAX_RINGING = 1_024 // chosen: each holds its request, up to 20 KB; one more is answered at once
const MAX_RINGING_CHARACTERS = 8_192 // chosen: what is longer is no telephone's, and answered at once
const MAX_RINGING_HEADERS = 128
const SILENCE: Audio = { begin() {}, stop() {} }

/** Opens a socket for the audio of a call; null when there are enough of them. Never rejects. */
export type OpenMedia = (wanted: {
  readonly localIp: IpAddress
  readonly remote: { readonly ip: IpAddress; readonly port: number }
  readonly payloadType: 0 | 8
  readonly maxS: number
}) => Promise<(Audio & { readonly port: number }) | null>

/** Sends the first of the replies that may go out, longest first, through the transaction; it, or null for silence. */
export type Answer = (exchange: Exchange, replies: readonly Reply[], toTag: string | null) => Reply | null

/** A request, and what is needed to answer it, now or later. */
export interface Exchange {
  readonly path: ReturnPath
  /**
   * Whom the tokens in our answer are for. A function: for an object literal with a getter V8 makes a hidden class each
   * time, which holds on to it until the next full collection, with all of the request.
   */
  readonly holder: () => Source
  readonly request: SipRequest
  /** What every response has from it. */
  readonly copied: CopiedLines
  readonly requestBytes: number
  readonly offer: Offer
  readonly transaction: Transaction
}

export interface CallsOptions {
  readonly persona: Persona
  readonly answers: Answers
  readonly proof: SourceProof
  readonly dialogs: Dialogs
  readonly timers: Timers
  readonly callEnd: CallEnd
  readonly answer: Answer
  readonly openMedia: OpenMedia
}

export interface Calls {
  /** Lets an INVITE through. From an unproven source it gets its final response and nothing else. */
  invite(exchange: Exchange): void
  /** The tag in the responses to this INVITE; null when it was not let through. */
  tagOf(invite: Transaction): string | null
  /** RFC 3261 §9.2: answered 487, if it was not answered yet. */
  cancel(invite: Transaction): void
  /** RFC 3261 §14.2, RFC 3311: our end of the session stays as it is, whatever is offered now. */
  refresh(exchange: Exchange, session: Session): void
}

/** One call from its INVITE to its final response. */
interface Call {
  readonly exchange: Exchange
  readonly tag: string
  readonly contact: string
}

/** What is kept of a call for as long as its transaction. The call itself goes with its answer: a request may be large. */
interface Line {
  readonly tag: string
  call: Call | null
}

export function createCalls(options: CallsOptions): Calls {
  const { persona, answers, proof, dialogs, timers, callEnd, answer, openMedia } = options
  const lines = new WeakMap<Transaction, Line>()
  const owner = readTokenTemplate(persona.sdp.owner)
  let ringing = 0

  function contactFor({ path, holder, request }: Exchange): string {
    return contactAt(persona.contact, request, path, proof.contact(holder()))
  }

  /** Rings and ends like a telephone. */
  function ring(line: Line, { exchange }: Call): void {
    ringing++
    let isRinging = true
    const stop = () => {
      if (isRinging) ringing--
      isRinging = false
    }
    answer(exchange, [{ status: 100, headers: [persona.agent], body: null }], null)
    exchange.transaction.onEnd(waitFor(line, stop, ringsUnreliably(exchange.request)))
  }

  /** Nothing in here may hold on to the call but the line. Returns what ends the waiting. */
  function waitFor(line: Line, stop: () => void, rings: boolean): () => void {
    const cancels = [
      timers.after(persona.ringsAfterMs, () => {
        if (rings && line.call !== null) ringOnce(line.call)
      }),
      timers.after(persona.answersAfterMs, () => {
        stop()
        void end(line) // it has nothing that rejects
      }),
    ]
    return () => {
      for (const cancel of cancels) cancel()
      stop()
      line.call = null
    }
  }

  function ringOnce({ exchange, tag, contact }: Call): void {
    answer(exchange, answers.ringing(exchange.request, contact), tag)
  }

  async function end(line: Line): Promise<void> {
    const { call } = line
    if (call === null) return
    if (callEnd !== 'answer' && callEnd !== 'noise') refuse(call, REFUSALS[callEnd])
    else {
      const audio = callEnd === 'noise' && proof.isProven(call.exchange.path) ? await audioFor(call.exchange) : null
      if (!takeUp(call, audio)) audio?.stop()
    }
    line.call = null
  }

  function refuse({ exchange, tag }: Call, status: number): Reply | null {
    return answer(exchange, answers.plain(status), tag)
  }

  /** Answers with 200; false when something else had to go out, or the caller has hung up meanwhile. */
  function takeUp(call: Call, audio: (Audio & { readonly port: number }) | null): boolean {
    const { exchange, tag, contact } = call
    const session = sessionOf(exchange.path, tag, audio?.port ?? null)
    const sdp = description(exchange, session, audio !== null)
    // 486 is a final response too, and shorter than any request.
    const sent = answer(exchange, [...answers.session(exchange.request, contact, sdp), ...answers.plain(486)], tag)
    if (sent?.status !== 200) return false
    const { transaction } = exchange
    const heardOf = () => transaction.acknowledge()
    dialogs.open(exchange.path, exchange.request, tag, session, { ...(audio ?? SILENCE), heardOf })
    return true
  }

  /** Only to the address that the call came from: an offer may name any third party. */
  async function audioFor({ path, offer }: Exchange): Promise<(Audio & { readonly port: number }) | null> {
    const remote = offer.kind === 'offer' ? remoteAudio(offer.text) : null
    if (remote === null || !remote.receives || remote.ip === null || parseIp(remote.ip) !== path.sourceIp) return null
    const payloadType = remote.payloadTypes.find((type) => type === 0 || type === 8)
    if (payloadType !== 0 && payloadType !== 8) return null
    const { destinationIp: localIp, sourceIp: ip } = path
    return openMedia({ localIp, remote: { ip, port: remote.port }, payloadType, maxS: NOISE_S })
  }

  function sessionOf(path: ReturnPath, tag: string, port: number | null): Session {
    const mark = proof.mark(path, tag)
    const random = Buffer.from(mark.slice(0, 6), 'latin1')
    return {
      id: random.readUInt32BE(0),
      audioPort: port ?? 10_000 + (random.readUInt16BE(4) % 5_000) * 2,
      owner: owner.write(mark.slice(6), 0),
    }
  }

  function description({ path, offer }: Exchange, { id, audioPort, owner }: Session, noise: boolean): string {
    const ours = {
      address: path.destinationIp,
      audioPort,
      sessionId: id,
      owner,
      sessionName: persona.sdp.session,
      withPtime: persona.sdp.ptime,
      withComfortNoise: noise,
    }
    return answerTo(offer.kind === 'offer' ? offer.text : OUR_OFFER, ours) ?? '' // an offer has been found acceptable
  }

  return {
    invite(exchange) {
      const { path, holder, request, transaction } = exchange
      const tag = proof.tag(holder(), headerValue(request, 'call-id') ?? '')
      const call = { exchange, tag, contact: contactFor(exchange) }
      const line: Line = { tag, call }
      lines.set(transaction, line)
      if (proof.isProven(path) && ringing < MAX_RINGING && isShort(request)) ring(line, call)
      else void end(line) // it has nothing that rejects
    },
    tagOf: (invite) => lines.get(invite)?.tag ?? null,
    cancel(invite) {
      const line = lines.get(invite)
      if (line === undefined || line.call === null) return
      refuse(line.call, 487)
      line.call = null
    },
    refresh(exchange, session) {
      const sdp = description(exchange, session, false)
      answer(exchange, answers.session(exchange.request, contactFor(exchange), sdp), null)
    },
  }
}

function isShort({ head, names, bodyStart, bodyEnd }: SipRequest): boolean {
  return head.length + bodyEnd - bodyStart <= MAX_RINGING_CHARACTERS && names.length <= MAX_RINGING_HEADERS
}

/** RFC 3262 §3: who requires reliable provisional responses gets no other, and we have no reliable ones. */
function ringsUnreliably(request: SipRequest): boolean {
  return !headerElements(request, 'require').some((tag) => tag.toLowerCase() === '100rel')
}
