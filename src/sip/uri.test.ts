// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { addressParameter, addressUri, calledNumber, parseUri, quotedEnd } from './uri.ts'

for (const [uri, number, why] of [
  ['sip:00046500729221@192.0.2.1', '00046500729221', 'is the user part'],
  ['sip:+46500729221@192.0.2.1:5060;user=phone', '+46500729221', 'keeps its plus'],
  ['SIPS:100@192.0.2.1', '100', 'is read from any spelling of the scheme (RFC 3261 §19.1.4)'],
  ['sip:100;phone-context=x@192.0.2.1', '100', 'leaves user parameters out (§19.1.6)'],
  ['sip:100:secret@192.0.2.1', '100', 'leaves the password out'],
  ['sip:%31%30%30@192.0.2.1', '100', 'has its escapes resolved'],
  ['sip:%2531@192.0.2.1', '%31', 'has them resolved once'],
  ['sip:1%00%zz%@192.0.2.1', '1\0%zz%', 'keeps what is no escape'],
  ['sip:a?b/c@192.0.2.1', 'a?b/c', 'may have a question mark, which begins headers only behind the host'],
  ['sip:voil\xc3\xa0@192.0.2.1', 'voil\xc3\xa0', 'may end in a byte that is white space in latin1'],
  [' sip: 100 @192.0.2.1', '100', 'is found between stray spaces'],
  ['sip:192.0.2.1', null, 'is null when the URI has no user'],
  ['sip:@192.0.2.1', null, 'is null when the user is empty'],
  ['sip::secret@192.0.2.1', null, 'is null when there is only a password'],
  ['sip:', null, 'is null when nothing follows the scheme'],
  ['tel:+4650072', '+4650072', 'is the number of a tel: URI (RFC 3966)'],
  ['tel:+1-(201) 555.0123;ext=7', '+12015550123', 'has no visual separators (RFC 3966 §3)'],
  ['tel:;phone-context=x', null, 'is null when a tel: URI has no number'],
  ['http://100@192.0.2.1', null, 'is null for another scheme'],
  ['isbn:2983792873', null, 'is null for an unknown scheme'],
  ['100@192.0.2.1', null, 'is null without a scheme'],
  ['None', null, 'is null for what is no URI'],
  ['', null, 'is null for nothing'],
] as const) {
  test(`the called number of ${uri || 'nothing'} ${why}`, () => assert.equal(calledNumber(uri), number))
}

test('a URI keeps its scheme in lower case, and the user as received', () => {
  assert.deepEqual(parseUri('SIPS:%31@host'), { scheme: 'sips', user: '%31' })
  assert.deepEqual(parseUri('sip:host'), { scheme: 'sip', user: null })
  assert.deepEqual(parseUri('Tel:1'), { scheme: 'tel', user: '1' })
})

for (const [value, uri, why] of [
  ['<sip:100@a>;tag=1', 'sip:100@a', 'in brackets'],
  ['"Bob" <sip:100@a;x=y>', 'sip:100@a;x=y', 'with its own parameters, which the brackets keep (RFC 3261 §20)'],
  ['Bell, A. <sip:100@a>', 'sip:100@a', 'behind a name that should be quoted'],
  ['"a \\" <sip:666@a>" <sip:100@a>', 'sip:100@a', 'behind a name that holds another address'],
  ['<sip:"1"@a>', 'sip:"1"@a', 'with quotes inside the brackets'],
  ['sip:100@a;tag=1', 'sip:100@a', 'bare, without the parameters of the header'],
  ['sip:100;x=y@a;tag=1', 'sip:100;x=y@a', 'bare, with parameters in the user'],
  ['sip:a;tag=1', 'sip:a', 'bare, without a user'],
  ['  sip:100@a  ', 'sip:100@a', 'between white space'],
  ['sip:100@a;x="b;c"', 'sip:100@a', 'bare, with a quoted parameter behind it'],
  ['sip:100@a;x="<sip:666@a>"', 'sip:100@a', 'bare, with an address in a quoted parameter behind it'],
  ['"Bob" sip:100@a;tag=1', 'sip:100@a', 'bare, behind a quoted name'],
  ['*', '*', 'of a Contact that is a star'],
  ['<>', '', 'that is empty'],
  ['"Bob <sip:100@a>', null, 'that a quote without end hides'],
  ['<sip:100@a', null, 'that no bracket closes'],
] as const) {
  test(`the URI ${why} is found in ${value}`, () => assert.equal(addressUri(value), uri))
}

for (const [value, name, parameter, why] of [
  ['<sip:100@a>;tag=1', 'tag', '1', 'has its value'],
  ['<sip:100@a> ; Tag = 1 ;x', 'tag', '1', 'is found in any case, white space around it'],
  ['<sip:100@a>;x;tag', 'tag', '', 'is empty when it has no value'],
  ['<sip:100@a;tag=1>', 'tag', null, 'is not that of the URI'],
  ['"b;tag=1" <sip:100@a>', 'tag', null, 'is not part of the name'],
  ['<sip:100@a>;x=";tag=1"', 'tag', null, 'is not part of a quoted string'],
  ['<sip:100@a>;x="\\";tag=1', 'tag', null, 'is not behind a quote that never ends'],
  ['<sip:100@a>;x="b";tag=1', 'tag', '1', 'is found behind a quoted string'],
  ['sip:100;tag=1@a', 'tag', null, 'is not that of a user'],
  ['sip:100@a;tag=1;tag=2', 'tag', '1', 'is the first of that name'],
  ['sip:a;tag=1', 'tag', '1', 'is found behind a bare URI without a user'],
  ['<sip:100@a>;tags=1;atag=2', 'tag', null, 'has exactly that name'],
  ['<sip:100@a>;', 'tag', null, 'is null when there are none'],
] as const) {
  test(`the parameter ${name} of ${value} ${why}`, () => assert.equal(addressParameter(value, name), parameter))
}

test('a quoted string ends at the first quote that is not escaped', () => {
  assert.equal(quotedEnd('x"a\\"b\\\\"c"', 1), 9)
  assert.equal(quotedEnd('"a\\"', 0), -1)
  assert.equal(quotedEnd('"', 0), -1)
  assert.equal(quotedEnd('"\\', 0), -1)
})

test('any dialled digits come back whole, however they are wrapped', () => {
  const digits = fc.stringMatching(/^\+?[0-9]{1,20}$/)
  const display = fc.stringMatching(/^(?:"(?:[a-z<>;,@ ]|\\"){0,8}" ?|[a-z]{0,5} ?)$/)
  const tail = fc.constantFrom('', ';tag=1', ';x="a;b@<c>"', ' ; x = y')
  fc.assert(
    fc.property(digits, display, tail, (number, name, parameters) => {
      for (const value of [
        `${name}<sip:${number};a=b:pw@192.0.2.1:5060;x=y>${parameters}`,
        `sip:${number}@192.0.2.1${parameters}`,
      ]) {
        const uri = addressUri(value)
        assert.equal(uri === null ? null : calledNumber(uri), number)
      }
    }),
  )
})

test('any text can be asked for its URI, user and parameters', () => {
  const text = fc.oneof(
    fc.uint8Array().map((bytes) => Buffer.from(bytes).toString('latin1')),
    fc.string({
      unit: fc.constantFrom('sip:', 'tel:', '<', '>', '"', '\\', ';', '@', ':', '%', '%00', 'tag', '=', ' ', '1'),
    }),
  )
  fc.assert(
    fc.property(text, (value) => {
      const uri = addressUri(value)
      assert.ok(uri === null || value.includes(uri))
      const number = calledNumber(value)
      assert.ok(number === null || number !== '')
      const tag = addressParameter(value, 'tag')
      assert.ok(tag === null || value.includes(tag))
    }),
  )
})
