// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyRequest } from 'fastify'
import type { IpAddress } from '../net/ip.ts'
import type { EventReader } from '../store/store.ts'
import type { Told } from './ask-main.ts'
import type { HealthReport } from './health.ts'
import type { Lists } from './lists.ts'
import type { MetricReading } from './metrics.ts'
import type { Remember } from './remember.ts'

/** What the routes answer from. */
export interface ApiContext {
  readonly reader: EventReader
  /** Changes with each start, since the store's version may begin anew with it, and so may the program's. */
  readonly start: string
  readonly lists: Lists
  /** Whether there is something that makes lists at present. */
  isMakingLists(): boolean
  /** Requests that came faster than one client may ask, so far. */
  rateLimited(): number
  /** Connections that were closed at once, so far. */
  connectionsRefused(): number
  readonly remember: Remember
  readonly version: string
  health(): Promise<Told<HealthReport>>
  metrics(): Promise<Told<readonly MetricReading[]>>
  isBogon(address: IpAddress): boolean
  ownAddresses(): ReadonlySet<string>
  /** True when no key is configured or the request brings one. */
  hasKey(request: FastifyRequest): boolean
}
