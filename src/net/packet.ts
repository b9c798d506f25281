// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from './ip.ts'

export type Transport = 'UDP' | 'TCP' | 'TLS'

/** Where a packet came from and how to answer there, without its bytes: what may be kept for later. */
export interface ReturnPath {
  readonly transport: Transport
  readonly sourceIp: IpAddress
  readonly sourcePort: number
  readonly destinationIp: IpAddress
  readonly destinationPort: number
  /** Sends bytes back to where the packet came from. Says whether they were handed to the socket. */
  reply(bytes: Buffer): boolean
}

/** One SIP message, or what came in its place, with what the socket says of where it came from. */
export interface Packet extends ReturnPath {
  /** The same as this says, where there is one object of it for many packets. */
  readonly path?: ReturnPath
  /** Owned by the receiver of the packet: nobody writes to these bytes again. */
  readonly bytes: Buffer
  /** False when a stream ended, or a limit was reached, before the message was whole. */
  readonly complete: boolean
  /**
   * Called once by whoever got the packet, when nothing more will be done with it: its event is committed or dropped,
   * and the reply, if there is one, was handed over. A connection that has ended waits for it before it closes. It may be
   * kept and called without the packet, and so needs no `this`.
   */
  done(): void
}

/** Not the packet itself, which would keep up to 64 KiB in memory. */
export function returnPath(packet: Packet): ReturnPath {
  if (packet.path !== undefined) return packet.path
  const { transport, sourceIp, sourcePort, destinationIp, destinationPort } = packet
  return { transport, sourceIp, sourcePort, destinationIp, destinationPort, reply: packet.reply }
}
