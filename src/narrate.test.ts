// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { createNarrator } from './narrate.ts'
import { createCounters } from './ops/counters.ts'
import { eventOf } from './store/sqlite/fixture.ts'

test('lines of -v and -d are left out, and counted, while more than 55 % of the room for events is taken', () => {
  const lines: string[] = []
  const print = (line: string) => lines.push(line)
  const counters = createCounters()
  let fullness = 0.54
  const log = { warn: print, notice: print, info: print, debug: print }
  const tell = createNarrator({ log, counters, fullness: () => fullness })
  tell(eventOf())
  assert.equal(lines.length, 2)
  assert.match(lines[0] ?? '', /^UDP from 198\.51\.100\.7:5060: INVITE for 00046500729221, agent friendly-scanner$/)
  fullness = 0.55
  tell(eventOf())
  assert.equal(lines.length, 2)
  assert.equal(counters.get('leftOutLines'), 1)
})
