// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { listElements } from './list.ts'
import { answeredVia, parseVia, viaParameter } from './via.ts'

for (const [value, via, why] of [
  [
    'SIP/2.0/UDP a.example.net:5060;branch=z9hG4bK1;rport',
    { protocol: 'SIP/2.0/UDP', sentBy: 'a.example.net:5060', parameters: ['branch=z9hG4bK1', 'rport'], next: null },
    'a hop as most write it',
  ],
  [
    'SIP / 2.0 / UDP  a.example.net : 5060 ; branch = z9hG4bK1 ;; x',
    {
      protocol: 'SIP / 2.0 / UDP',
      sentBy: 'a.example.net : 5060',
      parameters: ['branch = z9hG4bK1', 'x'],
      next: null,
    },
    'white space around every separator (RFC 3261 §25.1)',
  ],
  [
    'SIP/2.0/UDP [2001:db8::1]:5060;rport',
    { protocol: 'SIP/2.0/UDP', sentBy: '[2001:db8::1]:5060', parameters: ['rport'], next: null },
    'an IPv6 reference',
  ],
  [
    'SIP/2.0/TCP a;x="1;2,3\\"4", SIP/2.0/UDP b;rport, SIP/2.0/UDP c',
    { protocol: 'SIP/2.0/TCP', sentBy: 'a', parameters: ['x="1;2,3\\"4"'], next: 'SIP/2.0/UDP b;rport, SIP/2.0/UDP c' },
    'several hops, and separators in a quoted string',
  ],
  ['SIP/2.0/UDP a,', { protocol: 'SIP/2.0/UDP', sentBy: 'a', parameters: [], next: null }, 'nothing behind a comma'],
  ['SIP/2.0 a.example.net', null, 'no transport'],
  ['SIP/2.0/UDP', null, 'no sent-by'],
  ['SIP/2.0/UDP ;branch=x', null, 'parameters but no sent-by'],
  ['SIP/2.0/UDP a;x="never ends', null, 'a quoted string that never ends'],
  ['', null, 'nothing'],
] as const) {
  test(`a Via with ${why} is ${via === null ? 'no hop' : 'read'}`, () => assert.deepEqual(parseVia(value), via))
}

for (const [name, value, why] of [
  ['branch', 'z9hG4bK1', 'has its value'],
  ['ttl', '16', 'has its value without white space'],
  ['rport', '', 'is empty when it has no value'],
  ['maddr', null, 'is null when it is not there'],
] as const) {
  test(`the parameter ${name} ${why}`, () => {
    const via = parseVia('SIP/2.0/UDP a;Branch=z9hG4bK1;ttl = 16;rport, SIP/2.0/UDP b;maddr=c')
    assert.equal(via === null ? undefined : viaParameter(via, name), value)
  })
}

const hop = 'SIP/2.0/UDP'
for (const [values, answer, why] of [
  [[`${hop} 192.0.2.1;branch=1`], [`${hop} 192.0.2.1;branch=1`], 'is as it came when the packet came from its host'],
  [
    [`${hop} 192.0.2.1:9;branch=1`],
    [`${hop} 192.0.2.1:9;branch=1`],
    'is as it came when only the port differs (RFC 3261 §18.2.1)',
  ],
  [
    [`${hop} 192.0.2.2;branch=1`],
    [`${hop} 192.0.2.2;branch=1;received=192.0.2.1`],
    'says where the packet came from when the host is another address (RFC 3261 §18.2.1)',
  ],
  [
    [`${hop} a.example.net;branch=1`],
    [`${hop} a.example.net;branch=1;received=192.0.2.1`],
    'says where the packet came from when the host is a name (RFC 3261 §18.2.1)',
  ],
  [
    [`${hop} 192.0.2.1;rport;branch=1`],
    [`${hop} 192.0.2.1;branch=1;rport=5071;received=192.0.2.1`],
    'has the port where rport asked for it, and then the address in any case (RFC 3581 §4)',
  ],
  [
    [`${hop} 192.0.2.2;received=198.51.100.1;rport=53;branch=1`],
    [`${hop} 192.0.2.2;branch=1;rport=5071;received=192.0.2.1`],
    'has our values in place of those that the sender wrote himself',
  ],
  [
    [`${hop} 192.0.2.2;RECEIVED=198.51.100.1;Rport`],
    [`${hop} 192.0.2.2;rport=5071;received=192.0.2.1`],
    'has parameter names compared without case',
  ],
  [
    [`${hop} 192.0.2.1;x="a;received=b"`],
    [`${hop} 192.0.2.1;x="a;received=b"`],
    'keeps what looks like a parameter inside a quoted string',
  ],
  [
    [`${hop} a;rport, ${hop} b;rport`, `${hop} c;received=d`],
    [`${hop} a;rport=5071;received=192.0.2.1, ${hop} b;rport`, `${hop} c;received=d`],
    'leaves the hops below it alone',
  ],
  [['over there', `${hop} b`], ['over there', `${hop} b`], 'is as it came when it is no hop'],
] as const) {
  test(`the topmost Via of an answer ${why}: ${values[0]}`, () => {
    assert.deepEqual(answeredVia(values, '192.0.2.1', 5071), answer)
  })
}

test('where bytes are counted, received stands only where the client cannot know its address', () => {
  const lean = (value: string) => answeredVia([value], '192.0.2.1', 5071, true)
  assert.deepEqual(lean(`${hop} 192.0.2.1;rport;branch=1`), [`${hop} 192.0.2.1;branch=1;rport=5071`])
  assert.deepEqual(lean(`${hop} 10.0.0.1;rport`), [`${hop} 10.0.0.1;rport=5071;received=192.0.2.1`])
})

test('an IPv6 source is compared with the reference in brackets, and named without them', () => {
  assert.deepEqual(answeredVia([`${hop} [2001:DB8::1]:5060`], '2001:db8::1', 5071), [`${hop} [2001:DB8::1]:5060`])
  assert.deepEqual(answeredVia([`${hop} [2001:db8::2]`], '2001:db8::1', 5071), [
    `${hop} [2001:db8::2];received=2001:db8::1`,
  ])
})

const hops = fc.stringMatching(
  /^SIP\/2\.0\/(?:UDP|TCP) [a-z.0-9]{1,6}(?::\d{1,4})?(?:;(?:branch=[a-z0-9]{1,4}|rport|received=[0-9.]{1,4}|x="[;,a]{0,3}")){0,3}$/,
)

test('an answer has as many hops as the request, all but the topmost the same text', () => {
  fc.assert(
    fc.property(fc.array(fc.array(hops, { minLength: 1, maxLength: 3 }), { minLength: 1, maxLength: 4 }), (lines) => {
      const answer = answeredVia(
        lines.map((line) => line.join(', ')),
        '192.0.2.1',
        5071,
      )
      assert.equal(answer.length, lines.length)
      const [topmost = '', ...others] = answer.flatMap(listElements)
      assert.deepEqual(others, lines.flat().slice(1))
      const asked = parseVia(lines[0]?.[0] ?? '')
      const given = parseVia(topmost)
      assert.equal(given?.sentBy, asked?.sentBy)
      const isTheirs = (parameter: string) => !/^(?:rport|received)\b/.test(parameter)
      assert.deepEqual(given?.parameters.filter(isTheirs), asked?.parameters.filter(isTheirs))
    }),
  )
})

test('any value can be asked for its hop and answered, and no line is lost', () => {
  const value = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({ unit: fc.constantFrom('SIP/2.0/UDP a', ';', ',', '"', '\\', ' ', 'rport', '=', '/') }),
  )
  fc.assert(
    fc.property(fc.array(value), (values) => {
      assert.equal(answeredVia(values, '192.0.2.1', 5071).length, values.length)
      const via = parseVia(values[0] ?? '')
      assert.ok(via === null || (via.sentBy !== '' && via.next !== ''))
    }),
  )
})
