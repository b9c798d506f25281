// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { type AddressInfo, connect } from 'node:net'
import { type TestContext, test } from 'node:test'
import { fastify } from 'fastify'
import { makeListsHere } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { createListMaking, type StartMaker } from './list-making.ts'
import { createLists, LIST_LIMITS } from './lists.ts'

const ROWS = 100_000 // more than fit into what the kernel and the buffers on the way hold

/** A server of one list, for which the addresses of loopback are clients like any others. */
async function listServer(t: TestContext, wrap: (start: StartMaker) => StartMaker = (start) => start) {
  const time = '2026-01-01 00:00:00.000000000'
  const fixture = createFixtureReader({})
  const reader = {
    ...fixture,
    snapshot: () => ({
      ...fixture.snapshot(),
      *calledNumbers() {
        for (let at = 0; at < ROWS; at++) {
          yield { calledNumber: String(at), seenFirst: time, seenLast: time, seenCount: 1, bestProof: 'none' as const }
        }
      },
    }),
  }
  const making = createListMaking(wrap(makeListsHere(reader)), 1_000, () => {})
  const limits = { ...LIST_LIMITS, maxListsPerClient: 2 }
  const lists = createLists(
    making,
    limits,
    (address) => address === '127.0.0.9',
    () => 0,
    () => {},
  )
  const app = fastify()
  app.get('/', (request, reply) => {
    const job = { kind: 'whole', name: 'called_numbers', query: { order: 'newest' }, withCursor: false } as const
    lists.send(request, reply, job, { type: 'application/json', none: 'none' })
  })
  await app.listen({ host: '127.0.0.1', port: 0 })
  t.after(async () => {
    lists.stop()
    await making.stop()
    await app.close()
  })
  const { port } = app.server.address() as AddressInfo // not a path: it was given a port
  /** Asks for the list from there and reads its first bytes only. */
  const ask = async (from: string) => {
    const socket = connect({ port, host: '127.0.0.1', localAddress: from })
    t.after(() => socket.destroy())
    socket.write('GET / HTTP/1.1\r\nHost: localhost\r\n\r\n')
    await once(socket, 'readable')
    return { socket, head: String(socket.read()) }
  }
  return { lists, ask, statusFor: async (from: string) => Number((await ask(from)).head.split(' ')[1]) }
}

test('a client is sent so many lists at a time, others have theirs, and one that ends makes room', async (t) => {
  const { lists, ask, statusFor } = await listServer(t)
  const first = await ask('127.0.0.2')
  assert.deepEqual([await statusFor('127.0.0.2'), await statusFor('127.0.0.2')], [200, 429])
  assert.equal(await statusFor('127.0.0.3'), 200)
  const { head } = await ask('127.0.0.2')
  assert.match(head, /\r\nretry-after: 1\r\n/i)
  assert.match(head, /"Too many lists at a time for one client","detail":"at most 2 are sent/)
  assert.equal(lists.refused().client_share, 2)
  assert.equal(lists.inProgress(), 3)
  first.socket.destroy()
  await t.waitFor(async () => assert.equal(await statusFor('127.0.0.2'), 200), { timeout: 20_000 })
})

test('who is unlimited is sent as many lists as there are places', async (t) => {
  const { statusFor } = await listServer(t)
  for (let at = 0; at < LIST_LIMITS.maxLists; at++) assert.equal(await statusFor('127.0.0.9'), 200)
  assert.equal(await statusFor('127.0.0.9'), 503)
})

test('a list whose thread cannot be started takes no place of its client', async (t) => {
  let left = 3
  const { lists, statusFor } = await listServer(t, (start) => (...told) => {
    if (left-- > 0) throw new Error('ERR_WORKER_INIT_FAILED: EAGAIN') // as Node.js does where pids.max is reached
    return start(...told)
  })
  const statuses: number[] = []
  for (let at = 0; at < 5; at++) statuses.push(await statusFor('127.0.0.2'))
  assert.deepEqual([statuses, lists.inProgress()], [[500, 500, 500, 200, 200], 2])
})
