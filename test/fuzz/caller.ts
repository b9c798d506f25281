// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Random } from './random.ts'

/*
 * Somebody who reads our answers and uses them: logs in with our nonces, dials, acknowledges, and says more in calls
 * that are up, with our tags. A mutator that knows no tags and nonces never gets that far.
 */

export interface Caller {
  /** The next request, sound as a rule; text with one character a byte. */
  next(): string
  /** One answer, whole. */
  heard(reply: string): void
}

export interface CallerPlace {
  readonly address: string
  readonly port: number
  readonly transport: 'UDP' | 'TCP' | 'TLS'
}

interface Call {
  readonly callId: string
  readonly fromTag: string
  toTag: string
  cseq: number
  /** Of the last INVITE. */
  invite: { readonly cseq: number; readonly branch: string; readonly uri: string; readonly to: string }
  target: string
}

const CALLS = 6
const OUTSIDE = ['00046500729221', '+441632960083', '900972595000000', '9011441632960083'] as const
const INSIDE = ['100', '101', '104', '999', '2002', 'x'] as const
const IN_CALL = [
  'BYE',
  'INFO',
  'UPDATE',
  'REFER',
  'PRACK',
  'NOTIFY',
  'MESSAGE',
  'SUBSCRIBE',
  'OPTIONS',
  'INVITE',
  'ACK',
] as const
const ALONE = ['SUBSCRIBE', 'PUBLISH', 'MESSAGE', 'REFER', 'OPTIONS', 'FROB'] as const

export function createCaller(random: Random, { address, port, transport }: CallerPlace): Caller {
  const calls = new Map<string, Call>()
  let nonce = ''
  let realm = 'r'
  let last = ''

  function newCall(): Call {
    const [callId = ''] = calls.size < CALLS ? [] : calls.keys() // the oldest
    calls.delete(callId)
    const user = random.pick(OUTSIDE)
    const invite = { cseq: 1, branch: `z9hG4bK${random.hex(12)}`, uri: `sip:${user}@203.0.113.5`, to: user }
    const call = { callId: random.hex(12), fromTag: random.hex(8), toTag: '', cseq: 0, invite, target: '' }
    calls.set(call.callId, call)
    return call
  }

  function someCall(): Call {
    const known = [...calls.values()]
    return known[random.below(known.length + 1)] ?? newCall()
  }

  interface Wish {
    readonly uri?: string
    readonly to?: string
    readonly toTag?: string
    readonly branch?: string
    readonly cseq?: number
    readonly lines?: readonly string[]
    readonly body?: string
  }

  function written(method: string, call: Call, wish: Wish): string {
    const { uri = 'sip:203.0.113.5', to = '100', toTag = '', lines = [], body = '' } = wish
    const { branch = `z9hG4bK${random.hex(12)}`, cseq = ++call.cseq } = wish
    return [
      `${method} ${uri} SIP/2.0`,
      `Via: SIP/2.0/${transport} ${address}:${port};branch=${branch};rport`,
      `Max-Forwards: 70`,
      `From: <sip:100@203.0.113.5>;tag=${call.fromTag}`,
      `To: <sip:${to}@203.0.113.5>${toTag === '' ? '' : `;tag=${toTag}`}`,
      `Call-ID: ${call.callId}`,
      `CSeq: ${cseq} ${method}`,
      `Contact: <sip:100@${address}:${port}>`,
      ...lines,
      ...(body === '' ? [] : ['Content-Type: application/sdp']),
      `Content-Length: ${body.length}`,
      '',
      body,
    ].join('\r\n')
  }

  function login(name: string): string {
    const parameters = `username="10${random.below(3)}",realm="${realm}",nonce="${nonce}",uri="sip:203.0.113.5"`
    const qop = random.oneIn(2) ? '' : ',qop=auth,nc=00000001,cnonce="0a4f113b"'
    return `${name}: Digest ${parameters},response="${random.hex(32)}",algorithm=MD5${qop}`
  }

  /** As often as not. */
  function maybeLogin(name = 'Authorization'): string[] {
    return nonce === '' || random.oneIn(3) ? [] : [login(name)]
  }

  function offer(): string {
    const lines = [
      'v=0',
      `o=- 1 1 IN IP4 ${address}`,
      's=-',
      `c=IN IP4 ${address}`,
      't=0 0',
      'm=audio 30000 RTP/AVP 0 8 101',
    ]
    return `${lines.join('\r\n')}\r\na=rtpmap:101 telephone-event/8000\r\n`
  }

  function invite(): string {
    const call = random.oneIn(3) ? someCall() : newCall()
    const to = random.oneIn(4) ? random.pick(INSIDE) : random.pick(OUTSIDE)
    const branch = `z9hG4bK${random.hex(12)}`
    const uri = `sip:${to}@203.0.113.5`
    call.invite = { cseq: call.cseq + 1, branch, uri, to }
    const lines = maybeLogin(random.pick(['Proxy-Authorization', 'Authorization']))
    return written('INVITE', call, { uri, to, branch, lines, body: random.oneIn(6) ? '' : offer() })
  }

  /** ACK or CANCEL to the last INVITE of a call. */
  function aboutInvite(method: 'ACK' | 'CANCEL'): string {
    const call = someCall()
    const { cseq, branch, uri, to } = call.invite
    const { toTag } = call
    return written(method, call, method === 'ACK' ? { uri, to, toTag, branch, cseq } : { uri, to, branch, cseq })
  }

  function inCall(): string {
    const call = someCall()
    const method = random.pick(IN_CALL)
    const { to } = call.invite
    const { toTag, target } = call
    const uri = target === '' ? call.invite.uri : target
    const body = (method === 'INVITE' || method === 'UPDATE') && !random.oneIn(4) ? offer() : ''
    const lines = random.oneIn(4) ? ['Record-Route: <sip:p1;lr>'] : []
    return written(method, call, { uri, to, toTag, lines, body })
  }

  function register(): string {
    const to = random.oneIn(5) ? random.pick(INSIDE) : '100'
    return written('REGISTER', someCall(), { to, lines: maybeLogin() })
  }

  function alone(): string {
    const to = random.pick(INSIDE)
    return written(random.pick(ALONE), newCall(), { uri: `sip:${to}@203.0.113.5`, to, lines: maybeLogin() })
  }

  const ACTS: readonly [() => string, ...(() => string)[]] = [
    register,
    register,
    invite,
    invite,
    invite,
    () => aboutInvite('ACK'),
    () => aboutInvite('ACK'),
    () => aboutInvite('CANCEL'),
    inCall,
    inCall,
    inCall,
    alone,
    () => last, // a retransmission
  ]

  return {
    next() {
      last = random.pick(ACTS)() || register()
      return last
    },
    heard(reply) {
      nonce = between(reply, 'nonce="', '"') || nonce
      realm = between(reply, 'realm="', '"') || realm
      const call = calls.get(between(reply, '\r\nCall-ID: ', '\r\n'))
      if (call === undefined || !between(reply, '\r\nCSeq: ', '\r\n').endsWith(' INVITE')) return
      call.toTag = between(between(reply, '\r\nTo: ', '\r\n'), ';tag=', '') || call.toTag
      call.target = between(between(reply, '\r\nContact: ', '\r\n'), '<', '>') || call.target
    },
  }
}

/** The empty string when it is not there; an empty `end` takes the rest. */
function between(text: string, start: string, end: string): string {
  const at = text.indexOf(start)
  if (at === -1) return ''
  const from = at + start.length
  const to = end === '' ? text.length : text.indexOf(end, from)
  return text.slice(from, to === -1 ? text.length : to)
}
