// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { platform } from 'node:process'
import { type TestContext, test } from 'node:test'
import { createLocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import { createCounters } from '../ops/counters.ts'
import { listenUdp } from './udp.ts'

async function listen(t: TestContext, host: string, receive: (packet: Packet) => void) {
  const local = createLocalAddresses(() => performance.now())
  const listener = await listenUdp({ host, port: 0, local, counters: createCounters(), receive })
  t.after(() => listener.stop())
  return listener
}

async function client(t: TestContext, host: string) {
  const socket = createSocket(host.includes(':') ? 'udp6' : 'udp4')
  socket.bind(0, host)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return socket
}

for (const [listenOn, from, to] of [
  ['127.0.0.1', '127.0.0.5', '127.0.0.1'],
  ['::1', '::1', '::1'],
  ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
  ['::', '::1', '::1'],
] as const) {
  test(`a datagram from ${from} to a socket on ${listenOn} has both ends, and is answered where it came from`, async (t) => {
    const { promise, resolve } = Promise.withResolvers<Packet>()
    const listener = await listen(t, listenOn, resolve)
    const socket = await client(t, from)
    socket.send('hello', listener.port, to)
    const packet = await promise
    assert.deepEqual(
      [packet.transport, packet.sourceIp, packet.sourcePort, packet.destinationIp, packet.destinationPort],
      ['UDP', from, socket.address().port, to, listener.port],
    )
    assert.deepEqual([String(packet.bytes), packet.complete], ['hello', true])
    assert.equal(packet.reply(Buffer.from('hello yourself')), true)
    const [answer] = await once(socket, 'message')
    assert.equal(String(answer), 'hello yourself')
  })
}

test('the longest and the shortest datagram come whole', async (t) => {
  const packets: Packet[] = []
  const enough = Promise.withResolvers<void>()
  const listener = await listen(t, '127.0.0.1', (packet) => packets.push(packet) === 2 && enough.resolve())
  const socket = await client(t, '127.0.0.1')
  socket.send(Buffer.alloc(65_507, 0x41), listener.port, '127.0.0.1')
  socket.send('', listener.port, '127.0.0.1')
  await enough.promise
  assert.deepEqual(
    packets.map(({ bytes }) => bytes.length),
    [65_507, 0],
  )
})

test('a reply after the socket was closed is refused and not thrown', async (t) => {
  const { promise, resolve } = Promise.withResolvers<Packet>()
  const local = createLocalAddresses(() => performance.now())
  const counters = createCounters()
  const listener = await listenUdp({ host: '127.0.0.1', port: 0, local, counters, receive: resolve })
  const socket = await client(t, '127.0.0.1')
  socket.send('hello', listener.port, '127.0.0.1')
  const packet = await promise
  await listener.stop()
  assert.equal(packet.reply(Buffer.from('late')), false)
})

test('what is in the kernel when it stops accepting is still received', async (t) => {
  let received = 0
  const listener = await listen(t, '127.0.0.1', () => received++)
  const socket = await client(t, '127.0.0.1')
  for (let at = 0; at < 200; at++) socket.send('hello', listener.port, '127.0.0.1')
  await listener.stopAccepting()
  assert.equal(received, 200)
})

test('in a flood without end it stops accepting all the same', async (t) => {
  let isFlooding = true
  let received = 0
  const flood = () => isFlooding && socket.send('hello', listener.port, '127.0.0.1')
  const listener = await listen(t, '127.0.0.1', () => {
    received++
    flood()
  })
  const socket = await client(t, '127.0.0.1')
  for (let at = 0; at < 40; at++) flood()
  const askedMs = performance.now()
  await listener.stopAccepting()
  isFlooding = false
  assert.ok(received > 40)
  assert.ok(performance.now() - askedMs < 3_000)
})

for (const host of ['127.0.0.1', '::1']) {
  test(`what the kernel drops at ${host} is known: sent = received + dropped`, {
    skip: platform !== 'linux',
  }, async (t) => {
    let received = 0
    const listener = await listen(t, host, () => received++)
    const socket = await client(t, host)
    const bytes = Buffer.alloc(1_000)
    // Sent from this thread, so that nothing is read meanwhile and the receive buffer must overflow.
    const sent = Math.ceil(((listener.receiveBufferBytes ?? 0) / bytes.length) * 1.5)
    let handedOver = 0
    for (let at = 0; at < sent; at++) socket.send(bytes, listener.port, host, () => handedOver++)
    while (handedOver < sent || received + (await listener.kernelDrops()) < sent) await new Promise(setImmediate)
    assert.ok(received > 0 && (await listener.kernelDrops()) > 0)
    assert.equal(received + (await listener.kernelDrops()), sent)
  })
}
