// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { platform } from 'node:process'
import { test } from 'node:test'
import { endOfOthers, freePort, freePorts } from './free-ports.ts'

for (const [range, end, why] of [
  ['32768\t60999\n', 32_768, 'the default'],
  ['20000 30000\n', 20_000, 'another one'],
  ['1024 65535\n', 32_768, 'all ports are ephemeral, and some have to be taken'],
  ['', 32_768, 'the system does not tell'],
] as const) {
  test(`ports below ${end} are not ephemeral: ${why}`, () => assert.equal(endOfOthers(range), end))
}

for (const host of ['127.0.0.1', '::1']) {
  test(`a free port on ${host} can be opened for UDP and for TCP, and is not ephemeral`, async (t) => {
    const port = await freePort(host)
    const socket = createSocket(host === '::1' ? 'udp6' : 'udp4').bind(port, host)
    t.after(() => socket.close())
    await once(socket, 'listening')
    const server = createServer().listen(port, host)
    t.after(() => server.close())
    await once(server, 'listening')
    const range = platform === 'linux' ? readFileSync('/proc/sys/net/ipv4/ip_local_port_range', 'latin1') : ''
    assert.ok(port < endOfOthers(range), `${port}`)
  })
}

test('a port that somebody has for TCP or UDP is passed over, and no port is given twice', async (t) => {
  const drawn: number[] = []
  const [first = 0, second = 0, third = 0] = await freePorts('127.0.0.1', 3, () => {
    drawn.push(Math.random())
    return drawn.at(-1) ?? 0
  })
  const twice = drawn.flatMap((draw) => [draw, draw])
  assert.deepEqual(await freePorts('127.0.0.1', 3, () => twice.shift() ?? 0), [first, second, third])
  const server = createServer().listen(first, '127.0.0.1')
  t.after(() => server.close())
  await once(server, 'listening')
  const socket = createSocket('udp4').bind(second, '127.0.0.1')
  t.after(() => socket.close())
  await once(socket, 'listening')
  assert.deepEqual(await freePorts('127.0.0.1', 1, () => drawn.shift() ?? 0), [third])
})
