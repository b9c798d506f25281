// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { bytesOfText } from '../src/event/text.ts'
import type { ReplyBudget } from '../src/honeypot/budget.ts'
import { createTestPbx, type Received } from '../src/honeypot/fixture-pbx.ts'
import { createPersona, PERSONA_NAMES, type Persona } from '../src/honeypot/persona.ts'
import { WEAK_PASSWORDS } from '../src/honeypot/weak-passwords.ts'
import { createFramer, type Frame } from '../src/sip/framing.ts'
import { allHeaders, type ParsedPacket } from '../src/sip/message.ts'
import { parseMessage } from '../src/sip/parse.ts'
import { writeMessage } from '../src/sip/write.ts'
import { corpusMessages } from './corpus.ts'
import { TOKENS } from './fuzz/dictionary.ts'
import { faultOfReply } from './fuzz/faithful.ts'

const MESSAGES = [...corpusMessages().values()]
const RINGING_MS = 5_000 // longer than any persona lets a call ring
const SDP = 'v=0\r\no=- 1 1 IN IP4 192.0.2.1\r\ns=-\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 30000 RTP/AVP 0 101\r\n'

/** A request of one and the same caller, in one and the same call. */
function requestOf(method: string, lines: readonly string[] = [], body = '', to = '<sip:00441632960083@203.0.113.5>') {
  const head = [
    `${method} ${method === 'REGISTER' ? 'sip:203.0.113.5' : /sip:[^>]*/.exec(to)} SIP/2.0`,
    `Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK-${method};rport`,
    'From: <sip:100@203.0.113.5>;tag=from',
    `To: ${to}`,
    'Call-ID: call',
    `CSeq: 7 ${method}`,
    ...(body === '' ? [] : ['Content-Type: application/sdp']),
    ...lines,
  ]
  return [...head, `Content-Length: ${body.length}`, '', body].join('\r\n')
}

interface Knowledge {
  readonly nonce: string
  readonly realm: string
  readonly to: string
}

/**
 * A PBX that has let the caller log in and has a call of his up, and what he knows of it. `maxReplyBytes` is what a
 * source gets then that has proven nothing.
 */
async function inCall(persona: Persona, maxReplyBytes = Number.POSITIVE_INFINITY) {
  let most = Number.POSITIVE_INFINITY
  const verdict = (_: unknown, __: number, replyBytes: number) => (replyBytes <= most ? 'send' : 'too-many-bytes')
  const budget: ReplyBudget = { verdict, charge: () => 'send' }
  const audio = { port: 10_000, begin() {}, stop() {} }
  const options = { callEnd: 'noise', openMedia: async () => audio, weakPasswords: WEAK_PASSWORDS } as const
  const pbx = createTestPbx({ persona, acceptAfter: 1, budget, ...options })
  const challenge = pbx.receive(requestOf('REGISTER', [], '', '<sip:100@a>')).replies.join()
  const nonce = /nonce="([^"]*)"/.exec(challenge)?.[1] ?? assert.fail(challenge)
  const { replies } = pbx.receive(
    requestOf('INVITE', [credentials('Proxy-Authorization', { nonce, realm: persona.realm })], SDP),
  )
  await pbx.pass(RINGING_MS)
  const answer = replies.find((reply) => reply.startsWith('SIP/2.0 200 ')) ?? assert.fail(replies.join())
  const to = /^To: (.*)\r$/m.exec(answer)?.[1] ?? assert.fail(answer)
  pbx.receive(requestOf('ACK', [], '', to))
  most = maxReplyBytes
  const known: Knowledge = { nonce, realm: persona.realm, to }
  return { pbx, known }
}

function credentials(header: string, { nonce, realm }: Pick<Knowledge, 'nonce' | 'realm'>): string {
  return `${header}: Digest username="100",realm="${realm}",nonce="${nonce}",uri="sip:a",response="${'0'.repeat(32)}",algorithm=MD5`
}

/** What only somebody can send who listens to us. */
function insiderMessages(known: Knowledge): Buffer[] {
  const { to } = known
  const login = credentials('Authorization', known)
  const proxyLogin = credentials('Proxy-Authorization', known)
  const contacts = ['Contact: <sip:1@a>;expires=5, <sip:2@a>', 'm: sip:3@a', 'Expires: 60', login]
  return [
    ...['INVITE', 'UPDATE'].map((method) => requestOf(method, ['Record-Route: <sip:p;lr>'], SDP, to)),
    ...['BYE', 'INFO', 'PRACK', 'NOTIFY', 'REFER', 'MESSAGE', 'SUBSCRIBE', 'ACK'].map((method) =>
      requestOf(method, ['Expires: 60'], '', to),
    ),
    requestOf('INVITE', ['Timestamp: 54', proxyLogin], SDP).replace('bK-INVITE', 'bK-again'),
    requestOf('CANCEL').replace('bK-CANCEL', 'bK-again'),
    requestOf('REGISTER', contacts, '', '<sip:100@a>'),
    ...['SUBSCRIBE', 'PUBLISH', 'MESSAGE', 'REFER'].map((method) =>
      requestOf(method, [login, 'Record-Route: <sip:p;lr>'], '', '<sip:100@a>'),
    ),
    requestOf('OPTIONS', ['Require: x, y', 'Require: timer']),
  ].map((text) => Buffer.from(text, 'latin1'))
}

const PERSONAS = PERSONA_NAMES.flatMap((name) => ['00', '01', '02'].map((seed) => createPersona(name, seed)))
const SITUATIONS = await Promise.all(
  PERSONAS.map(async (persona) => ({ persona, messages: insiderMessages((await inCall(persona)).known) })),
)

/** The life of a packet, and what has to hold of it whatever came. */
function assertHarmless(bytes: Buffer, { event, replies }: Received, persona: Persona): void {
  if (event !== null) {
    assert.deepEqual(bytesOfText(event.sipMessage), bytes)
    for (const text of [event.method, event.calledNumber, event.requestUser, event.userAgent, event.fault]) {
      assert.ok(text === null || (text !== '' && isStorable(text)))
    }
    for (const text of Object.values(event.credentials ?? {})) assert.ok(text === null || isStorable(text))
  }
  for (const reply of replies) assert.equal(faultOfReply(reply, bytes, persona), null, reply)
}

function isStorable(text: string): boolean {
  return text.isWellFormed() && !text.includes('\0')
}

const token = fc.constantFrom(...TOKENS)
const change = fc.tuple(fc.constantFrom('flip', 'insert', 'cut', 'repeat', 'splice'), fc.nat(), fc.nat(40), token)

/** One of the messages with as many things done to it. */
function mutatedOf(pick: number, changes: readonly [string, number, number, string][], messages: readonly Buffer[]) {
  const messageAt = (index: number) => messages[index % messages.length] ?? Buffer.alloc(0)
  let bytes = messageAt(pick)
  for (const [change, place, length, text] of changes) {
    const at = place % (bytes.length + 1)
    const [before, after] = [bytes.subarray(0, at), bytes.subarray(at)]
    if (change === 'flip') bytes = Buffer.concat([before, Buffer.of(length * 6), after.subarray(1)])
    if (change === 'insert') bytes = Buffer.concat([before, Buffer.from(text, 'latin1'), after])
    if (change === 'cut') bytes = Buffer.concat([before, after.subarray(length)])
    if (change === 'repeat') bytes = Buffer.concat([before, after.subarray(0, length), after])
    if (change === 'splice') bytes = Buffer.concat([before, messageAt(place).subarray(at)])
  }
  return bytes
}

/** A message of the corpus with a few things done to it. */
const mutated = fc
  .tuple(fc.nat(), fc.array(change, { minLength: 1, maxLength: 5 }))
  .map(([pick, changes]) => mutatedOf(pick, changes, MESSAGES))

const someBytes = fc.uint8Array({ maxLength: 500 }).map((array) => Buffer.from(array))
const persona = fc.constantFrom(...PERSONAS)
const transport = fc.constantFrom('UDP', 'TCP', 'TLS')

test('any bytes become an event that gives them back, and no reply that is not ours', () => {
  fc.assert(
    fc.property(someBytes, transport, persona, (bytes, transport, persona) => {
      const pbx = createTestPbx({ persona })
      assertHarmless(bytes, pbx.receive(bytes, { transport }), persona)
      pbx.stop()
    }),
  )
})

test('any damaged message becomes an event that gives it back, and a faithful reply or none', () => {
  fc.assert(
    fc.property(mutated, persona, (bytes, persona) => {
      const pbx = createTestPbx({ persona })
      const received = pbx.receive(bytes)
      assertHarmless(bytes, received, persona)
      // RFC 3261 §17.1: one final response to one request; and a source that may be forged gets nothing besides.
      assert.ok(received.replies.length <= 1)
      pbx.stop()
    }),
    { numRuns: 3_000 },
  )
})

test('whoever listens to us and damages what he sends in a call gets faithful replies or none, now and later', async () => {
  const messages = fc.array(fc.tuple(fc.nat(), fc.array(change, { maxLength: 3 })), { minLength: 1, maxLength: 4 })
  const maxReplyBytes = fc.constantFrom(250, 400, 550, Number.POSITIVE_INFINITY)
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...SITUATIONS), messages, maxReplyBytes, transport, async (...drawn) => {
      const [{ persona, messages }, steps, maxReplyBytes, transport] = drawn
      const { pbx } = await inCall(persona, maxReplyBytes)
      const packets = steps.map(([pick, changes]) => mutatedOf(pick, changes, [...messages, ...MESSAGES]))
      const received = packets.map((bytes) => ({ bytes, became: pbx.receive(bytes, { transport }) }))
      await pbx.pass(RINGING_MS)
      for (const { bytes, became } of received) assertHarmless(bytes, became, persona)
      assert.equal(pbx.stop(), 0, 'no timer is left')
    }),
    { numRuns: 2_000 },
  )
})

test('a sound message, damaged or not, means the same when it is written and read again', () => {
  const lines = (message: Exclude<ParsedPacket, { kind: 'keep-alive' | 'fault' }>) => {
    const start =
      message.kind === 'request' ? [message.method, message.requestUri] : [message.status, message.reasonPhrase]
    const headers = allHeaders(message).map(({ name, value }) => `${name}: ${value}`)
    return [...start, ...headers.filter((line) => !/^(?:content-length|l)[ \t]*:/i.test(line))]
  }
  fc.assert(
    fc.property(fc.oneof(fc.constantFrom(...MESSAGES), mutated), (bytes) => {
      const message = parseMessage(bytes)
      if (message.kind !== 'request' && message.kind !== 'response') return
      const body = bytes.subarray(message.bodyStart, message.bodyEnd)
      const written = writeMessage(message, body)
      const again = parseMessage(written)
      assert.ok(again.kind === message.kind)
      assert.deepEqual(lines(again), lines(message))
      assert.deepEqual(written.subarray(again.bodyStart, again.bodyEnd), body)
    }),
    { numRuns: 1_000 },
  )
})

test('a stream of messages gives the same frames however it is cut', () => {
  const part = fc.oneof(fc.constantFrom(...MESSAGES), fc.constantFrom('\r\n\r\n', '\r\n').map(Buffer.from), mutated)
  const framesOf = (stream: Buffer, cuts: readonly number[]) => {
    const framer = createFramer({ maxHeadBytes: 2_000, maxBodyBytes: 500 })
    const frames: Frame[] = []
    const places = [0, ...cuts.map((cut) => cut % (stream.length + 1)).sort((a, b) => a - b), stream.length]
    for (const [index, at] of places.entries()) {
      frames.push(...framer.push(Buffer.from(stream.subarray(places[index - 1] ?? 0, at))))
    }
    return { lost: framer.isLost(), frames: [...frames, ...framer.end()] }
  }
  fc.assert(
    fc.property(fc.array(part, { maxLength: 6 }), fc.array(fc.nat()), (parts, cuts) => {
      const stream = Buffer.concat(parts)
      assert.deepEqual(framesOf(stream, cuts), framesOf(stream, []))
    }),
    { numRuns: 500 },
  )
})

const FULL = 65_536
const MAX_MS = 5

const CALLED = 'sip:00441632960083@a'
const { known } = await inCall(createPersona('asterisk', '00'))
const login = credentials('Authorization', known)

const request = (lines: string) =>
  `INVITE ${CALLED} SIP/2.0\r\nVia: SIP/2.0/UDP a\r\nFrom: <sip:1@a>\r\nTo: <sip:1@a>\r\nCall-ID: x\r\nCSeq: 1 INVITE\r\n${lines === '' ? '' : `${lines}\r\n`}\r\n`
const register = (lines: string) =>
  request(lines).replace(CALLED, 'sip:a').replace('To: <sip:1@a>', 'To: <sip:100@a>').replaceAll('INVITE', 'REGISTER')

/** Where attacker bytes may stand, for somebody who sends a single packet; `#` is the place. */
const PLACES: readonly (readonly [string, string])[] = [
  ['alone', '#'],
  ['in the method', '#INVITE sip:1@a SIP/2.0\r\n\r\n'],
  ['in the Request-URI', request('').replace(CALLED, 'sip:#@a')],
  ['in the status line', request('').replace(/^.*/, 'SIP/2.0 200 #')],
  ['in the status line, before a CR', request('').replace(/^.*/, 'SIP/2.0 200 #\rx')],
  ['before the status', request('').replace(/^.*/, 'SIP/2.0 # 200')],
  ['in the version', request('').replace('SIP/2.0\r', 'SIP/2.0#\r')],
  ['in Via', request('').replace('UDP a', 'UDP a#')],
  ['in the protocol of Via', request('').replace('UDP a', 'UDP#a')],
  ['in the parameters of Via', request('').replace('UDP a', 'UDP a;rport;x=#;y')],
  ['in the branch', request('').replace('UDP a', 'UDP a;branch=#')],
  ['in From', request('').replace('From: <', 'From: #<')],
  ['in the From-tag', request('').replace('From: <sip:1@a>', 'From: <sip:1@a>;tag=#')],
  ['in To', request('').replace('To: <sip:1@a>', 'To: #')],
  ['in the name of To', request('').replace('To: <', 'To: "#" <')],
  ['in the user of To', request('').replace('To: <sip:1', 'To: <sip:1#')],
  ['in the parameters of To', request('').replace('To: <sip:1@a>', 'To: <sip:1@a>;x=#')],
  ['in the To-tag', request('').replace('To: <sip:1@a>', 'To: <sip:1@a>;tag=#')],
  ['in Call-ID', request('').replace('Call-ID: x', 'Call-ID: #')],
  ['in CSeq', request('').replace('CSeq: 1', 'CSeq: 1#')],
  ['in a header name', request('X#: y')],
  ['in a header value', request('X: #')],
  ['between headers', request('X: y\r\n#')],
  ['in User-Agent', request('User-Agent: #')],
  ['in Content-Length', request('Content-Length: #')],
  ['in Content-Type', `${request('Content-Type: #')}v=0\r\n`],
  ['in Record-Route', request('Record-Route: #')],
  ['in Require', request('Require: #')],
  ['in the Contact of an INVITE', request('Contact: #')],
  [
    'in the SDP of the body',
    `${request('Content-Type: application/sdp')}v=0\r\nm=audio 1 RTP/AVP #\r\na=rtpmap:#\r\n#`,
  ],
]

/** The same where it becomes part of what every weak password is hashed with. */
const PLACES_IN_CREDENTIALS: readonly (readonly [string, string])[] = [
  ['in Authorization', request('Authorization: Digest #')],
  ['in Proxy-Authorization', request('Proxy-Authorization: Digest #')],
  ['in the username', register(`${login.replace('username="100"', 'username="#"')}`)],
  ['in the nonce', register(`${login.replace(known.nonce, '#')}`)],
  ['in the response', register(`${login.replace(/response="0*/, 'response="#')}`)],
  [
    'in the realm, the URI and the counts',
    register(`${login.replace(`"${known.realm}"`, '"#"')},uri="#",nc=#,cnonce="#",qop=auth`),
  ],
]

/** The same for somebody who has logged in, and has a call up. */
const PLACES_INSIDE: readonly (readonly [string, string])[] = [
  ['in the user of an INVITE', requestOf('INVITE', [], SDP).replace('sip:00441632960083', 'sip:00441632960083#')],
  ['in the Timestamp of an INVITE', requestOf('INVITE', ['Timestamp: #'], SDP)],
  ['in the SDP of a call', requestOf('INVITE', [], `${SDP}a=#\r\nc=IN IP4 #\r\n#`, known.to)],
  ['in the Record-Route of a call', requestOf('UPDATE', ['Record-Route: #'], SDP, known.to)],
  ['in the Contact of a REGISTER', register(`${login}\r\nContact: #`)],
  ['in the parameters of a Contact', register(`${login}\r\nContact: <sip:1@a>;#`)],
  ['in Expires', register(`${login}\r\nContact: sip:1@a\r\nExpires: #`)],
  ['between headers, over thousands of bindings', register(`${login}\r\nContact: ${'sip:a,'.repeat(5_000)}\r\n#`)],
]

const RUNS = [
  ',',
  ';',
  '"',
  '""',
  ' ',
  '<',
  '>',
  '\n ',
  '\r\n ',
  '\n',
  '\r',
  ':',
  'a\n',
  'a:\n',
  '\\',
  '"\\',
  '=',
  '%',
  '%0',
  '/',
  '@',
]
const MORE_RUNS = [
  '0',
  '0 ',
  '<>',
  '<,',
  ';x',
  ',x',
  'SIP/',
  ' SIP/2.0',
  '\0',
  '\x80',
  '\xc3\xa0',
  't:a\n',
  'v:SIP/2.0/UDP a,\n',
  ';tag',
  ';expires',
]

/** Milliseconds of processor time of the best of five runs: a busy machine makes all else longer. */
async function bestMs(maxMs: number, prepare: () => Promise<() => void>): Promise<number> {
  let best = Number.POSITIVE_INFINITY
  for (let time = 0; time < 5 && best > maxMs / 2; time++) {
    const measured = await prepare()
    const before = process.threadCpuUsage()
    measured()
    const { user, system } = process.threadCpuUsage(before)
    best = Math.min(best, (user + system) / 1_000)
  }
  return best
}

/** The template with each place filled up, 64 KiB in all. */
function filled(template: string, run: string): Buffer {
  const places = template.split('#').length - 1
  const times = Math.floor((FULL - template.length) / run.length / places)
  const text = template.replaceAll('#', () => run.repeat(times))
  return Buffer.from(text, 'latin1').subarray(0, FULL)
}

for (const [places, sourcePort, who, maxLifeMs] of [
  [PLACES, 5073, 'anybody', MAX_MS * 4],
  [PLACES_IN_CREDENTIALS, 5073, 'anybody', MAX_MS * 12],
  [PLACES_INSIDE, 5071, 'somebody in a call', MAX_MS * 4],
] as const) {
  for (const [where, template] of places) {
    test(`64 KiB of anything from ${who} ${where} are read in under ${MAX_MS} ms`, async () => {
      for (const run of [...RUNS, ...MORE_RUNS]) {
        const bytes = filled(template, run)
        const ms = await bestMs(MAX_MS, async () => () => parseMessage(bytes))
        assert.ok(ms < MAX_MS, `${JSON.stringify(run)}: ${ms.toFixed(1)} ms to parse`)
        const lifeMs = await bestMs(maxLifeMs, async () => {
          const { pbx } = await inCall(createPersona('asterisk', '00'))
          return () => pbx.receive(bytes, { sourcePort })
        })
        assert.ok(lifeMs < maxLifeMs, `${JSON.stringify(run)}: ${lifeMs.toFixed(1)} ms to parse, observe and respond`)
      }
    })
  }
}
