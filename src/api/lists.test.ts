// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { text } from 'node:stream/consumers'
import { type TestContext, test } from 'node:test'
import { setImmediate } from 'node:timers/promises'
import type { EventReader, ListQuery } from '../store/store.ts'
import { fixtureOptions, makeListsHere, startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'
import { API_LIMITS, type ApiLimits } from './limits.ts'
import { startApi } from './server.ts'

const ENDLESS = 100_000_000 // rows: a list that no test sees the end of

/** A store whose list of numbers has no end, and that counts the rows taken from it. */
function createEndlessReader() {
  const fixture = createFixtureReader({})
  let rows = 0
  let open = 0
  const reader: EventReader = {
    ...fixture,
    snapshot: () => {
      open++
      return {
        ...fixture.snapshot(),
        *calledNumbers(_query: ListQuery) {
          while (rows < ENDLESS) {
            const time = '2026-01-01 00:00:00.000000000'
            rows++ // the number has to be one that hardly compresses, or too many of them fit the buffers
            const calledNumber = String(Math.random()).slice(2)
            yield { calledNumber, seenFirst: time, seenLast: time, seenCount: 1, bestProof: 'none' as const }
          }
        },
        close: () => {
          open--
        },
      }
    },
  }
  return { reader, rows: () => rows, openSnapshots: () => open }
}

/** Asks for a list, reads its head and no more. */
async function askAndStall(port: number, t: TestContext, headers = ''): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {}) // some tests have the API cut it
  socket.write(`GET /numbers HTTP/1.1\r\nHost: localhost\r\n${headers}\r\n`)
  await once(socket, 'readable')
  return socket
}

async function startEndless(t: TestContext, limits: Partial<ApiLimits> = {}) {
  const store = createEndlessReader()
  return { ...store, ...(await startFixtureApi(t, store.reader, {}, { stopGraceMs: 1, ...limits })) }
}

/** Waits for `check` to hold, also on a machine that has much else to do. */
async function eventually(t: TestContext, check: () => void): Promise<void> {
  await t.waitFor(check, { timeout: 20_000 })
}

/** Resolves when `read` gives the same number twice, 50 ms apart. */
async function settled(t: TestContext, read: () => number): Promise<number> {
  let before = Number.NaN
  await t.waitFor(
    () => {
      const now = read()
      const same = now === before
      before = now
      assert.ok(same)
    },
    { interval: 50, timeout: 20_000 },
  )
  return before
}

for (const headers of ['', 'Accept-Encoding: gzip\r\n']) {
  const how = headers === '' ? 'as it is' : 'compressed'
  test(`a list sent ${how} is made no faster than its reader takes it`, async (t) => {
    const store = await startEndless(t)
    const socket = await askAndStall(store.port, t, headers)
    const made = await settled(t, store.rows)
    // What the kernel and the buffers on the way hold, and nothing like the whole list.
    assert.ok(made < ENDLESS / 100, `${made} rows`)
    socket.resume()
    await eventually(t, () => assert.ok(store.rows() > made))
  })

  test(`a list sent ${how} ends, and lets go of the store, when its reader goes away`, async (t) => {
    const store = await startEndless(t)
    const socket = await askAndStall(store.port, t, headers)
    assert.equal(store.openSnapshots(), 1)
    socket.destroy()
    await eventually(t, () => assert.equal(store.openSnapshots(), 0))
    const made = await settled(t, store.rows)
    assert.equal(store.rows(), made)
  })

  test(`a list sent ${how} is cut at its deadline, even while its reader reads`, { timeout: 10_000 }, async (t) => {
    const store = await startEndless(t, { deadlineMs: 100 })
    const socket = await askAndStall(store.port, t, headers)
    socket.resume()
    await once(socket, 'close')
    await eventually(t, () => assert.equal(store.openSnapshots(), 0))
  })
}

test('a list waiting behind another on its connection is cut at its deadline too', async (t) => {
  const store = await startEndless(t, { deadlineMs: 100 })
  const socket = await askAndStall(store.port, t)
  socket.write('GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await eventually(t, () => assert.equal(store.openSnapshots(), 2))
  await eventually(t, () => assert.equal(store.openSnapshots(), 0))
})

test('however many lists are read at full speed, a round of the event loop makes one piece of one of them', async (t) => {
  const store = await startEndless(t)
  for (const socket of await Promise.all([1, 2, 3].map(() => askAndStall(store.port, t)))) socket.resume()
  for (let round = 0; round < 300; round++) {
    const before = store.rows()
    await setImmediate()
    const made = store.rows() - before
    assert.ok(made < 500, `${made} rows in round ${round}`) // a piece is about 250 of these rows
  }
  assert.ok(store.rows() > 3_000)
})

test('no more lists than the limit are sent at a time; lookups are answered meanwhile', async (t) => {
  const store = await startEndless(t, { maxLists: 3, maxListsPerClient: 1 }) // loopback has no share
  const readers = await Promise.all([1, 2, 3].map(() => askAndStall(store.port, t)))
  const refused = await store.get('/numbers')
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal(refused.headers.get('etag'), null)
  assert.equal(((await refused.json()) as { error: string }).error, 'Too many lists at a time')
  assert.equal((await store.get('/numbers/100')).status, 200)
  assert.match(await (await store.get('/metrics')).text(), /^sentrypeer_api_lists_in_progress 3$/m)
  assert.match(
    await (await store.get('/metrics')).text(),
    /^sentrypeer_api_lists_refused_total\{reason="all_places"\} 1$/m,
  )

  readers[0]?.destroy()
  await eventually(t, () => assert.equal(store.openSnapshots(), 2))
  const admitted = await askAndStall(store.port, t)
  assert.match(String(admitted.read()), /^HTTP\/1\.1 200 /)
})

test('garbage behind the request for a list cuts the list; no error is written into the middle of it', async (t) => {
  const store = await startEndless(t)
  const socket = await askAndStall(store.port, t)
  const answer = text(socket)
  socket.write('\0garbage\r\n\r\n')
  assert.equal((await answer).indexOf('HTTP/1.1', 1), -1)
  await eventually(t, () => assert.equal(store.openSnapshots(), 0))
})

test('a stop cuts the lists that are being sent and lets go of the store', async (t) => {
  const store = createEndlessReader()
  const api = await startApi(fixtureOptions(), store.reader, makeListsHere(store.reader), {
    ...API_LIMITS,
    stopGraceMs: 10,
  })
  await askAndStall(api.port, t)
  await api.stop()
  await eventually(t, () => assert.equal(store.openSnapshots(), 0))
})

test('a store that fails in the middle of a list cuts it, so that it cannot pass for whole', async (t) => {
  const reader = createFixtureReader(...Array.from({ length: 5_000 }, (_, n) => ({ calledNumber: String(n) })))
  let taken = 0
  const failing: EventReader = {
    ...reader,
    snapshot: () => {
      const snapshot = reader.snapshot()
      return {
        ...snapshot,
        *calledNumbers(query) {
          for (const row of snapshot.calledNumbers(query)) {
            if (++taken > 4_500) throw new Error('disk I/O error')
            yield row
          }
        },
      }
    },
  }
  const api = await startFixtureApi(t, failing)
  const answer = await api.get('/numbers')
  assert.equal(answer.status, 200)
  await assert.rejects(answer.text())
  assert.deepEqual(api.log, ['REST API: a list failed and was cut: disk I/O error\n'])
  assert.equal(reader.openSnapshots(), 0)
})

test('a store that fails at the first row is a 500', async (t) => {
  const reader = createFixtureReader({})
  reader.breakRows()
  const api = await startFixtureApi(t, reader)
  for (const path of ['/numbers', '/numbers?limit=1', '/ip-addresses/ipset?min_proof=none']) {
    assert.equal((await api.get(path)).status, 500, path)
  }
  await eventually(t, () => assert.equal(reader.openSnapshots(), 0))
})

test('while the log of the database is long, no list but a page begins beside another, and all are cut when it grows on', async (t) => {
  const store = createEndlessReader()
  let logBytes = 0
  const reader = { ...store.reader, logBytes: () => logBytes }
  const { port, get } = await startFixtureApi(t, reader, {}, { stopGraceMs: 1, mostLogBytes: 1_000, logCheckMs: 5 })
  const first = await askAndStall(port, t)
  logBytes = 1_001
  const refused = await get('/numbers')
  assert.equal(refused.status, 503)
  assert.equal(refused.headers.get('retry-after'), '1')
  assert.equal((await get('/numbers?limit=10')).status, 200)
  assert.equal((await get('/events?limit=10')).status, 200)
  assert.equal(first.closed, false)
  const closed = once(first, 'close')
  logBytes = 2_001
  first.resume()
  await closed
  logBytes = 1_001
  await eventually(t, () => assert.equal(store.openSnapshots(), 0))
  const next = await askAndStall(port, t)
  assert.equal(next.destroyed, false, 'one alone may always begin')
})

test('while the log of the database is long, slow lists are cut, and then others begin again', async (t) => {
  const store = createEndlessReader()
  const reader = { ...store.reader, logBytes: () => 1_001 }
  const limits = { stopGraceMs: 1, mostLogBytes: 1_000, logCheckMs: 5, slowMs: 100 }
  const { port, log } = await startFixtureApi(t, reader, {}, limits)
  const slow = await askAndStall(port, t)
  const closed = once(slow, 'close')
  slow.resume()
  await closed
  assert.deepEqual(log, ["REST API: a list whose reader is slow was cut, since the database's log grows meanwhile\n"])
  await eventually(t, () => assert.equal(store.openSnapshots(), 0))
  const next = await askAndStall(port, t)
  assert.equal(next.destroyed, false)
})
