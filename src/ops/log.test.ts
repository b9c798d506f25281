// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createLog, createRepeatedNotice, type LogLevel } from './log.ts'

for (const [level, expected] of [
  ['notice', ['w\n', 'n\n']],
  ['info', ['w\n', 'n\n', 'i\n']],
  ['debug', ['w\n', 'n\n', 'i\n', 'd\n']],
] as const satisfies [LogLevel, string[]][]) {
  test(`at level ${level} ${expected.length} of the four kinds are printed`, () => {
    const lines: string[] = []
    const log = createLog(level, (line) => lines.push(line))
    log.warn('w')
    log.notice('n')
    log.info('i')
    log.debug('d')
    assert.deepEqual(lines, expected)
  })
}

test('what an attacker sent cannot break a line of the log', () => {
  const lines: string[] = []
  createLog('notice', (line) => lines.push(line)).warn('agent x\nSource IP: 192.0.2.9\u001b[1m')
  assert.deepEqual(lines, ['agent x\\nSource IP: 192.0.2.9\\u{1b}[1m\n'])
})

test('lines of -v and -d are skipped while nobody reads, warnings and notices are not, and then the count is told', () => {
  const lines: string[] = []
  let isBacklogged = false
  const log = createLog(
    'debug',
    (line) => lines.push(line),
    () => isBacklogged,
  )
  const all = () => {
    log.info('i')
    log.debug('d')
    log.warn('w')
    log.notice('n')
  }
  isBacklogged = true
  all()
  all()
  isBacklogged = false
  all()
  assert.deepEqual(lines.join(''), 'w\nn\nw\nn\nLines not printed because nobody read this log: 4\ni\nd\nw\nn\n')
})

test('something that keeps happening is told at once and then now and then, with a count', () => {
  const lines: string[] = []
  let nowMs = 0
  const notice = createRepeatedNotice(
    (line) => lines.push(line),
    1_000,
    () => nowMs,
  )
  for (; nowMs < 2_500; nowMs += 100) notice('disk full')
  assert.deepEqual(lines, [
    'disk full',
    'disk full (10 times since the last such line)',
    'disk full (10 times since the last such line)',
  ])
})
