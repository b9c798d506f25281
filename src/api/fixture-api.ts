// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { connect } from 'node:net'
import { text } from 'node:stream/consumers'
import type { TestContext } from 'node:test'
import { createBogonCheck } from '../net/ip.ts'
import { createLog } from '../ops/log.ts'
import type { EventReader } from '../store/store.ts'
import { API_LIMITS, type ApiLimits } from './limits.ts'
import { type ApiOptions, startApi } from './server.ts'

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
export function fixtureOptions(options: Partial<ApiOptions> = {}): ApiOptions {
  return {
    listen: { host: '127.0.0.1', port: 0 },
    keys: [],
    allowAnonymous: false,
    version: '1.2.3',
    isBogon: createBogonCheck(),
    ownAddresses: () => new Set(),
    health: () => ({ notStoring: null, sinks: [], dropped: {} }),
    metrics: () => [],
    wallMs: () => Date.now(),
    log: createLog('debug', () => {}),
    ...options,
  }
}

/** Starts an API that stops when the test ends. */
export async function startFixtureApi(
  t: TestContext,
  reader: EventReader,
  options: Partial<ApiOptions> = {},
  limits: Partial<ApiLimits> = {},
): Promise<FixtureApi> {
  const log: string[] = []
  const logged = createLog('debug', (line) => log.push(line))
  const api = await startApi(fixtureOptions({ log: logged, ...options }), reader, { ...API_LIMITS, ...limits })
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
