// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer } from 'node:net'
import { type TestContext, test } from 'node:test'
import { shareConnections } from './connection-share.ts'

async function serverWith(t: TestContext, most: number, isUnlimited: (address: string) => boolean = () => false) {
  const server = createServer((socket) => void socket.on('error', () => {}).write('hello'))
  const share = shareConnections(server, most, isUnlimited)
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  t.after(() => server.close())
  /** Whether a connection from there is served. */
  const ask = async (from: string) => {
    const socket = connect({ port: (server.address() as AddressInfo).port, host: '127.0.0.1', localAddress: from })
    t.after(() => socket.destroy())
    socket.on('error', () => {}) // closed at once
    const isServed = await Promise.race([
      once(socket, 'data').then(() => true),
      once(socket, 'close').then(() => false),
    ])
    return { socket, isServed }
  }
  return { server, share, ask }
}

test('a client has so many connections at a time, others have theirs, and one that ends makes room', async (t) => {
  const { share, ask } = await serverWith(t, 2)
  const first = await ask('127.0.0.2')
  assert.deepEqual([first.isServed, (await ask('127.0.0.2')).isServed], [true, true])
  assert.equal((await ask('127.0.0.2')).isServed, false)
  assert.equal((await ask('127.0.0.3')).isServed, true)
  assert.equal(share.refused(), 1)
  first.socket.destroy()
  await t.waitFor(async () => assert.equal((await ask('127.0.0.2')).isServed, true), { timeout: 5_000 })
})

test('who is unlimited has any number, and what is more than all may have is counted', async (t) => {
  const { server, share, ask } = await serverWith(t, 1, (address) => address === '127.0.0.9')
  for (let at = 0; at < 3; at++) assert.equal((await ask('127.0.0.9')).isServed, true)
  server.maxConnections = 3
  assert.equal((await ask('127.0.0.3')).isServed, false)
  assert.equal(share.refused(), 1)
})
