// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import { HEADER_NAMES } from '../sip/header-name.ts'
import { address, createTestPbx } from './fixture-pbx.ts'
import { createPersona, PERSONA_NAMES, type PersonaName } from './persona.ts'

/*
 * Who has found one node must not know the next one by its bytes. Ten probes, as a scanner sends them, and what two nodes
 * answer: past what SIP itself prescribes and what came from the probe, no text that both have may be longer than a
 * header name, or than a value of the product that they both pass for.
 */

const LONGEST_NAME = Math.max(...HEADER_NAMES.map((name) => name.length), 'Proxy-Authenticate'.length)
const SDP = 'v=0\r\no=x 1 1 IN IP4 192.0.2.1\r\ns=x\r\nc=IN IP4 192.0.2.1\r\nt=0 0\r\nm=audio 4000 RTP/AVP 0\r\n'

const PROBES: readonly string[] = [
  probe('OPTIONS', 'sip:100@203.0.113.5'),
  probe('OPTIONS', 'sip:203.0.113.5', ['Accept: application/sdp']),
  probe('REGISTER', 'sip:203.0.113.5', ['Contact: <sip:100@192.0.2.1>']),
  probe('REGISTER', 'sip:203.0.113.5', ['Contact: <sip:100@192.0.2.1>'], '', '99'),
  probe('INVITE', 'sip:00442079460123@203.0.113.5', ['Content-Type: application/sdp'], SDP, '00442079460123'),
  probe('SUBSCRIBE', 'sip:100@203.0.113.5', ['Event: message-summary', 'Expires: 60']),
  probe('MESSAGE', 'sip:100@203.0.113.5', ['Content-Type: text/plain'], 'hello'),
  probe('BYE', 'sip:100@203.0.113.5'),
  probe('FROBNICATE', 'sip:100@203.0.113.5'),
  probe('OPTIONS', 'sip:100@203.0.113.5').replace('CSeq: 1', 'CSeq: x'),
]

function probe(method: string, uri: string, lines: readonly string[] = [], body = '', user = '100'): string {
  const head = [
    `${method} ${uri} SIP/2.0`,
    `Via: SIP/2.0/TCP 192.0.2.1:5071;branch=z9hG4bK${method}${user}${lines.length}`,
    'From: <sip:x@192.0.2.1>;tag=x',
    `To: <sip:${user}@203.0.113.5>`,
    `Call-ID: ${method}${user}${lines.length}`,
    `CSeq: 1 ${method}`,
  ]
  return `${[...head, ...lines, `Content-Length: ${body.length}`].join('\r\n')}\r\n\r\n${body}`
}

// What every answer has to have, whoever writes it: RFC 3261 §8.2.6, RFC 4566 §5, RFC 3551 §6.
const PRESCRIBED =
  /^(?:SIP\/2\.0 .*|Via: .*|From: .*|Call-ID: .*|CSeq: .*|Content-Type: application\/sdp|Content-Length: +\d+|v=0|t=0 0|a=rtpmap:0 PCMU\/8000)$/i

/** What a node says of its own: the lines of its answers, without what is prescribed or repeated from the probe. */
async function ownLines(name: PersonaName, seed: string, place: string): Promise<string[]> {
  const pbx = createTestPbx({ persona: createPersona(name, seed), secret: hash('sha256', seed) })
  const answers: string[] = []
  const reply = (bytes: Buffer) => answers.push(bytes.toString('latin1')) > 0
  for (const message of PROBES) pbx.receive(message, { transport: 'TCP', destinationIp: address(place), reply })
  await pbx.pass(10_000)
  pbx.stop()
  assert.ok(answers.length >= PROBES.length)
  return answers
    .flatMap((answer) => answer.split('\r\n'))
    .filter((line) => line !== '' && !PRESCRIBED.test(line))
    .flatMap(valuesIn)
}

/** What a line says, without the names that RFC 3261 §20 and RFC 7616 §3.3 give to it. */
function valuesIn(line: string): string[] {
  const [name = '', value = line] = /^([\w-]+): (.*)$/.exec(line)?.slice(1) ?? []
  // RFC 3261 §12.1.1: who was called, where we are, and how to get there.
  if (name === 'Contact') return [value.replace(/sip:(?:\d+@)?[\d.]+:5060/, '').replace(';transport=tcp', '')]
  if (name === 'To') return [value.replace(/^<[^>]*>/, '').replace(/z9hG4bK[A-Z]+\d+$/, '')] // a tag that is the probe's branch
  return /^(?:WWW|Proxy)-Authenticate$/.test(name)
    ? [...value.matchAll(/="([^"]*)"/g)].map(([, text = '']) => text)
    : [value]
}

/** The longest text that stands in a line of both. */
function longestCommon(some: readonly string[], others: readonly string[]): string {
  let longest = ''
  for (const line of some) {
    for (let from = 0; from + longest.length < line.length; from++) {
      while (
        from + longest.length < line.length &&
        others.some((other) => other.includes(line.slice(from, from + longest.length + 1)))
      ) {
        longest = line.slice(from, from + longest.length + 1)
      }
    }
  }
  return longest
}

test('the longest common text is found, or this would be a test that cannot fail', () => {
  assert.equal(longestCommon(['xabcy', 'x'], ['zabc1', 'q']), 'abc')
  assert.equal(longestCommon(['a=sentrypeer 1'], ['b=sentrypeer 2']), '=sentrypeer ')
})

for (const [index, one] of PERSONA_NAMES.entries()) {
  for (const other of PERSONA_NAMES.slice(index + 1)) {
    test(`a node that passes for ${one} and one that passes for ${other} share no text of their own`, async () => {
      const [here, there] = [await ownLines(one, 'a1', '203.0.113.5'), await ownLines(other, 'b2', '198.51.100.9')]
      const common = longestCommon(here, there)
      assert.ok(common.length <= LONGEST_NAME, JSON.stringify(common))
    })
  }
}

for (const name of PERSONA_NAMES) {
  test(`two nodes that pass for ${name} share what every ${name} says, and nothing that is ours`, async () => {
    const persona = createPersona(name, 'a1')
    const ofTheProduct = [
      ...[persona.allow, persona.supported, persona.accept, persona.sdp.session, persona.sdp.owner, persona.realm],
      ...[...persona.contact.split(/\{\w+\}/), persona.agent[1].split(/[\d]/)[0] ?? ''],
      ...[...persona.optionsHeaders, ...persona.registerHeaders].map(([, value]) => value),
    ].filter((value) => value !== null)
    const differing = (lines: readonly string[]) =>
      lines.map((line) => ofTheProduct.reduce((text, value) => text.replace(value, ''), line))
    for (const [one, other] of [
      ['a1', 'b2'],
      ['c3', 'd4'],
      ['e5', 'f6'],
    ] as const) {
      const here = differing(await ownLines(name, one, '203.0.113.5'))
      const there = differing(await ownLines(name, other, '198.51.100.9'))
      const common = longestCommon(here, there)
      assert.ok(common.length <= LONGEST_NAME, JSON.stringify(common))
      const [mine, theirs] = [createPersona(name, one), createPersona(name, other)]
      assert.notDeepEqual([mine.agent[1], mine.realm], [theirs.agent[1], theirs.realm])
    }
  })
}
