// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { createBogonCheck } from '../net/ip.ts'
import { createLog } from '../ops/log.ts'
import type { EventReader } from '../store/store.ts'
import type { HealthReport } from './health.ts'
import { API_LIMITS, type ApiLimits } from './limits.ts'
import { createListMaker } from './list-maker.ts'
import type { StartMaker } from './list-making.ts'
import type { MetricReading } from './metrics.ts'
import { type ApiOptions, startApi } from './server.ts'

/** What the main thread would tell, at once. */
interface FixtureAnswers {
  readonly health: () => HealthReport
  readonly metrics: () => readonly MetricReading[]
}

export type FixtureOptions = Partial<Omit<ApiOptions, keyof FixtureAnswers> & FixtureAnswers>

/** An API that a test asks over a real socket. */
export interface FixtureApi {
  readonly port: number
  /** What the API wrote to its log. */
  readonly log: readonly string[]
  get(path: string, headers?: Record<string, string>): Promise<Response>
  json(path: string, headers?: Record<string, string>): Promise<unknown>
  /** Sends bytes as they are and returns all that comes until the API closes the connection. */
  raw(request: string): Promise<string>
}

/** Options of an anonymous API on a free loopback port, with the given ones instead. */
export function fixtureOptions({ health, metrics, ...options }: FixtureOptions = {}): ApiOptions {
  return {
    listen: { host: '127.0.0.1', port: 0 },
    keys: [],
    allowAnonymous: false,
    unlimitedRanges: [],
    version: '1.2.3',
    isBogon: createBogonCheck(),
    ownAddresses: () => new Set(),
    health: async () => ({ value: health?.() ?? { notStoring: null, sinks: [], dropped: {} }, silentMs: 0 }),
    metrics: async () => ({ value: metrics?.() ?? [], silentMs: 0 }),
    steadyMs: () => performance.now(),
    log: createLog('debug', () => {}),
    ...options,
  }
}

/** Makes lists in this thread. */
export function makeListsHere(reader: EventReader, isBogon = createBogonCheck()): StartMaker {
  return (onMessage) => {
    const maker = createListMaker(reader, isBogon, onMessage)
    return { post: maker.receive, end: async () => {} }
  }
}

/** Starts an API that stops when the test ends. */
export async function startFixtureApi(
  t: TestContext,
  reader: EventReader,
  options: FixtureOptions = {},
  limits: Partial<ApiLimits> = {},
): Promise<FixtureApi> {
  const log: string[] = []
  const logged = createLog('debug', (line) => log.push(line))
  const given = fixtureOptions({ log: logged, ...options })
  const api = await startApi(given, reader, makeListsHere(reader, given.isBogon), { ...API_LIMITS, ...limits })
  t.after(() => api.stop())
  const get = (path: string, headers: Record<string, string> = {}) =>
    fetch(`http://127.0.0.1:${api.port}${path}`, { headers, redirect: 'error' })
  return {
    port: api.port,
    log,
    get,
    json: async (path, headers) => await (await get(path, headers)).json(),
    async raw(request) {
      const socket = connect(api.port, '127.0.0.1')
      socket.write(request, 'latin1')
      return await text(socket)
    },
  }
}
