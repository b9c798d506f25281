// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { type AddressInfo, createServer } from 'node:net'
import { join } from 'node:path'
import { DatabaseSync } from 'node:sqlite'
import { type TestContext, test } from 'node:test'
import { type Config, loadConfig } from './config/load.ts'
import { startDaemon } from './daemon.ts'
import { createLog } from './ops/log.ts'
import { temporaryFolder } from './store/sqlite/fixture.ts'

const OPTIONS_REQUEST = [
  'OPTIONS sip:0046500729221@127.0.0.1 SIP/2.0',
  'Via: SIP/2.0/UDP 127.0.0.1:5099;branch=z9hG4bK-1;rport',
  'From: <sip:a@127.0.0.1>;tag=1',
  'To: <sip:0046500729221@127.0.0.1>',
  'Call-ID: 1',
  'CSeq: 1 OPTIONS',
  'User-Agent: daemon test',
  'Content-Length: 0',
  '',
  '',
].join('\r\n')

function configOf(...argv: string[]): Config {
  return loadConfig({ argv, env: {}, homeDir: '/nonexistent', readFile: (path) => readFileSync(path) })
}

function collectedLog() {
  const lines: string[] = []
  const print = (line: string) => void lines.push(line)
  return { lines, log: { warn: print, notice: print, info: print, debug: print } }
}

/** The port of the line that says where this transport listens. */
function portOf(lines: readonly string[], transport: string): number {
  const line = lines.find((candidate) => candidate.startsWith(`Listening for incoming ${transport} connections... `))
  return Number(/:(\d+)(?: |$)/.exec(line?.split('connections... ')[1] ?? '')?.[1] ?? assert.fail(lines.join('\n')))
}

async function askOverUdp(t: TestContext, port: number): Promise<string> {
  const socket = createSocket('udp4')
  t.after(() => socket.close())
  const answer = once(socket, 'message')
  socket.send(OPTIONS_REQUEST, port, '127.0.0.1')
  return String((await answer)[0])
}

test('a probe is answered, stored, logged and found by the API, and the node stops cleanly', async (t) => {
  const folder = temporaryFolder(t)
  const [file, jsonLog] = [join(folder, 'x.db'), join(folder, 'x.log')]
  const { lines, log } = collectedLog()
  const flags = ['-ra', '-f', file, '-l', jsonLog, '-N', '--sip-listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
  const daemon = await startDaemon(configOf(...flags), { log })
  const answer = await askOverUdp(t, portOf(lines, 'UDP'))
  assert.match(answer, /^SIP\/2\.0 200 OK\r\n/)
  const found = await fetch(`http://127.0.0.1:${portOf(lines, 'HTTP')}/numbers/0046500729221`)
  assert.equal(found.status, 200)
  assert.equal(((await found.json()) as { seen_count: string }).seen_count, '1')
  await daemon.reopen()
  await daemon.stop()
  const database = new DatabaseSync(file, { readOnly: true })
  const row = database.prepare('SELECT called_number, user_agent, collected_method FROM honey').get()
  database.close()
  assert.deepEqual(
    { ...row },
    { called_number: '0046500729221', user_agent: 'daemon test', collected_method: 'responsive' },
  )
  assert.equal(JSON.parse(readFileSync(jsonLog, 'utf8')).called_number, '0046500729221')
  assert.equal(lines.at(-1), 'Stopped sentrypeer')
})

for (const [what, flag, message] of [
  ['SIP over TCP', '--sip-listen', /^cannot listen for SIP over TCP on 127\.0\.0\.1:\d+: EADDRINUSE$/],
  ['the API', '--api-listen', /EADDRINUSE/],
] as const) {
  test(`a start that fails at ${what} gives back every port and the database`, async (t) => {
    const folder = temporaryFolder(t)
    const taken = createServer().listen(0, '127.0.0.1')
    await once(taken, 'listening')
    t.after(() => taken.close())
    const { port } = taken.address() as AddressInfo // it listens on a port
    const free = ['--sip-listen', '127.0.0.1:0', '--api-listen', '127.0.0.1:0']
    const flags = ['-ra', '-f', join(folder, 'x.db'), '-N', ...free, flag, `127.0.0.1:${port}`]
    const { log, lines } = collectedLog()
    const starting = startDaemon(configOf(...flags), { log })
    await assert.rejects(starting, { code: 'LISTEN_FAILED', message, hint: new RegExp(flag) })
    const udp = createSocket('udp4')
    udp.bind(flag === '--sip-listen' ? port : portOf(lines, 'UDP'), '127.0.0.1')
    await once(udp, 'listening')
    udp.close()
    const again = collectedLog()
    const daemon = await startDaemon(configOf('-f', join(folder, 'x.db'), '-N', '--sip-listen', '127.0.0.1:0'), again)
    await daemon.stop()
  })
}

test('the node id is the same after a restart', async (t) => {
  const flags = ['-R', '-f', join(temporaryFolder(t), 'x.db')]
  const ids: string[] = []
  for (let start = 0; start < 2; start++) {
    const { lines, log } = collectedLog()
    const daemon = await startDaemon(configOf(...flags), { log })
    await daemon.stop()
    ids.push(lines.find((line) => line.startsWith('SentryPeer node id: ')) ?? assert.fail())
  }
  assert.equal(ids[0], ids[1])
})

test('what was received before the stop is stored and answered', async (t) => {
  const file = join(temporaryFolder(t), 'x.db')
  const { lines, log } = collectedLog()
  const daemon = await startDaemon(configOf('-r', '-f', file, '-N', '--sip-listen', '127.0.0.1:0'), { log })
  const port = portOf(lines, 'TCP')
  const { connect } = await import('node:net')
  const socket = connect(port, '127.0.0.1')
  let answers = ''
  socket.on('data', (chunk) => {
    answers += chunk
  })
  await once(socket, 'connect')
  socket.write(OPTIONS_REQUEST.repeat(20))
  await once(socket, 'data')
  await daemon.stop()
  const database = new DatabaseSync(file, { readOnly: true })
  const rows = Number(database.prepare('SELECT count(*) AS rows FROM honey').get()?.['rows'])
  database.close()
  const answered = answers.split('SIP/2.0 200 OK\r\n').length - 1
  assert.ok(answered > 0 && answered <= rows, `${answered} answered, ${rows} stored`)
  socket.destroy()
})

test('flags of later versions are accepted, and the node says that it goes on without', async (t) => {
  const { lines, log } = collectedLog()
  const daemon = await startDaemon(
    configOf('-Rp', '-w', 'https://example.com/hook', '-f', join(temporaryFolder(t), 'x.db')),
    { log },
  )
  await daemon.stop()
  assert.equal(lines.filter((line) => line.includes('not in this version')).length, 2)
})

for (const [flag, level, shown] of [
  ['-v', 'info', false],
  ['-d', 'debug', true],
] as const) {
  test(`with ${flag} every event is told on stderr, ${shown ? 'with' : 'without'} its message`, async (t) => {
    const lines: string[] = []
    const log = createLog(level, (line) => lines.push(line.trimEnd()))
    const file = join(temporaryFolder(t), 'x.db')
    const daemon = await startDaemon(configOf(flag, '-r', '-f', file, '-N', '--sip-listen', '127.0.0.1:0'), { log })
    await askOverUdp(t, portOf(lines, 'UDP'))
    await daemon.stop()
    assert.ok(
      lines.some(
        (line) => line.includes('UDP from 127.0.0.1:') && line.includes('OPTIONS') && line.includes('0046500729221'),
      ),
    )
    assert.equal(
      lines.some((line) => line.includes('Via: SIP/2.0/UDP')),
      shown,
    )
  })
}
