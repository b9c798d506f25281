// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomBytes } from 'node:crypto'
import type { EventCredentials } from '../event/event.ts'
import type { Packet, ReturnPath } from '../net/packet.ts'
import { isDigestResponse } from '../sip/digest.ts'
import { headerElements, listElements } from '../sip/list.ts'
import { headerValue, headerValues, type KeepAlive, type ParsedPacket, type SipRequest } from '../sip/message.ts'
import { addressUri, calledNumber } from '../sip/uri.ts'
import { parseVia, viaParameter } from '../sip/via.ts'
import { createReplyWriter, type Reply, type ReplyForm } from '../sip/write.ts'
import { type Challenge, contactAt, createAnswers } from './answer.ts'
import { type CallEnd, createCalls, type Exchange, type OpenMedia } from './calls.ts'
import type { LoginAttempts } from './credentials.ts'
import { type Dialogs, tagOf } from './dialogs.ts'
import type { Extensions } from './extensions.ts'
import { type Offer, offerIn } from './offer.ts'
import type { Persona } from './persona.ts'
import type { Source, SourceProof } from './proof.ts'
import { createRandomText } from './random-text.ts'
import { plainBranch } from './request-identity.ts'
import type { Sender } from './send.ts'
import { readTokenTemplate } from './token.ts'
import type { Timers, Transaction, Transactions } from './transactions.ts'

/*
 * What a PBX does with a request, in the words of its persona. It believes everybody a little: extensions that exist can
 * be logged in to after enough tries, and whoever dials an outside number gets a call.
 *
 * We never send a request: no NOTIFY behind a SUBSCRIBE or REFER, no BYE for a call whose ACK never came. RFC 6665,
 * RFC 3515 and RFC 3261 §13.3.1.4 want them; a honeypot answers and does not begin anything.
 */

export interface ResponderOptions {
  readonly persona: Persona
  readonly extensions: Extensions
  readonly attempts: LoginAttempts
  readonly proof: SourceProof
  readonly sender: Sender
  readonly transactions: Transactions
  readonly dialogs: Dialogs
  readonly timers: Timers
  readonly callEnd: CallEnd
  readonly openMedia: OpenMedia
}

/** Answers a packet whose event is stored, with what it held to log in. `transaction` is null for what is never answered. */
export type Respond = (
  packet: Packet,
  parsed: Exclude<ParsedPacket, KeepAlive>,
  credentials: EventCredentials | null,
  transaction: Transaction | null,
) => void

const OPAQUE_BYTES = 64 // what any token needs at most

const BASIC_METHODS = new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS', 'REGISTER']) // RFC 3261's own
const DIALOG_METHODS = new Set([
  'OPTIONS',
  'INVITE',
  'BYE',
  'INFO',
  'UPDATE',
  'REFER',
  'PRACK',
  'NOTIFY',
  'MESSAGE',
  'SUBSCRIBE',
])

export function createResponder(options: ResponderOptions): Respond {
  const { persona, extensions, attempts, proof, sender, transactions, dialogs } = options
  const writer = createReplyWriter(persona.style)
  const standing = new Map<Reply, ReplyForm>() // those that are always the same, written once
  const answers = createAnswers(persona, (reply) => standing.set(reply, writer.form(reply)))
  // What it says it supports. By what their RFCs allow we do without a session timer and reliable provisional responses.
  const understood = new Set(listElements(persona.supported ?? '').map((tag) => tag.toLowerCase()))
  const shortTag = readTokenTemplate(persona.shortTag)
  const opaque = readTokenTemplate(persona.opaque)
  const randomText = createRandomText(randomBytes)
  const calls = createCalls({ ...options, answers, answer })

  /** Nothing when not one of the replies may go out; the transaction sends what is chosen, and again when asked again. */
  function answer(exchange: Exchange, replies: readonly Reply[], toTag: string | null): Reply | null {
    const { path, copied, requestBytes, transaction } = exchange
    let form: ReplyForm | undefined
    const lengthOf = (reply: Reply) => {
      form = standing.get(reply) ?? writer.form(reply)
      return form.length(copied, toTag)
    }
    const chosen = sender.choose(path, requestBytes, replies, lengthOf)
    if (chosen === null || form === undefined) return null
    // Unasked a source gets nothing more until it has shown that it is there; a client that is asks again.
    const mayRepeat = proof.isProven(path) ? Number.POSITIVE_INFINITY : 0
    return transaction.respond(chosen.status, form.write(copied, toTag), mayRepeat) ? chosen : null
  }

  /** To INVITE one that proves something when it comes back in the ACK, even to a refusal; to all else a short one. */
  function tagFor(exchange: Exchange): string {
    const { path, request } = exchange
    if (request.method === 'INVITE') return inviteTag(exchange)
    const branch = persona.repeatsBranchAsTag ? branchOf(request) : null
    if (branch !== null) return branch
    const callId = headerValue(request, 'call-id') ?? ''
    // Stateless, so that it is the same whenever the request comes again (RFC 3261 §8.2.7, §19.3).
    return shortTag.write(proof.mark(path, `${callId}\n${headerValue(request, 'from') ?? ''}`), 0)
  }

  function inviteTag({ holder, request }: Exchange): string {
    return proof.tag(holder(), headerValue(request, 'call-id') ?? '')
  }

  function finish(exchange: Exchange, replies: readonly Reply[]): void {
    answer(exchange, replies, tagFor(exchange))
  }

  function challengeFor({ holder }: Exchange, stale: boolean): Challenge {
    return {
      nonce: proof.nonce(holder(), 0),
      shortNonce: () => proof.nonce(holder(), 1),
      opaque: opaque.write(randomText(OPAQUE_BYTES), 0),
      stale,
    }
  }

  /** Whether this request logs its sender in; it is challenged when not. */
  function loggedIn(exchange: Exchange, credentials: EventCredentials | null, status: 401 | 407 = 401): boolean {
    const { path, holder } = exchange
    const fresh = credentials !== null && proof.isOurNonce(holder(), credentials.nonce)
    if (fresh && isTry(credentials, persona.realm) && attempts.tryLogin(path.sourceIp, credentials) === 'accepted')
      return true
    // RFC 7616 §3.3: with a nonce that has expired the same password may be right, and the client tries again by itself.
    const isStale = credentials !== null && !fresh && proof.wasOurNonce(holder(), credentials.nonce)
    finish(exchange, answers.challenge(status, challengeFor(exchange, isStale)))
    return false
  }

  function isUnknown(user: string | null): boolean {
    return user === null || !extensions.exists(user)
  }

  function register(exchange: Exchange, credentials: EventCredentials | null): void {
    if (isUnknown(addressUser(exchange.request))) return finish(exchange, answers.plain(persona.unknownUserStatus))
    if (loggedIn(exchange, credentials)) finish(exchange, answers.registered(exchange.request))
  }

  function invite(exchange: Exchange, credentials: EventCredentials | null): void {
    const { request } = exchange
    const dialled = calledNumber(request.requestUri)
    if (exchange.offer.kind === 'fault') return refuseOffer(exchange, exchange.offer.status)
    if (dialled !== null && extensions.isInternal(dialled) && isUnknown(dialled)) {
      return finish(exchange, answers.plain(persona.unknownUserStatus))
    }
    if (persona.challengesInvite && !loggedIn(exchange, credentials, persona.inviteChallengeStatus)) return
    calls.invite(exchange)
  }

  function refuseOffer(exchange: Exchange, status: 415 | 488): void {
    finish(exchange, answers.plain(status, status === 415 ? [['Accept', 'application/sdp']] : [])) // RFC 3261 §21.4.13
  }

  /** SUBSCRIBE, PUBLISH, MESSAGE and REFER outside a dialog: for whoever is logged in, about users that exist. */
  function service(exchange: Exchange, credentials: EventCredentials | null): void {
    const { path, holder, request } = exchange
    if (isUnknown(calledNumber(request.requestUri) ?? addressUser(request))) {
      return finish(exchange, answers.plain(persona.unknownUserStatus))
    }
    if (!loggedIn(exchange, credentials)) return
    switch (request.method) {
      case 'SUBSCRIBE':
        return finish(
          exchange,
          answers.subscribed(request, contactAt(persona.contact, request, path, proof.contact(holder()))),
        )
      case 'PUBLISH':
        return finish(exchange, answers.published(request, tagFor(exchange)))
      default:
        return finish(exchange, answers.plain(202))
    }
  }

  function cancel(exchange: Exchange, packet: Packet): void {
    const invited = transactions.cancelled(packet, exchange.request)
    if (invited === null) return finish(exchange, answers.plain(481)) // RFC 3261 §9.2
    // RFC 3261 §9.2: the To-tag of the INVITE's responses, of a refusal too.
    const tag = calls.tagOf(invited) ?? inviteTag(exchange)
    answer(exchange, answers.plain(200), tag)
    calls.cancel(invited) // after the 200, as every stack has it
  }

  function insideDialog(exchange: Exchange): void {
    const { path, request } = exchange
    const found = dialogs.find(path, request)
    if (found.kind === 'unknown') return finish(exchange, answers.plain(481))
    if (found.kind === 'out-of-order') return finish(exchange, answers.plain(500))
    if (request.method === 'OPTIONS') return finish(exchange, answers.options())
    if (request.method === 'INVITE' || (request.method === 'UPDATE' && exchange.offer.kind !== 'none')) {
      if (exchange.offer.kind === 'fault') return refuseOffer(exchange, exchange.offer.status)
      return calls.refresh(exchange, found.dialog.session)
    }
    if (request.method === 'BYE') dialogs.end(found.dialog)
    if (request.method === 'REFER') return finish(exchange, answers.plain(202, [['Refer-Sub', 'false']])) // RFC 4488
    finish(exchange, answers.plain(200))
  }

  function unsupportedIn(request: SipRequest): readonly string[] {
    if (headerValue(request, 'require') === null) return NOTHING
    return headerElements(request, 'require').filter((tag) => !understood.has(tag.toLowerCase()))
  }

  function byMethod(exchange: Exchange, packet: Packet, credentials: EventCredentials | null): void {
    const { request } = exchange
    const { method } = request
    const unsupported = unsupportedIn(request)
    if (unsupported.length > 0 && method !== 'CANCEL') {
      return finish(exchange, answers.plain(420, [['Unsupported', unsupported.join(', ')]])) // RFC 3261 §8.2.2.3
    }
    if (!BASIC_METHODS.has(method) && !persona.methods.has(method)) return finish(exchange, answers.notAllowed())
    if (DIALOG_METHODS.has(method) && tagOf(request, 'to') !== '') return insideDialog(exchange)
    switch (method) {
      case 'OPTIONS':
        return finish(exchange, answers.options())
      case 'REGISTER':
        return register(exchange, credentials)
      case 'INVITE':
        return invite(exchange, credentials)
      case 'CANCEL':
        return cancel(exchange, packet)
      case 'BYE':
      case 'INFO':
      case 'UPDATE':
      case 'PRACK':
      case 'NOTIFY':
        return finish(exchange, answers.plain(481)) // outside any dialog
      default:
        return SERVICES.has(method) ? service(exchange, credentials) : finish(exchange, answers.notAllowed())
    }
  }

  return (packet, parsed, credentials, transaction) => {
    const request = parsed.kind === 'fault' ? parsed.message : parsed
    if (request === null || request.kind !== 'request') return
    if (request.method === 'ACK') return dialogs.confirm(packet, request)
    if (transaction === null || !sender.mayAnswer(packet)) return
    const { path } = transaction
    let source: Source | null = null // of most answers nobody is
    const exchange: Exchange = {
      path,
      holder() {
        source ??= holderOf(path, request)
        return source
      },
      request,
      copied: writer.copied(request, path.sourceIp, path.sourcePort),
      requestBytes: packet.bytes.length,
      offer: offerOf(packet, request),
      transaction,
    }
    if (parsed.kind === 'fault') return finish(exchange, answers.plain(parsed.status))
    byMethod(exchange, packet, credentials)
  }
}

const NOTHING: readonly string[] = []
const SERVICES = new Set(['SUBSCRIBE', 'PUBLISH', 'MESSAGE', 'REFER'])

/** The user of To: whom a REGISTER is for (RFC 3261 §10.2). */
function addressUser(request: SipRequest): string | null {
  const uri = addressUri(headerValue(request, 'to') ?? '')
  return uri === null ? null : calledNumber(uri)
}

/**
 * Whom the tokens in our answer are for. What a request passed on its way is in its Via, and gets the answer first: over
 * UDP whoever forged the address of a proxy, and his own behind it, would read what proves that he is the proxy. So it is
 * for whoever is at that address, and proves nothing. On streams the port says nothing, since clients connect anew.
 */
function holderOf({ transport, sourceIp, sourcePort }: ReturnPath, request: SipRequest): Source {
  if (transport !== 'UDP') return { sourceIp, sourcePort: 0 }
  const [via = '', ...others] = headerValues(request, 'via')
  const isDirect = others.length === 0 && parseVia(via)?.next === null
  return { sourceIp, sourcePort: isDirect ? sourcePort : 0 }
}

/** The branch, if it may stand for a tag and is no longer than ours are. */
function branchOf(request: SipRequest): string | null {
  const value = headerValue(request, 'via') ?? ''
  const branch = plainBranch(value) ?? exactBranch(value)
  return branch !== null && /^[\w.-]{4,64}$/.test(branch) ? branch : null
}

function exactBranch(value: string): string | null {
  const via = parseVia(value)
  return via === null ? null : viaParameter(via, 'branch')
}

/** What no password gives, or one for somebody else, is no try at a password of ours. */
function isTry({ realm, response }: EventCredentials, ours: string): boolean {
  return realm === ours && isDigestResponse(response)
}

function offerOf({ bytes }: Packet, request: SipRequest): Offer {
  if (request.method !== 'INVITE' && request.method !== 'UPDATE') return { kind: 'none' }
  return offerIn(request, bytes.toString('latin1', request.bodyStart, request.bodyEnd))
}
