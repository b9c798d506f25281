// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { once } from 'node:events'
import { connect, type Socket } from 'node:net'
import { setImmediate as turn } from 'node:timers/promises'
import { createFramer, type Frame } from '../../src/sip/framing.ts'
import { parseMessage } from '../../src/sip/parse.ts'
import { type Caller, createCaller } from './caller.ts'
import { createMutator, type Mutator } from './mutate.ts'
import { createRandom, type Random } from './random.ts'
import type { Campaign, Pace } from './target.ts'

const UDP_SOURCES = 48 // each may be sent 50 replies a second before it has proven itself
const LANES = 24 // connections at a time
const LANE_SOURCES = 64 // addresses, since each closed connection keeps its port for a minute
const MAX_UNSENT = 256
const CLOSED_WITHIN_MS = 5_000

export interface Flood {
  readonly campaign: Campaign
  readonly pace: Pace
  readonly port: number
  /** Resolves when one more may be sent; false when no more shall be. */
  readonly mayGoOn: () => Promise<boolean>
  readonly onSent: (bytes: Buffer) => void
}

/** How many messages the node has to have read of what was sent; between the two it is not known. */
export interface Expected {
  readonly atLeast: number
  readonly atMost: number
}

/** Datagrams from many sources, most of whom read the answers. */
export async function floodUdp({ campaign, pace, port, mayGoOn, onSent }: Flood): Promise<Expected> {
  const random = createRandom(campaign.seed, 2)
  const mutator = createMutator(random, campaign.corpus)
  const sources = await Promise.all(
    Array.from({ length: UDP_SOURCES }, async (_, index) => {
      const address = `127.3.0.${1 + index}`
      const socket = createSocket({ type: 'udp4', recvBufferSize: 1 << 20 })
      socket.on('error', () => {}) // the node is gone, and others notice
      socket.bind(0, address)
      await once(socket, 'listening')
      const isDeaf = index % 3 === 0 // as the owner of an address that somebody forges: nothing is ever proven
      const caller = isDeaf ? null : createCaller(random, { address, port: socket.address().port, transport: 'UDP' })
      socket.on('message', (bytes) => caller?.heard(bytes.toString('latin1')))
      return { socket, caller }
    }),
  )
  let [sent, unsent] = [0, 0]
  while ((await mayGoOn()) && pace.another()) {
    const source = sources[random.below(UDP_SOURCES)]
    if (source === undefined) continue
    const bytes = inputOf(random, mutator, source.caller)
    onSent(bytes)
    unsent++
    source.socket.send(bytes, port, '127.0.0.1', (error) => {
      unsent--
      if (error === null) sent++
    })
    while (unsent > MAX_UNSENT) await turn()
  }
  while (unsent > 0) await turn()
  for (const { socket } of sources) socket.close()
  return { atLeast: sent, atMost: sent }
}

/** Connections that end in every way, each a stream of messages that are cut anywhere. */
export async function floodTcp(flood: Flood): Promise<Expected> {
  const tally = { atLeast: 0, atMost: 0 }
  const lanes = Array.from({ length: LANES }, (_, lane) => runLane(flood, lane, tally))
  await Promise.all(lanes)
  return tally
}

async function runLane(flood: Flood, lane: number, tally: { atLeast: number; atMost: number }): Promise<void> {
  const random = createRandom(flood.campaign.seed, 100 + lane)
  const mutator = createMutator(random, flood.campaign.corpus)
  while (await flood.mayGoOn()) {
    const { messages, isCertain } = await runConnection(flood, random, mutator)
    tally.atMost += messages
    if (isCertain) tally.atLeast += messages
  }
}

/** A connection that was: how many messages our own framer reads in what was written, which the node has to read if it got all. */
export interface Talked {
  readonly messages: number
  /** Of those, what is counted and not kept. */
  readonly keepAlives: number
  readonly isCertain: boolean
  /** Of this end. */
  readonly localPort: number
}

/** Says up to sixty things on one connection from there, and leaves in any way. */
export async function runConnection(
  { pace, port, mayGoOn, onSent }: Omit<Flood, 'campaign'>,
  random: Random,
  mutator: Mutator,
  localAddress = `127.4.0.${1 + random.below(LANE_SOURCES)}`,
): Promise<Talked> {
  const socket = connect({ host: '127.0.0.1', port, localAddress, allowHalfOpen: true, noDelay: true })
  let isWhole = true
  socket.on('error', () => {
    isWhole = false
  })
  const closed = new Promise((resolve) => socket.once('close', resolve))
  if (!(await isConnected(socket))) return { messages: 0, keepAlives: 0, isCertain: true, localPort: 0 }
  const localPort = socket.localPort ?? 0
  const caller = createCaller(random, { address: localAddress, port: localPort, transport: 'TCP' })
  const answers = createFramer()
  socket.on('data', (chunk: Buffer) => {
    for (const frame of answers.push(chunk)) if (frame.kind === 'message') caller.heard(frame.bytes.toString('latin1'))
  })
  const asked = createFramer()
  let [messages, keepAlives] = [0, 0]
  const count = (frames: readonly Frame[]) => {
    for (const frame of frames) {
      if (frame.kind !== 'message') continue
      messages++
      if (parseMessage(frame.bytes).kind === 'keep-alive') keepAlives++
    }
  }
  for (let left = 1 + random.below(60); left > 0 && socket.writable && !asked.isLost(); left--) {
    if (!(await mayGoOn()) || !pace.another()) break
    const bytes = inputOf(random, mutator, caller)
    onSent(bytes)
    count(asked.push(Buffer.from(bytes)))
    await writeInParts(socket, bytes, random)
  }
  count(asked.end())
  if (random.oneIn(8)) {
    isWhole = false
    socket.resetAndDestroy()
  } else socket.end()
  const late = setTimeout(() => socket.destroy(), CLOSED_WITHIN_MS)
  await closed
  clearTimeout(late)
  return { messages, keepAlives, isCertain: isWhole, localPort }
}

async function isConnected(socket: Socket): Promise<boolean> {
  return once(socket, 'connect').then(
    () => true,
    () => false,
  )
}

async function writeInParts(socket: Socket, bytes: Buffer, random: Random): Promise<void> {
  let from = 0
  for (let parts = random.oneIn(3) ? 1 + random.below(4) : 0; parts > 0; parts--) {
    const to = from + random.below(bytes.length - from + 1)
    socket.write(bytes.subarray(from, to))
    from = to
    await turn()
  }
  if (socket.write(bytes.subarray(from)) || socket.destroyed) return // destroyed: neither event would come
  await Promise.race(['drain', 'close'].map((event) => once(socket, event).catch(() => {})))
}

function inputOf(random: Random, mutator: Mutator, caller: Caller | null): Buffer {
  if (caller === null || random.oneIn(2)) return mutator.any()
  const text = caller.next()
  return random.oneIn(2) ? Buffer.from(text, 'latin1') : mutator.damaged(text)
}
