// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket, type Socket } from 'node:dgram'
import { once } from 'node:events'
import { type TestContext, test } from 'node:test'
import { type IpAddress, parseIp } from '../net/ip.ts'
import { errorCode } from '../ops/errors.ts'
import { createRtpMedia, type RtpAudio, type RtpMediaOptions } from './rtp.ts'

const LOOPBACK = ip('127.0.0.1')
const PORTS = { lowest: 20_000, highest: 29_998 }
const END = Buffer.from('end')

function ip(text: string): IpAddress {
  const address = parseIp(text)
  assert.ok(address !== null)
  return address
}

/** Timers that run when the test says so; each may be late by what `lateMs` says. */
function fakeTime(lateMs: () => number = () => 0) {
  const waiting = new Set<{ atMs: number; run: () => void }>()
  let nowMs = 1_000.5
  return {
    clock: { steadyMs: () => nowMs },
    timers: {
      after(ms: number, run: () => void) {
        const timer = { atMs: nowMs + ms + lateMs(), run }
        waiting.add(timer)
        return () => void waiting.delete(timer)
      },
    },
    waiting: () => waiting.size,
    stall(ms: number) {
      nowMs += ms
    },
    advance(ms: number) {
      const untilMs = nowMs + ms
      for (;;) {
        const [next] = [...waiting].filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)
        if (next === undefined) break
        waiting.delete(next)
        nowMs = Math.max(nowMs, next.atMs)
        next.run()
      }
      nowMs = untilMs
    },
  }
}

/** A port that audio can be sent to. `packets` waits for `count` of them, in the order of their arrival. */
async function listener(t: TestContext, address = LOOPBACK) {
  const socket = createSocket('udp4')
  const arrived: { bytes: Buffer; from: number }[] = []
  socket.on('message', (bytes, { port }) => arrived.push({ bytes, from: port }))
  await bound(t, socket, address, 0)
  return {
    remote: { ip: address, port: socket.address().port },
    socket,
    async packets(count: number) {
      while (arrived.length < count) await once(socket, 'message')
      return arrived.splice(0, count)
    },
    /** Everything that was sent before now: what is sent on one machine arrives in order. */
    async packetsSoFar() {
      await new Promise(setImmediate) // a socket sends when the caller has returned
      const own = createSocket('udp4')
      own.send(END, socket.address().port, address, () => own.close())
      while (!arrived.some(({ bytes }) => bytes.equals(END))) await once(socket, 'message')
      return arrived.splice(0).filter(({ bytes }) => !bytes.equals(END))
    },
  }
}

async function bound(t: TestContext, socket: Socket, address: string, port: number): Promise<void> {
  await new Promise<void>((resolve) => socket.bind({ address, port, exclusive: true }, resolve))
  t.after(() => void socket.close())
}

function media(t: TestContext, time: ReturnType<typeof fakeTime>, options: Partial<RtpMediaOptions> = {}) {
  const errors: unknown[] = []
  let drawn = 0
  const rtp = createRtpMedia({
    ports: PORTS,
    timers: time.timers,
    clock: time.clock,
    randomBytes: (size) => Buffer.alloc(size, 17 + 31 * drawn++), // a new port for each call
    onError: (cause) => errors.push(cause),
    ...options,
  })
  t.after(rtp.stopAll)
  const start = (remote: RtpAudio['remote'], audio: Partial<RtpAudio> = {}) =>
    rtp.start({ localIp: LOOPBACK, remote, payloadType: 0, maxS: 60, ...audio })
  const started = async (...given: Parameters<typeof start>) => {
    const call = await start(...given)
    assert.ok(call !== null, String(errors))
    return call
  }
  return { rtp, start, started, errors }
}

const numbers = (packets: readonly { bytes: Buffer }[]) =>
  packets.map(({ bytes }) => ({ sequence: bytes.readUInt16BE(2), timestamp: bytes.readUInt32BE(4) }))

test('a call sends 50 packets of 172 bytes a second from its even port, each following the one before', async (t) => {
  const time = fakeTime()
  const { remote, packets, packetsSoFar } = await listener(t)
  const call = await media(t, time).started(remote)
  call.begin()
  time.advance(999)
  const sent = await packets(50)
  assert.equal(call.port % 2, 0)
  assert.deepEqual(new Set(sent.map(({ from }) => from)), new Set([call.port]))
  assert.deepEqual(new Set(sent.map(({ bytes }) => bytes.length)), new Set([172]))
  const [first] = numbers(sent)
  assert.ok(first !== undefined)
  const expected = sent.map((_, at) => ({ sequence: first.sequence + at, timestamp: first.timestamp + 160 * at }))
  assert.deepEqual(numbers(sent), expected)
  assert.deepEqual(await packetsSoFar(), [])
})

test('a call sends nothing before it begins, and begins once', async (t) => {
  const time = fakeTime()
  const { remote, packetsSoFar } = await listener(t)
  const call = await media(t, time).started(remote)
  time.advance(1_000)
  assert.equal((await packetsSoFar()).length, 0)
  call.begin()
  call.begin()
  assert.equal((await packetsSoFar()).length, 1)
  time.advance(20)
  assert.equal((await packetsSoFar()).length, 1)
})

test('a call that is stopped sends no more, leaves no timer and frees its port', async (t) => {
  const time = fakeTime()
  const { remote, packetsSoFar } = await listener(t)
  const call = await media(t, time).started(remote)
  call.begin()
  await packetsSoFar()
  call.stop()
  call.stop()
  call.begin()
  assert.equal(time.waiting(), 0)
  time.advance(1_000)
  assert.deepEqual(await packetsSoFar(), [])
  await bound(t, createSocket('udp4'), LOOPBACK, call.port)
})

test('a call that is stopped before it began does not begin', async (t) => {
  const time = fakeTime()
  const { remote, packetsSoFar } = await listener(t)
  const { started, errors } = media(t, time)
  const call = await started(remote)
  call.stop()
  call.begin()
  assert.equal(time.waiting(), 0)
  assert.deepEqual([await packetsSoFar(), errors], [[], []])
})

for (const begins of [true, false]) {
  test(`a call that has ${begins ? '' : 'not '}begun ends by itself`, async (t) => {
    const time = fakeTime()
    const { remote, packetsSoFar } = await listener(t)
    const { start, started } = media(t, time, { maxCalls: 1 })
    const call = await started(remote, { maxS: 1 })
    if (begins) call.begin()
    time.advance(999)
    assert.equal(await start(remote), null)
    await new Promise(setImmediate)
    time.advance(1)
    assert.equal(time.waiting(), 0)
    assert.equal((await packetsSoFar()).length, begins ? 50 : 0)
    await started(remote)
  })
}

test('timers that are late or early by some milliseconds cost no packet', async (t) => {
  let turns = 0
  const time = fakeTime(() => [0, 19, -1, 7, 19, 0][turns++ % 6] ?? 0)
  const { remote, packets } = await listener(t)
  const call = await media(t, time).started(remote)
  call.begin()
  time.advance(1_020)
  const sent = numbers(await packets(51))
  assert.deepEqual(
    sent.slice(1).map(({ timestamp }, at) => timestamp - (sent[at]?.timestamp ?? 0)),
    new Array(50).fill(160),
  )
})

test('after a stall a call goes on in time without sending what it missed', async (t) => {
  const time = fakeTime()
  const { remote, packetsSoFar } = await listener(t)
  const call = await media(t, time).started(remote)
  call.begin()
  const [before] = numbers(await packetsSoFar())
  time.stall(1_005) // 50 turns, of which the last is sent
  time.advance(0)
  const afterwards = await packetsSoFar()
  assert.deepEqual(numbers(afterwards), [
    { sequence: (before?.sequence ?? 0) + 1, timestamp: (before?.timestamp ?? 0) + 50 * 160 },
  ])
  time.advance(14)
  assert.equal((await packetsSoFar()).length, 0)
  time.advance(1)
  assert.equal((await packetsSoFar()).length, 1)
})

test('what comes to the port is counted and changes nothing: audio stays with its one remote', async (t) => {
  const time = fakeTime()
  const [caller, stranger] = [await listener(t), await listener(t)]
  const call = await media(t, time).started(caller.remote)
  call.begin()
  for (const size of [0, 172, 1_000]) stranger.socket.send(Buffer.alloc(size), call.port, LOOPBACK)
  while (call.received().packets < 3) await new Promise(setImmediate)
  assert.deepEqual(call.received(), { packets: 3, bytes: 1_172 })
  time.advance(20)
  assert.equal((await caller.packetsSoFar()).length, 2)
  assert.deepEqual(await stranger.packetsSoFar(), [])
})

test('one call too many is refused until another has ended, those being opened included', async (t) => {
  const { remote } = await listener(t)
  const { start, errors } = media(t, fakeTime(), { maxCalls: 2 })
  const calls = await Promise.all([start(remote), start(remote), start(remote)])
  assert.deepEqual(
    calls.map((call) => call !== null),
    [true, true, false],
  )
  calls[0]?.stop()
  assert.notEqual(await start(remote), null)
  assert.deepEqual(errors, [])
})

for (const [address, port, why] of [
  ['224.0.0.1', 4_000, 'a group'],
  ['239.255.255.255', 4_000, 'the last group'],
  ['255.255.255.255', 4_000, 'broadcast'],
  ['240.0.0.1', 4_000, 'a reserved address'],
  ['0.0.0.0', 4_000, 'no address'],
  ['0.1.2.3', 4_000, 'this network'],
  ['::', 4_000, 'no IPv6 address'],
  ['ff02::1', 4_000, 'an IPv6 group'],
  ['::ffff:224.0.0.1', 4_000, 'a group written as IPv6'],
  ['127.0.0.1', 1_023, 'a system port'],
  ['127.0.0.1', 0, 'no port'],
  ['127.0.0.1', 65_536, 'a port that there is not'],
  ['127.0.0.1', Number.NaN, 'what is no port'],
  ['127.0.0.1', 4_000.5, 'half a port'],
  ['2001:db8::1', 4_000, 'the other family'],
] as const) {
  test(`no call sends to ${why} (${address}, port ${port})`, async (t) => {
    const remote = { ip: ip(address), port }
    const localIp = address.includes('::') && address !== '2001:db8::1' ? ip('::1') : LOOPBACK
    const { start, errors } = media(t, fakeTime())
    assert.equal(await start(remote, { localIp }), null)
    assert.deepEqual(errors, []) // nothing was even tried
  })
}

test('the lowest port and the last address that are allowed are allowed', async (t) => {
  const { started } = media(t, fakeTime())
  await started({ ip: ip('223.255.255.255'), port: 1_024 })
  await started({ ip: LOOPBACK, port: 65_535 })
})

test('ports that others have are passed over; with none left there is no call, and it is told', async (t) => {
  const { remote } = await listener(t)
  const { port: taken } = await media(t, fakeTime()).started(remote)
  const fromTaken = (highest: number) =>
    media(t, fakeTime(), { ports: { lowest: taken - 1, highest }, randomBytes: (size) => Buffer.alloc(size) })

  const { port } = await fromTaken(taken + 101).started(remote)
  assert.ok(port > taken && port <= taken + 100 && port % 2 === 0, String(port))

  const { start, errors } = fromTaken(taken + 1)
  assert.equal(await start(remote), null)
  assert.deepEqual(errors.map(errorCode), ['EADDRINUSE'])
})

for (const [localIp, ports, why] of [
  ['198.51.100.7', PORTS, 'an address that the machine does not have'],
  ['127.0.0.1', { lowest: 20_001, highest: 20_001 }, 'a range without an even port'],
] as const) {
  test(`from ${why} there is no call, and it is told once`, async (t) => {
    const { start, errors } = media(t, fakeTime(), { ports, maxCalls: 1 })
    for (const told of [1, 2]) {
      assert.equal(await start({ ip: LOOPBACK, port: 4_000 }, { localIp: ip(localIp) }), null)
      assert.equal(errors.length, told)
    }
  })
}

test('a packet that cannot be sent is told and ends nothing', async (t) => {
  const time = fakeTime()
  const { started, errors } = media(t, time)
  const call = await started({ ip: ip('192.0.2.1'), port: 4_000 }) // which a socket on loopback cannot reach
  call.begin()
  time.advance(20)
  while (errors.length < 2) await new Promise(setImmediate)
  assert.match(String(errors[0]), /EINVAL|ENETUNREACH|EPERM/)
  assert.equal(call.received().packets, 0)
})

test('a stop ends all calls, those being opened included, and starts none any more', async (t) => {
  const time = fakeTime()
  const { remote, packetsSoFar } = await listener(t)
  const { rtp, started, start } = media(t, time)
  const call = await started(remote)
  call.begin()
  await packetsSoFar()
  const opening = start(remote)
  rtp.stopAll()
  assert.equal(await opening, null)
  assert.equal(time.waiting(), 0)
  assert.equal(await start(remote), null)
  assert.deepEqual(await packetsSoFar(), [])
  await bound(t, createSocket('udp4'), LOOPBACK, call.port)
})
