// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../test/free-ports.ts'
import { start } from '../test/run.ts'
import type { Figure } from './figure.ts'
import { probe } from './messages.ts'
import { inTurns, type Workbench } from './workbench.ts'

const ASK_EVERY_MS = 2
const START_MS = 30_000

// As little as a Node.js process can do to answer: what is measured beside it is ours.
const BARE_ANSWERER = `const s = require('node:dgram').createSocket('udp4')
s.on('message', (bytes, { port, address }) => s.send('SIP/2.0 200 OK', port, address))
s.bind(Number(process.argv[1]), '127.0.0.1')`

/** From the start of the process to its first reply, for the published package; and how large that is. */
export async function measureStart(bench: Workbench): Promise<Figure[]> {
  const { program, bytes } = await bench.packaged()
  const rounds = bench.rounds * 3
  const events = bench.isQuick ? 1_000_000 : 10_000_000
  const file = await bench.filled(events)
  const gigabytes = (statSync(file).size / 1e9).toFixed(1)
  return [
    await startFigure(rounds, 'start to first reply, new database', '≤ 150 ms', 0, () => ours(bench, program, null)),
    await startFigure(rounds, `start to first reply, database of ${gigabytes} GB`, '≤ 400 ms with 5 GB', events, () =>
      ours(bench, program, file),
    ),
    {
      name: 'installed size, without Node.js',
      unit: 'MB',
      goal: '≤ 15 MB',
      ours: { values: [bytes / 1e6] },
      floor: null,
      events: null,
    },
  ]
}

async function startFigure(
  rounds: number,
  name: string,
  goal: string,
  events: number,
  timed: () => Promise<number>,
): Promise<Figure> {
  const measured = await inTurns(rounds, timed, async () => {
    const port = await freePort('127.0.0.1')
    return firstReplyMs([process.execPath, '-e', BARE_ANSWERER, String(port)], port, undefined)
  })
  const floor = { name: 'Node.js, one socket that answers', values: measured.floor }
  return { name, unit: 'ms', goal, ours: { values: measured.ours }, floor, events }
}

async function ours(bench: Workbench, program: readonly string[], file: string | null): Promise<number> {
  const folder = bench.newFolder()
  const port = await freePort('127.0.0.1')
  const flags = ['-r', '-N', '--sip-listen', `127.0.0.1:${port}`, '-f', file ?? join(folder, 'x.db')]
  const elapsedMs = await firstReplyMs([...program, ...flags], port, folder)
  rmSync(folder, { recursive: true })
  return elapsedMs
}

async function firstReplyMs(command: readonly string[], port: number, cwd: string | undefined): Promise<number> {
  const socket = createSocket('udp4').bind(0, '127.0.0.1')
  await once(socket, 'listening')
  const startMs = performance.now()
  const { child, ended } = await start(command, cwd === undefined ? {} : { cwd })
  let asked = 0
  const asking = setInterval(() => socket.send(probe(asked++), port, '127.0.0.1'), ASK_EVERY_MS)
  try {
    await once(socket, 'message', { signal: AbortSignal.timeout(START_MS) })
    return performance.now() - startMs
  } finally {
    clearInterval(asking)
    socket.close()
    child.kill('SIGTERM')
    await ended
  }
}
