// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Socket } from 'node:net'
import type { IpAddress } from '../net/ip.ts'
import type { Packet, Transport } from '../net/packet.ts'
import type { Counters } from '../ops/counters.ts'
import { createFramer, type Frame } from '../sip/framing.ts'
import { parseMessage } from '../sip/parse.ts'
import type { ConnectionLimits } from './limits.ts'

const PONG = Buffer.from('\r\n') // RFC 5626 §3.5.1
const LOST_FRAME_MS = 500 // how long the rest of a message of unknown length may take to arrive
const MAX_UNSENT_BYTES = 64 * 1024 // a client that does not read gets no more replies
const LAST_REPLY_MS = 2_000 // how long at most a connection that has ended waits for the commit of its last message

/** Who is at the other end, and where he reached us. */
export interface Ends {
  readonly transport: Transport
  readonly sourceIp: IpAddress
  readonly sourcePort: number
  readonly destinationIp: IpAddress
  readonly destinationPort: number
  /** Nothing at all is sent there: it spoke in the clear where TLS is spoken. */
  readonly isMute: boolean
}

export interface Connection {
  /** Ends it; what had come of a message is handed on as evidence. Closes once what came is answered. */
  end(): void
  /** Ends it and closes it as soon as the answers that were given are on their way. */
  close(): void
}

/** What a connection is served with. */
export interface Service {
  readonly limits: ConnectionLimits
  readonly counters: Counters
  readonly receive: (packet: Packet) => void
  /** Not on a passive node, which sends nothing at all. */
  readonly answersPings: (source: IpAddress) => boolean
}

/**
 * Reads one accepted TCP or TLS connection: frames to packets, pings to pongs, deadlines to their end. `onMessage` is
 * called when a message came.
 */
export function serveConnection(socket: Socket, ends: Ends, service: Service, onMessage: () => void): Connection {
  const { limits, counters, receive, answersPings } = service
  const { isMute, ...origin } = ends
  const framer = createFramer()
  const outlet = createOutlet(isMute ? null : socket)
  const { reply } = outlet
  let begun = false
  let ended = false
  let finished = false
  let lost = false
  let outstanding = 0 // messages handed on that may still be answered
  let lastReply: NodeJS.Timeout | null = null
  let deadline = setTimeout(expire, limits.messageMs)
  let amidMessage = true // the first message has its deadline from the start

  function setDeadline(ms: number): void {
    clearTimeout(deadline)
    deadline = setTimeout(expire, ms)
  }

  function expire(): void {
    counters.add(framer.isLost() ? 'endedLostFrame' : 'endedTimeout')
    end()
  }

  function end(): void {
    if (ended) return
    ended = true
    clearTimeout(deadline)
    handOn(framer.end())
    socket.pause()
    // Replies wait for the commit of what they answer; half-closing now would lose them.
    if (outstanding === 0 || !socket.writable) finish()
    else lastReply = setTimeout(finish, LAST_REPLY_MS).unref()
  }

  function close(): void {
    end()
    if (lastReply !== null) clearTimeout(lastReply)
    lastReply = null
    finish()
  }

  function finish(): void {
    if (finished) return
    finished = true
    socket.destroySoon()
    const unread = setTimeout(() => socket.destroy(), LAST_REPLY_MS).unref() // of a client that does not read
    socket.once('close', () => clearTimeout(unread))
  }

  /** What to call when one message is done with; called again it does nothing. */
  function oneOutstanding(): () => void {
    let open = true
    outstanding++
    return () => {
      if (!open) return
      open = false
      outstanding--
      if (outstanding > 0 || lastReply === null) return
      close()
    }
  }

  function handOn(frames: readonly Frame[]): void {
    for (const frame of frames) {
      if (frame.kind === 'message') {
        const { bytes, complete } = frame
        if (!begun && isNotSip(bytes)) counters.add('connectionsNotSip')
        begun = true
        onMessage()
        receive({ ...origin, bytes, complete, reply, done: oneOutstanding() })
      } else if (answersPings(ends.sourceIp) && reply(PONG)) counters.add('streamPings')
    }
  }

  socket.on('data', (chunk: Buffer) => {
    if (ended) return
    const frames = framer.push(chunk)
    handOn(frames)
    if (framer.isLost()) {
      if (!lost) setDeadline(LOST_FRAME_MS) // once, or a client that never stops sending would move it for ever
      lost = true
      return
    }
    const amid = framer.pendingBytes() > 0
    const whole = frames.some(({ kind }) => kind === 'message')
    if (amid && (whole || !amidMessage)) setDeadline(limits.messageMs)
    else if (!amid && (whole || !amidMessage)) setDeadline(limits.idleMs)
    amidMessage = amid || (amidMessage && !whole)
  })
  socket.on('end', end)
  socket.on('error', () => counters.add('socketErrors'))
  socket.on('close', () => {
    end()
    outlet.close()
    socket.destroy()
  })
  return { end, close }
}

interface Outlet {
  reply(bytes: Buffer): boolean
  close(): void
}

/**
 * The way out of a connection, null for none. A request is remembered for half a minute, and what answers it with it: when
 * the connection is closed this lets go of it, 4 KB and more.
 */
function createOutlet(socket: Socket | null): Outlet {
  let open = socket
  return {
    reply(bytes) {
      if (open === null || !open.writable || open.writableLength > MAX_UNSENT_BYTES) return false
      open.write(bytes)
      return true
    },
    close() {
      open = null
    },
  }
}

/** Asked once a connection: whoever receives the message reads it anyway. */
function isNotSip(bytes: Buffer): boolean {
  const parsed = parseMessage(bytes)
  return parsed.kind === 'fault' && parsed.code === 'not-sip'
}
