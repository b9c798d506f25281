// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { once } from 'node:events'
import { Agent, get, type IncomingMessage } from 'node:http'
import { type Actor, pause, type Stage } from './stage.ts'

const POLL_EVERY_MS = 400
const WITHIN_MS = 30_000
/** Lists that are open at a time. */
export const SLOW_READERS = 3
const CHUNK_PAUSE_MS = 40
const MOST_SLOW_MS = 20_000 // of the 60 s that a list may take

interface Answer {
  readonly status: number
  readonly etag: string | null
  readonly body: string
}

/** Firewalls, monitors and people who ask the API all the time: blocklists with ETag, health, metrics, pages of events. */
export const pollers: Actor = async (stage) => {
  const random = stage.random(20)
  const agent = new Agent({ keepAlive: true, maxSockets: 2 })
  let etag: string | null = null
  let cursor: string | null = null
  while (await pause(stage, POLL_EVERY_MS)) {
    const what = random.pick(['blocklist', 'blocklist', 'health', 'metrics', 'events', 'openapi'])
    if (what === 'blocklist') {
      const statuses = [200, 304, 503] // docs/api.md: while slow lists are cut, so that the log can begin anew
      const answer = await ask(stage, agent, '/ip-addresses/ipset?format=nft&min_proof=none', statuses, etag)
      etag = answer?.etag ?? etag
    } else if (what === 'health') await ask(stage, agent, '/health-check', [200, 503])
    else if (what === 'metrics') await ask(stage, agent, '/metrics', [200])
    else if (what === 'openapi') await ask(stage, agent, '/openapi.json', [200])
    else {
      const path: string = `/events?limit=50${cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`}`
      const answer = await ask(stage, agent, path, [200])
      cursor = answer?.status === 200 ? cursorIn(answer.body) : null
    }
  }
  agent.destroy()
}

function cursorIn(body: string): string | null {
  const page = JSON.parse(body) as { readonly next_cursor: string | null } // docs/api.md, "Events"
  return page.next_cursor
}

/** Null when there was no answer, which the stage is told. */
async function ask(
  stage: Stage,
  agent: Agent,
  path: string,
  statuses: readonly number[],
  etag: string | null = null,
): Promise<Answer | null> {
  try {
    const response = await opened(stage, agent, path, etag)
    let body = ''
    for await (const text of response.setEncoding('utf8')) body += text
    const { statusCode: status = 0 } = response
    stage.note(`API answers ${status}`)
    if (!statuses.includes(status)) stage.complain(`GET ${path} was answered ${status}: ${body.slice(0, 200)}`)
    return { status, etag: response.headers.etag ?? null, body }
  } catch (error) {
    stage.complain(`GET ${path} failed: ${error}`)
    return null
  }
}

async function opened({ ports }: Stage, agent: Agent, path: string, etag: string | null): Promise<IncomingMessage> {
  const headers = etag === null ? {} : { 'if-none-match': etag }
  const request = get({ host: '127.0.0.1', port: ports.http, path, agent, headers, timeout: WITHIN_MS })
  request.on('timeout', () => request.destroy(new Error(`no answer within ${WITHIN_MS} ms`)))
  const [response] = await once(request, 'response')
  return response as IncomingMessage // node:http, "response"
}

/** Whole lists, read a piece now and then; some readers leave in the middle. */
export const slowReaders: Actor = async (stage) => {
  await Promise.all(Array.from({ length: SLOW_READERS }, (_, reader) => slowReader(stage, reader)))
}

async function slowReader(stage: Stage, reader: number): Promise<void> {
  const random = stage.random(21 + reader)
  const agent = new Agent({ keepAlive: false })
  while (await pause(stage, 1_000 + random.below(2_000))) {
    const path = random.pick(['/ip-addresses', '/numbers', '/numbers?order=oldest'])
    try {
      const response = await opened(stage, agent, path, null)
      const fromMs = performance.now()
      const mostMs = random.oneIn(4) ? random.below(MOST_SLOW_MS) : MOST_SLOW_MS
      let bytes = 0
      for await (const chunk of response) {
        bytes += (chunk as Buffer).length // of node:http, without setEncoding
        if (!(await pause(stage, CHUNK_PAUSE_MS)) || performance.now() > fromMs + mostMs) break // destroys the response
      }
      stage.note('lists read slowly')
      stage.note('KiB of lists', Math.round(bytes / 1024))
      const { statusCode: status = 0 } = response
      if (status === 503) stage.note('lists refused while slow ones were cut')
      else if (status !== 200 && status !== 404) stage.complain(`GET ${path} was answered ${status}`)
    } catch (error) {
      if (isCut(error)) stage.note('lists cut because they were slow')
      else stage.complain(`GET ${path} failed: ${error}`)
    }
  }
  agent.destroy()
}

/** The connection was closed in the middle of the answer. */
function isCut(error: unknown): boolean {
  return (
    error instanceof Error &&
    'code' in error &&
    (error.code === 'ECONNRESET' || error.code === 'ERR_STREAM_PREMATURE_CLOSE')
  )
}
