// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomBytes } from 'node:crypto'
import { join } from 'node:path'
import type { TestContext } from 'node:test'
import { type DaemonProcess, startDaemon } from './daemon-process.ts'
import { callIdOf, honeyRows } from './evidence.ts'
import { testWith } from './peers.ts'
import { type Ended, run, start } from './run.ts'
import { answeredIn, sipRequest, tcpClient } from './sip-client.ts'
import { waitFor } from './wait-for.ts'

const CLIENT = ['openssl', 's_client', '-no_ign_eof', '-brief']
// What openssl itself would refuse to speak without being asked.
const OLD = ['-cipher', 'DEFAULT@SECLEVEL=0']

for (const [flag, version] of [
  ['-tls1_2', 'TLSv1.2'],
  ['-tls1_3', 'TLSv1.3'],
] as const) {
  testWith(
    ['openssl', 'sqlite3'],
    `a client of ${version} is answered, and its requests are rows with a proven source`,
    async (t) => {
      const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'] })
      const callIds = ['first', 'second', 'third']
      const requests = callIds.map((callId) => sipRequest({ callId, transport: 'TLS', body: 'v=0' }))
      const end = await speak(daemon, [flag], requests.join(''), (text) => answeredIn(text).includes('third'))
      assert.match(end.stderr, new RegExp(`^Protocol version: ${version.replace('.', '\\.')}$`, 'm'))
      assert.deepEqual(answeredIn(end.stdout), callIds)
      const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
      assert.deepEqual(
        rows.map((row) => callIdOf(row.sip_message)),
        callIds,
      )
      for (const row of rows) assert.deepEqual([row.transport_type, row.proof, row.fault], ['TLS', 'handshake', null])
    },
  )
}

testWith(['openssl', 'sqlite3'], 'TLS 1.1 and 1.0 are refused in the handshake', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'] })
  for (const flag of ['-tls1_1', '-tls1']) {
    const end = await run([...CLIENT, flag, ...OLD, '-connect', `127.0.0.1:${daemon.port('TLS')}`])
    assert.notEqual(end.code, 0)
    assert.match(end.stderr, /alert protocol version/)
  }
  await assertServesTls(daemon)
})

testWith(['openssl', 'sqlite3'], 'a TLS client on the plain SIP port is kept as what it is', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'] })
  const end = await run([...CLIENT, '-connect', `127.0.0.1:${daemon.port('TCP')}`])
  assert.notEqual(end.code, 0)
  const [row] = await waitFor('the row', async () => {
    const rows = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    return rows.length > 0 ? rows : null
  })
  assert.equal(row?.fault, 'not-sip at byte 0: looks like tls')
  assert.equal(row?.transport_type, 'TCP')
})

for (const [what, text, fault] of [
  ['SIP', sipRequest({ callId: 'plain', transport: 'TLS' }), null],
  ['HTTP', 'GET / HTTP/1.1\r\nHost: x\r\n\r\n', 'not-sip at byte 0: looks like http'],
] as const) {
  testWith(['sqlite3'], `${what} in the clear on the TLS port is a row, and gets no answer`, async (t) => {
    const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'] })
    const client = await tcpClient(t, daemon.port('TLS'))
    client.socket.end(text)
    await waitFor('the other side to close', () => client.socket.readableEnded)
    const [row, ...others] = await honeyRows(join(daemon.folder, 'sentrypeer.db'))
    assert.deepEqual(
      [row?.transport_type, row?.proof, row?.fault, row?.sip_message, others],
      ['TLS', 'handshake', fault, text, []],
    )
    assert.equal(client.received(), '')
  })
}

testWith(['openssl', 'sqlite3'], 'no broken handshake ends the node or keeps the next client waiting', async (t) => {
  const daemon = await startDaemon(t, { flags: ['-r'], tls: ['127.0.0.1:0'], api: '127.0.0.1:0' })
  const hello = Buffer.from('160301020001', 'hex') // a record that announces 512 bytes
  for (const bytes of [
    Buffer.from(sipRequest({ callId: 'plain', transport: 'TLS' })),
    Buffer.from('GET / HTTP/1.1\r\nHost: x\r\n\r\n'),
    randomBytes(2_000),
    Buffer.concat([hello, randomBytes(512)]),
    Buffer.concat([hello, randomBytes(100)]),
    Buffer.from([0x16]),
    Buffer.from('15030100020246', 'hex'), // an alert
    Buffer.alloc(0),
  ]) {
    for (const leave of ['end', 'resetAndDestroy', 'wait'] as const) {
      await breakHandshake(t, daemon, bytes, leave)
    }
  }
  await assertServesTls(daemon)
  assert.doesNotMatch((await daemon.stop()).stderr, /bug|fail/)
})

async function breakHandshake(
  t: TestContext,
  daemon: DaemonProcess,
  bytes: Buffer,
  leave: 'end' | 'resetAndDestroy' | 'wait',
) {
  const client = await tcpClient(t, daemon.port('TLS'))
  if (bytes.length > 0) await new Promise((resolve) => client.socket.write(bytes, resolve))
  if (leave === 'wait') return
  client.socket[leave]()
  if (leave === 'end')
    await waitFor('the other side to close', () => client.socket.closed || client.socket.readableEnded, {
      withinMs: 5_000, // long before the deadline of a handshake
    })
}

async function assertServesTls(daemon: DaemonProcess): Promise<void> {
  const request = sipRequest({ callId: 'next', transport: 'TLS' })
  await speak(daemon, [], request, (text) => answeredIn(text).includes('next'))
}

/** Sends `text` through openssl, until what came back will do. */
async function speak(
  daemon: DaemonProcess,
  flags: readonly string[],
  text: string,
  enough: (text: string) => boolean,
): Promise<Ended> {
  const client = await start([...CLIENT, ...flags, '-connect', `127.0.0.1:${daemon.port('TLS')}`])
  client.child.stdin?.write(text)
  await waitFor('answers over TLS', () => enough(client.stdout()), { state: client.stderr })
  client.child.stdin?.end()
  return client.ended
}
