// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatagramCalls } from '../net/datagrams-ffi.ts'
import type { IpAddress } from '../net/ip.ts'
import { createSlabs } from '../net/slabs.ts'
import type { SocketAddress } from '../net/socket-address.ts'
import { createReplies } from './replies.ts'
import { createEndpoints, Datagram } from './udp-endpoints.ts'
import { DRAIN_MS, RECEIVE_BUFFER_BYTES, type UdpParts, type UdpSocket } from './udp-socket.ts'

/** A socket of the C library, read and written many datagrams at a time. Throws what the system says of the address. */
export function openBatchedUdp(
  calls: DatagramCalls,
  ip: IpAddress,
  port: number,
  { local, counters, receive }: UdpParts,
): UdpSocket {
  const socket = calls.open(ip, port, RECEIVE_BUFFER_BYTES)
  const isWildcard = socket.ip === '0.0.0.0' || socket.ip === '::'
  const replies = createReplies({
    send: socket.send,
    onRefused: (count) => counters.add('socketErrors', count),
    onBusy: (isBusy) => watch(isBusy),
  })
  const ownCopy = createSlabs()
  let isAccepting = true

  const endpointOf = createEndpoints({
    destinationPort: socket.port,
    destinationIp: isWildcard ? null : socket.ip,
    destinationFor: local.facing,
    send: replies.add,
  })

  function take(bytes: Buffer, source: SocketAddress, sourcePort: number, to: SocketAddress | null): void {
    receive(new Datagram(endpointOf(source, sourcePort, to), ownCopy(bytes)))
  }

  /**
   * One batch in a turn of the event loop, then timers, commits and streams have theirs. True when there may be more.
   * More at a time saves nothing: what a turn costs is little beside the work on 64 messages, which is near 1 ms.
   */
  function readBatch(): boolean {
    const left = socket.receive(take)
    if (left === 'failed') counters.add('socketErrors')
    return left !== 'none'
  }

  function watch(isBusy: boolean): void {
    socket.watch(isAccepting ? readBatch : null, isBusy ? replies.flush : null)
  }

  watch(false)
  return {
    address: socket.ip,
    port: socket.port,
    receiveBufferBytes: socket.receiveBufferBytes,
    async stopAccepting() {
      // What came before the stop is in the kernel's buffer.
      const untilMs = performance.now() + DRAIN_MS
      while (isAccepting && readBatch() && performance.now() < untilMs) await new Promise(setImmediate)
      isAccepting = false
      watch(replies.isBusy())
    },
    async stop() {
      isAccepting = false
      replies.end()
      await socket.close()
    },
  }
}
