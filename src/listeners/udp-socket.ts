// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { LocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import type { Counters } from '../ops/counters.ts'
import type { Listener } from './listener.ts'

// What both ways of reading datagrams share.

// With the default of 208 KiB bursts of 64 packets were lost (docs/adr/0002-batched-datagrams.md).
export const RECEIVE_BUFFER_BYTES = 4 * 1024 * 1024
export const MAX_UNSENT_BYTES = 1024 * 1024 // replies queued in the socket beyond this are not made longer
export const DRAIN_MS = 1_000 // chosen: in a flood the buffer is never empty, and a stop may take 5 s in all

export interface UdpParts {
  readonly local: LocalAddresses
  readonly counters: Counters
  readonly receive: (packet: Packet) => void
}

export type UdpSocket = Pick<Listener, 'address' | 'port' | 'receiveBufferBytes' | 'stopAccepting' | 'stop'>
