// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { OPERATOR_ERROR_CODES, OperatorError } from '../ops/errors.ts'
import { complaint, exitCodeOf } from './complaint.ts'

test('an error of the operator is its message, its hint, and its code to look up', () => {
  const error = new OperatorError('DB_FOREIGN', 'x.db is of another program', 'Name another file with -f.')
  assert.equal(complaint(error), 'sentrypeer: x.db is of another program. Name another file with -f. [DB_FOREIGN]\n')
})

test('a mistake of usage needs no code', () => {
  assert.equal(complaint(new OperatorError('USAGE', 'no', 'Say yes.')), 'sentrypeer: no. Say yes.\n')
})

for (const message of ['it is damaged.', 'is it?', 'cut off…']) {
  test(`"${message}" gets no second full stop`, () => {
    assert.equal(complaint(new OperatorError('USAGE', message, 'Look.')), `sentrypeer: ${message} Look.\n`)
  })
}

test('control characters in an error reach no terminal', () => {
  const error = new OperatorError('CONFIG_INVALID', 'a\u001b[2Jb\nc', 'd\u202ee\r')
  assert.equal(complaint(error), 'sentrypeer: a\\u{1b}[2Jb\\nc. d\\u{202e}e\\r [CONFIG_INVALID]\n')
})

test('anything else is told as a bug, with the lines of its stack', () => {
  const lines = complaint(new TypeError('x is not a y')).split('\n')
  assert.equal(lines[0], 'sentrypeer: this is a bug in SentryPeer, please report it: TypeError: x is not a y')
  assert.match(lines[1] ?? '', /^ {4}at .*complaint\.test\.ts/)
  assert.match(complaint('thrown\u0007text'), /report it: thrown\\u\{7\}text\n$/)
})

for (const code of OPERATOR_ERROR_CODES) {
  const expected = code === 'USAGE' ? 2 : 1
  test(`${code} ends the process with ${expected}`, () => {
    assert.equal(exitCodeOf(new OperatorError(code, '', '')), expected)
  })
}

test('a bug ends the process with 70', () => assert.equal(exitCodeOf(new Error('x')), 70))
