// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { describe, type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { Packet } from '../net/packet.ts'
import { type Counters, createCounters } from '../ops/counters.ts'
import { certificatePair } from './certificate.ts'
import { fixtureFolder } from './fixture-folder.ts'
import { type ConnectionLimits, createDoorkeeper } from './limits.ts'
import type { Listener } from './listener.ts'
import { listenTcp } from './tcp.ts'
import { listenTls } from './tls.ts'

const LIMITS: ConnectionLimits = {
  maxPerSource: 3,
  maxTotal: 4,
  messageMs: 300,
  idleMs: 600,
  tlsHandshakeMs: 300,
}
const TRICKLE_EVERY_MS = 20
const REQUEST = 'OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n'
const SLACK_MS = 8_000 // after the deadline: 2 s for a last reply, and a busy machine

interface Setting {
  readonly listener: Listener
  readonly counters: Counters
  readonly packets: Packet[]
}

async function listen(t: TestContext, limits = LIMITS, transport: 'TCP' | 'TLS' = 'TCP'): Promise<Setting> {
  const counters = createCounters()
  const packets: Packet[] = []
  const receive = (packet: Packet) => {
    packets.push(packet)
    packet.done()
  }
  const options = {
    host: '127.0.0.1',
    port: 0,
    limits,
    doorkeeper: createDoorkeeper(limits),
    counters,
    receive,
    answersPings: () => true,
  }
  const listener =
    transport === 'TCP' ? await listenTcp(options) : await listenTls({ ...options, pair: await pairFor(t) })
  t.after(async () => {
    await listener.stopAccepting()
    await listener.stop()
  })
  return { listener, counters, packets }
}

async function pairFor(t: TestContext) {
  const folder = await fixtureFolder(t)
  return certificatePair({ certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` }, () => {})
}

/** A client, and when it was closed by the other side: milliseconds from the opening. */
async function open(t: TestContext, { listener }: Setting, localAddress = '127.0.0.1') {
  const socket = connect({ port: listener.port, host: '127.0.0.1', localAddress })
  socket.on('error', () => {}) // a reset is one way to be closed
  socket.resume()
  t.after(() => socket.destroy())
  const openedMs = performance.now()
  const closedAfterMs = new Promise<number>((resolve) => {
    socket.once('close', () => resolve(performance.now() - openedMs))
  })
  await once(socket, 'connect')
  return { socket, closedAfterMs }
}

function trickle(t: TestContext, socket: Socket, text: string): void {
  let at = 0
  const timer = setInterval(() => {
    if (socket.writable && at < text.length) socket.write(text[at++] ?? '')
  }, TRICKLE_EVERY_MS)
  t.after(() => clearInterval(timer))
}

function assertClosed(afterMs: number, deadlineMs: number): void {
  assert.ok(afterMs >= deadlineMs - 20 && afterMs < deadlineMs + SLACK_MS, `closed after ${afterMs} ms`)
}

describe('stream listeners', { concurrency: true }, () => {
  test('a byte now and then does not move the deadline of the first message; what came of it is evidence', async (t) => {
    const setting = await listen(t)
    const { socket, closedAfterMs } = await open(t, setting)
    socket.write('OPTIONS sip:')
    trickle(t, socket, 'y'.repeat(10_000))
    assertClosed(await closedAfterMs, LIMITS.messageMs)
    assert.deepEqual(
      setting.packets.map(({ complete }) => complete),
      [false],
    )
    assert.match(String(setting.packets[0]?.bytes), /^OPTIONS sip/)
    assert.equal(setting.counters.get('endedTimeout'), 1)
  })

  test('a byte now and then does not move the deadline of a later message either', async (t) => {
    const setting = await listen(t)
    const { socket, closedAfterMs } = await open(t, setting)
    socket.write(REQUEST)
    socket.write('OPTIONS sip:')
    trickle(t, socket, 'y'.repeat(10_000))
    assertClosed(await closedAfterMs, LIMITS.messageMs)
    assert.deepEqual(
      setting.packets.map(({ complete }) => complete),
      [true, false],
    )
  })

  test('a connection on which nothing is said is closed, and is no evidence', async (t) => {
    const setting = await listen(t)
    const { closedAfterMs } = await open(t, setting)
    assertClosed(await closedAfterMs, LIMITS.messageMs)
    assert.deepEqual(setting.packets, [])
  })

  test('pings alone do not keep a connection that has never brought a message', async (t) => {
    const setting = await listen(t)
    const { socket, closedAfterMs } = await open(t, setting)
    trickle(t, socket, '\r\n'.repeat(1_000))
    assertClosed(await closedAfterMs, LIMITS.messageMs)
  })

  test('between messages the longer deadline holds, and each message sets it anew', async (t) => {
    const setting = await listen(t)
    const { socket, closedAfterMs } = await open(t, setting)
    socket.write(REQUEST)
    const timer = setTimeout(() => socket.write(REQUEST), 400) // later than messageMs, within idleMs
    t.after(() => clearTimeout(timer))
    assertClosed(await closedAfterMs, 400 + LIMITS.idleMs)
    assert.deepEqual(
      setting.packets.map(({ complete }) => complete),
      [true, true],
    )
  })

  test('a stream whose frame is lost is closed soon, however much more is sent', async (t) => {
    const setting = await listen(t, { ...LIMITS, messageMs: 60_000 })
    const { socket, closedAfterMs } = await open(t, setting)
    socket.write('OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nContent-Length: -1\r\n\r\n')
    trickle(t, socket, 'x'.repeat(10_000))
    assertClosed(await closedAfterMs, 500)
    assert.equal(setting.counters.get('endedLostFrame'), 1)
    assert.deepEqual(
      setting.packets.map(({ complete }) => complete),
      [false],
    )
  })

  test('a TLS handshake that comes byte by byte, or not at all, is given up', async (t) => {
    const setting = await listen(t, LIMITS, 'TLS')
    const slow = await open(t, setting)
    trickle(t, slow.socket, '\u0016\u0003\u0001\u0002\u0000\u0001'.padEnd(600, '\u0001'))
    const silent = await open(t, setting)
    assertClosed(await slow.closedAfterMs, LIMITS.tlsHandshakeMs)
    assertClosed(await silent.closedAfterMs, LIMITS.tlsHandshakeMs)
    assert.equal(setting.counters.get('tlsHandshakesFailed'), 2)
    assert.deepEqual(setting.packets, [])
  })

  test('after the handshake the deadline of messages holds for TLS too', async (t) => {
    const setting = await listen(t, LIMITS, 'TLS')
    const socket = connectTls({ port: setting.listener.port, host: '127.0.0.1', rejectUnauthorized: false })
    t.after(() => socket.destroy())
    await once(socket, 'secureConnect')
    const securedMs = performance.now()
    socket.write('OPTIONS sip:')
    trickle(t, socket, 'y'.repeat(10_000))
    socket.resume()
    socket.on('error', () => {})
    await once(socket, 'close')
    assertClosed(performance.now() - securedMs, LIMITS.messageMs)
    assert.deepEqual(
      setting.packets.map(({ transport, complete }) => [transport, complete]),
      [['TLS', false]],
    )
  })

  test('one source has its share of connections and all have theirs; who says nothing for longest makes room', async (t) => {
    const setting = await listen(t, { ...LIMITS, messageMs: 60_000 })
    const served = async (localAddress: string) => {
      const client = await open(t, setting, localAddress).catch(() => null) // reset as early as in the handshake
      client?.socket.write('\r\n\r\n')
      if (client === null) return null
      const pong = new Promise<typeof client>((resolve) => client.socket.once('data', () => resolve(client)))
      return Promise.race([pong, client.closedAfterMs.then(() => null)])
    }
    const first = await served('127.0.0.1')
    assert.ok(first !== null && (await served('127.0.0.1')) !== null && (await served('127.0.0.1')) !== null)
    assert.equal(await served('127.0.0.1'), null)
    assert.equal(setting.counters.get('refusedPerSource'), 1)
    first.socket.write(REQUEST)
    while (setting.packets.length === 0) await new Promise(setImmediate)
    assert.ok((await served('127.0.0.2')) !== null)
    assert.ok((await served('127.0.0.3')) !== null)
    assert.equal(setting.counters.get('endedForRoom'), 1)
    first.socket.write('\r\n\r\n')
    await once(first.socket, 'data') // who has brought a message stays
    first.socket.destroy()
    while ((await served('127.0.0.1')) === null);
  })
})
