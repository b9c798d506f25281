// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Socket } from 'node:net'
import { type TestContext, test } from 'node:test'
import { connect as connectTls } from 'node:tls'
import type { IpAddress } from '../net/ip.ts'
import type { Packet } from '../net/packet.ts'
import { collectGarbage } from '../ops/collect-garbage.ts'
import { createCounters } from '../ops/counters.ts'
import { certificatePair } from './certificate.ts'
import { serveConnection } from './connection.ts'
import { fixtureFolder } from './fixture-folder.ts'
import { CONNECTION_LIMITS, createDoorkeeper } from './limits.ts'
import { listenTcp } from './tcp.ts'
import { listenTls } from './tls.ts'

const REQUEST = 'OPTIONS sip:100@127.0.0.1 SIP/2.0\r\nContent-Length: 0\r\n\r\n'
const UPPER_BOUND_MS = 2_000

async function listen(t: TestContext, transport: 'TCP' | 'TLS', receive: (packet: Packet) => void, maxPerSource = 100) {
  const limits = { ...CONNECTION_LIMITS, maxPerSource }
  const counters = createCounters()
  const doorkeeper = createDoorkeeper(limits)
  const options = { host: '127.0.0.1', port: 0, limits, doorkeeper, counters, receive, answersPings: () => true }
  const listener = await (transport === 'TCP' ? listenTcp(options) : listenTls({ ...options, pair: await pairFor(t) }))
  t.after(async () => {
    await listener.stopAccepting()
    await listener.stop()
  })
  return { port: listener.port, counters, listener }
}

async function pairFor(t: TestContext) {
  const folder = await fixtureFolder(t)
  return certificatePair({ certFile: `${folder}/cert.pem`, keyFile: `${folder}/key.pem` }, () => {})
}

/** Connected; what comes back is in `received`. */
async function open(t: TestContext, transport: 'TCP' | 'TLS', port: number) {
  const host = '127.0.0.1'
  const socket: Socket =
    transport === 'TCP' ? connect({ port, host }) : connectTls({ port, host, rejectUnauthorized: false })
  t.after(() => socket.destroy())
  socket.on('error', () => {})
  let text = ''
  socket.setEncoding('latin1').on('data', (chunk: string) => {
    text += chunk
  })
  const closed = new Promise<number>((resolve) => socket.once('close', () => resolve(performance.now())))
  await once(socket, transport === 'TCP' ? 'connect' : 'secureConnect')
  return { socket, closed, received: () => text }
}

for (const transport of ['TCP', 'TLS'] as const) {
  test(`a ${transport} connection that the client ended closes as soon as its message is done with`, async (t) => {
    const { port } = await listen(t, transport, (packet) => setImmediate(packet.done))
    const { socket, closed } = await open(t, transport, port)
    const endedMs = performance.now()
    socket.end(REQUEST)
    assert.ok((await closed) - endedMs < UPPER_BOUND_MS / 2)
  })

  test(`a ${transport} connection that the client ended brings every reply before it closes`, async (t) => {
    const packets: Packet[] = []
    const all = Promise.withResolvers<void>()
    const { port } = await listen(t, transport, (packet) => packets.push(packet) === 3 && all.resolve())
    const { socket, closed, received } = await open(t, transport, port)
    socket.end(REQUEST.repeat(3))
    await all.promise
    for (const [index, packet] of packets.entries()) {
      await new Promise(setImmediate)
      assert.equal(packet.reply(Buffer.from(`answer ${index}\n`)), true)
      packet.done()
      packet.done() // a second time is not another message
    }
    await closed
    assert.equal(received(), 'answer 0\nanswer 1\nanswer 2\n')
  })
}

for (const transport of ['TCP', 'TLS'] as const) {
  test(`a stop right behind the replies to many messages on a ${transport} connection loses none of them`, async (t) => {
    const packets: Packet[] = []
    const all = Promise.withResolvers<void>()
    const receive = (packet: Packet) => packets.push(packet) === 20 && all.resolve()
    const { port, listener } = await listen(t, transport, receive)
    const { socket, closed, received } = await open(t, transport, port)
    socket.write(REQUEST.repeat(20))
    await all.promise
    await listener.stopAccepting()
    for (const { reply, done } of packets) {
      reply(Buffer.from('answer\n'))
      done()
    }
    await listener.stop()
    await closed
    assert.equal(received(), 'answer\n'.repeat(20))
  })
}

test('a message that is never done with holds an ended connection for two seconds and no longer', async (t) => {
  const { port } = await listen(t, 'TCP', () => {})
  const { socket, closed } = await open(t, 'TCP', port)
  const endedMs = performance.now()
  socket.end(REQUEST)
  const tookMs = (await closed) - endedMs
  assert.ok(tookMs > UPPER_BOUND_MS - 50 && tookMs < UPPER_BOUND_MS * 4, `${tookMs} ms`)
})

test('a client that ends and never reads its replies does not keep its connection', async (t) => {
  const ended = Promise.withResolvers<void>()
  const bytes = Buffer.alloc(8 * 1024 * 1024) // more than the buffers of two sockets
  const { port, counters } = await listen(
    t,
    'TCP',
    (packet) => {
      packet.reply(bytes)
      packet.done()
      ended.resolve()
    },
    1,
  )
  const deaf = connect({ port, host: '127.0.0.1', allowHalfOpen: true }).pause()
  t.after(() => deaf.destroy())
  deaf.on('error', () => {})
  deaf.end(REQUEST)
  await ended.promise
  const isServed = async () => {
    const client = await open(t, 'TCP', port).catch(() => null) // reset as early as in the handshake
    client?.socket.write('\r\n\r\n')
    if (client === null) return false
    const pong = new Promise<boolean>((resolve) => client.socket.once('data', () => resolve(true)))
    return Promise.race([pong, client.closed.then(() => false)])
  }
  while (!(await isServed()));
  assert.ok(counters.get('refusedPerSource') > 0)
})

for (const transport of ['TCP', 'TLS'] as const) {
  test(`what a ${transport} connection has brought when the listener stops accepting is received and answered`, async (t) => {
    const { port, listener } = await listen(t, transport, (packet) => {
      packet.reply(Buffer.from('answer'))
      packet.done()
    })
    const { socket, closed, received } = await open(t, transport, port)
    socket.write(REQUEST) // in the kernel now, and read by nobody before the stop begins
    await Promise.all([listener.stopAccepting(), closed])
    assert.equal(received(), 'answer')
  })
}

test('a client that sends without end does not hold up the stop', async (t) => {
  const { port, listener } = await listen(t, 'TCP', (packet) => packet.done())
  const { socket, closed } = await open(t, 'TCP', port)
  const timer = setInterval(() => socket.writable && socket.write(REQUEST.repeat(100)), 0)
  t.after(() => clearInterval(timer))
  const askedMs = performance.now()
  await listener.stopAccepting()
  assert.ok(performance.now() - askedMs < UPPER_BOUND_MS)
  await closed
})

test('connections one after the other never run into the limit of one source', async (t) => {
  const { port, counters } = await listen(t, 'TCP', (packet) => setImmediate(packet.done), 3)
  for (let at = 0; at < 50; at++) {
    const { socket, closed } = await open(t, 'TCP', port)
    socket.end(REQUEST)
    await closed
  }
  assert.equal(counters.get('refusedPerSource'), 0)
  assert.equal(counters.get('connectionsAccepted'), 50)
})

for (const [what, text] of [
  ['SIP', REQUEST],
  ['HTTP', 'GET / HTTP/1.1\r\nHost: a\r\n\r\n'],
  ['half a message', 'OPTIONS sip:'],
] as const) {
  test(`${what} in the clear on the TLS port is evidence, and gets neither an answer nor a pong`, async (t) => {
    const replied: boolean[] = []
    const packets: Packet[] = []
    const { port, counters } = await listen(t, 'TLS', (packet) => {
      packets.push(packet)
      replied.push(packet.reply(Buffer.from('answer')))
      packet.done()
    })
    const { socket, closed, received } = await open(t, 'TCP', port)
    socket.end(`\r\n\r\n${text}`)
    await closed
    assert.deepEqual(
      packets.map(({ transport, bytes }) => [transport, String(bytes)]),
      [['TLS', text]],
    )
    assert.deepEqual([replied, received()], [[false], ''])
    assert.equal(counters.get('connectionsNotTls'), 1)
    assert.equal(counters.get('connectionsNotSip'), what === 'SIP' ? 0 : 1)
    assert.deepEqual([counters.get('tlsHandshakesFailed'), counters.get('streamPings')], [0, 0])
  })
}

for (const [what, bytes] of [
  ['nothing', ''],
  ['a record that is no handshake', Buffer.from([0x16, 0x03, 0x01, 0x00, 0x02, 0xff, 0xff])],
] as const) {
  test(`who brings ${what} to the TLS port and leaves has failed the handshake, and is no evidence`, async (t) => {
    const { port, counters } = await listen(t, 'TLS', () => assert.fail())
    const { socket, closed } = await open(t, 'TCP', port)
    socket.end(bytes)
    await closed
    assert.equal(counters.get('tlsHandshakesFailed'), 1)
  })
}

test('what answers a message does not hold on to the connection when that is closed', async (t) => {
  const ours = '127.0.0.1' as IpAddress // the canonical form
  const ends = { transport: 'TCP', sourceIp: ours, sourcePort: 1, destinationIp: ours, destinationPort: 1 } as const
  const replies: Packet['reply'][] = []
  const receive = ({ reply, done }: Packet) => {
    replies.push(reply)
    done()
  }
  const service = { limits: CONNECTION_LIMITS, counters: createCounters(), receive, answersPings: () => false }
  const served: WeakRef<Socket>[] = []
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    served.push(new WeakRef(socket))
    serveConnection(socket, { ...ends, isMute: false }, service, () => {})
  })
  t.after(() => server.close())
  await new Promise<void>((resolve) => server.listen(0, ours, resolve))
  const { socket, closed } = await open(t, 'TCP', (server.address() as AddressInfo).port)
  socket.end(REQUEST)
  await closed
  const isHeld = () => served.some((one) => one.deref() !== undefined)
  const untilMs = performance.now() + UPPER_BOUND_MS
  while (isHeld() && performance.now() < untilMs) {
    await new Promise(setImmediate) // what deref() gave is held for the rest of a turn
    collectGarbage()
  }
  assert.deepEqual([served.length, isHeld()], [1, false])
  assert.deepEqual(
    replies.map((reply) => reply(Buffer.from('late'))),
    [false],
  )
})
