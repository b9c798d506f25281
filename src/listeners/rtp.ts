// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket, type Socket } from 'node:dgram'
import { type IpAddress, isIpv4, isNoHost } from '../net/ip.ts'
import type { Clock } from '../ops/clock.ts'
import { errorCode } from '../ops/errors.ts'
import { MOST } from '../ops/open-files.ts'
import { createComfortNoise, type PayloadType, RTP_PACKET_MS } from '../sip/rtp.ts'

export interface RtpMedia {
  /**
   * Opens a socket for one call. Null when that is one call too many, when audio must not go to `remote`, or when there
   * is no socket. Never rejects. That `remote` is the proven source of the call is for the caller to see to.
   */
  start(audio: RtpAudio): Promise<RtpCall | null>
  /** Ends every call at once and starts none any more. */
  stopAll(): void
}

export interface RtpAudio {
  readonly localIp: IpAddress
  /** The one place where packets go. What comes from elsewhere does not change it (no symmetric RTP, RFC 4961). */
  readonly remote: { readonly ip: IpAddress; readonly port: number }
  readonly payloadType: PayloadType
  /** The call ends so long after its start, begun or not; 60 by default. */
  readonly maxS?: number
}

export interface RtpCall {
  /** Even (RFC 3550 §11); open until the call ends. */
  readonly port: number
  /** Sends 50 packets a second from now on, at most 172 bytes each. Until then none is sent. */
  begin(): void
  stop(): void
  /** What came to the port so far. It is counted and thrown away. */
  received(): { readonly packets: number; readonly bytes: number }
}

export interface RtpMediaOptions extends Means {
  readonly maxCalls?: number
  /** The ports to choose from, both included. */
  readonly ports?: { readonly lowest: number; readonly highest: number }
}

interface Means {
  readonly timers: Timers
  readonly clock: Pick<Clock, 'steadyMs'>
  /** `node:crypto`'s. */
  readonly randomBytes: (size: number) => Buffer
  /** Told of every packet that was not sent, and of every call that got no socket. */
  readonly onError: (cause: unknown) => void
}

interface Timers {
  /** Returns what cancels it. Such a timer keeps no process alive. */
  after(ms: number, run: () => void): () => void
}

const MAX_S = 60 // chosen: 516 kB to one address, then silence
const PORTS = { lowest: 10_000, highest: 19_999 } // those of a plain PBX, and of our answers without a socket
const MAX_TRIES = 64 // chosen: twice the ports that our own calls can have
const LOWEST_REMOTE_PORT = 1_024 // RFC 6335 §6: below are services that nobody takes audio at

/** Comfort noise for answered calls: a socket each, RTP to one address, whatever is sent to us thrown away. */
export function createRtpMedia({ maxCalls = MOST.calls, ports = PORTS, ...means }: RtpMediaOptions): RtpMedia {
  const calls = new Set<RtpCall>()
  let opening = 0
  let stopped = false
  return {
    async start(audio) {
      const { localIp, remote } = audio
      if (stopped || calls.size + opening >= maxCalls) return null
      if (!mayReceive(remote.ip, remote.port) || isIpv4(remote.ip) !== isIpv4(localIp)) return null
      opening++
      const socket = await openSocket(localIp, evenPorts(ports, means.randomBytes), means.onError)
      opening--
      if (socket === null) return null
      const call = callOn(socket, audio, means, () => calls.delete(call))
      calls.add(call)
      if (!stopped) return call
      call.stop()
      return null
    },
    stopAll() {
      stopped = true
      for (const call of calls) call.stop()
    },
  }
}

/** May audio be sent there at all? Directed broadcasts, which no address shows, are refused by the kernel. */
function mayReceive(ip: IpAddress, port: number): boolean {
  if (!Number.isInteger(port) || port < LOWEST_REMOTE_PORT || port > 65_535) return false
  return !isNoHost(ip)
}

function callOn(
  socket: Socket,
  { remote, payloadType, maxS = MAX_S }: RtpAudio,
  { timers, clock, randomBytes, onError }: Means,
  onEnd: () => void,
): RtpCall {
  const received = { packets: 0, bytes: 0 }
  socket.on('message', (bytes) => {
    received.packets++
    received.bytes += bytes.length
  })
  socket.on('error', onError)
  const noise = createComfortNoise(payloadType, randomBytes)
  const pace = createPace(timers, clock, (skipped) => {
    socket.send(noise.next(skipped), remote.port, remote.ip, (error) => {
      if (error !== null) onError(error)
    })
  })
  let isOpen = true
  const stop = () => {
    if (!isOpen) return
    isOpen = false
    cancelEnd()
    pace.stop()
    socket.close()
    onEnd()
  }
  const cancelEnd = timers.after(maxS * 1000, stop)
  return { port: socket.address().port, begin: pace.begin, stop, received: () => ({ ...received }) }
}

/**
 * Runs `send` every 20 ms by the steady clock. A timer that is late is made up for by the next one; turns that were
 * missed altogether are not, or a stall would end in a burst: `send` is told how many they were.
 */
function createPace(timers: Timers, { steadyMs }: Pick<Clock, 'steadyMs'>, send: (skipped: number) => void) {
  let state: 'new' | 'running' | 'over' = 'new'
  let cancel = () => {}
  let beganMs = 0
  let turn = 0
  const run = () => {
    const nowMs = steadyMs()
    const skipped = Math.max(0, Math.floor((nowMs - beganMs) / RTP_PACKET_MS) - turn) // a timer may be a little early
    turn += skipped + 1
    cancel = timers.after(Math.ceil(beganMs + turn * RTP_PACKET_MS - nowMs), run)
    send(skipped)
  }
  return {
    begin() {
      if (state !== 'new') return
      state = 'running'
      beganMs = steadyMs()
      run()
    },
    stop() {
      state = 'over'
      cancel()
    },
  }
}

/** Null when no port can be had; `onError` has the reason. */
async function openSocket(
  localIp: IpAddress,
  ports: readonly number[],
  onError: (cause: unknown) => void,
): Promise<Socket | null> {
  let failure: unknown = new RangeError('no even port to choose from')
  for (const port of ports) {
    try {
      return await bind(localIp, port)
    } catch (cause) {
      failure = cause
      if (errorCode(cause) !== 'EADDRINUSE') break
    }
  }
  onError(failure)
  return null
}

/** Rejects with the operating system's error; an unreferenced socket keeps no process alive. */
function bind(address: IpAddress, port: number): Promise<Socket> {
  const socket = createSocket(isIpv4(address) ? 'udp4' : 'udp6').unref()
  return new Promise((resolve, reject) => {
    const failed = (cause: Error) => {
      socket.close()
      reject(cause)
    }
    socket.once('error', failed)
    socket.bind({ address, port }, () => resolve(socket.off('error', failed)))
  })
}

/** Some even ports in a row, from a random one on. */
function evenPorts(
  { lowest, highest }: { lowest: number; highest: number },
  randomBytes: (size: number) => Buffer,
): number[] {
  const first = lowest + (lowest % 2)
  const count = Math.max(0, Math.floor((highest - first) / 2) + 1)
  const start = randomBytes(2).readUInt16BE()
  return Array.from({ length: Math.min(count, MAX_TRIES) }, (_, tried) => first + ((start + tried) % count) * 2)
}
