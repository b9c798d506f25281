// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { test } from 'node:test'
import { testWith } from '../../../test/peers.ts'
import type { BadActorEvent } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'
import { createCatchUp } from './catch-up.ts'
import { add, allEvents, batchOf, eventOf, settle, temporaryFolder, temporaryStore } from './fixture.ts'
import { openForWriting } from './open.ts'
import { createPurge } from './purge.ts'
import { openSqliteReader } from './reader.ts'
import { openSqliteWriter } from './writer.ts'

const quiet = { sync: 'normal', onProgress: () => {} } as const

testWith(['sqlite3'], 'an event comes back as it was stored, to our reader and to any SQLite tool', async (t) => {
  const { file, table, reader } = temporaryStore(t)
  const event = eventOf({
    sourceIp: '2001:db8::1',
    transport: 'TLS',
    proof: 'handshake',
    proofBy: 'tls',
    credentials: { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: null },
    requestUser: '46500729221',
    fault: 'x',
    fingerprint: 's1.vtf',
    tool: 'sipsak',
    calledNumber: null,
    userAgent: null,
    method: null,
  })
  add(table, event)
  const [stored] = reader.events({ limit: 10 }).events
  assert.deepEqual(stored, {
    honeyId: 1,
    timestamp: event.timestamp,
    eventUuid: event.eventUuid,
    collectedMethod: 'passive',
    transport: 'TLS',
    sourceIp: '2001:db8::1',
    sourcePort: 5060,
    destinationIp: '127.0.0.1',
    destinationPort: 5060,
    method: 'NOT_FOUND',
    calledNumber: 'NOT_FOUND',
    requestUser: '46500729221',
    userAgent: 'NOT_FOUND',
    sipMessage: event.sipMessage,
    createdByNodeId: event.createdByNodeId,
    proof: 'handshake',
    fault: 'x',
    fingerprint: 's1.vtf',
    tool: 'sipsak',
    proofBy: 'tls',
    credentials: { user: '100', realm: 'r', nonce: 'n', response: '0f', algorithm: 'MD5', password: null },
    retransmissions: 0,
  })
  const shell = execFileSync('sqlite3', [
    file,
    'SELECT source_ip, transport_type, method, length(created_at) FROM honey',
  ])
  assert.equal(shell.toString(), '2001:db8::1|TLS|NOT_FOUND|23\n')
})

test('the columns of the C program come first, with their names and order', (t) => {
  const { database } = temporaryStore(t)
  const names = database
    .prepare("SELECT name FROM pragma_table_info('honey')")
    .all()
    .map(({ name }) => name)
  assert.deepEqual(names.slice(0, 12), [
    'honey_id',
    'event_timestamp',
    'event_uuid',
    'collected_method',
    'source_ip',
    'called_number',
    'transport_type',
    'method',
    'user_agent',
    'sip_message',
    'created_by_node_id',
    'created_at',
  ])
})

test('aggregates keep count, first, last and best proof, whatever the order of events', (t) => {
  const { table, reader } = temporaryStore(t)
  const at = (second: number) => `2026-11-22 01:02:0${second}.000000000`
  add(
    table,
    eventOf({ timestamp: at(5), proof: 'none' }),
    eventOf({ timestamp: at(3), proof: 'handshake', proofBy: 'tcp' }),
  )
  add(
    table,
    eventOf({ timestamp: at(4) }),
    eventOf({ sourceIp: '198.51.100.8', calledNumber: '100', timestamp: at(9) }),
  )
  assert.deepEqual(reader.badActor('198.51.100.7' as IpAddress), {
    ipAddress: '198.51.100.7',
    seenFirst: at(3),
    seenLast: at(5),
    seenCount: 3,
    bestProof: 'handshake',
    proofAt: at(3),
    proofBy: 'tcp',
  })
  assert.equal(reader.calledNumber('100')?.seenCount, 1)
  assert.equal(reader.badActor('198.51.100.9' as IpAddress), null)
  assert.deepEqual(reader.totals(), { badActors: 2, calledNumbers: 2 })
})

test('only digits with an optional plus are called numbers; the dialling of the Request-URI counts too', (t) => {
  const { table, reader } = temporaryStore(t)
  for (const calledNumber of ['admin', '1000x', '', '+', "1' OR '1'='1", '+46500729221', '9'.repeat(129)])
    add(table, eventOf({ calledNumber }))
  add(table, eventOf({ calledNumber: '100', requestUser: '0046500729221' }))
  const snapshot = reader.snapshot()
  assert.deepEqual([...snapshot.calledNumbers({ order: 'newest' })].map(({ calledNumber }) => calledNumber).sort(), [
    '+46500729221',
    '0046500729221',
    '100',
  ])
  snapshot.close()
  assert.equal(reader.events({ number: '0046500729221', limit: 5 }).events.length, 1)
})

test('a batch that fails halfway leaves nothing behind, and the next one is stored', (t) => {
  const { table, reader, database } = temporaryStore(t)
  database.exec(
    "CREATE TEMP TRIGGER fail BEFORE INSERT ON honey WHEN new.method = 'BOOM' BEGIN SELECT raise(ABORT, 'boom'); END",
  )
  assert.throws(() => add(table, eventOf(), eventOf({ method: 'BOOM' })), /boom/)
  assert.deepEqual(reader.totals(), { badActors: 0, calledNumbers: 0 })
  add(table, eventOf())
  assert.equal(reader.events({ limit: 9 }).events.length, 1)
  assert.equal(reader.badActor('198.51.100.7' as IpAddress)?.seenCount, 1)
})

testWith(
  ['sqlite3'],
  'rows that another program inserts, before and between ours, are counted once each',
  async (t) => {
    const { file, database, table, reader, catchUp } = temporaryStore(t)
    const shell = (rows: number) => {
      const one =
        "INSERT INTO honey (event_timestamp, source_ip, called_number, method) VALUES ('2020-01-01 00:00:00.5', '203.0.113.5:5066', '12', 'INVITE');"
      execFileSync('sqlite3', [file], { input: `BEGIN; ${one.repeat(rows)} COMMIT;` })
    }
    shell(3)
    add(table, eventOf())
    shell(6_000)
    add(table, eventOf(), eventOf())
    shell(2)
    assert.equal(reader.badActor('203.0.113.5' as IpAddress)?.seenCount, 6_005)
    settle(catchUp)
    settle(createCatchUp(database)) // as at the next start: nobody is counted again
    assert.equal(reader.badActor('203.0.113.5' as IpAddress)?.seenCount, 6_005)
    assert.equal(reader.calledNumber('12')?.seenCount, 6_005)
    assert.equal(reader.badActor('198.51.100.7' as IpAddress)?.seenCount, 3)
    assert.equal(reader.badActor('203.0.113.5' as IpAddress)?.bestProof, 'none')
    const [newest] = reader.events({ ip: '203.0.113.5' as IpAddress, limit: 1 }).events
    assert.equal(newest?.sourcePort, 5066) // its newest versions write ip:port; an address must be found all the same
  },
)

testWith(
  ['sqlite3'],
  'rows that another program inserts while nobody probes us are counted all the same',
  async (t) => {
    const file = join(temporaryFolder(t), 'x.db')
    const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, () => {})
    const reader = openSqliteReader(file)
    t.after(() => reader.close())
    const insert = "INSERT INTO honey (event_timestamp, source_ip) VALUES ('2020-01-01 00:00:00.5', '203.0.113.5')"
    execFileSync('sqlite3', [file], { input: `${insert};` })
    const deadline = Date.now() + 20_000
    while (reader.badActor('203.0.113.5' as IpAddress) === null) {
      assert.ok(Date.now() < deadline, 'not counted within 20 s')
      await new Promise((resolve) => setTimeout(resolve, 20))
    }
    await writer.close()
  },
)

testWith(['sqlite3'], 'a file that is moved away while in use takes no rows until it is back', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await openSqliteWriter({ file, sync: 'normal', firstValues: {} }, () => {})
  await writer.append(batchOf(eventOf()))
  renameSync(file, `${file}.moved`)
  await assert.rejects(writer.append(batchOf(eventOf())), /put it back, or restart/)
  renameSync(`${file}.moved`, file)
  await writer.append(batchOf(eventOf()))
  await writer.close()
  const shell = execFileSync('sqlite3', [file, 'SELECT count(*) FROM honey'])
  assert.equal(shell.toString(), '2\n')
})

test('lists are in order of time, page without gaps or repeats, and filter by time and proof', (t) => {
  const { table, reader } = temporaryStore(t)
  for (let host = 0; host < 25; host++) {
    add(
      table,
      eventOf({
        sourceIp: `198.51.100.${host}`,
        timestamp: `2026-11-22 01:02:${String(host >> 1).padStart(2, '0')}.000000000`,
        proof: host % 5 === 0 ? 'handshake' : 'none',
      }),
    )
  }
  const snapshot = reader.snapshot()
  t.after(() => snapshot.close())
  const whole = [...snapshot.badActors({ order: 'newest' })]
  assert.equal(whole.length, 25)
  const paged: typeof whole = []
  for (;;) {
    const last = paged.at(-1)
    const page = [
      ...snapshot.badActors({
        order: 'newest',
        limit: 4,
        ...(last && { after: { seenLast: last.seenLast, key: last.ipAddress } }),
      }),
    ]
    paged.push(...page)
    if (page.length < 4) break
  }
  assert.deepEqual(paged, whole)
  assert.deepEqual([...snapshot.badActors({ order: 'oldest' })], whole.toReversed())
  assert.equal([...snapshot.badActors({ order: 'newest', minProof: 'echo' })].length, 5)
  assert.equal([...snapshot.badActors({ order: 'newest', since: '2026-11-22 01:02:10' })].length, 5)
  assert.deepEqual(snapshot.totals(), { badActors: 25, calledNumbers: 1 })
})

test('a snapshot does not change while events arrive, and its reader holds up nobody', (t) => {
  const { table, reader } = temporaryStore(t)
  add(table, eventOf({ sourceIp: '198.51.100.1' }), eventOf({ sourceIp: '198.51.100.2' }))
  const snapshot = reader.snapshot()
  const list = snapshot.badActors({ order: 'newest' })
  list.next()
  add(table, eventOf({ sourceIp: '198.51.100.3' }))
  assert.equal([...list].length, 1)
  assert.equal(snapshot.totals().badActors, 2)
  snapshot.close()
  assert.equal(reader.totals().badActors, 3)
})

test('events come newest first; filters by address, number, method and time meet them all, page by page', (t) => {
  const { table, reader } = temporaryStore(t)
  const events = Array.from({ length: 60 }, (_, index) =>
    eventOf({
      sourceIp: `198.51.100.${index % 3}`,
      calledNumber: String(100 + (index % 4)),
      requestUser: index % 10 === 0 ? '999' : null,
      method: index % 2 === 0 ? 'INVITE' : 'OPTIONS',
      timestamp: `2026-11-22 01:02:${String(index).padStart(2, '0')}.000000000`,
    }),
  )
  add(table, ...events)
  const uuids = (matches: (event: BadActorEvent) => boolean) =>
    events
      .filter(matches)
      .map(({ eventUuid }) => eventUuid)
      .reverse()
  assert.deepEqual(
    allEvents(reader),
    uuids(() => true),
  )
  assert.deepEqual(
    allEvents(reader, { ip: '198.51.100.1' as IpAddress }),
    uuids(({ sourceIp }) => sourceIp === '198.51.100.1'),
  )
  assert.deepEqual(
    allEvents(reader, { number: '999' }),
    uuids(({ requestUser }) => requestUser === '999'),
  )
  assert.deepEqual(
    allEvents(reader, { number: '102', method: 'INVITE' }),
    uuids((e) => e.calledNumber === '102' && e.method === 'INVITE'),
  )
  assert.deepEqual(
    allEvents(reader, { ip: '198.51.100.0' as IpAddress, number: '100' }),
    uuids((e) => e.sourceIp === '198.51.100.0' && e.calledNumber === '100'),
  )
  assert.deepEqual(
    allEvents(reader, { since: '2026-11-22 01:02:50' }),
    uuids(({ timestamp }) => timestamp >= '2026-11-22 01:02:50'),
  )
})

test('a question that matches nothing looks at a bounded number of rows and says where to go on', (t) => {
  const { table, reader } = temporaryStore(t)
  for (let batch = 0; batch < 6; batch++) add(table, ...Array.from({ length: 100 }, () => eventOf()))
  const page = reader.events({ method: 'NONE', limit: 10 })
  assert.deepEqual(page, { events: [], nextBefore: 101 })
  assert.deepEqual(reader.events({ method: 'NONE', limit: 10, before: 101 }), { events: [], nextBefore: null })
})

test('a profile counts over the newest hundred events, most frequent first', (t) => {
  const { table, reader } = temporaryStore(t)
  add(table, ...Array.from({ length: 50 }, () => eventOf({ method: 'REGISTER' })))
  add(
    table,
    ...Array.from({ length: 100 }, (_, index) =>
      eventOf({ method: index < 30 ? 'OPTIONS' : 'INVITE', calledNumber: '1' }),
    ),
  )
  const { newest, ...profile } = reader.badActorProfile('198.51.100.7' as IpAddress, 100)
  assert.deepEqual(
    newest.map(({ honeyId }) => honeyId),
    [150, 149, 148, 147, 146, 145, 144, 143, 142, 141],
  )
  assert.ok(newest.every((event) => !('sipMessage' in event)))
  assert.deepEqual(profile, {
    examined: 100,
    methods: [
      { value: 'INVITE', seenCount: 70 },
      { value: 'OPTIONS', seenCount: 30 },
    ],
    userAgents: [{ value: 'friendly-scanner', seenCount: 100 }],
    counterparts: [{ value: '1', seenCount: 100 }],
  })
  assert.equal(reader.calledNumberProfile('00046500729221', 100).examined, 50)
})

test('the version changes with all that changes an answer, and with nothing else', (t) => {
  const { database, table, catchUp, reader } = temporaryStore(t)
  let before = reader.version()
  const changes = (why: string) => {
    assert.notEqual(reader.version(), before, why)
    before = reader.version()
    settle(catchUp)
    assert.equal(reader.version(), before, `${why}, when the views have it`)
  }
  assert.equal(reader.version(), before)
  add(table, eventOf())
  changes('an event')
  table.amend([{ honeyId: 1, retransmissions: 1 }])
  changes('a retransmission')
  database.exec("INSERT INTO honey (source_ip) VALUES ('203.0.113.5')")
  changes('a row of another program')
  const purge = createPurge(database, catchUp.runs)
  purge.begin('2027')
  while (purge.slice() !== null);
  changes('a purge')
})

for (const [name, make, code] of [
  [
    'a text file',
    (file: string) => writeFileSync(file, 'this is no database, whatever its name says\n'.repeat(50)),
    'DB_CORRUPT',
  ],
  [
    'a database of another program',
    (file: string) => new DatabaseSync(file).exec('CREATE TABLE notes (text)'),
    'DB_FOREIGN',
  ],
  [
    'a file of a newer version',
    (file: string) => new DatabaseSync(file).exec('CREATE TABLE honey (x); PRAGMA user_version = 99'),
    'DB_TOO_NEW',
  ],
  [
    'a cut file',
    (file: string) => {
      openForWriting(file, quiet).close()
      writeFileSync(file, readFileSync(file).subarray(0, 5_000))
    },
    'DB_CORRUPT',
  ],
] as const) {
  test(`${name} is refused with ${code} and left as it is`, (t) => {
    const file = join(temporaryFolder(t), 'x.db')
    make(file)
    const before = readFileSync(file)
    assert.throws(() => openForWriting(file, quiet), { name: 'OperatorError', code })
    assert.deepEqual(readFileSync(file), before)
  })
}

test('a folder that is not there is named, with what to do', (t) => {
  const file = join(temporaryFolder(t), 'missing', 'x.db')
  assert.throws(() => openForWriting(file, quiet), { code: 'DB_NOT_WRITABLE', hint: /folder exists/ })
})

test('an empty file becomes a database that its owner and group may read', (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  writeFileSync(file, '')
  openForWriting(file, quiet).close()
  const fresh = join(temporaryFolder(t), 'y.db')
  openForWriting(fresh, quiet).close()
  assert.equal(statSync(fresh).mode & 0o777, 0o640)
})

test('a file of the C program is upgraded with a copy beside it, and every row is kept and counted', (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const old = new DatabaseSync(file)
  old.exec(`CREATE TABLE honey (honey_id INTEGER PRIMARY KEY, event_timestamp TEXT, event_uuid TEXT, collected_method TEXT,
    source_ip TEXT, called_number TEXT, transport_type TEXT, method TEXT, user_agent TEXT, sip_message TEXT,
    created_by_node_id TEXT, created_at DATETIME DEFAULT(STRFTIME('%Y-%m-%d %H:%M:%f','NOW')));
    CREATE INDEX source_ip_index ON honey (source_ip); CREATE INDEX called_number_index ON honey (called_number);
    CREATE INDEX event_uuid_index ON honey (event_uuid);
    INSERT INTO honey (source_ip, called_number, event_timestamp) VALUES ('192.0.2.1:5080', '100', '2022-01-01 10:00:00.1'),
      ('192.0.2.1', '+100', '2022-01-01 10:00:01.2'), ('[2001:db8::1]:5060', NULL, NULL), ('2001:db8::2', 'admin', '2022'),
      (NULL, '1', '2022'), ('not an address:x', '1', '2022');`)
  old.close()
  const lines: string[] = []
  const database = openForWriting(file, { sync: 'normal', onProgress: (text) => lines.push(text) })
  const rows = database.prepare('SELECT source_ip, source_port, proof FROM honey ORDER BY honey_id').all()
  assert.deepEqual(
    rows.map((row) => [row['source_ip'], row['source_port'], row['proof']]),
    [
      ['192.0.2.1', 5080, 'none'],
      ['192.0.2.1', null, 'none'],
      ['2001:db8::1', 5060, 'none'],
      ['2001:db8::2', null, 'none'],
      [null, null, 'none'],
      ['not an address:x', null, 'none'],
    ],
  )
  settle(createCatchUp(database))
  const reader = openSqliteReader(file)
  assert.equal(reader.badActor('192.0.2.1' as IpAddress)?.seenCount, 2)
  assert.equal(reader.calledNumber('+100')?.seenCount, 1)
  assert.deepEqual(reader.totals(), { badActors: 3, calledNumbers: 3 })
  reader.close()
  database.close()
  assert.match(lines[0] ?? '', /6 events\); a copy of it is .*\.before-upgrade$/)
  const copy = new DatabaseSync(`${file}.before-upgrade`)
  assert.equal(copy.prepare('SELECT source_ip FROM honey WHERE honey_id = 1').get()?.['source_ip'], '192.0.2.1:5080')
  copy.close()
  openForWriting(file, { sync: 'normal', onProgress: () => assert.fail('a second upgrade') }).close()
  assert.ok(!existsSync(`${file}.before-upgrade-2`))
})

test('the writer stores in its own thread, tells why it refuses, and closes the file at rest', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const writer = await openSqliteWriter({ file, sync: 'full', firstValues: {} }, () => {})
  await writer.append(batchOf(eventOf(), eventOf()))
  const locker = new DatabaseSync(file, { timeout: 5_000 }) // the views may be catching up just now
  locker.exec('BEGIN IMMEDIATE')
  await assert.rejects(writer.append(batchOf(eventOf())), /locked/)
  locker.exec('ROLLBACK')
  locker.close()
  await writer.append(batchOf(eventOf()))
  const reader = openSqliteReader(file)
  assert.equal(reader.badActor('198.51.100.7' as IpAddress)?.seenCount, 3)
  reader.close()
  await writer.close()
  assert.ok(!existsSync(`${file}-wal`))
  await assert.rejects(
    openSqliteWriter({ file: join(file, 'x'), sync: 'normal', firstValues: {} }, () => {}),
    { code: 'DB_NOT_WRITABLE' },
  )
})
