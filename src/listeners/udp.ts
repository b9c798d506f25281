// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { readFile } from 'node:fs/promises'
import { isIPv6 } from 'node:net'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { LocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import type { Counters } from '../ops/counters.ts'
import { listenFailure } from './failure.ts'
import type { Listener } from './listener.ts'

const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024 // with the default of 208 KiB bursts of 64 packets were lost
const QUIET_TURNS = 2 // turns of the event loop without a datagram, after which the kernel's buffer was empty
const DRAIN_MS = 1_000 // chosen: in a flood the buffer is never empty, and a stop may take 5 s in all
const MAX_UNSENT_BYTES = 1024 * 1024 // replies queued in the socket beyond this are not made longer

export interface UdpOptions {
  readonly host: string
  readonly port: number
  readonly local: LocalAddresses
  readonly counters: Counters
  readonly receive: (packet: Packet) => void
}

/** SIP over UDP on one address; every datagram is one packet (RFC 3261 §18.1.2). */
export async function listenUdp({ host, port, local, counters, receive }: UdpOptions): Promise<Listener> {
  const ipv6 = isIPv6(host)
  const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', ipv6Only: ipv6, recvBufferSize: RECEIVE_BUFFER_BYTES })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', (cause) => reject(listenFailure('SIP over UDP', host, port, '--sip-listen', cause)))
    socket.bind({ address: host, port, exclusive: true }, resolve)
  })
  socket.removeAllListeners('error')
  socket.on('error', () => counters.add('socketErrors'))
  const bound = socket.address()
  const boundIp = parseIp(bound.address)
  let received = 0
  const wildcard = boundIp === '0.0.0.0' || boundIp === '::'

  socket.on('message', (bytes, { address, port: sourcePort }) => {
    received++
    const sourceIp = parseIp(address)
    if (sourceIp === null || boundIp === null) return counters.add('socketErrors') // the kernel gives addresses only
    receive({
      transport: 'UDP',
      sourceIp,
      sourcePort,
      destinationIp: wildcard ? local.facing(sourceIp) : boundIp,
      destinationPort: bound.port,
      bytes,
      complete: true,
      reply(reply) {
        // To where the packet came from, not to the Via sent-by: RFC 3581 §4 asks it when rport is present, and a
        // honeypot does it always, since Via names whatever third party the attacker likes.
        try {
          if (socket.getSendQueueSize() > MAX_UNSENT_BYTES) return false
          socket.send(reply, sourcePort, address, (error) => {
            if (error !== null) counters.add('socketErrors')
          })
          return true
        } catch {
          return false // closed while the commit was under way
        }
      },
      done() {}, // nothing is kept open for it
    })
  })

  return {
    transport: 'UDP',
    address: (boundIp ?? host) as IpAddress,
    port: bound.port,
    receiveBufferBytes: socket.getRecvBufferSize(),
    kernelDrops: () => readKernelDrops(bound.address, bound.port),
    async stopAccepting() {
      // What came before the stop is in the kernel's buffer, of which a turn of the loop reads a few dozen datagrams.
      const untilMs = performance.now() + DRAIN_MS
      for (let quiet = 0; quiet < QUIET_TURNS && performance.now() < untilMs; ) {
        const before = received
        await new Promise(setImmediate)
        quiet = received === before ? quiet + 1 : 0
      }
      socket.removeAllListeners('message')
    },
    stop: () => new Promise((resolve) => socket.close(() => resolve())),
  }
}

/**
 * Datagrams that the kernel dropped because this socket's buffer was full, from /proc/net/udp and udp6, whose last
 * column it is (proc(5)); 0 where there is no such file.
 */
async function readKernelDrops(address: string, port: number): Promise<number> {
  const table = await readFile(isIPv6(address) ? '/proc/net/udp6' : '/proc/net/udp', 'latin1').catch(() => '')
  const local = `${procAddress(address)}:${port.toString(16).toUpperCase().padStart(4, '0')}`
  const row = table
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .find((columns) => columns[1] === local)
  return Number(row?.at(-1) ?? 0)
}

/** Each 32-bit group in hexadecimal as the machine's own byte order has it. */
function procAddress(address: string): string {
  const bytes = isIPv6(address) ? ipv6Bytes(address) : address.split('.').map(Number)
  const words: string[] = []
  const little = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1
  for (let at = 0; at < bytes.length; at += 4) {
    const word = bytes.slice(at, at + 4)
    if (little) word.reverse()
    words.push(word.map((byte) => byte.toString(16).padStart(2, '0')).join(''))
  }
  return words.join('').toUpperCase()
}

function ipv6Bytes(address: string): number[] {
  const [before = '', after = ''] = address.split('::')
  const groups = (text: string) => text.split(':').filter((group) => group !== '')
  const [head, tail] = [groups(before), groups(after)]
  const zeros = new Array<string>(8 - head.length - tail.length).fill('0')
  return [...head, ...zeros, ...tail].flatMap((group) => {
    const value = Number.parseInt(group, 16)
    return [value >> 8, value & 0xff]
  })
}
