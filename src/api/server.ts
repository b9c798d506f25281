// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomUUID } from 'node:crypto'
import type { AddressInfo } from 'node:net'
import { createRangeCheck, endpointText, type IpAddress, parseIp } from '../net/ip.ts'
import { errorCode, OperatorError, reason } from '../ops/errors.ts'
import { createRepeatedNotice, type Log } from '../ops/log.ts'
import { isLoopback, requireKeyBeyondLoopback } from '../ops/loopback.ts'
import type { EventReader } from '../store/store.ts'
import type { ApiContext } from './api-context.ts'
import type { Told } from './ask-main.ts'
import { shareConnections } from './connection-share.ts'
import { eventsRoute } from './events.ts'
import { type HealthReport, healthRoute } from './health.ts'
import { createHttpServer } from './http-server.ts'
import { ipAddressRoutes } from './ip-addresses.ts'
import { ipsetRoute } from './ipset.ts'
import { createKeyCheck } from './keys.ts'
import { API_LIMITS, type ApiLimits } from './limits.ts'
import { createListMaking, type ListMaking, type StartMaker } from './list-making.ts'
import { createLists, type Lists } from './lists.ts'
import { type MetricReading, metricsRoute } from './metrics.ts'
import { numberRoutes } from './numbers.ts'
import { openapiRoute } from './openapi.ts'
import { createRateLimit } from './rate-limit.ts'
import { createMemory } from './remember.ts'
import { createRequestCounts } from './request-counts.ts'
import { rootRoute } from './root.ts'

const NOTICE_MS = 60_000

export interface ApiOptions {
  readonly listen: { readonly host: string; readonly port: number }
  /** Plain or `sha256:HEX`. None: everyone who reaches the socket may ask. */
  readonly keys: readonly string[]
  /** Listen beyond loopback even without a key. */
  readonly allowAnonymous: boolean
  /** Clients there may ask as often as they like; so may loopback. */
  readonly unlimitedRanges: readonly string[]
  readonly version: string
  isBogon(address: IpAddress): boolean
  /** Addresses that never get into a blocklist, whatever arrives in their name. */
  ownAddresses(): ReadonlySet<string>
  health(): Promise<Told<HealthReport>>
  /** The daemon's readings; the API adds its own. */
  metrics(): Promise<Told<readonly MetricReading[]>>
  /** A clock that never goes back. */
  steadyMs(): number
  readonly log: Log
}

export interface Api {
  readonly address: string
  readonly port: number
  /** Stops listening, gives answers on their way half a second, closes every snapshot. */
  stop(): Promise<void>
}

/**
 * Serves the REST API in this thread; what `startMaker` starts makes the lists. Throws an OperatorError when it must not
 * or cannot listen. The reader stays the caller's, to be closed after `stop`.
 */
export async function startApi(
  options: ApiOptions,
  reader: EventReader,
  startMaker: StartMaker,
  limits = API_LIMITS,
): Promise<Api> {
  const { listen } = options
  requireKeyBeyondLoopback(listen.host, options.keys, options.allowAnonymous)
  const failure = createRepeatedNotice(options.log.warn, NOTICE_MS, options.steadyMs)
  const making = createListMaking(startMaker, limits.listIdleMs, failure)
  const isInRange = createRangeCheck(options.unlimitedRanges)
  const isUnlimited = (address: IpAddress) => isLoopback(address) || isInRange(address)
  const lists = createLists(making, limits, isUnlimited, reader.logBytes, failure)
  const app = buildServer(options, reader, lists, making, limits, isUnlimited, failure)
  // One socket for localhost, which may be two addresses: programs that look it up try both.
  const host = listen.host === 'localhost' ? '127.0.0.1' : listen.host
  try {
    await app.listen({ host, port: listen.port })
  } catch (error) {
    await app.close()
    throw listenFailed(endpointText(listen.host, listen.port), error)
  }
  app.server.maxConnections = limits.maxConnections
  const bound = app.addresses()[0] as AddressInfo // not a path: we gave it a host and a port
  return {
    address: bound.address,
    port: bound.port,
    async stop() {
      const cut = setTimeout(() => {
        lists.stop()
        app.server.closeAllConnections()
      }, limits.stopGraceMs)
      await app.close()
      clearTimeout(cut)
      lists.stop()
      await making.stop()
    },
  }
}

function buildServer(
  options: ApiOptions,
  reader: EventReader,
  lists: Lists,
  making: ListMaking,
  limits: ApiLimits,
  isUnlimited: (address: IpAddress) => boolean,
  onFailure: (text: string) => void,
) {
  const { keys, log, listen, version, steadyMs } = options
  const anonymous = keys.length === 0
  const isKey = createKeyCheck(keys)
  const requests = createRequestCounts()
  const rate = createRateLimit(isUnlimited, limits.rate, steadyMs)
  const context: ApiContext = {
    reader,
    start: randomUUID(),
    lists,
    isMakingLists: making.isRunning,
    rateLimited: rate.refused,
    connectionsRefused: () => share.refused(),
    remember: createMemory(steadyMs),
    version,
    health: options.health,
    metrics: options.metrics,
    isBogon: options.isBogon,
    ownAddresses: options.ownAddresses,
    hasKey: ({ headers }) => anonymous || isKey(headers.authorization),
  }
  const wrongKey = createRepeatedNotice(log.warn, NOTICE_MS, steadyMs)
  const app = createHttpServer({
    routes: routesOf(context, requests),
    rules: {
      rate,
      checkHost: anonymous && isLoopback(listen.host),
      allowOrigins: anonymous,
      hasKey: context.hasKey,
      onWrongKey: ({ ip }) =>
        wrongKey(`REST API: a request from ${parseIp(ip) ?? ip} had a wrong key and was answered 401`),
    },
    limits,
    version,
    requests,
    onFailure,
  })
  const share = shareConnections(app.server, limits.mostPerClient, isUnlimited)
  return app
}

function routesOf(context: ApiContext, requests: ReturnType<typeof createRequestCounts>) {
  const routes = [
    rootRoute(),
    healthRoute(context),
    ...ipAddressRoutes(context),
    ipsetRoute(context),
    ...numberRoutes(context),
    eventsRoute(context),
    metricsRoute(context, requests),
  ]
  return [...routes, openapiRoute(routes, context.version)]
}

const HINTS: Readonly<Record<string, string>> = {
  EADDRINUSE: 'Another program listens there (see: ss -lntp). Stop it, or choose another port with --api-listen.',
  EACCES: 'Ports below 1024 need root or CAP_NET_BIND_SERVICE. Choose a higher one with --api-listen.',
  EADDRNOTAVAIL: 'This machine has no such address (see: ip addr). Choose one that it has with --api-listen.',
}

function listenFailed(endpoint: string, cause: unknown): OperatorError {
  const code = errorCode(cause) ?? ''
  return new OperatorError(
    'LISTEN_FAILED',
    `cannot listen for the REST API on ${endpoint}: ${code === '' ? reason(cause) : code}`,
    HINTS[code] ?? 'Choose another address or port with --api-listen.',
    cause,
  )
}
