// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { IpAddress } from '../net/ip.ts'
import type { LocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import type { Counters } from '../ops/counters.ts'
import type { CertificatePair } from './certificate.ts'
import { hasNoIpv6, isTaken } from './failure.ts'
import { CONNECTION_LIMITS, createDoorkeeper } from './limits.ts'
import type { Listener } from './listener.ts'
import { listenTcp } from './tcp.ts'
import { listenTls } from './tls.ts'
import { listenUdp, type UdpOptions } from './udp.ts'

const PORT_TRIES = 20 // chosen: with half of all ports taken, one start in a million fails

export interface Place {
  readonly host: string
  readonly port: number
}

export interface ListenPlan {
  /** UDP and TCP on each. */
  readonly sip: readonly Place[]
  readonly tls: readonly Place[]
  /** Null when `tls` is empty. */
  readonly pair: CertificatePair | null
  /** Places to leave out on a machine without IPv6, since nobody asked for them by name. */
  readonly optional: readonly Place[]
}

export interface ListenParts {
  readonly local: LocalAddresses
  readonly counters: Counters
  readonly receive: (packet: Packet) => void
  /** Over TCP and TLS, on all places together. */
  readonly maxConnections: number
  /** See `UdpOptions`. */
  readonly udpWay: UdpOptions['way']
  readonly onUdpWay: (place: Place, text: string) => void
  /** See `Service`. */
  readonly answersPings: (source: IpAddress) => boolean
  readonly onLeftOut: (place: Place) => void
}

/** Opens every socket of the plan, or none: what was opened before one failed is closed again. */
export async function openListeners(plan: ListenPlan, parts: ListenParts): Promise<Listener[]> {
  const { counters, receive, local, answersPings } = parts
  const limits = { ...CONNECTION_LIMITS, maxTotal: parts.maxConnections }
  const stream = { limits, doorkeeper: createDoorkeeper(limits), counters, receive, answersPings }
  const listeners: Listener[] = []

  async function openAt(place: Place, open: () => Promise<Listener>): Promise<Listener | null> {
    try {
      const listener = await open()
      listeners.push(listener)
      return listener
    } catch (error) {
      if (!plan.optional.includes(place) || !hasNoIpv6(error)) throw error
      parts.onLeftOut(place)
      return null
    }
  }

  /** UDP and TCP. With port 0 both get the same one: a client that tries TCP after UDP finds us. */
  async function openSip(place: Place, triesLeft: number): Promise<void> {
    const udp = await openAt(place, () => {
      const onWay = (text: string) => parts.onUdpWay(place, text)
      return listenUdp({ ...place, way: parts.udpWay, onWay, local, counters, receive })
    })
    if (udp === null) return
    try {
      await openAt(place, () => listenTcp({ ...stream, host: place.host, port: udp.port }))
    } catch (error) {
      if (place.port !== 0 || triesLeft === 0 || !isTaken(error)) throw error
      listeners.pop() // the kernel looked for a port that is free for UDP, and another program has it for TCP
      await udp.stop()
      await openSip(place, triesLeft - 1)
    }
  }

  try {
    for (const place of plan.sip) await openSip(place, PORT_TRIES)
    const { pair } = plan
    for (const place of plan.tls) {
      if (pair !== null) await openAt(place, () => listenTls({ ...stream, ...place, pair }))
    }
    return listeners
  } catch (error) {
    await Promise.all(listeners.map((listener) => listener.stopAccepting()))
    await Promise.all(listeners.map((listener) => listener.stop()))
    throw error
  }
}
