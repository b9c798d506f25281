// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { join } from 'node:path'
import { getJson } from './api-client.ts'
import { startDaemon, temporaryFolder } from './daemon-process.ts'
import { callIdOf, type HoneyRow, honeyRows } from './evidence.ts'
import { metricsOf, sumOf } from './metrics.ts'
import { openNotifySocket } from './notify-socket.ts'
import { testWith } from './peers.ts'
import { type SettableClock, settableClock } from './set-clock.ts'
import { answeredIn, sipRequest, tcpClient, udpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

// A machine without a battery for its clock starts in the past and jumps when NTP comes; an operator sets it wrong.

const JUMPS = [365, -2, 0] // days ahead of the true time, one after the other, of a clock that starts a day behind
const CLOCK_SLACK_MS = 60_000 // between a jump and the event that is looked at, on a busy machine
const BURST_REPLIES = 100
const REPLIES_PER_S = 50
const IN_PIECE = 20 // chosen: 50 KB of any receive buffer

testWith(
  ['faketime', 'python3', 'sqlite3'],
  'a wall clock that jumps ahead and back ends and delays nothing, and rows have the time it says',
  async (t) => {
    const folder = await temporaryFolder(t)
    const clock = settableClock(folder, -1)
    const path = join(folder, 'notify')
    const manager = await openNotifySocket(t, path)
    const daemon = await startDaemon(t, {
      folder,
      env: { ...clock.env, NOTIFY_SOCKET: path, WATCHDOG_USEC: '1000000' },
      api: '127.0.0.1:0',
      tls: ['127.0.0.1:0'],
      flags: ['-rj'],
    })
    const udp = await udpClient(t, daemon.port('UDP'))
    const tcp = await tcpClient(t, daemon.port('TCP'))
    const expected = new Map<string, number>()
    const probe = async (callId: string) => {
      expected.set(`udp-${callId}`, clock.nowMs()).set(`tcp-${callId}`, clock.nowMs())
      udp.send(sipRequest({ callId: `udp-${callId}` }))
      tcp.send(sipRequest({ callId: `tcp-${callId}`, transport: 'TCP' }))
      await udp.answered(`udp-${callId}`)
      await tcp.answered(`tcp-${callId}`) // on the connection of before: its deadlines are not of the wall clock
    }
    await probe('first')
    for (const [at, days] of JUMPS.entries()) {
      clock.set(days)
      await probe(`jump-${at}`)
      const meals = manager.told('WATCHDOG=1').length
      await waitFor('two meals of the watchdog', () => manager.told('WATCHDOG=1').length > meals + 1)
      assert.equal((await getJson(daemon.port('HTTP'), '/health-check')).status, 200)
      assert.equal(
        (await getJson(daemon.port('HTTP'), '/events?limit=5')).body.events?.length,
        Math.min(5, expected.size),
      )
    }
    await daemon.stop()
    const rows = await honeyRows(join(folder, 'sentrypeer.db'))
    assert.deepEqual(rows.map((row) => callIdOf(row.sip_message)).sort(), [...expected.keys()].sort())
    assert.equal(new Set(rows.map((row) => row.event_uuid)).size, rows.length, 'ids are unique in spite of it')
    for (const row of rows) assertTime(row, expected.get(callIdOf(row.sip_message)) ?? 0)
  },
)

testWith(
  ['faketime', 'sqlite3'],
  'a jump of the wall clock forgets no transaction and gives nobody more replies',
  async (t) => {
    const folder = await temporaryFolder(t)
    const clock = settableClock(folder, 0)
    const daemon = await startDaemon(t, { folder, env: clock.env, api: '127.0.0.1:0', flags: ['-r'] })
    const again = await udpClient(t, daemon.port('UDP'), '127.0.0.2')
    const request = sipRequest({ callId: 'again', method: 'REGISTER', agent: 'x'.repeat(600) })
    again.send(request)
    await again.answered('again')

    const flood = await udpClient(t, daemon.port('UDP'))
    const startedMs = performance.now()
    let sent = 1 // the one of `again`
    const isStored = async () => sumOf(await metricsOf(daemon), 'events_stored_total') === sent
    const sendBurst = async (name: string) => {
      // Longer than their replies, so that it is their number that counts. In pieces: all at once may be more than the
      // kernel's buffer holds, and what it drops is answered by nobody.
      for (let at = 0; at < 2 * BURST_REPLIES; at++) {
        flood.send(sipRequest({ callId: `${name}-${at}`, agent: 'x'.repeat(600) }))
        sent++
        if (at % IN_PIECE === IN_PIECE - 1) await waitFor('what was sent to be stored', isStored)
      }
    }
    await sendBurst('before')
    await waitFor('the replies', () => answeredIn(flood.received()).length >= BURST_REPLIES)
    for (const days of [365, -2]) {
      clock.set(days)
      await sendBurst(`at-${days}`)
      again.send(request)
    }
    // A packet of before each of these has been read, since they come to one socket.
    await waitFor(
      'the copies to be known again',
      async () => sumOf(await metricsOf(daemon), 'retransmissions_total') === 2,
    )
    const elapsedS = (performance.now() - startedMs) / 1_000
    const replies = answeredIn(flood.received()).length
    assert.ok(replies <= BURST_REPLIES + REPLIES_PER_S * elapsedS, `${replies} replies in ${elapsedS} s`)
    await daemon.stop()
    const rows = await honeyRows(join(folder, 'sentrypeer.db'))
    assert.equal(rows.filter((row) => callIdOf(row.sip_message) === 'again').length, 1)
  },
)

testWith(['faketime', 'sqlite3'], 'a node that starts before its own newest event goes on from there', async (t) => {
  const folder = await temporaryFolder(t)
  const ids: string[] = []
  for (const days of [365, -1]) {
    const clock: SettableClock = settableClock(folder, days)
    const daemon = await startDaemon(t, { folder, env: clock.env, api: '127.0.0.1:0', flags: ['-r'] })
    const udp = await udpClient(t, daemon.port('UDP'))
    udp.send(sipRequest({ callId: `at-${days}` }))
    await udp.answered(`at-${days}`)
    ids.push(`at-${days}`)
    const { body } = await getJson(daemon.port('HTTP'), '/ip-addresses/127.0.0.1')
    assert.equal(body.seen_count, String(ids.length))
    await daemon.stop()
  }
  const rows = await honeyRows(join(folder, 'sentrypeer.db'))
  assert.deepEqual(
    rows.map((row) => callIdOf(row.sip_message)),
    ids,
    'honey_id has the order in which they came, whatever the clock said',
  )
})

/** The timestamp and the UUIDv7 have the wall clock's time. */
function assertTime({ event_timestamp, event_uuid }: HoneyRow, atMs: number): void {
  const uuidMs = Number.parseInt(event_uuid.replaceAll('-', '').slice(0, 12), 16) // RFC 9562 §5.7
  for (const ms of [Date.parse(`${event_timestamp.slice(0, 23).replace(' ', 'T')}Z`), uuidMs]) {
    assert.ok(Math.abs(ms - atMs) < CLOCK_SLACK_MS, `${event_timestamp} ${event_uuid}: ${new Date(atMs).toISOString()}`)
  }
}
