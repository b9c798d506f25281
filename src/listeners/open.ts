// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { LocalAddresses } from '../net/local.ts'
import type { Packet } from '../net/packet.ts'
import type { Counters } from '../ops/counters.ts'
import type { CertificatePair } from './certificate.ts'
import { hasNoIpv6 } from './failure.ts'
import { CONNECTION_LIMITS, createDoorkeeper } from './limits.ts'
import type { Listener } from './listener.ts'
import { listenTcp } from './tcp.ts'
import { listenTls } from './tls.ts'
import { listenUdp } from './udp.ts'

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
  /** Leave out IPv6 places on a machine that has none: nobody asked for them by name. */
  readonly ipv6Optional: boolean
}

export interface ListenParts {
  readonly local: LocalAddresses
  readonly counters: Counters
  readonly receive: (packet: Packet) => void
  readonly onLeftOut: (place: Place) => void
}

/** Opens every socket of the plan, or none: what was opened before one failed is closed again. */
export async function openListeners(plan: ListenPlan, parts: ListenParts): Promise<Listener[]> {
  const { counters, receive, local } = parts
  const doorkeeper = createDoorkeeper(CONNECTION_LIMITS)
  const stream = { limits: CONNECTION_LIMITS, doorkeeper, counters, receive }
  const listeners: Listener[] = []

  async function openAt(place: Place, open: () => Promise<Listener>): Promise<Listener | null> {
    try {
      const listener = await open()
      listeners.push(listener)
      return listener
    } catch (error) {
      if (!plan.ipv6Optional || !hasNoIpv6(error)) throw error
      parts.onLeftOut(place)
      return null
    }
  }

  try {
    for (const place of plan.sip) {
      const udp = await openAt(place, () => listenUdp({ ...place, local, counters, receive }))
      // With port 0 both get the same one: a client that tries TCP after UDP finds us.
      if (udp !== null) await openAt(place, () => listenTcp({ ...stream, host: place.host, port: udp.port }))
    }
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
