// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { PersonaError, readCustomPersona } from './custom-persona.ts'
import { createPersona, PERSONA_NAMES } from './persona.ts'

const ORDER = ['Via', 'From', 'To', 'Call-ID', 'CSeq', 'Server', 'Content-Type', 'Content-Length']

for (const name of PERSONA_NAMES) {
  test(`a file that only names ${name} is that persona under another name`, () => {
    const { name: ownName, ...traits } = readCustomPersona({ based_on: name }, 'ab')
    const { name: _, ...based } = createPersona(name, 'ab')
    assert.equal(ownName, 'custom')
    assert.deepEqual(traits, based)
  })
}

test('an empty file is Asterisk under another name', () => {
  assert.deepEqual(readCustomPersona({}), { ...createPersona('asterisk', '0'), name: 'custom' })
})

test('a file replaces what it names and nothing else', () => {
  const persona = readCustomPersona({
    based_on: 'cisco',
    agent_header: 'User-Agent',
    agent: 'Own PBX 1.0',
    header_order: ORDER,
    content_length_width: 3,
    allow: 'INVITE,ACK, BYE,CANCEL,OPTIONS',
    supported: '',
    accept: 'application/sdp',
    realm: 'pbx',
    algorithms: ['SHA-256', 'MD5'],
    qop: false,
    tag: '{hex:24}',
    short_tag: '{hex:4}',
    nonce: '{base64:20}',
    short_nonce: '{base64:18}',
    unknown_user_status: 403,
    challenges_invite: true,
    ringing: 180,
    rings_after_ms: 0,
    answers_after_ms: 0,
    contact: 'sip:{host}',
    sdp_owner: '-',
    sdp_session: 'a call',
  })
  const based = createPersona('cisco', '0')
  assert.deepEqual(persona, {
    ...based,
    name: 'custom',
    agent: ['User-Agent', 'Own PBX 1.0'],
    style: { order: ORDER, contentLengthWidth: 3 },
    allow: 'INVITE,ACK, BYE,CANCEL,OPTIONS',
    methods: new Set(['INVITE', 'ACK', 'BYE', 'CANCEL', 'OPTIONS']),
    supported: null,
    accept: 'application/sdp',
    realm: 'pbx',
    algorithms: ['SHA-256', 'MD5'],
    challenge: { ...based.challenge, qop: false, order: based.challenge.order.filter((name) => name !== 'qop') },
    tag: '{hex:24}',
    shortTag: '{hex:4}',
    nonce: '{base64:20}',
    shortNonce: '{base64:18}',
    unknownUserStatus: 403,
    challengesInvite: true,
    ringing: 180,
    ringsAfterMs: 0,
    answersAfterMs: 0,
    contact: 'sip:{host}',
    sdp: { ...based.sdp, owner: '-', session: 'a call' },
  })
})

test('a challenge gets qop when the file wants it and the product has none', () => {
  const { challenge } = readCustomPersona({ based_on: '3cx', qop: true })
  assert.ok(challenge.qop && challenge.order.includes('qop'))
})

for (const [table, message, why] of [
  [null, /^the persona is no table/, 'nothing'],
  [['a'], /^the persona is no table/, 'a list'],
  [{ based_on: 'avaya' }, /^based_on .* asterisk, kamailio, 3cx, cisco, audiocodes\.$/, 'an unknown persona'],
  [{ reelm: 'a' }, /^reelm is no key .* realm,/, 'an unknown key'],
  [{ constructor: 'a' }, /^constructor is no key/, 'a key that every object has'],
  [{ realm: 7 }, /^realm is no text/, 'a number for a text'],
  [{ realm: '' }, /^realm is empty/, 'an empty text'],
  [{ realm: 'x'.repeat(600) }, /^realm is too long/, 'a text that is too long'],
  [{ agent: 'PBX\r\nX: y' }, /^agent has a control character .* line breaks/, 'a line break'],
  [{ agent: 'PBX\x00' }, /^agent has a control character/, 'a control character'],
  [{ sdp_session: 'r\xe9union' }, /^sdp_session has .* beyond ASCII/, 'an accent'],
  [{ realm: 'a"b' }, /^realm has a quotation mark/, 'a quotation mark'],
  [{ agent_header: 'Via' }, /^agent_header .* Server, User-Agent/, 'another header for the agent'],
  [{ header_order: 'Via' }, /^header_order is no list/, 'a text for a list'],
  [{ header_order: [] }, /^header_order is empty/, 'an empty list'],
  [{ header_order: ORDER.slice(1) }, /^header_order lacks .* Add Via\./, 'an order without Via'],
  [{ header_order: [...ORDER, 'via'] }, /^header_order has via, which .* comes twice/, 'an order with Via twice'],
  [{ header_order: [...ORDER, 'X Y'] }, /^header_order has X Y, which is no name/, 'an order with no header name'],
  [{ content_length_width: 11 }, /^content_length_width is out of range.* 0 to 10/, 'a width out of range'],
  [{ content_length_width: 1.5 }, /^content_length_width is out of range/, 'half a digit'],
  [{ allow: 'INVITE ACK' }, /^allow has "INVITE ACK".* commas/, 'methods without commas'],
  [{ allow: 'INVITE, ACK' }, /^allow lacks .* Add CANCEL, BYE, OPTIONS\./, 'too few methods'],
  [{ algorithms: [] }, /^algorithms is empty/, 'no algorithm'],
  [{ algorithms: ['SHA-1'] }, /^algorithms .* MD5, SHA-256/, 'an unknown algorithm'],
  [{ algorithms: ['MD5', 'MD5'] }, /^algorithms has something twice/, 'an algorithm twice'],
  [{ qop: 'auth' }, /^qop is neither true nor false/, 'a text for a switch'],
  [{ tag: 'as{hex:8}' }, /^tag has 32 random bits\. It needs 96/, 'a tag that can be guessed'],
  [{ tag: '{hex:24' }, /^tag is no template/, 'a brace that is not closed'],
  [{ tag: '{octal:40}' }, /^tag is no template: .*\{octal:40\}/, 'an unknown part'],
  [{ tag: '{hex:99}' }, /^tag is no template: .* 60 characters in all/, 'a tag that is too long'],
  [{ tag: '{hex:24};x' }, /^tag has a character/, 'a tag with a semicolon'],
  [{ nonce: '{time}/{hex:8}' }, /^nonce has 32 random bits/, 'a nonce that can be guessed'],
  [{ nonce: '"{hex:32}' }, /^nonce has a quotation mark/, 'a nonce with a quotation mark'],
  [{ unknown_user_status: 401 }, /^unknown_user_status .* 403, 404/, 'another status for unknown users'],
  [{ challenges_invite: 1 }, /^challenges_invite is neither/, 'a number for a switch'],
  [{ ringing: 100 }, /^ringing .* 180, 183/, 'another status for ringing'],
  [{ rings_after_ms: -1 }, /^rings_after_ms is out of range/, 'a time before the call'],
  [
    { rings_after_ms: 500, answers_after_ms: 400 },
    /^answers_after_ms is less than the 500 ms/,
    'an answer before it rings',
  ],
  [{ contact: 'tel:1' }, /^contact is no SIP URI/, 'a contact that is no SIP URI'],
  [{ contact: 'sip:a' }, /^contact lacks \{host\}/, 'a contact without the address'],
  [{ contact: 'sip:{host};{hex:8}' }, /^contact has an unknown part/, 'a contact with an unknown part'],
  [{ contact: 'sip:{host}>' }, /^contact has what a URI cannot have/, 'a contact with an angle bracket'],
  [{ sdp_owner: 'a b' }, /^sdp_owner has a space/, 'a space in the SDP owner'],
] as const) {
  test(`${why} is refused with the key and what to do`, () => {
    assert.throws(
      () => readCustomPersona(table),
      (error) => error instanceof PersonaError && message.test(error.message),
    )
  })
}

test('any table is a persona or a PersonaError', () => {
  const keys = ['realm', 'agent', 'tag', 'nonce', 'contact', 'allow', 'header_order', 'algorithms', 'qop', 'sdp_owner']
  fc.assert(
    fc.property(fc.dictionary(fc.constantFrom(...keys), fc.anything()), (table) => {
      try {
        readCustomPersona(table)
      } catch (error) {
        assert.ok(error instanceof PersonaError)
      }
    }),
  )
})

test('the example of docs/personas.md is a persona, and the page names every key', () => {
  const page = readFileSync(join(import.meta.dirname, '../../docs/personas.md'), 'utf8')
  const example = /```toml\n([\s\S]*?)```/.exec(page)?.[1]
  assert.ok(example !== undefined)
  assert.equal(readCustomPersona(parse(example)).name, 'custom')
  const keys = /There are (.*)\.$/.exec(messageFor({ none: '' }))?.[1]?.split(', ') ?? []
  assert.ok(keys.length > 20)
  for (const key of keys) assert.ok(page.includes(`| \`${key}\` |`) && example.includes(`${key} = `), key)
})

function messageFor(table: unknown): string {
  try {
    readCustomPersona(table)
  } catch (error) {
    if (error instanceof PersonaError) return error.message
  }
  return ''
}
