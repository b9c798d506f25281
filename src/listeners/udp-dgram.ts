// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createSocket } from 'node:dgram'
import { isIPv6 } from 'node:net'
import { type IpAddress, parseIp } from '../net/ip.ts'
import { DRAIN_MS, MAX_UNSENT_BYTES, RECEIVE_BUFFER_BYTES, type UdpParts, type UdpSocket } from './udp-socket.ts'

const QUIET_TURNS = 2 // turns of the event loop without a datagram, after which the kernel's buffer was empty

/** A socket of node:dgram, which works everywhere. */
export async function openDgramUdp(
  host: string,
  port: number,
  { local, counters, receive }: UdpParts,
): Promise<UdpSocket> {
  const ipv6 = isIPv6(host)
  const socket = createSocket({ type: ipv6 ? 'udp6' : 'udp4', ipv6Only: ipv6, recvBufferSize: RECEIVE_BUFFER_BYTES })
  await new Promise<void>((resolve, reject) => {
    socket.once('error', reject)
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
    address: (boundIp ?? host) as IpAddress,
    port: bound.port,
    receiveBufferBytes: socket.getRecvBufferSize(),
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
