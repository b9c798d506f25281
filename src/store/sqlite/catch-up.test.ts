// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomUUIDv7 } from 'node:crypto'
import type { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import fc from 'fast-check'
import { PROOF_LEVELS } from '../../event/event.ts'
import type { EventReader } from '../store.ts'
import { CATCH_UP_SIZES, createCatchUp } from './catch-up.ts'
import { add, eventOf, settle, temporaryStore } from './fixture.ts'
import { checkAll, rowsIn, type TrueRow } from './fixture-truth.ts'
import { openForWriting } from './open.ts'
import { openSqliteReader } from './reader.ts'
import { createHoneyTable } from './table.ts'

/** So small that a few rows see all that happens to millions. */
const TINY: typeof CATCH_UP_SIZES = {
  ...CATCH_UP_SIZES,
  smallestEntries: 3,
  growth: 2,
  mostMerged: 4,
  writtenChunks: 1,
  deletedChunks: 1,
  fewRows: 3,
  manyRows: 8,
  mostTailRows: 20,
  rowsInStep: 3,
  keysInStep: 2,
}
const IPS = ['198.51.100.0', '198.51.100.1', '198.51.100.10', '2001:db8::1', '9.9.9.9']
const NUMBERS = ['1', '2', '+3', '44', 'admin', '9'.repeat(140)]

const at = (second: number) => {
  const [whole, part] = [Math.floor(second / 10), second % 10]
  return `2026-11-22 01:${String(Math.floor(whole / 60)).padStart(2, '0')}:${String(whole % 60).padStart(2, '0')}.${part}`
}

const event = fc.record({
  ip: fc.constantFrom(...IPS),
  number: fc.constantFrom(...NUMBERS),
  other: fc.option(fc.constantFrom(...NUMBERS)),
  proof: fc.constantFrom(...PROOF_LEVELS),
  late: fc.nat(5), // clocks are set back, too
})
type AnyEvent = typeof event extends fc.Arbitrary<infer T> ? T : never

const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ append: fc.array(event, { minLength: 1, maxLength: 6 }) }) },
  { weight: 2, arbitrary: fc.record({ foreign: fc.array(event, { minLength: 1, maxLength: 12 }) }) },
  { weight: 6, arbitrary: fc.constantFrom('step', 'quiet step', 'owe') },
  { weight: 2, arbitrary: fc.constantFrom('restart', 'new reader', 'settle', 'delete', 'old reader') },
)

/** A store, what happens to it, and a model of what it has to say. */
function createWorld(t: TestContext) {
  const { file, database, reader: first, ...store } = temporaryStore(t, TINY)
  let { table, catchUp } = store
  let reader: EventReader = first
  let counted: TrueRow[] = []
  let present: TrueRow[] = []
  let clock = 1_000
  const later = (late: number) => {
    clock += 4
    return at(clock - 7 * late)
  }

  function appended(): void {
    const known = new Set(counted.map(({ id }) => id))
    present = rowsIn(file)
    counted = [...counted, ...present.filter(({ id }) => !known.has(id))]
  }

  return {
    reader: () => reader,
    check: () => checkAll(reader, counted, present),
    append(events: readonly AnyEvent[]) {
      add(
        table,
        ...events.map(({ ip, number, other, proof, late }) =>
          eventOf({
            sourceIp: ip,
            calledNumber: number,
            requestUser: other === number ? null : other,
            proof,
            proofBy: 'nonce',
            timestamp: later(late),
          }),
        ),
      )
      appended()
    },
    foreign(events: readonly AnyEvent[]) {
      for (const { ip, number, other, proof, late } of events) {
        database
          .prepare(`INSERT INTO honey (event_uuid, event_timestamp, source_ip, called_number, request_user, proof)
            VALUES (?, ?, ?, ?, ?, ?)`)
          .run(randomUUIDv7(), later(late), ip.includes(':') ? ip : `${ip}:5060`, number, other, proof)
      }
      appended()
    },
    /** Rows that are in all views by then. */
    deleteSome() {
      settle(catchUp)
      database.exec('DELETE FROM honey WHERE honey_id % 3 = 1 OR honey_id > (SELECT max(honey_id) - 2 FROM honey)')
      add(table, eventOf({ timestamp: later(0) })) // SQLite would give it an id that is counted already
      appended()
    },
    restart() {
      table = createHoneyTable(database)
      catchUp = createCatchUp(database, TINY)
      catchUp.leaveForLater()
    },
    reopen() {
      const before = reader
      reader = openSqliteReader(file)
      if (before === first) t.after(() => reader.close())
      else before.close()
    },
    settle: () => settle(catchUp),
    catchUp: () => catchUp,
    database,
  }
}

test('whatever is appended, inserted, folded, merged and deleted when, a reader sees every event, and once', (t) => {
  let waited = 0
  fc.assert(
    fc.property(fc.array(step, { minLength: 10, maxLength: 40 }), (steps) => {
      const world = createWorld(t)
      const oldReader = world.reader()
      for (const work of steps) {
        if (typeof work === 'object' && 'append' in work) world.append(work.append)
        else if (typeof work === 'object') world.foreign(work.foreign)
        else if (work === 'step') world.catchUp().step(false)
        else if (work === 'quiet step') world.catchUp().step(true)
        else if (work === 'owe') world.catchUp().owe(3)
        else if (work === 'restart') world.restart()
        else if (work === 'new reader') world.reopen()
        else if (work === 'delete') world.deleteSome()
        else if (work === 'old reader')
          oldReader.totals() // it has a tail of that time, and asks again at the end
        else world.settle()
        // What another program inserted and is too much for a tail is seen when it is counted.
        if (intervals(world.database) === 0) world.check()
        else waited++
      }
      world.settle()
      world.check()
      checkFolded(world.database)
    }),
    { numRuns: 25 },
  )
  assert.ok(waited > 0, 'no run had rows that wait')
})

test('a fold shows every step of it', (t) => {
  const world = createWorld(t)
  const events = (count: number) =>
    Array.from({ length: count }, (_, index): AnyEvent => {
      const [ip, number] = [IPS[index % 5] ?? '', NUMBERS[(index * 7) % 6] ?? '']
      return {
        ip,
        number,
        other: NUMBERS[index % 4] ?? null,
        proof: PROOF_LEVELS[index % 3] ?? 'none',
        late: index % 4,
      }
    })
  world.append(events(17))
  let steps = 0
  for (; world.catchUp().step(true); steps++) {
    if (steps % 3 === 0 && steps < 20) world.append(events(1))
    if (steps % 5 === 4) world.restart()
    world.check()
  }
  assert.ok(steps > 10, `${steps} steps`)
  checkFolded(world.database)
})

for (const [place, failing] of [
  ['UPDATE ON bad_actors', "old.source_ip = '198.51.100.10'"],
  ['UPDATE ON called_numbers', "old.called_number = '+3'"],
  ['INSERT ON run_chunks', 'true'],
  ['UPDATE ON views', "new.view = 'events' AND new.from_id > old.from_id"],
  ['UPDATE ON runs', "new.state = 'visible'"],
] as const) {
  test(`work that fails at ${place} leaves everything as it was, and goes on later`, (t) => {
    const world = createWorld(t)
    const events = IPS.map((ip, index): AnyEvent => {
      return { ip, number: NUMBERS[index] ?? '', other: '+3', proof: 'none', late: 0 }
    })
    for (let batch = 0; batch < 3; batch++) {
      world.append(events)
      world.settle()
    }
    for (let batch = 0; batch < 2; batch++) world.append(events)
    world.database.exec(
      `CREATE TEMP TRIGGER fail BEFORE ${place} WHEN ${failing} BEGIN SELECT raise(ABORT, 'boom'); END`,
    )
    assert.throws(() => {
      while (world.catchUp().step(true)) world.check()
      world.append(events)
      while (world.catchUp().step(true)) world.check()
      world.append(events)
      while (world.catchUp().step(true)) world.check()
    }, /boom/)
    world.check()
    world.database.exec('DROP TRIGGER fail')
    world.settle()
    world.check()
    checkFolded(world.database)
  })
}

test('however many events, a question has few runs to look at, and chunks of merged ones are gone', (t) => {
  const { database, table, catchUp, reader } = temporaryStore(t, TINY)
  for (let batch = 0; batch < 300; batch++) {
    add(
      table,
      ...[0, 1, 2].map((host) => eventOf({ sourceIp: `198.51.${batch % 250}.${host}`, calledNumber: `${batch}` })),
    )
    settle(catchUp)
  }
  const count = (sql: string) => Number(database.prepare(`SELECT count(*) AS found FROM ${sql}`).get()?.['found'])
  assert.ok(count('runs') <= 2 * 10, `${count('runs')} runs`) // one of each size, 2 to the power of 9 being more than 300
  assert.equal(count('run_chunks WHERE run NOT IN (SELECT run FROM runs)'), 0)
  assert.equal(reader.totals().calledNumbers, 300)
})

test('a flood is folded in step with it, and its tail stays bounded', (t) => {
  const sizes = { ...CATCH_UP_SIZES, fewRows: 50, manyRows: 1_000, rowsInStep: 100, keysInStep: 100 }
  const { database, table, catchUp, reader } = temporaryStore(t, sizes)
  let most = 0
  for (let batch = 0; batch < 200; batch++) {
    const events = Array.from({ length: 60 }, (_, index) =>
      eventOf({ calledNumber: `1${batch * 60 + index}`, requestUser: `2${batch * 60 + index}` }),
    )
    add(table, ...events)
    catchUp.owe(events.length)
    const view = database.prepare("SELECT min(from_id) AS id FROM views WHERE part = 'newest'").get()
    most = Math.max(most, (batch + 1) * events.length - Number(view?.['id']))
  }
  assert.ok(most < 3_000, `a tail of ${most} rows`)
  assert.deepEqual(reader.totals(), { badActors: 1, calledNumbers: 200 * 60 * 2 })
})

test('a file with more uncounted rows than a tail may have is counted in the background', (t) => {
  const world = createWorld(t)
  const event: AnyEvent = { ip: IPS[0] ?? '', number: '1', other: null, proof: 'none', late: 0 }
  world.append([event])
  world.settle()
  world.foreign(Array.from({ length: 30 }, () => event))
  world.restart()
  assert.equal(intervals(world.database), 1)
  assert.equal(world.reader().calledNumber('1')?.seenCount, 1, 'the first is counted, before the others')
  world.append([event])
  assert.equal(world.reader().calledNumber('1')?.seenCount, 2, 'a new one is seen at once')
  world.settle()
  world.check()
  checkFolded(world.database)
})

function intervals(database: DatabaseSync): number {
  return Number(database.prepare('SELECT count(*) AS found FROM uncounted').get()?.['found'])
}

/** Nothing waits, and the views say of themselves what they hold. */
function checkFolded(database: DatabaseSync): void {
  assert.equal(intervals(database), 0)
  const lastId = Number(database.prepare('SELECT max(honey_id) AS id FROM honey').get()?.['id'] ?? 0)
  const views = database.prepare("SELECT * FROM views WHERE part = 'newest'").all()
  for (const { view, from_id: from, upto_id: upto, done_key: doneKey } of views) {
    assert.equal(from, upto)
    assert.equal(doneKey, '')
    if (view !== 'events') assert.ok(Number(from) >= lastId, `${view} is at ${from}, the last row is ${lastId}`)
    else assert.ok(lastId - Number(from) < TINY.fewRows, `the index is at ${from}, the last row is ${lastId}`)
  }
  for (const view of ['bad_actors', 'called_numbers']) {
    const { kept, counted } = database
      .prepare(`SELECT (SELECT sum(keys) FROM views WHERE view = ?) AS kept, (SELECT count(*) FROM ${view}) AS counted`)
      .get(view) ?? { kept: null, counted: null }
    assert.equal(kept, counted)
  }
}

test('two programs that have the file open count no row twice', (t) => {
  const { file, database, table, catchUp, reader } = temporaryStore(t, TINY)
  const other = openForWriting(file, { sync: 'normal', onProgress: () => {} })
  t.after(() => other.close())
  const programs = [catchUp, createCatchUp(other, TINY)]
  let turned = 0
  const step = (program: (typeof programs)[number]) => {
    try {
      return program.step(true)
    } catch (error) {
      assert.match(String(error), /another program/)
      turned++
      return true
    }
  }
  const foreign = database.prepare(
    "INSERT INTO honey (source_ip, called_number, event_timestamp) VALUES (?, ?, '2026')",
  )
  let random = 7
  for (let round = 0; round < 60; round++) {
    add(table, ...IPS.map((sourceIp, index) => eventOf({ sourceIp, calledNumber: NUMBERS[(index + round) % 4] ?? '' })))
    foreign.run(`${IPS[round % 4]}:5060`, '5')
    for (let steps = 0; steps < 8; steps++) {
      random = (random * 48_271) % 2_147_483_647
      for (const program of programs.slice(random % 2)) step(program)
    }
  }
  while (programs.map(step).some(Boolean));
  assert.ok(turned > 0, 'they met')
  const rows = rowsIn(file)
  checkAll(reader, rows, rows)
})
