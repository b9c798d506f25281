// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import type { Transport } from '../net/packet.ts'

/** One open listening socket. */
export interface Listener {
  readonly transport: Transport
  readonly address: IpAddress
  /** The port it has, also when port 0 was asked for. */
  readonly port: number
  /** What the kernel gave of the receive buffer that was asked for; null for streams. */
  readonly receiveBufferBytes: number | null
  /** Datagrams lost in the kernel so far; null where that cannot be known just now. */
  kernelDrops(): Promise<number | null>
  /** Takes nothing new; resolves when that is so. What came before may still be answered on open connections. */
  stopAccepting(): Promise<void>
  /** Ends every connection. */
  stop(): Promise<void>
}
