// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { test } from 'node:test'
import { openUnixDatagram } from './unix-dgram.ts'

const quiet = { tag: 'sentrypeer', onTrouble: () => {}, onRecovered: () => {} }

/** Stands where syslogd does: a datagram socket whose lines come out one by one. */
async function captureDatagrams(path: string): Promise<{ lines: AsyncIterator<string>; process: ChildProcess }> {
  const code = `
import socket, sys
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(sys.argv[1])
print('ready', flush=True)
while True: print(s.recv(65536).decode().rstrip('\\n'), flush=True)`
  const process = spawn('python3', ['-c', code, path], { stdio: ['ignore', 'pipe', 'inherit'] })
  const lines = createInterface({ input: process.stdout ?? assert.fail() })[Symbol.asyncIterator]()
  assert.equal((await lines.next()).value, 'ready')
  return { lines, process }
}

async function stop(process: ChildProcess): Promise<void> {
  process.kill()
  await once(process, 'exit')
}

for (const way of ['direct', 'logger'] as const) {
  const skip = way === 'direct' && !process.versions.node.startsWith('26.') ? 'node:ffi came with Node 26.1' : false

  test(`a line sent ${way} reaches the socket as it is`, { skip }, async (t) => {
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

test('lines wait while the socket is away and are sent, in order, once it is there', async (t) => {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-dgram-'))
  t.after(() => rm(folder, { recursive: true }))
  let troubles = 0
  const recovered = Promise.withResolvers<void>()
  const socket = await openUnixDatagram(join(folder, 'log'), {
    tag: 'sentrypeer',
    way: 'direct',
    onTrouble: () => troubles++,
    onRecovered: () => recovered.resolve(),
  })
  const keepAlive = setInterval(() => {}, 1000) // the retry timer alone must not keep a daemon running
  t.after(() => clearInterval(keepAlive))
  for (const word of ['one', 'two', 'three']) socket.send(`<13>sentrypeer[1]: ${word}`)
  assert.ok(troubles > 0)
  const { lines, process: syslog } = await captureDatagrams(join(folder, 'log'))
  t.after(() => stop(syslog))
  await recovered.promise
  for (const word of ['one', 'two', 'three']) assert.equal((await lines.next()).value, `<13>sentrypeer[1]: ${word}`)
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
