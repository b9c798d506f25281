// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { freePort } from '../test/free-ports.ts'
import { run, start } from '../test/run.ts'
import type { Figure } from './figure.ts'
import { nodeFlags } from './ingest.ts'
import type { Streaming } from './load.ts'
import { type Receiver, settled, startFloor } from './processes.ts'
import { inTurns, type Workbench, wait } from './workbench.ts'

const CONNECTIONS = 100
const WINDOW = 16
const HANDSHAKE_CLIENTS = 2 // one for each core of a small machine

/** SIP over TCP: messages a second on 100 connections, and connections a second with a request and its reply each. */
export async function measureTcp(bench: Workbench): Promise<Figure[]> {
  const { load, isQuick } = bench
  if (load.stream === null || load.program === null) {
    bench.say('TCP is not measured without the C program')
    return []
  }
  const messages = isQuick ? 40_000 : 200_000
  const common = { connections: CONNECTIONS, seconds: isQuick ? 10 : 60 }
  const passive = { ...common, perConnection: messages / CONNECTIONS, window: 0, count: messages }
  const answering = { ...common, perConnection: 0, window: WINDOW, count: messages }
  const churning = { ...common, perConnection: 1, window: 1, count: isQuick ? 4_000 : 20_000 }
  return [
    await tcpFigure(
      bench,
      `TCP, passive, ${CONNECTIONS} connections, until all is committed`,
      'messages/s',
      '≥ 50,000',
      passive,
    ),
    await tcpFigure(
      bench,
      `TCP, answering, ${CONNECTIONS} connections, ${WINDOW} under way on each`,
      'messages/s',
      null,
      answering,
    ),
    await tcpFigure(
      bench,
      'TCP connections with a request and its reply each, 100 at a time',
      'connections/s',
      '≥ 3,000',
      churning,
    ),
  ]
}

async function tcpFigure(
  bench: Workbench,
  name: string,
  unit: string,
  goal: string | null,
  streaming: Omit<Streaming, 'port'>,
): Promise<Figure> {
  const isAnswered = streaming.window > 0
  const program = bench.load.program?.path ?? ''
  const floorCommand = [program, 'tcp-sink', ...(isAnswered ? ['--replies'] : [])]
  const measured = await inTurns(
    bench.rounds,
    () =>
      bench.withNode({ flags: nodeFlags(isAnswered ? 'responsive' : 'passive') }, (node) =>
        messagesPerSecond(bench, { ...streaming, port: node.tcpPort }, node),
      ),
    async () => {
      const floor = await startFloor(floorCommand, 'received')
      try {
        return await messagesPerSecond(bench, { ...streaming, port: floor.udpPort }, floor)
      } finally {
        await floor.stop()
      }
    },
  )
  const floor = { name: 'C, reads streams and counts messages', values: measured.floor }
  return { name, unit, goal, ours: { values: measured.ours }, floor, events: streaming.count }
}

async function messagesPerSecond({ load }: Workbench, streaming: Streaming, receiver: Receiver): Promise<number> {
  if (load.stream === null) return Number.NaN
  const startMs = performance.now()
  const { sent, replies, elapsedS, failed } = await load.stream(streaming)
  if (failed > 0) throw new Error(`${failed} connections failed`)
  if (streaming.window > 0) return replies / elapsedS
  const taken = await settled(receiver.taken, sent)
  if (taken < sent) throw new Error(`of ${sent} messages over TCP ${taken} were taken`)
  return sent / ((performance.now() - startMs) / 1000)
}

/** Full TLS handshakes a second, by OpenSSL's own client; the floor is OpenSSL's own server with the same certificate. */
export async function measureTls(bench: Workbench): Promise<Figure[]> {
  if ((await run(['openssl', 'version']).catch(() => null)) === null) {
    bench.say('TLS is not measured: there is no openssl')
    return []
  }
  const folder = bench.newFolder()
  const flags = ['--tls-listen', '127.0.0.1:0']
  const ours = await bench.withNode({ folder, flags }, async ({ tlsPort }) => {
    const values: number[] = []
    for (let round = 0; round < bench.rounds; round++) values.push(await handshakesPerSecond(bench, tlsPort))
    return values
  })
  const floor: number[] = []
  for (let round = 0; round < bench.rounds; round++) floor.push(await opensslHandshakes(bench, folder))
  return [
    {
      name: 'TLS handshakes, EC P-256',
      unit: 'handshakes/s',
      goal: null,
      ours: { values: ours },
      floor: { name: 'openssl s_server', values: floor },
      events: null,
    },
  ]
}

async function opensslHandshakes(bench: Workbench, folder: string): Promise<number> {
  const port = await freePort('127.0.0.1')
  const [certificate, key] = [join(folder, 'cert.pem'), join(folder, 'key.pem')]
  if (!existsSync(certificate) || !existsSync(key)) return Number.NaN
  const command = ['openssl', 's_server', '-accept', `127.0.0.1:${port}`, '-cert', certificate, '-key', key, '-quiet']
  const { child, ended } = await start(command)
  await wait(500)
  try {
    return await handshakesPerSecond(bench, port)
  } finally {
    child.kill('SIGKILL')
    await ended
  }
}

async function handshakesPerSecond({ isQuick }: Workbench, port: number): Promise<number> {
  const command = ['openssl', 's_time', '-connect', `127.0.0.1:${port}`, '-new', '-time', isQuick ? '1' : '3']
  const clients = await Promise.all(Array.from({ length: HANDSHAKE_CLIENTS }, () => run(command)))
  const rates = clients.map(({ stdout }) => {
    const [, connections, seconds] = /^(\d+) connections in (\d+) real seconds/m.exec(stdout) ?? []
    return Number(connections) / Number(seconds)
  })
  return rates.reduce((sum, rate) => sum + rate, 0)
}
