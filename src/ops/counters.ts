// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/**
 * Every counter there is: its name, and what it counts, for docs and `/metrics`. Received = stored + dropped, so
 * nothing goes missing without one of these saying so.
 */
export const COUNTERS = {
  packets_received: 'Datagrams and framed messages that reached the parser',
  keep_alives: 'Keep-alives, which are no evidence and not stored',
  packets_failed: 'Packets that made the program throw: a bug, please report it',
  events_stored: 'Events committed to the database',
  events_dropped_queue_full: 'Events dropped because the database did not take them for too long',
  events_dropped_stop: 'Events that were still waiting for the database when the node had to stop',
  store_failures: 'Batches that the database refused; they are tried again',
  replies_sent: 'SIP replies handed to the socket',
  replies_not_sent: 'SIP replies that the socket did not take',
  replies_expired: 'SIP replies not sent because the commit they waited for took too long',
  replies_suppressed_too_many_replies: 'Replies withheld: the source had its share for now',
  replies_suppressed_too_many_bytes: 'Replies withheld: they would have been longer than the source may get',
  replies_suppressed_table_full: 'Replies withheld: too many sources active at once',
  replies_suppressed_forbidden_source: 'Replies withheld: our own socket, a reflecting service, or no host at all',
  connections_accepted: 'TCP and TLS connections accepted',
  connections_refused_per_source: 'Connections refused: too many from one source',
  connections_refused_total: 'Connections refused: too many in all',
  connections_timed_out: 'Connections ended because no whole message came in time',
  connections_lost_frame: 'Connections ended because message boundaries could not be known',
  tls_handshakes_failed: 'TLS handshakes that failed or took too long',
  stream_pings: 'Keep-alive pings answered on TCP and TLS',
  socket_errors: 'Errors reported by listening sockets',
} as const

export type CounterName = keyof typeof COUNTERS

/** Running totals since the start. */
export interface Counters {
  add(name: CounterName, count?: number): void
  get(name: CounterName): number
}

export function createCounters(): Counters {
  const names = Object.keys(COUNTERS)
  const indexes = new Map(names.map((name, index) => [name, index]))
  const totals = new Float64Array(names.length)
  const indexOf = (name: CounterName) => indexes.get(name) ?? 0
  return {
    add(name, count = 1) {
      const index = indexOf(name)
      totals[index] = (totals[index] ?? 0) + count
    },
    get: (name) => totals[indexOf(name)] ?? 0,
  }
}
