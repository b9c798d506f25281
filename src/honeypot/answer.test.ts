// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { returnPath } from '../net/packet.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { type Reply, writeReply } from '../sip/write.ts'
import { type Answers, type Challenge, contactAt, createAnswers } from './answer.ts'
import { address, packetOf } from './fixture-pbx.ts'
import { createPersona, PERSONA_NAMES, type Persona } from './persona.ts'
import { readTokenTemplate } from './token.ts'

const PERSONAS = PERSONA_NAMES.map((name) => createPersona(name, '00'))
const ASTERISK = createPersona('asterisk', '00')

const CONTACT = '<sip:203.0.113.5:5060>'
const SDP = 'v=0\r\n'
const CHALLENGE: Challenge = { nonce: 'long nonce', shortNonce: () => 'nonce', opaque: 'opaque', stale: false }

function request(method: string, lines: readonly string[] = [], uri = 'sip:100@203.0.113.5'): SipRequest {
  const head = ['Via: SIP/2.0/UDP a', 'From: <sip:1@a>', 'To: <sip:100@a>', 'Call-ID: x', `CSeq: 1 ${method}`]
  const text = [`${method} ${uri} SIP/2.0`, ...head, ...lines, '', ''].join('\r\n')
  const message = parseMessage(Buffer.from(text, 'latin1'))
  assert.ok(message.kind === 'request')
  return message
}

/** The header lines of the first, which is the fullest. */
function linesOf([full]: readonly Reply[]): string[] {
  assert.ok(full !== undefined)
  return full.headers.map(([name, value]) => `${name}: ${value}`)
}

const agentLine = ({ agent }: Persona) => agent.join(': ')

test('a full answer to OPTIONS says what the product can do, as the product says it (RFC 3261 §11.2)', () => {
  assert.deepEqual(linesOf(createAnswers(ASTERISK).options()), [
    agentLine(ASTERISK),
    `Allow: ${ASTERISK.allow}`,
    `Accept: ${ASTERISK.accept}`,
    `Supported: ${ASTERISK.supported}`,
    'Accept-Encoding: text/plain',
    'Accept-Language: en',
  ])
})

test('a product that names no extensions and accepts nothing in particular has no such headers', () => {
  const answers = createAnswers({ ...ASTERISK, supported: null, accept: null, optionsHeaders: [] })
  assert.deepEqual(linesOf(answers.options()), [agentLine(ASTERISK), `Allow: ${ASTERISK.allow}`])
  assert.deepEqual(linesOf(answers.session(request('INVITE'), CONTACT, SDP)).slice(1), [
    agentLine(ASTERISK),
    `Allow: ${ASTERISK.allow}`,
  ])
})

test('an unknown method is answered with 405 and Allow, or with 501 and no Allow (RFC 3261 §8.2.1, §21.5.2)', () => {
  const barest = (unknownMethodStatus: 405 | 501) =>
    createAnswers({ ...ASTERISK, unknownMethodStatus })
      .notAllowed()
      .at(-1)
  assert.deepEqual(barest(501), { status: 501, headers: [], body: null, isLean: true })
  assert.deepEqual(barest(405), { status: 405, headers: [['Allow', ASTERISK.allow]], body: null, isLean: true })
})

test('a session has every Record-Route in order, our Contact, and its description (RFC 3261 §12.1.1)', () => {
  const routes = ['Record-Route: <sip:p1;lr>, <sip:p2;lr>', 'Record-Route: <sip:p3;lr>']
  const replies = createAnswers(ASTERISK).session(request('INVITE', routes), CONTACT, SDP)
  assert.deepEqual(linesOf(replies), [
    ...routes,
    `Contact: ${CONTACT}`,
    agentLine(ASTERISK),
    `Allow: ${ASTERISK.allow}`,
    `Supported: ${ASTERISK.supported}`,
  ])
  assert.deepEqual(linesOf(replies.slice(-1)), [...routes, `Contact: ${CONTACT}`], 'a dialog needs them')
  for (const { status, body } of replies)
    assert.deepEqual([status, body], [200, { type: 'application/sdp', text: SDP }])
})

for (const [name, answer] of [
  ['a call that rings', (answers: Answers, asked: SipRequest) => answers.ringing(asked, CONTACT)],
  ['a SUBSCRIBE', (answers: Answers, asked: SipRequest) => answers.subscribed(asked, CONTACT)],
] as const) {
  test(`the answer to ${name} makes a dialog, so it has the routes and our Contact (RFC 3261 §12.1.1)`, () => {
    const asked = request('INVITE', ['Record-Route: <sip:p1;lr>'])
    for (const reply of answer(createAnswers(ASTERISK), asked)) {
      assert.deepEqual(linesOf([reply]).slice(0, 2), ['Record-Route: <sip:p1;lr>', `Contact: ${CONTACT}`])
    }
  })
}

test('a call rings with the status of the product', () => {
  for (const persona of PERSONAS) {
    const statuses = createAnswers(persona)
      .ringing(request('INVITE'), CONTACT)
      .map(({ status }) => status)
    assert.deepEqual(new Set(statuses), new Set([persona.ringing]))
  }
})

test('a publication has its entity tag and its time (RFC 3903 §11.3)', () => {
  const [, bare] = createAnswers(ASTERISK).published(request('PUBLISH', ['Expires: 60']), 'etag')
  assert.deepEqual(bare?.headers, [
    ['SIP-ETag', 'etag'],
    ['Expires', '60'],
  ])
})

/** Every ladder of a persona, with texts as they are on the wire. */
function ladders(persona: Persona): Record<string, readonly Reply[]> {
  const answers = createAnswers(persona)
  const asked = request('REGISTER', ['Contact: <sip:1@a>', 'Record-Route: <sip:p;lr>'])
  const token = (template: string) => readTokenTemplate(template).write('\x07'.repeat(64), 1_700_000_000)
  const challenge = (stale: boolean): Challenge => ({
    nonce: token(persona.nonce),
    shortNonce: () => token(persona.shortNonce),
    opaque: token(persona.opaque),
    stale,
  })
  return {
    plain: answers.plain(404),
    'plain with needs and options': answers.plain(415, [['Accept', 'application/sdp']], [['Date', 'today']]),
    options: answers.options(),
    'challenge 401': answers.challenge(401, challenge(false)),
    'challenge 407': answers.challenge(407, challenge(true)),
    registered: answers.registered(asked),
    subscribed: answers.subscribed(asked, CONTACT),
    published: answers.published(asked, 'etag'),
    'not allowed': answers.notAllowed(),
    session: answers.session(asked, CONTACT, SDP),
    ringing: answers.ringing(asked, CONTACT),
  }
}

for (const persona of PERSONAS) {
  test(`when bytes are scarce an answer of ${persona.name} leaves out what it may, and gets shorter each time`, () => {
    const asked = request('REGISTER')
    const end = { sourceIp: '192.0.2.1', sourcePort: 5071, toTag: 'tag' }
    for (const [name, replies] of Object.entries(ladders(persona))) {
      const lengths = replies.map((reply) => writeReply(asked, reply, end, persona.style).length)
      assert.ok(lengths.length >= 2, name)
      for (const [index, length] of lengths.entries()) {
        assert.ok(index === 0 || length < (lengths[index - 1] ?? 0), `${name}: ${lengths}`)
      }
      assert.equal(new Set(replies.map(({ status }) => status)).size, 1, `${name} stays what it is`)
      const agents = replies.map(({ headers }) => headers.some(([header]) => header === persona.agent[0]))
      assert.deepEqual(agents, [...agents.slice(1).fill(true), false], `${name}: who we are is left out last`)
      const lean = replies.filter(({ isLean }) => isLean === true)
      assert.ok(
        lean.every(({ body }) => body === null),
        `${name}: what has a body says how long it is`,
      )
    }
  })

  test(`${persona.name} writes a challenge that a client can read, in full and when bytes are scarce`, () => {
    const end = { sourceIp: '192.0.2.1', sourcePort: 5071, toTag: 'tag' }
    for (const reply of ladders(persona)['challenge 401'] ?? []) {
      const response = parseMessage(writeReply(request('REGISTER'), reply, end, persona.style))
      assert.ok(response.kind === 'response')
      const [first = ''] = response.head.split('\r\n').filter((line) => line.startsWith('WWW-Authenticate: '))
      assert.ok(first.startsWith('WWW-Authenticate: Digest ') && first.includes(`realm="${persona.realm}"`), first)
    }
  })
}

const CHALLENGER: Persona = {
  ...ASTERISK,
  realm: 'pbx',
  algorithms: ['MD5'],
  challenge: { separator: ', ', order: ['realm', 'nonce', 'opaque', 'stale', 'qop'], qop: true, opaque: true },
}
const MODEST: Persona = { ...CHALLENGER, challenge: { ...CHALLENGER.challenge, qop: false, opaque: false } }
const MODERN: Persona = { ...MODEST, algorithms: ['SHA-256', 'MD5'] }

for (const [persona, status, stale, full, bare, why] of [
  [
    CHALLENGER,
    401,
    false,
    ['Digest realm="pbx", nonce="long nonce", opaque="opaque", qop="auth"'],
    'Digest realm="pbx",nonce="nonce"',
    'is written as the product does, and has the short nonce alone when bytes are scarce (RFC 3261 §22.1)',
  ],
  [
    CHALLENGER,
    407,
    true,
    ['Digest realm="pbx", nonce="long nonce", opaque="opaque", stale=true, qop="auth"'],
    'Digest realm="pbx",nonce="nonce",stale=true',
    'says that only the nonce was wrong, the short one too (RFC 7616 §3.3)',
  ],
  [
    MODEST,
    407,
    false,
    ['Digest realm="pbx", nonce="long nonce"'],
    'Digest realm="pbx",nonce="nonce"',
    'has no qop and no opaque where the product has none',
  ],
  [
    MODERN,
    401,
    true,
    [
      'Digest realm="pbx", nonce="long nonce", stale=true, algorithm=SHA-256',
      'Digest realm="pbx", nonce="long nonce", stale=true',
    ],
    'Digest realm="pbx",nonce="nonce",stale=true',
    'comes once for each algorithm in order, and for MD5 alone when bytes are scarce (RFC 8760 §2.3)',
  ],
] as const) {
  test(`a challenge with ${status} ${why}`, () => {
    const name = status === 401 ? 'WWW-Authenticate' : 'Proxy-Authenticate'
    const replies = createAnswers(persona).challenge(status, { ...CHALLENGE, stale })
    const read = replies.map(({ status, headers, body, isLean = false }) => ({ status, headers, body, isLean }))
    assert.deepEqual(read, [
      { status, headers: [...full.map((value) => [name, value]), persona.agent], body: null, isLean: false },
      { status, headers: [[name, bare], persona.agent], body: null, isLean: false },
      { status, headers: [[name, bare]], body: null, isLean: true },
    ])
  })
}

const WITH_USER = 'sip:{user}{host}{transport}'

for (const [template, uri, transport, localIp, contact, why] of [
  [WITH_USER, 'sip:+4650072@a', 'UDP', '203.0.113.5', '<sip:+4650072@203.0.113.5:5060>', 'is the number called'],
  [WITH_USER, 'sip:100@a', 'TCP', '203.0.113.5', '<sip:100@203.0.113.5:5060;transport=tcp>', 'names TCP'],
  [WITH_USER, 'sip:100@a', 'TLS', '203.0.113.5', '<sip:100@203.0.113.5:5060;transport=tls>', 'names TLS'],
  [WITH_USER, 'sip:100@a', 'UDP', '2001:db8::5', '<sip:100@[2001:db8::5]:5060>', 'has an IPv6 address in brackets'],
  [WITH_USER, 'tel:+46-500', 'UDP', '203.0.113.5', '<sip:+46500@203.0.113.5:5060>', 'has the number of a tel: URI'],
  [WITH_USER, 'sip:a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user when nobody was called'],
  [
    WITH_USER,
    'sip:*72#1@a',
    'UDP',
    '203.0.113.5',
    '<sip:203.0.113.5:5060>',
    'has no # in it, which the grammar forbids',
  ],
  [WITH_USER, 'sip:"><x@a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user that could break out of it'],
  [WITH_USER, 'sip:1%0d%0aTo:@a', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no escaped line break'],
  [
    WITH_USER,
    'sip:{token}@a',
    'UDP',
    '203.0.113.5',
    '<sip:203.0.113.5:5060>',
    'has no user that is a part of a template',
  ],
  [WITH_USER, `sip:${'1'.repeat(65)}@a`, 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no very long user'],
  [WITH_USER, 'nobody:knows', 'UDP', '203.0.113.5', '<sip:203.0.113.5:5060>', 'has no user of an unknown scheme'],
  [
    'sip:{host}{transport}',
    'sip:100@a',
    'TCP',
    '203.0.113.5',
    '<sip:203.0.113.5:5060;transport=tcp>',
    'may name nobody',
  ],
  [
    'sip:{host};line=sr-{token}',
    'sip:1@a',
    'UDP',
    '203.0.113.5',
    '<sip:203.0.113.5:5060;line=sr-proof>',
    'may hold a proof',
  ],
  ['sip:{x}@{host}', 'sip:100@a', 'UDP', '203.0.113.5', '<sip:{x}@203.0.113.5:5060>', 'keeps what is no part'],
] as const) {
  test(`a Contact ${template} for ${uri.slice(0, 20)} over ${transport} at ${localIp} ${why}`, () => {
    const path = returnPath(packetOf('', { transport, destinationIp: address(localIp) }))
    assert.equal(contactAt(template, request('INVITE', [], uri), path, 'proof'), contact)
  })
}

for (const [lines, bindings, why] of [
  [['Contact: <sip:1@a>'], ['<sip:1@a>;expires=3600'], 'has an hour when no time was asked for (RFC 3261 §10.2.1.1)'],
  [['Contact: <sip:1@a>', 'Expires: 60'], ['<sip:1@a>;expires=60'], 'has the time of Expires'],
  [['Contact: <sip:1@a>;Expires=30', 'Expires: 60'], ['<sip:1@a>;expires=30'], 'has its own time first'],
  [['Contact: <sip:1@a>;expires=99999'], ['<sip:1@a>;expires=3600'], 'has an hour at most'],
  [
    ['Contact: <sip:1@a>;expires=soon', 'Expires: 60'],
    ['<sip:1@a>;expires=3600'],
    'has an hour for a malformed time (§20.10)',
  ],
  [['Contact: <sip:1@a>', 'Expires: -1'], ['<sip:1@a>;expires=3600'], 'has an hour for a malformed Expires (§20.19)'],
  [['Contact: <sip:1@a>;expires=0'], [], 'is gone when its time is 0'],
  [['Contact: <sip:1@a>', 'Expires: 0'], [], 'is gone when Expires is 0'],
  [['Contact: *', 'Expires: 0'], [], 'is gone with all others (§10.2.2)'],
  [['Contact: <sip:1@a;expires=5>'], ['<sip:1@a;expires=5>;expires=3600'], 'keeps the parameters of its URI'],
  [['Contact: sip:1@a;q=0.5'], ['<sip:1@a>;expires=3600'], 'stands in brackets, without other parameters'],
  [
    ['Contact: "x, y" <sip:1@a>,<tel:+1>', 'm: <sips:2@a>'],
    ['<sip:1@a>;expires=3600', '<tel:+1>;expires=3600', '<sips:2@a>;expires=3600'],
    'stands beside the others, in order',
  ],
  [
    ['Contact: sip:1@a;x', 'Contact: <sip:2@a;x>'],
    ['<sip:1@a>;expires=3600', '<sip:2@a;x>;expires=3600'],
    'has the parameters that stand inside its brackets (RFC 4475 §3.3.12, §3.3.13)',
  ],
  [
    ['Contact: <sip:1@a?Route=%3Csip:b%3E>', 'Contact: sip:2@a?Route=%3Csip:b%3E'],
    ['<sip:1@a?Route=%3Csip:b%3E>;expires=3600', '<sip:2@a?Route=%3Csip:b%3E>;expires=3600'],
    'keeps escaped headers, and gets the brackets that it lacks (RFC 4475 §3.3.14, §3.1.2.13)',
  ],
  [
    ['Contact: sip:%00@a', 'Contact: sip:%00%00@a'],
    ['<sip:%00@a>;expires=3600', '<sip:%00%00@a>;expires=3600'],
    'keeps escaped NULs (RFC 4475 §3.1.1.4)',
  ],
  [['Contact: None'], [], 'is none when svmap says None'],
  [['Contact: <http://a>, <sip:1@a'], [], 'is none when it is no URI of a phone'],
] as const) {
  test(`the binding of ${lines.join(' and ')} ${why}`, () => {
    assert.deepEqual(
      createAnswers(ASTERISK).registered(request('REGISTER', lines)).at(-1)?.headers,
      bindings.map((binding) => ['Contact', binding]),
    )
  })
}

for (const [lines, seconds] of [
  [['Expires: 60'], 60],
  [['Expires: 86400'], 3600],
  [['Expires: never'], 3600],
  [['Expires: 0'], 0],
] as const) {
  test(`a SUBSCRIBE with ${lines} is granted ${seconds} s`, () => {
    const asked = request('SUBSCRIBE', lines)
    assert.ok(linesOf(createAnswers(ASTERISK).subscribed(asked, CONTACT)).includes(`Expires: ${seconds}`))
  })
}
