// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { corpusMessages } from '../corpus.ts'
import { runConnection } from '../fuzz/flood.ts'
import { createMutator } from '../fuzz/mutate.ts'
import { createPace } from '../fuzz/target.ts'
import { answeredIn, sipRequest } from '../sip-client.ts'
import { type Flow, markOf } from './ledger.ts'
import { type Actor, pause, type Stage } from './stage.ts'

const CONNECTIONS_EVERY_MS = 300
const MOST_MESSAGES = 20 // on one connection
const ANSWERED_WITHIN_MS = 15_000 // a database that is locked for some seconds holds up answers
const CLOSED_WITHIN_MS = 10_000
const SLOW_CLIENTS = 8
const BYTE_EVERY_MS = 1_000
const SLOW_FOR_MS = 45_000 // the node ends them after 30
const HOSTILE_LANES = 2
const HOSTILE_EVERY_MS = 30
const HANDSHAKES_EVERY_MS = 1_500
const BEGUN_HANDSHAKE = Buffer.from('160301020001', 'hex') // RFC 8446 §5.1: a record of 512 bytes that do not come

type Transport = 'TCP' | 'TLS'

/** With all answers; with its own side closed before they come; or with a reset before they come. */
type Leaving = 'answered' | 'half-closed' | 'reset'

/** Clients over TCP and TLS, several messages at once, who wait for their answers; some leave with a reset. */
export const clients: Actor = async (stage) => {
  const random = stage.random(10)
  const flows = { TCP: stage.ledger.flow('tcp'), TLS: stage.ledger.flow('tls') }
  const underWay = new Set<Promise<void>>()
  while (await pause(stage, CONNECTIONS_EVERY_MS)) {
    const transport = random.pick<Transport>(['TCP', 'TCP', 'TLS'])
    const wish = {
      address: `127.30.0.${1 + random.below(100)}`,
      count: 1 + random.below(MOST_MESSAGES),
      leaves: random.pick<Leaving>(['answered', 'answered', 'answered', 'half-closed', 'reset']),
    }
    const one = talk(stage, transport, flows[transport], wish)
    underWay.add(one.finally(() => underWay.delete(one)))
  }
  await Promise.all(underWay)
}

async function talk(
  stage: Stage,
  transport: Transport,
  flow: Flow,
  { address, count, leaves }: { readonly address: string; readonly count: number; readonly leaves: Leaving },
): Promise<void> {
  const client = await opened(stage, transport, address)
  if (client === null) return stage.note(`${transport} connections refused`)
  const { socket } = client
  stage.note(`${transport} connections`)
  let heard = ''
  let answers = 0
  socket.setEncoding('latin1').on('data', (text: string) => {
    heard += text
    answers = answeredIn(heard).length
  })
  const numbers = Array.from({ length: count }, () => flow.next())
  const text = numbers.map((number) => sipRequest({ callId: markOf(flow.name, number), transport })).join('')
  await new Promise<void>((resolve) => socket.write(text, () => resolve()))
  const untilMs = performance.now() + ANSWERED_WITHIN_MS
  while (leaves === 'answered' && answers < count && socket.writable && performance.now() < untilMs) {
    if (!(await pause(stage, 20))) break
  }
  const isWhole = await left(client, leaves === 'reset')
  for (const number of numbers) flow.written(number, isWhole)
  stage.note(`${transport} messages`, count)
  stage.note(`${transport} messages answered`, Math.min(count, answers))
}

/** Clients who take their time: a byte a second, or nothing at all. */
export const slowClients: Actor = async (stage) => {
  await Promise.all(Array.from({ length: SLOW_CLIENTS }, (_, index) => slowClient(stage, index)))
}

async function slowClient(stage: Stage, index: number): Promise<void> {
  const transport = index % 4 === 3 ? 'TLS' : 'TCP'
  const isSilent = index % 4 === 0
  const address = `127.31.0.${1 + index}`
  while (await pause(stage, 500)) {
    const client = await opened(stage, transport, address)
    if (client === null) continue
    const { socket, raw } = client
    stage.note(isSilent ? 'silent connections' : `${transport} connections of a byte a second`)
    socket.resume()
    const port = raw.localPort ?? 0
    const text = sipRequest({ callId: 'slow', transport })
    let written = 0
    for (const fromMs = performance.now(); socket.writable && performance.now() < fromMs + SLOW_FOR_MS; ) {
      if (!isSilent) socket.write(text[written++] ?? '\r')
      if (!(await pause(stage, BYTE_EVERY_MS))) break
    }
    await left(client, false)
    const messages = written > 0 ? 1 : 0 // what came of it is evidence
    stage.ledger.connection(address, port, { least: messages, most: messages })
  }
}

/** Damaged streams, cut anywhere, that end in every way. */
export const hostileStreams: Actor = async (stage) => {
  await Promise.all(Array.from({ length: HOSTILE_LANES }, (_, lane) => hostileLane(stage, lane)))
}

async function hostileLane(stage: Stage, lane: number): Promise<void> {
  const random = stage.random(11 + lane)
  const mutator = createMutator(random, [...corpusMessages().values()])
  const endless = {
    seed: 0,
    count: Number.POSITIVE_INFINITY,
    seconds: Number.POSITIVE_INFINITY,
    corpus: [],
    onProgress() {},
  }
  const flood = {
    pace: createPace(endless),
    port: stage.ports.tcp,
    mayGoOn: () => pause(stage, HOSTILE_EVERY_MS),
    onSent: () => stage.note('hostile stream inputs'),
  }
  while (await pause(stage, HOSTILE_EVERY_MS)) {
    const address = `127.32.${lane}.${1 + random.below(200)}`
    const { messages, keepAlives, isCertain, localPort } = await runConnection(flood, random, mutator, address)
    const kept = messages - keepAlives
    stage.ledger.connection(address, localPort, { least: isCertain ? kept : 0, most: kept })
    stage.ledger.streamKeepAlives({ least: isCertain ? keepAlives : 0, most: keepAlives })
    stage.note('hostile connections')
  }
}

/** Handshakes that are not finished, and SIP in the clear where TLS is spoken. */
export const handshakes: Actor = async (stage) => {
  const random = stage.random(15)
  const flow = stage.ledger.flow('clear')
  while (await pause(stage, HANDSHAKES_EVERY_MS)) {
    const socket = await openedTcp(stage.ports.tls, `127.33.0.${1 + random.below(100)}`)
    if (socket === null) continue
    socket.resume()
    if (random.oneIn(2)) {
      const number = flow.next()
      await new Promise<void>((resolve) =>
        socket.write(sipRequest({ callId: markOf(flow.name, number), transport: 'TLS' }), () => resolve()),
      )
      flow.written(number, await left({ socket, raw: socket }, false))
      stage.note('SIP in the clear on the TLS port')
      continue
    }
    socket.write(BEGUN_HANDSHAKE.subarray(0, random.below(BEGUN_HANDSHAKE.length + 1)))
    if (random.oneIn(3)) await pause(stage, random.below(12_000)) // the node waits 10 s
    await left({ socket, raw: socket }, random.oneIn(2))
    stage.note('broken TLS handshakes')
  }
}

interface Client {
  readonly socket: Socket
  /** Below TLS, or the same. */
  readonly raw: Socket
}

/** Null when the connection was refused. */
async function opened({ ports }: Stage, transport: Transport, localAddress: string): Promise<Client | null> {
  const raw = await openedTcp(transport === 'TLS' ? ports.tls : ports.tcp, localAddress)
  if (raw === null || transport === 'TCP') return raw === null ? null : { socket: raw, raw }
  const socket = connectTls({ socket: raw, rejectUnauthorized: false })
  socket.on('error', () => {}) // left() tells
  return once(socket, 'secureConnect').then(
    () => ({ socket, raw }),
    () => null,
  )
}

async function openedTcp(port: number, localAddress: string): Promise<Socket | null> {
  const socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true, noDelay: true })
  return once(socket, 'connect').then(
    () => socket.on('error', () => {}),
    () => null,
  )
}

/** Says goodbye; whether everything that was written has been read at the other end. */
async function left({ socket, raw }: Client, resets: boolean): Promise<boolean> {
  let isWhole = !resets && socket.errored === null
  socket.on('error', () => {
    isWhole = false
  })
  if (socket.closed) return isWhole
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (resets) raw.resetAndDestroy()
  else socket.end()
  const late = setTimeout(() => {
    isWhole = false
    socket.destroy()
  }, CLOSED_WITHIN_MS)
  await closed
  clearTimeout(late)
  return isWhole
}
