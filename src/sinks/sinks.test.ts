// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync, renameSync, statSync, truncateSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { test } from 'node:test'
import fc from 'fast-check'
import { eventJson } from '../event/json.ts'
import { eventOf, temporaryFolder } from '../store/sqlite/fixture.ts'
import { jsonlog } from './jsonlog.ts'
import { openLogFile } from './log-file.ts'
import { syslogLine } from './syslog.ts'

const application = { name: 'sentrypeer', version: '1.2.3' }
const quiet = { onTrouble: () => {}, onRecovered: () => {}, onLost: (lines: number) => assert.fail(`${lines} lost`) }
const KEYS = [
  'app_name',
  'app_version',
  'event_timestamp',
  'event_uuid',
  'created_by_node_id',
  'collected_method',
  'transport_type',
  'source_ip',
  'destination_ip',
  'called_number',
  'sip_method',
  'sip_user_agent',
  'sip_message',
]

test('the JSON of an event has the thirteen keys of old, first and in order, and only strings', () => {
  const json: Record<string, unknown> = JSON.parse(
    eventJson(eventOf({ method: null, calledNumber: null, userAgent: null }), application, 'seed'),
  )
  assert.deepEqual(Object.keys(json).slice(0, 13), KEYS)
  for (const value of Object.values(json)) assert.equal(typeof value, 'string')
  assert.deepEqual(
    [json['sip_method'], json['called_number'], json['sip_user_agent']],
    ['NOT_FOUND', 'NOT_FOUND', 'NOT_FOUND'],
  )
  assert.deepEqual([json['source_ip'], json['source_port'], json['proof']], ['198.51.100.7', '5060', 'none'])
})

test('the tpot profile has addresses with ports, IPv6 in brackets', () => {
  const json = JSON.parse(eventJson(eventOf({ sourceIp: '2001:db8::1', sourcePort: 5099 }), application, 'tpot'))
  assert.equal(json.source_ip, '[2001:db8::1]:5099')
  assert.equal(json.destination_ip, '127.0.0.1:5060')
})

test('the syslog line has our address first and attackers’ text last, on one line', () => {
  assert.equal(
    syslogLine(eventOf({ sourceIp: '144.21.55.36', method: 'OPTIONS', userAgent: 'sipsak 0.9.7' })),
    'Source IP: 144.21.55.36, Method: OPTIONS, Agent: sipsak 0.9.7',
  )
  const text = fc.string({ unit: 'binary', maxLength: 2_000 })
  fc.assert(
    fc.property(text, text, (method, userAgent) => {
      const line = syslogLine(eventOf({ method, userAgent }))
      assert.match(line, /^Source IP: 198\.51\.100\.7, Method: [^\u0000-\u001f\u007f-\u009f\u2028\u2029]*$/)
      assert.equal(line.match(/Source IP:/gi)?.length, 1)
    }),
  )
})

test('the JSON log is one object a line, appended to what is there', async (t) => {
  const file = join(temporaryFolder(t), 'x.log')
  writeFileSync(file, 'old\n')
  const log = { warn: assert.fail, notice: assert.fail, info: () => {}, debug: () => {} }
  const sink = await jsonlog.start({ enabled: true, file, profile: 'seed' }, { log, application })
  assert.ok(sink !== null)
  await sink.deliver([eventOf({ sipMessage: 'a\r\nb' }), eventOf()])
  await sink.stop()
  const [first, ...lines] = readFileSync(file, 'utf8').trimEnd().split('\n')
  assert.equal(first, 'old')
  assert.deepEqual(
    lines.map((line) => Object.keys(JSON.parse(line)).length),
    [27, 27],
  )
})

test('a log file that was renamed or removed is made anew with the next line, without a signal', async (t) => {
  const file = join(temporaryFolder(t), 'x.log')
  const log = await openLogFile(file, quiet)
  await log.append('one\n', 1)
  renameSync(file, `${file}.1`)
  await log.append('two\n', 1)
  assert.equal(readFileSync(`${file}.1`, 'utf8'), 'one\n')
  assert.equal(readFileSync(file, 'utf8'), 'two\n')
  truncateSync(file) // copytruncate
  await log.append('three\n', 1)
  assert.equal(readFileSync(file, 'utf8'), 'three\n')
  assert.equal(statSync(file).mode & 0o777, 0o640)
  await log.reopen()
  await log.append('four\n', 1)
  await log.close()
  assert.equal(readFileSync(file, 'utf8'), 'three\nfour\n')
})

test('a log file in a folder that is not there is a clear error', async (t) => {
  const file = join(temporaryFolder(t), 'missing', 'x.log')
  await assert.rejects(openLogFile(file, quiet), { code: 'LOG_NOT_WRITABLE', hint: /-l/ })
})
