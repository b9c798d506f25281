// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { choosePersona, createPersona, PERSONA_NAMES, type Persona } from './persona.ts'

const seeds = Array.from({ length: 200 }, (_, index) => index.toString(16).padStart(32, '0'))
const everyPersona = PERSONA_NAMES.flatMap((name) => seeds.map((seed) => createPersona(name, seed)))
const LONGEST_SHARED = 18

const BITS = { hex: 4, HEX: 4, dec: Math.log2(10), base64: 6, alnum: Math.log2(62) } as const

/** What nobody can guess of a template, counted apart from the code that expands it. */
function bitsOf(template: string): number {
  const characters = [...template.matchAll(/\{(hex|HEX|dec|base64|alnum):(\d+)\}/g)]
  const uuids = template.split('{uuid}').length - 1
  return characters.reduce((sum, [, name, count]) => sum + BITS[name as keyof typeof BITS] * Number(count), uuids * 122)
}

function longestShared(a: string, b: string): string {
  let longest = ''
  for (let from = 0; from < a.length; from++) {
    while (from + longest.length < a.length && b.includes(a.slice(from, from + longest.length + 1))) {
      longest = a.slice(from, from + longest.length + 1)
    }
  }
  return longest
}

/** The shape of a token: what a pattern that was made from one of them would match. */
function shapeOf(template: string): string {
  return template.replaceAll('{uuid}', '{hex:8}-{hex:4}-{hex:4}-{hex:4}-{hex:12}')
}

test('an extension that does not exist is not found: at a 403 svwar takes the node for one that hides them', () => {
  for (const { name, unknownUserStatus } of everyPersona) assert.equal(unknownUserStatus, 404, name)
})

for (const [what, template] of [
  ['tag of answers to INVITE', (persona: Persona) => persona.tag],
  ['nonce', (persona: Persona) => persona.nonce],
  ['short nonce', (persona: Persona) => persona.shortNonce],
] as const) {
  test(`nobody guesses the ${what} of any persona: it has at least 96 bits`, () => {
    for (const persona of everyPersona) {
      assert.ok(bitsOf(template(persona)) >= 96, `${persona.name}: ${template(persona)}`)
    }
  })
}

test('short tags and nonces are no longer than the full ones', () => {
  for (const { name, tag, shortTag, nonce, shortNonce } of everyPersona) {
    const lengthOf = (template: string) =>
      shapeOf(template)
        .replace('{time}', '1700000000')
        .replace(/\{\w+:(\d+)\}/g, (_, count) => 'x'.repeat(Number(count))).length
    assert.ok(lengthOf(shortTag) < lengthOf(tag) && lengthOf(shortTag) <= 15, `${name}: ${shortTag}`)
    assert.ok(lengthOf(shortNonce) < lengthOf(nonce), `${name}: ${shortNonce}`)
  }
})

test('every template has known parts only', () => {
  for (const persona of everyPersona) {
    const { tag, shortTag, nonce, shortNonce, opaque, contact, sdp } = persona
    for (const template of [tag, shortTag, nonce, shortNonce, opaque, sdp.owner]) {
      assert.doesNotMatch(template.replace(/\{(?:(?:hex|HEX|dec|base64|alnum):[1-9]\d?|uuid|time)\}/g, ''), /[{}]/)
    }
    assert.doesNotMatch(contact.replace(/\{(?:user|host|transport|token)\}/g, ''), /[{}]/)
    assert.match(contact, /^sip:(?:\{user\})?\{host\}/)
  }
})

test('tags, short tags and nonces look different from one persona to another', () => {
  for (const part of ['tag', 'shortTag', 'nonce'] as const) {
    const owners = new Map<string, string>()
    for (const persona of everyPersona) {
      const shape = shapeOf(persona[part])
      assert.equal(owners.get(shape) ?? persona.name, persona.name, `${part} ${shape}`)
      owners.set(shape, persona.name)
    }
  }
})

test('no two personas share 18 characters in a row of what they tell about themselves', () => {
  for (const of of [
    (persona: Persona) => persona.allow,
    (persona: Persona) => persona.supported ?? '',
    (persona: Persona) => persona.accept ?? '',
    (persona: Persona) => persona.sdp.owner,
    (persona: Persona) => persona.sdp.session,
    (persona: Persona) => persona.agent[1],
  ]) {
    const values = new Map(everyPersona.map((persona) => [`${persona.name}\n${of(persona)}`, persona] as const))
    for (const a of values.values()) {
      for (const b of values.values()) {
        if (a.name === b.name) continue
        const shared = longestShared(of(a), of(b))
        assert.ok(shared.length <= LONGEST_SHARED, `${a.name} and ${b.name}: ${shared}`)
      }
    }
  }
})

for (const name of PERSONA_NAMES) {
  const personas = seeds.map((seed) => createPersona(name, seed))

  test(`${name} comes in at least 8 versions`, () => {
    assert.ok(new Set(personas.map(({ agent }) => agent[1])).size >= 8)
  })

  test(`two nodes that pass for ${name} differ in version, realm or both`, () => {
    const looks = personas.map(({ agent, realm }) => `${agent[1]}\n${realm}`)
    const alike = looks.flatMap((look, index) => looks.slice(index + 1).filter((other) => other === look)).length
    const pairs = (looks.length * (looks.length - 1)) / 2
    // A few meet where a product has a realm of its own, which most of its machines keep.
    assert.ok(alike / pairs < 0.005, `${alike} of ${pairs} pairs are alike`)
  })

  test(`${name} is the same after each start`, () => {
    for (const seed of seeds.slice(0, 20)) assert.deepEqual(createPersona(name, seed), createPersona(name, seed))
  })
}

test('a realm is one of the product, the name of a machine, or in a domain that nobody can own', () => {
  const own = new Set(['asterisk', '3CXPhoneSystem', 'audiocodes.com'])
  for (const { realm } of everyPersona) {
    assert.ok(
      own.has(realm) || /^[a-z0-9-]+(?:\.[a-z]+\.(?:local|lan|internal|office|corp|home\.arpa))?$/.test(realm),
      realm,
    )
  }
})

test('every order has the headers that a response must have, each once', () => {
  for (const { name, style } of everyPersona) {
    const lower = style.order.map((header) => header.toLowerCase())
    for (const needed of ['via', 'from', 'to', 'call-id', 'cseq', 'content-type', 'content-length']) {
      assert.ok(lower.includes(needed), `${name} lacks ${needed}`)
    }
    assert.equal(new Set(lower).size, lower.length, name)
  }
})

test('a persona allows the methods of a call, and its set of methods is what Allow says', () => {
  for (const { name, allow, methods } of everyPersona) {
    for (const method of ['INVITE', 'ACK', 'CANCEL', 'BYE', 'OPTIONS', 'REGISTER']) assert.ok(methods.has(method), name)
    assert.deepEqual([...methods], allow.split(/, ?/))
  }
})

test('a challenge names what the persona says that it has', () => {
  for (const { name, challenge, algorithms } of everyPersona) {
    assert.equal(challenge.order.includes('qop'), challenge.qop, name)
    assert.equal(challenge.order.includes('opaque'), challenge.opaque, name)
    assert.ok(challenge.order.includes('realm') && challenge.order.includes('nonce'), name)
    if (algorithms.length > 1) assert.ok(challenge.order.includes('algorithm'), name)
  }
})

test('a call rings soon and is answered later, in any persona', () => {
  for (const { name, ringsAfterMs, answersAfterMs } of everyPersona) {
    assert.ok(ringsAfterMs >= 20 && ringsAfterMs <= 300, `${name}: ${ringsAfterMs}`)
    assert.ok(answersAfterMs >= 800 && answersAfterMs <= 4000, `${name}: ${answersAfterMs}`)
  }
})

test('nothing in a persona could begin a line of its own or end a quoted string', () => {
  for (const { agent, allow, supported, accept, optionsHeaders, registerHeaders, realm, sdp } of everyPersona) {
    const values = [...agent, allow, supported ?? '', accept ?? '', realm, sdp.owner, sdp.session]
    for (const value of [...values, ...optionsHeaders.flat(), ...registerHeaders.flat()]) {
      assert.match(value, /^[\x20-\x7e]*$/)
    }
    assert.doesNotMatch(realm, /["\\]/)
    assert.doesNotMatch(sdp.owner, / /)
  }
})

test('a new node passes for a persona that lets calls through, and each of those has its turn', () => {
  const chosen = new Set(Array.from({ length: 100 }, (_, index) => choosePersona(index / 100)))
  assert.deepEqual([...chosen].sort(), ['asterisk', 'audiocodes', 'cisco', 'kamailio'])
  for (const name of [...chosen, choosePersona(1 - Number.EPSILON)]) {
    for (const seed of seeds.slice(0, 10)) assert.equal(createPersona(name, seed).challengesInvite, false)
  }
})
