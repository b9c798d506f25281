// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { add, eventOf } from '../src/store/sqlite/fixture.ts'
import { openForWriting } from '../src/store/sqlite/open.ts'
import { createHoneyTable } from '../src/store/sqlite/table.ts'
import { type DaemonProcess, startDaemon, temporaryFolder } from './daemon-process.ts'

const NUMBERS = 100_000
const READERS = 20
const LAUNCHER = join(import.meta.dirname, '../bin/sentrypeer')

// What 20 lists may add while nobody reads them: each has some pieces of 32 KiB and a snapshot; the thread that makes them
// has a heap of its own, which is most of it. The lists together have 260 MB.
const MOST_MB = 80

async function filledFolder(t: TestContext): Promise<string> {
  const folder = await temporaryFolder(t)
  const database = openForWriting(join(folder, 'sentrypeer.db'), { sync: 'normal', onProgress: () => {} })
  const table = createHoneyTable(database)
  for (let from = 0; from < NUMBERS; from += 10_000) {
    add(table, ...Array.from({ length: 10_000 }, (_, n) => eventOf({ calledNumber: `0046${from + n}` })))
  }
  database.close()
  return folder
}

function memoryMb(pid: number): number {
  return Number(/^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'latin1'))?.[1]) / 1024
}

/** Asks for the list of numbers, and reads no more than its head. */
async function stalledReader(t: TestContext, port: number): Promise<Socket> {
  const socket = connect(port, '127.0.0.1')
  t.after(() => socket.destroy())
  socket.on('error', () => {}) // the stop of the daemon cuts it
  socket.write('GET /numbers HTTP/1.1\r\nHost: localhost\r\n\r\n')
  await once(socket, 'readable')
  return socket
}

async function answersOptions(daemon: DaemonProcess): Promise<boolean> {
  const socket = createSocket('udp4')
  const tag = Math.random().toString(16).slice(2)
  const lines = [
    'OPTIONS sip:100@127.0.0.1 SIP/2.0',
    `Via: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK-${tag};rport`,
    `From: <sip:a@127.0.0.1>;tag=${tag}`,
    'To: <sip:100@127.0.0.1>',
    `Call-ID: ${tag}`,
    'CSeq: 1 OPTIONS',
    'Content-Length: 0',
  ]
  const answer = once(socket, 'message', { signal: AbortSignal.timeout(5_000) })
  socket.send(`${lines.join('\r\n')}\r\n\r\n`, daemon.port('UDP'), '127.0.0.1')
  const [message] = await answer.finally(() => socket.close())
  return String(message).startsWith('SIP/2.0 200 ')
}

test('20 readers that do not read a list of 100,000 rows cost next to no memory, and nobody waits for them', async (t) => {
  const daemon = await startDaemon(t, { folder: await filledFolder(t), api: '127.0.0.1:0', flags: ['-r'] })
  const port = daemon.port('HTTP')
  const get = (path: string) => fetch(`http://127.0.0.1:${port}${path}`)
  assert.equal((await get('/numbers?limit=1')).status, 200) // what makes lists is there
  const before = memoryMb(daemon.pid)
  const readers: Socket[] = []
  for (let reader = 0; reader < READERS; reader++) readers.push(await stalledReader(t, port))
  assert.match(await (await get('/metrics')).text(), new RegExp(`^sentrypeer_api_lists_in_progress ${READERS}$`, 'm'))
  assert.equal((await get('/numbers/00467')).status, 200)
  assert.ok(await answersOptions(daemon))
  const grown = memoryMb(daemon.pid) - before
  t.diagnostic(`${READERS} lists that wait for their readers: ${grown.toFixed(1)} MB more`)
  assert.ok(grown < MOST_MB, `${grown} MB`)
  for (const reader of readers) reader.destroy()
  await t.waitFor(
    async () => assert.match(await (await get('/metrics')).text(), /^sentrypeer_api_lists_in_progress 0$/m),
    {
      timeout: 10_000,
    },
  )
})

/** A module that makes the thread whose settings have this key end with an error, once, soon after its start. */
function bugIn(key: string, folder: string): string {
  const source = `
    import { existsSync, writeFileSync } from 'node:fs'
    import { workerData } from 'node:worker_threads'
    const marker = ${JSON.stringify(join(folder, 'died'))}
    if (workerData?.dbFile && (${JSON.stringify(key)} in workerData) && !existsSync(marker)) {
      setTimeout(() => { writeFileSync(marker, ''); throw new Error('a bug made for the test') }, 1000)
    }`
  return `data:text/javascript,${encodeURIComponent(source)}`
}

test('when the thread of the API dies SIP goes on, and the API comes back on its port', async (t) => {
  const folder = await temporaryFolder(t)
  const program = [process.execPath, '--import', bugIn('keys', folder), LAUNCHER]
  const daemon = await startDaemon(t, { folder, program, api: '127.0.0.1:0', flags: ['-r'] })
  await daemon.said(/^The REST API failed, please report this: Error: a bug made for the test/m)
  await assert.rejects(fetch(`http://127.0.0.1:${daemon.port('HTTP')}/`))
  assert.ok(await answersOptions(daemon))
  await daemon.said(/^The REST API is back$/m)
  assert.equal((await fetch(`http://127.0.0.1:${daemon.port('HTTP')}/numbers/100`)).status, 200)
})
