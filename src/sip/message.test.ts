// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { readHeaders } from './header-block.ts'
import { allHeaders, header, headerValue, headerValues } from './message.ts'

const text = 'Via: a\r\nX-Odd :  \r\nv:b ,c\r\nSubject:\r\n one\r\n\ttwo \r\nCall-ID: d\r\n \t\r\nVIA: e'
const block = readHeaders(Buffer.from(text), text, 0)

test('headers come in order, in their own spelling, with the byte where they begin', () => {
  assert.deepEqual(allHeaders(block), [
    { name: 'Via', value: 'a', offset: 0 },
    { name: 'X-Odd', value: '', offset: text.indexOf('X-Odd') },
    { name: 'v', value: 'b ,c', offset: text.indexOf('v:') },
    { name: 'Subject', value: 'one two', offset: text.indexOf('Subject') },
    { name: 'Call-ID', value: 'd', offset: text.indexOf('Call-ID') },
    { name: 'VIA', value: 'e', offset: text.indexOf('VIA') },
  ])
})

test('a header is found under its name whatever its form, the first one first', () => {
  assert.equal(headerValue(block, 'via'), 'a')
  assert.deepEqual(headerValues(block, 'via'), ['a', 'b ,c', 'e'])
  assert.equal(headerValue(block, 'subject'), 'one two')
  assert.equal(header(block, 'call-id')?.offset, text.indexOf('Call-ID'))
})

test('a header that is not there is null', () => {
  assert.equal(headerValue(block, 'to'), null)
  assert.equal(header(block, 'to'), null)
  assert.deepEqual(headerValues(block, 'to'), [])
})
