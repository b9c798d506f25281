// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createServer, isIPv6, type Server, type Socket } from 'node:net'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { Transport } from '../net/packet.ts'
import { type Connection, type Service, serveConnection } from './connection.ts'
import { listenFailure } from './failure.ts'
import type { Doorkeeper } from './limits.ts'
import type { Listener } from './listener.ts'

const BACKLOG = 511
const QUIET_TURNS = 2 // turns of the event loop without a byte or a connection, after which the kernel held no more
const CLOSE_MS = 200 // chosen: the last answers need a turn or two of the event loop, and nobody waits for who does not read
const DRAIN_MS = 1_000 // chosen, as for UDP: a client may send without end, and a stop may take 5 s in all

export interface StreamOptions extends Service {
  readonly host: string
  readonly port: number
  /** Shared by all stream listeners. */
  readonly doorkeeper: Doorkeeper
}

/** SIP over TCP on one address. */
export async function listenTcp(options: StreamOptions): Promise<Listener> {
  // Half-open: a client that has said everything may close its side and still read the answer.
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  return listenForStreams(server, 'TCP', '--sip-listen', options, (socket, serve) => serve(socket, false))
}

/**
 * Opens a stream server and admits its connections; `secure` hands on the socket to read from, at once or after a
 * handshake, and whether nothing may be sent there.
 */
export async function listenForStreams(
  server: Server,
  transport: Transport,
  flag: string,
  options: StreamOptions,
  secure: (raw: Socket, serve: (socket: Socket, isMute: boolean) => void) => void,
): Promise<Listener> {
  const { host, port, doorkeeper, counters } = options
  const open = new Map<Socket, Connection | null>()
  let accepted = 0
  let readBytes = 0 // on connections that are closed
  let whenAllClosed: (() => void) | null = null
  const ipv6Only = isIPv6(host)
  await new Promise<void>((resolve, reject) => {
    server.once('error', (cause) => reject(listenFailure(`SIP over ${transport}`, host, port, flag, cause)))
    server.listen({ host, port, ipv6Only, backlog: BACKLOG, exclusive: true }, resolve)
  })
  server.removeAllListeners('error')
  server.on('error', () => counters.add('socketErrors')) // EMFILE and the like: others are served all the same
  const bound = server.address()
  if (bound === null || typeof bound === 'string') throw new Error('a server that listens on a port has one')

  server.on('connection', (raw: Socket) => {
    accepted++
    const sourceIp = parseIp(raw.remoteAddress ?? '')
    const destinationIp = parseIp(raw.localAddress ?? '')
    const sourcePort = raw.remotePort
    if (sourceIp === null || destinationIp === null || sourcePort === undefined) {
      counters.add('socketErrors') // it was reset before we looked
      raw.destroy()
      return
    }
    const place = doorkeeper.admit(sourceIp, () => {
      counters.add('endedForRoom')
      open.get(raw)?.end() // what came of a message is evidence
      raw.destroy()
    })
    if (place === null) {
      counters.add('refusedPerSource')
      raw.resetAndDestroy()
      return
    }
    counters.add('connectionsAccepted')
    open.set(raw, null)
    raw.on('error', () => {}) // 'close' follows, and the reader of the stream counts it
    raw.on('close', () => {
      open.delete(raw)
      readBytes += raw.bytesRead
      place.release()
      if (open.size === 0) whenAllClosed?.()
    })
    const ends = { transport, sourceIp, sourcePort, destinationIp, destinationPort: bound.port }
    secure(raw, (socket, isMute) => open.set(raw, serveConnection(socket, { ...ends, isMute }, options, place.spoke)))
  })

  return {
    transport,
    address: (parseIp(bound.address) ?? host) as IpAddress,
    port: bound.port,
    receiveBufferBytes: null,
    kernelDrops: async () => 0,
    async stopAccepting() {
      // What came before the stop may be in the kernel still: connections of its backlog, and bytes of open ones.
      await untilQuiet(() => open.keys().reduce((sum, raw) => sum + raw.bytesRead, accepted + readBytes))
      server.close()
      for (const [raw, connection] of open) {
        if (connection === null) raw.destroy()
        else connection.end()
      }
    },
    async stop() {
      const closed = Promise.withResolvers<void>()
      whenAllClosed = closed.resolve
      // Not the raw socket: under TLS it knows nothing of the answers that are not encrypted yet.
      for (const [raw, connection] of open) {
        if (connection === null) raw.destroy()
        else connection.close()
      }
      if (open.size === 0) return
      const late = setTimeout(closed.resolve, CLOSE_MS)
      await closed.promise
      clearTimeout(late)
      for (const raw of open.keys()) raw.destroy() // of a client that does not read
    },
  }
}

/** Resolves when `progress` gave the same number for some turns of the event loop, or when that takes too long. */
async function untilQuiet(progress: () => number): Promise<void> {
  const untilMs = performance.now() + DRAIN_MS
  for (let quiet = 0; quiet < QUIET_TURNS && performance.now() < untilMs; ) {
    const before = progress()
    await new Promise(setImmediate)
    quiet = progress() === before ? quiet + 1 : 0
  }
}
