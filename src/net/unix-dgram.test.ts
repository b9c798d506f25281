// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { testWith } from '../../test/peers.ts'
import { openUnixDatagram } from './unix-dgram.ts'

const quiet = { tag: 'sentrypeer', onTrouble: () => {}, onRecovered: () => {}, onLost: () => {} }

/** Stands where syslogd does: a datagram socket whose lines come out one by one, `pauseMs` after each other. */
async function captureDatagrams(
  path: string,
  pauseMs = 0,
): Promise<{ lines: AsyncIterator<string>; process: ChildProcess }> {
  const code = `
import socket, sys, time
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True:
    print(s.recv(65536).decode().rstrip('\\n'), flush=True)
    time.sleep(float(sys.argv[2]) / 1000)`
  const process = spawn('python3', ['-c', code, path, String(pauseMs)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: process.stdout ?? assert.fail() })[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'ready')
  return { lines, process }
}

async function stop(process: ChildProcess): Promise<void> {
  process.kill('SIGKILL') // ends a stopped one too
  await once(process, 'exit')
}

for (const way of ['direct', 'logger'] as const) {
  testWith(['python3'], `a line sent ${way} reaches the socket as it is`, async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
    t.after(() => rm(folder, { recursive: true }))
    const { lines, process: syslog } = await captureDatagrams(join(folder, 'log'))
    t.after(() => stop(syslog))
    const socket = await openUnixDatagram(join(folder, 'log'), { ...quiet, way })
    socket.send(`<13>sentrypeer[${process.pid}]: Source IP: 192.0.2.1, Method: OPTIONS, Agent: Grüße <1>`)
    await socket.close()
    const line = (await lines.next()).value
    assert.match(
      line,
      /^<13>(\w{3} [ \d]\d \d\d:\d\d:\d\d )?sentrypeer\[\d+\]: Source IP: 192\.0\.2\.1, Method: OPTIONS, Agent: Grüße <1>$/,
    )
    assert.ok(line.includes(`[${process.pid}]`))
    assert.equal(socket.dropped(), 0)
  })
}

testWith(['python3'], 'lines wait while the socket is away and are sent, in order, once it is there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
  t.after(() => rm(folder, { recursive: true }))
  let troubles = 0
  const recovered = Promise.withResolvers<void>()
  const socket = await openUnixDatagram(join(folder, 'log'), {
    ...quiet,
    way: 'direct',
    onTrouble: () => troubles++,
    onRecovered: () => recovered.resolve(),
  })
  const keepAlive = setInterval(() => {}, 1000) // the retry timer alone must not keep a daemon running
  t.after(() => clearInterval(keepAlive))
  for (const word of ['one', 'two', 'three']) socket.send(`<13>sentrypeer[1]: ${word}`)
  assert.ok(troubles > 0)
  assert.match(socket.trouble() ?? '', /not there|cannot connect/)
  assert.deepEqual([socket.sent(), socket.waiting()], [0, 3])
  const { lines, process: syslog } = await captureDatagrams(join(folder, 'log'))
  t.after(() => stop(syslog))
  await recovered.promise
  for (const word of ['one', 'two', 'three']) assert.equal((await lines.next()).value, `<13>sentrypeer[1]: ${word}`)
  assert.deepEqual([socket.trouble(), socket.sent(), socket.waiting()], [null, 3, 0])
  await socket.close()
})

test('a syslog that never reads costs bounded memory, and what it did not take is counted', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
  t.after(() => rm(folder, { recursive: true }))
  const socket = await openUnixDatagram(join(folder, 'nobody'), { ...quiet, way: 'direct' })
  for (let line = 0; line < 12_000; line++) socket.send('<13>sentrypeer[1]: x')
  assert.equal(socket.dropped(), 2_000)
  await socket.close()
  assert.equal(socket.dropped(), 12_000)
})

testWith(
  ['python3'],
  'a burst that is more than a slow syslog takes at once arrives whole, in order, without a word of trouble',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
    t.after(() => rm(folder, { recursive: true }))
    const { lines, process: syslog } = await captureDatagrams(join(folder, 'log'), 0.2)
    t.after(() => stop(syslog))
    const said: string[] = []
    const socket = await openUnixDatagram(join(folder, 'log'), {
      way: 'direct',
      tag: 'sentrypeer',
      onTrouble: (text) => said.push(text),
      onRecovered: () => said.push('recovered'),
      onLost: (count) => said.push(`${count} lost`),
    })
    const sent = Array.from({ length: 3_000 }, (_, at) => `<13>sentrypeer[1]: ${at}`)
    for (const line of sent) socket.send(line)
    const got: string[] = []
    while (got.length < sent.length) got.push((await lines.next()).value)
    assert.deepEqual(got, sent)
    await socket.close()
    assert.deepEqual([socket.sent(), socket.waiting(), socket.dropped(), said], [3_000, 0, 0, []])
  },
)

testWith(['python3'], 'closing waits for a busy syslog that still takes lines', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
  t.after(() => rm(folder, { recursive: true }))
  const { lines, process: syslog } = await captureDatagrams(join(folder, 'log'), 0.2)
  t.after(() => stop(syslog))
  const socket = await openUnixDatagram(join(folder, 'log'), {
    ...quiet,
    way: 'direct',
    onLost: (lines: number) => assert.fail(`${lines} lost`),
  })
  for (let at = 0; at < 100; at++) socket.send(`<13>sentrypeer[1]: ${at}`)
  assert.ok(socket.waiting() > 0, 'the receiver has room for ten')
  await socket.close()
  for (let at = 0; at < 100; at++) assert.equal((await lines.next()).value, `<13>sentrypeer[1]: ${at}`)
})

testWith(
  ['python3'],
  'closing on a syslog that stopped reading ends in time and tells how many lines are lost',
  async (t) => {
    const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
    t.after(() => rm(folder, { recursive: true }))
    const { process: syslog } = await captureDatagrams(join(folder, 'log'))
    t.after(() => stop(syslog))
    syslog.kill('SIGSTOP')
    const lost: number[] = []
    const options = { ...quiet, way: 'direct', onLost: (count: number) => lost.push(count) } as const
    const socket = await openUnixDatagram(join(folder, 'log'), options)
    for (let at = 0; at < 1_000; at++) socket.send('<13>sentrypeer[1]: x')
    assert.ok(socket.waiting() > 0 && socket.sent() + socket.waiting() === 1_000)
    const startedMs = performance.now()
    await socket.close()
    assert.ok(performance.now() - startedMs < 2_000)
    const missing = 1_000 - socket.sent() // a stopped process may still take what it was reading
    assert.ok(missing > 900)
    assert.deepEqual([lost, socket.dropped(), socket.waiting()], [[missing], missing, 0])
  },
)

test('a logger that finds no socket is not given lines to lose', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
  t.after(() => rm(folder, { recursive: true }))
  const lost: number[] = []
  const options = { ...quiet, way: 'logger', onLost: (count: number) => lost.push(count) } as const
  const socket = await openUnixDatagram(join(folder, 'nobody'), options)
  for (let at = 0; at < 3; at++) socket.send('<13>sentrypeer[1]: x')
  assert.match(socket.trouble() ?? '', /not there|cannot connect/)
  await socket.close()
  assert.deepEqual([socket.sent(), socket.dropped(), lost], [0, 3, [3]])
})
