// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import manifest from '../package.json' with { type: 'json' }
import { createExtensions } from '../src/honeypot/extensions.ts'
import { createPersona, PERSONA_NAMES } from '../src/honeypot/persona.ts'
import { getJson } from './api-client.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'
import { assertSameIds, type HoneyRow, honeyRows, type JsonLine, jsonLines, sqlite } from './evidence.ts'
import { testWith } from './peers.ts'
import type { Ended } from './run.ts'
import { type PretendedNode, SCANS, type Scan } from './scans.ts'
import { sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { sipvicious } from './sipvicious.ts'
import { type SyslogLine, startSyslogDaemon } from './syslog-daemon.ts'
import { waitFor } from './wait-for.ts'

const JSON_KEYS = [
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
  'source_port',
  'destination_port',
  'proof',
  'request_user',
  'fault',
  'fingerprint',
  'tool',
  'proof_by',
  'auth_user',
  'auth_realm',
  'auth_nonce',
  'auth_response',
  'auth_algorithm',
  'auth_password',
]

for (const scan of SCANS) {
  const family = scan.host === '::1' ? 'IPv6' : 'IPv4'
  const everywhere = 'the database, the JSON log, syslog and the API have every message'
  const name = `${scan.name} over ${scan.transport} and ${family}, and ${everywhere}`

  testWith([scan.peer, 'sqlite3', 'rsyslogd'], name, async (t) => {
    const folder = await temporaryFolder(t)
    const syslog = await startSyslogDaemon(t, folder)
    const host = scan.host === '::1' ? '[::1]:0' : '127.0.0.1:0'
    const daemon = await startDaemon(t, {
      folder,
      sip: [host],
      tls: [host],
      api: '127.0.0.1:0',
      flags: ['-rjsv', '--syslog-socket', syslog.socket, ...(scan.flags ?? [])],
    })
    assertVerdict(await scan.scan(daemon.port(scan.transport, scan.host), scan.host), scan, await pretended(daemon))

    const rows = await allRows(daemon, scan.messages.length)
    assertRows(rows, scan, daemon)
    await waitFor(
      'the JSON log',
      async () => (await jsonLines(join(folder, 'sentrypeer_json.log'))).length >= rows.length,
    )
    assertJsonLines(await jsonLines(join(folder, 'sentrypeer_json.log')), rows)
    await waitFor('syslog', async () => (await syslog.lines()).length >= rows.length)
    assertSyslogLines(await syslog.lines(), rows, daemon)
    await assertApiAnswers(daemon, rows, scan)
  })
}

for (const host of ['127.0.0.1', '::1'] as const) {
  testWith(
    ['svcrack', 'sqlite3'],
    `svcrack on ${host} finds a password, and every login that it tried is kept`,
    async (t) => {
      const daemon = await startDaemon(t, { flags: ['-r'], sip: [host === '::1' ? '[::1]:0' : `${host}:0`] })
      const port = daemon.port('UDP', host)
      const { code, stdout, stderr } = await sipvicious('svcrack', host, port, ['-u100', '-r1225-1260'])
      assert.equal(code, 0, stderr)
      const found = /^\| 100 +\| (12\d\d) +\|$/m.exec(stdout)?.[1] ?? assert.fail(stdout + stderr)
      const { persona } = await pretended(daemon)
      const rows = (await honeyRows(join(daemon.folder, 'sentrypeer.db'))).filter((row) => row.auth_user !== null)
      assert.ok(rows.length >= 20, `${rows.length} logins`)
      for (const row of rows) {
        assert.deepEqual([row.auth_user, row.auth_realm, row.auth_algorithm], ['100', persona.realm, 'MD5'])
        assert.match(row.auth_response ?? '', /^[0-9a-f]{32}$/)
        assert.deepEqual([row.proof, row.proof_by], ['echo', 'nonce'])
      }
      const known = rows.map((row) => row.auth_password).filter((password) => password !== null)
      assert.deepEqual(known.toSorted(), ['100', '1234'], 'the weak ones of those tried are known in the clear')
      assert.ok(Number(found) >= 1243, `it was let in at the 20th try, with ${found}`)
    },
  )
}

testWith(['svmap', 'sqlite3'], 'a passive node keeps what scanners send and gives no byte back', async (t) => {
  const daemon = await startDaemon(t, { tls: ['127.0.0.1:0'] })
  const udp = await udpClient(t, daemon.port('UDP'))
  const tcp = await tcpClient(t, daemon.port('TCP'))
  udp.send(sipRequest({ callId: 'passive-udp', method: 'INVITE' }))
  tcp.send(`\r\n\r\n${sipRequest({ callId: 'passive-tcp', transport: 'TCP' })}`) // a ping first: it is answered by -r only
  tcp.socket.end()
  const svmap = await sipvicious('svmap', '127.0.0.1', daemon.port('UDP'))
  assert.match(svmap.stderr, /WARNING:root:found nothing/)
  assert.equal(svmap.stdout, '')

  const rows = await allRows(daemon, 3)
  assert.deepEqual(rows.map((row) => [row.transport_type, row.collected_method]).sort(), [
    ['TCP', 'passive'],
    ['UDP', 'passive'],
    ['UDP', 'passive'],
  ])
  await waitFor('the daemon to close the connection', () => tcp.socket.closed)
  assert.equal(udp.received() + tcp.received(), '')
})

function assertVerdict({ code, stdout, stderr }: Ended, { exitCode, says }: Scan, node: PretendedNode): void {
  assert.equal(code, exitCode, stdout + stderr)
  assert.match(stdout + stderr, says instanceof RegExp ? says : says(node))
}

/** What this node passes for, by the seed and name in its database. */
async function pretended({ folder }: DaemonProcess): Promise<PretendedNode> {
  const kept = await sqlite<{ name: string; value: string }>(
    join(folder, 'sentrypeer.db'),
    "SELECT name, value FROM sentrypeer WHERE name IN ('seed', 'persona')",
  )
  const { seed = assert.fail('no seed'), persona } = Object.fromEntries(kept.map(({ name, value }) => [name, value]))
  const name = PERSONA_NAMES.find((known) => known === persona) ?? assert.fail(persona)
  return { persona: createPersona(name, seed), extensions: createExtensions(seed) }
}

/** Every row, once there are as many different messages as were sent. */
async function allRows(daemon: DaemonProcess, messages: number): Promise<HoneyRow[]> {
  return waitFor(`${messages} messages in the database`, async () => {
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    return new Set(rows.map((row) => row.sip_message)).size >= messages ? rows : null
  })
}

/** What each tool is known as; openssl sends what we tell it to. */
const TOOLS: Readonly<Record<string, string>> = {
  svmap: 'sipvicious-svmap',
  svwar: 'sipvicious-svwar',
  svcrack: 'sipvicious-svcrack',
  sipp: 'sipp',
  sipsak: 'sipsak',
}

function assertRows(rows: readonly HoneyRow[], scan: Scan, daemon: DaemonProcess): void {
  const different = [...new Map(rows.map((row) => [row.sip_message, row])).values()]
  assert.equal(different.length, scan.messages.length)
  for (const [method, calledNumber] of scan.messages) {
    const at = different.findIndex((row) => row.method === method && calledNumber.test(row.called_number))
    assert.notEqual(at, -1, `no ${method} of ${calledNumber} in ${JSON.stringify(different)}`)
    different.splice(at, 1)
  }
  const nodeId = /^SentryPeer node id: (.*)$/m.exec(daemon.stderr())?.[1]
  for (const row of rows) {
    assert.equal(row.source_ip, scan.host)
    assert.equal(row.destination_ip, scan.host)
    assert.equal(row.destination_port, daemon.port(scan.transport, scan.host))
    assert.ok(row.source_port > 0 && row.source_port < 65_536)
    assert.equal(row.transport_type, scan.transport)
    assert.match(row.user_agent, scan.userAgent)
    assert.equal(row.collected_method, 'responsive')
    assert.equal(row.created_by_node_id, nodeId)
    assert.deepEqual([row.proof, row.proof_by], proofOf(row))
    assert.equal(row.fault, null)
    assert.match(row.fingerprint ?? '', /^s1\.[A-Za-z0-9._-]{1,61}$/)
    const tool = TOOLS[scan.peer]
    if (tool !== undefined) assert.equal(row.tool, tool, row.sip_message)
    assert.match(row.event_timestamp, /^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\.\d{9}$/)
    const [date = '', time = ''] = row.event_timestamp.split(' ')
    const ageMs = Date.now() - Date.parse(`${date}T${time.slice(0, 12)}Z`) // UTC: the daemon runs in another time zone
    assert.ok(ageMs > -1_000 && ageMs < 60_000, row.event_timestamp)
    assert.match(row.event_uuid, /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
    assert.ok(row.sip_message.startsWith(`${row.method} sip:`), row.sip_message)
    assert.match(row.sip_message, /\r\n\r\n/)
  }
}

/** Over UDP who answers a challenge, or ends what we began, has read what we sent. */
function proofOf({ transport_type: transport, method, auth_nonce: nonce }: HoneyRow): [string, string | null] {
  if (transport !== 'UDP') return ['handshake', transport.toLowerCase()]
  if (method === 'ACK' || method === 'BYE') return ['echo', 'to-tag']
  return nonce === null ? ['none', null] : ['echo', 'nonce']
}

function assertJsonLines(lines: readonly JsonLine[], rows: readonly HoneyRow[]): void {
  assertSameIds(
    lines.map((line) => line['event_uuid'] ?? ''),
    rows.map((row) => row.event_uuid),
    'events in the JSON log',
  )
  const { version } = manifest
  for (const [at, line] of lines.entries()) {
    const row = rows[at] ?? assert.fail('as many rows as lines')
    assert.deepEqual(Object.keys(line), JSON_KEYS)
    assert.deepEqual(line, {
      app_name: 'sentrypeer',
      app_version: version,
      event_timestamp: row.event_timestamp,
      event_uuid: row.event_uuid,
      created_by_node_id: row.created_by_node_id,
      collected_method: row.collected_method,
      transport_type: row.transport_type,
      source_ip: row.source_ip,
      destination_ip: row.destination_ip,
      called_number: row.called_number,
      sip_method: row.method,
      sip_user_agent: row.user_agent,
      sip_message: row.sip_message,
      source_port: String(row.source_port),
      destination_port: String(row.destination_port),
      proof: row.proof,
      request_user: row.request_user ?? 'NOT_FOUND',
      fault: row.fault ?? '',
      fingerprint: row.fingerprint ?? '',
      tool: row.tool ?? '',
      proof_by: row.proof_by ?? '',
      auth_user: row.auth_user ?? '',
      auth_realm: row.auth_realm ?? '',
      auth_nonce: row.auth_nonce ?? '',
      auth_response: row.auth_response ?? '',
      auth_algorithm: row.auth_algorithm ?? '',
      auth_password: row.auth_password ?? '',
    })
  }
}

function assertSyslogLines(lines: readonly SyslogLine[], rows: readonly HoneyRow[], { pid }: DaemonProcess): void {
  assert.deepEqual(
    lines,
    rows.map((row) => ({
      priority: 'user.notice',
      tag: `sentrypeer[${pid}]:`,
      message: `Source IP: ${row.source_ip}, Method: ${row.method}, Agent: ${row.user_agent}`,
    })),
  )
}

async function assertApiAnswers(daemon: DaemonProcess, rows: readonly HoneyRow[], { host }: Scan): Promise<void> {
  const port = daemon.port('HTTP')
  const actor = await getJson(port, `/ip-addresses/${encodeURIComponent(host)}`)
  assert.deepEqual([actor.status, actor.body['bad_actor_found'], actor.body.seen_count], [200, host, `${rows.length}`])
  const { body: actors } = await getJson(port, '/ip-addresses')
  assert.deepEqual(
    actors.ip_addresses?.map(({ ip_address }) => ip_address),
    [host],
  )

  const digits = rows.map((row) => row.called_number).filter((number) => /^[0-9]+$/.test(number))
  const { body: numbers } = await getJson(port, '/numbers')
  const counted = new Map(numbers.called_numbers?.map((one) => [one.called_number, Number(one.seen_count)]))
  for (const number of digits) assert.equal(counted.get(number), digits.filter((other) => other === number).length)
  assert.equal(counted.size, new Set(digits).size)

  const { body: page } = await getJson(port, '/events?limit=1000')
  const stored = new Map(rows.map((row) => [row.event_uuid, row.sip_message]))
  assert.deepEqual(new Map(page.events?.map((event) => [event['event_uuid'], event['sip_message']])), stored)
}
