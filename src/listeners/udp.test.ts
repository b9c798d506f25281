// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { arch, platform, versions } from 'node:process'
import { type TestContext, test } from 'node:test'
import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'
import { createLocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import { createCounters } from '../ops/counters.ts'
import { listenUdp, type UdpOptions } from './udp.ts'

type Way = UdpOptions['way']

const WAYS = ['auto', 'dgram'] as const
const CAN_BATCH = platform === 'linux' && ['x64', 'arm64'].includes(arch) && Number.parseInt(versions.node, 10) >= 26

async function open(way: Way, host: string, receive: (packet: Packet) => void) {
  const local = createLocalAddresses(() => performance.now())
  const counters = createCounters()
  const ways: string[] = []
  const onWay = (text: string) => void ways.push(text)
  const listener = await listenUdp({ host, port: 0, way, onWay, local, counters, receive })
  return { listener, counters, ways }
}

async function listen(t: TestContext, way: Way, host: string, receive: (packet: Packet) => void) {
  const { listener } = await open(way, host, receive)
  t.after(() => listener.stop())
  return listener
}

async function client(t: TestContext, host: string): Promise<Socket> {
  const socket = createSocket({ type: host.includes(':') ? 'udp6' : 'udp4', recvBufferSize: 1 << 20 })
  socket.bind(0, host)
  await once(socket, 'listening')
  t.after(() => socket.close())
  return socket
}

/** A client whose datagrams are in the kernel, at the other end, when `send` returns. */
async function connectedClient(t: TestContext, port: number): Promise<Socket> {
  const socket = await client(t, '127.0.0.1')
  socket.connect(port, '127.0.0.1')
  await once(socket, 'connect')
  return socket
}

/** Bytes of objects and buffers that are still referred to. */
async function memoryInUse(): Promise<number> {
  setFlagsFromString('--expose-gc')
  const collect = runInNewContext('gc')
  for (let time = 0; time < 3; time++) {
    collect()
    await new Promise(setImmediate) // buffers are freed beside the collection
  }
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return heapUsed + arrayBuffers
}

/** Waits for a condition, a turn of the event loop at a time. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await new Promise(setImmediate)
}

test('datagrams are taken many at a time where that can be done, and one at a time on demand', async () => {
  for (const [way, host, said] of [
    ['auto', '127.0.0.1', CAN_BATCH ? /^by recvmmsg/ : /^by node:dgram, one at a time \(.+\)$/],
    ['dgram', '127.0.0.1', /^by node:dgram, one at a time \(not wanted\)$/],
    ['auto', 'localhost', /^by node:dgram, one at a time \(localhost is a name/],
  ] as const) {
    const { listener, ways } = await open(way, host, () => {})
    await listener.stop()
    assert.equal(ways.length, 1)
    assert.match(ways[0] ?? '', said)
  }
})

test('a wildcard socket knows which address a datagram was sent to, and answers from there', {
  skip: !CAN_BATCH,
}, async (t) => {
  const { promise, resolve } = Promise.withResolvers<Packet>()
  const listener = await listen(t, 'auto', '0.0.0.0', resolve)
  const socket = await client(t, '127.0.0.5')
  socket.send('hello', listener.port, '127.0.0.77')
  const packet = await promise
  assert.equal(packet.destinationIp, '127.0.0.77')
  packet.reply(Buffer.from('hello yourself'))
  const [, from] = await once(socket, 'message')
  assert.deepEqual([from.address, from.port], ['127.0.0.77', listener.port])
})

for (const way of WAYS) {
  test(`${way}: a port that is taken is an error that says so`, async (t) => {
    const listener = await listen(t, way, '127.0.0.1', () => {})
    const local = createLocalAddresses(() => performance.now())
    const parts = { local, counters: createCounters(), receive: () => {}, way, onWay: () => {} }
    await assert.rejects(listenUdp({ host: '127.0.0.1', port: listener.port, ...parts }), {
      code: 'LISTEN_FAILED',
      message: `cannot listen for SIP over UDP on 127.0.0.1:${listener.port}: EADDRINUSE`,
    })
    await assert.rejects(listenUdp({ host: '192.0.2.1', port: 0, ...parts }), /192\.0\.2\.1:0: EADDRNOTAVAIL/)
  })

  for (const [listenOn, from, to] of [
    ['127.0.0.1', '127.0.0.5', '127.0.0.1'],
    ['::1', '::1', '::1'],
    ['0.0.0.0', '127.0.0.1', '127.0.0.1'],
    ['::', '::1', '::1'],
  ] as const) {
    test(`${way}: a datagram from ${from} to a socket on ${listenOn} has both ends, and is answered where it came from`, async (t) => {
      const { promise, resolve } = Promise.withResolvers<Packet>()
      const listener = await listen(t, way, listenOn, resolve)
      const socket = await client(t, from)
      socket.send('hello', listener.port, to)
      const packet = await promise
      assert.deepEqual(
        [packet.transport, packet.sourceIp, packet.sourcePort, packet.destinationIp, packet.destinationPort],
        ['UDP', from, socket.address().port, to, listener.port],
      )
      assert.deepEqual([String(packet.bytes), packet.complete], ['hello', true])
      assert.equal(packet.reply(Buffer.from('hello yourself')), true)
      const [answer, { port }] = await once(socket, 'message')
      assert.deepEqual([String(answer), port], ['hello yourself', listener.port])
    })
  }

  test(`${way}: an IPv6 socket leaves IPv4 to others`, async (t) => {
    const six = await listen(t, way, '::', () => {})
    const local = createLocalAddresses(() => performance.now())
    const parts = { local, counters: createCounters(), receive: () => {}, way, onWay: () => {} }
    const four = await listenUdp({ host: '0.0.0.0', port: six.port, ...parts })
    await four.stop()
  })

  for (const [host, longest] of [
    ['127.0.0.1', 65_507],
    ['::1', 65_527],
  ] as const) {
    test(`${way}: the longest and the shortest datagram to ${host} come whole, and so do the answers`, async (t) => {
      const sizes: number[] = []
      const listener = await listen(t, way, host, (packet) => {
        const { bytes } = packet
        assert.ok(bytes.every((byte, index) => byte === index % 251))
        sizes.push(bytes.length)
        assert.equal(packet.reply(bytes), true)
      })
      const socket = await client(t, host)
      const whole = Buffer.from(Array.from({ length: longest }, (_, index) => index % 251))
      const answers: Buffer[] = []
      socket.on('message', (bytes) => answers.push(bytes))
      for (const length of [longest, 0, 1, 2_048, 2_049, longest])
        socket.send(whole.subarray(0, length), listener.port, host)
      await until(() => answers.length === 6)
      assert.deepEqual(sizes, [longest, 0, 1, 2_048, 2_049, longest])
      assert.deepEqual(
        answers.map(({ length }) => length),
        sizes,
      )
      assert.deepEqual(answers[5], whole)
    })
  }

  test(`${way}: datagrams of a thousand sources keep their order, their bytes and their sources`, async (t) => {
    const got: Packet[] = []
    const listener = await listen(t, way, '127.0.0.1', (packet) => got.push(packet))
    const sockets: Socket[] = []
    for (let index = 0; index < 1_000; index++)
      sockets.push(await client(t, `127.0.${index % 250}.${1 + (index % 253)}`))
    const sent: string[] = []
    for (let round = 0; round < 3; round++) {
      for (const [index, socket] of sockets.entries()) {
        const text = `${round} ${index} ${'x'.repeat(index)}`
        sent.push(text)
        await new Promise((resolve) => socket.send(text, listener.port, '127.0.0.1', resolve))
      }
      await until(() => got.length === sent.length)
    }
    assert.deepEqual(
      got.map(({ bytes }) => String(bytes)),
      sent,
    )
    for (const [at, { sourceIp, sourcePort }] of got.entries()) {
      const { address, port } = sockets[at % 1_000]?.address() ?? assert.fail()
      assert.deepEqual([sourceIp, sourcePort], [address, port])
    }
  })

  test(`${way}: a flood of 200,000 datagrams comes whole and in order, and leaves no memory taken`, async (t) => {
    let received = 0
    const listener = await listen(t, way, '127.0.0.1', ({ bytes }) => {
      assert.equal(bytes.readUInt32LE(), received)
      received++
    })
    const socket = await connectedClient(t, listener.port)
    const message = Buffer.alloc(450)
    const used: number[] = []
    for (let sent = 0; sent < 200_000; ) {
      for (let at = 0; at < 1_000; at++) {
        message.writeUInt32LE(sent++)
        socket.send(message)
      }
      await until(() => received === sent)
      if (sent % 100_000 === 0) used.push(await memoryInUse())
    }
    const [half = 0, whole = 0] = used
    assert.ok(whole - half < 10_000_000, `${half} bytes after half of it, ${whole} at the end`) // half of it is 45 MB
  })

  test(`${way}: replies of one turn all arrive, in order, each where it belongs`, async (t) => {
    const packets: Packet[] = []
    const listener = await listen(t, way, '127.0.0.1', (packet) => packets.push(packet))
    const [one, other] = [await client(t, '127.0.0.1'), await client(t, '127.0.0.2')]
    one.send('hello', listener.port, '127.0.0.1')
    await until(() => packets.length === 1)
    other.send('hello', listener.port, '127.0.0.1')
    await until(() => packets.length === 2)
    const answers = new Map<Socket, string[]>([one, other].map((socket) => [socket, []]))
    for (const [socket, texts] of answers) socket.on('message', (bytes) => texts.push(String(bytes)))
    for (let at = 0; at < 200; at++) {
      for (const packet of packets) assert.equal(packet.reply(Buffer.from(`${at}`)), true)
    }
    await until(() => [...answers.values()].every((texts) => texts.length === 200))
    for (const texts of answers.values())
      assert.deepEqual(
        texts,
        Array.from({ length: 200 }, (_, at) => `${at}`),
      )
  })

  test(`${way}: a reply that the system refuses is counted and stops no other`, async (t) => {
    const packets: Packet[] = []
    const { listener, counters } = await open(way, '127.0.0.1', (packet) => packets.push(packet))
    t.after(() => listener.stop())
    const socket = await client(t, '127.0.0.1')
    const answers: string[] = []
    socket.on('message', (bytes) => answers.push(String(bytes)))
    socket.send('hello', listener.port, '127.0.0.1')
    await until(() => packets.length === 1)
    const [packet = assert.fail()] = packets
    for (let at = 0; at < 10; at++) {
      packet.reply(Buffer.from(`${at}`))
      packet.reply(Buffer.alloc(65_520)) // longer than IPv4 takes: EMSGSIZE
    }
    await until(() => answers.length === 10 && counters.get('socketErrors') === 10)
    assert.deepEqual(answers.map(Number), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  test(`${way}: an answer to a port that is closed by then does no harm`, async (t) => {
    const packets: Packet[] = []
    const listener = await listen(t, way, '127.0.0.1', (packet) => packets.push(packet))
    const gone = createSocket('udp4')
    gone.send('hello', listener.port, '127.0.0.1')
    await until(() => packets.length === 1)
    await new Promise<void>((resolve) => gone.close(resolve))
    for (let at = 0; at < 100; at++) packets[0]?.reply(Buffer.from('nobody is there')) // an ICMP error for each
    const socket = await client(t, '127.0.0.1')
    socket.send('still there?', listener.port, '127.0.0.1')
    await until(() => packets.length === 2)
    packets[1]?.reply(Buffer.from('yes'))
    assert.equal(String((await once(socket, 'message'))[0]), 'yes')
  })

  test(`${way}: a reply after the socket was closed is refused and not thrown`, async (t) => {
    const { promise, resolve } = Promise.withResolvers<Packet>()
    const { listener } = await open(way, '127.0.0.1', resolve)
    const socket = await client(t, '127.0.0.1')
    socket.send('hello', listener.port, '127.0.0.1')
    const packet = await promise
    await listener.stop()
    assert.equal(packet.reply(Buffer.from('late')), false)
  })

  test(`${way}: what is in the kernel when it stops accepting is still received, and answered until it stops`, async (t) => {
    const packets: Packet[] = []
    const { listener } = await open(way, '127.0.0.1', (packet) => packets.push(packet))
    const socket = await connectedClient(t, listener.port)
    let answers = 0
    socket.on('message', () => answers++)
    for (let at = 0; at < 300; at++) socket.send('hello')
    assert.equal(packets.length, 0)
    await listener.stopAccepting()
    assert.equal(packets.length, 300)
    for (const packet of packets) assert.equal(packet.reply(Buffer.from('bye')), true)
    await new Promise(setImmediate)
    await listener.stop()
    await until(() => answers === 300)
  })

  test(`${way}: it takes nothing more once it stopped accepting`, async (t) => {
    let received = 0
    const listener = await listen(t, way, '127.0.0.1', () => received++)
    const socket = await connectedClient(t, listener.port)
    await listener.stopAccepting()
    socket.send('hello')
    for (let turn = 0; turn < 20; turn++) await new Promise(setImmediate)
    assert.equal(received, 0)
  })

  test(`${way}: in a flood without end it stops accepting all the same`, async (t) => {
    let isFlooding = true
    let received = 0
    const flood = () => isFlooding && socket.send('hello')
    const listener = await listen(t, way, '127.0.0.1', () => {
      received++
      flood()
    })
    const socket = await connectedClient(t, listener.port)
    for (let at = 0; at < 400; at++) flood()
    const askedMs = performance.now()
    await listener.stopAccepting()
    isFlooding = false
    assert.ok(received > 400)
    assert.ok(performance.now() - askedMs < 3_000)
  })

  for (const host of ['127.0.0.1', '::1']) {
    test(`${way}: what the kernel drops at ${host} is known: sent = received + dropped`, {
      skip: platform !== 'linux',
    }, async (t) => {
      let received = 0
      const listener = await listen(t, way, host, () => received++)
      const socket = await client(t, host)
      const bytes = Buffer.alloc(1_000)
      // Sent from this thread, so that nothing is read meanwhile and the receive buffer must overflow.
      const sent = Math.ceil(((listener.receiveBufferBytes ?? 0) / bytes.length) * 1.5)
      let handedOver = 0
      for (let at = 0; at < sent; at++) socket.send(bytes, listener.port, host, () => handedOver++)
      await until(async () => handedOver === sent && received + ((await listener.kernelDrops()) ?? 0) >= sent)
      assert.ok(received > 0 && ((await listener.kernelDrops()) ?? 0) > 0)
      assert.equal(received + ((await listener.kernelDrops()) ?? 0), sent)
    })
  }
}
