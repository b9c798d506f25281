// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

interface CounterRow {
  /** The metric is `sentrypeer_FAMILY_total`; counters of one family are told apart by their reason. */
  readonly family: string
  readonly reason?: string
  readonly help: string
}

const DROPPED = { family: 'events_dropped', help: 'Events that were received and not stored' }
const LEFT_OUT = { family: 'left_out', help: 'What the node left out because too much waited for the database' }
const SUPPRESSED = { family: 'replies_suppressed', help: 'SIP replies withheld so that nobody is hit by our answers' }
const REFUSED = { family: 'connections_refused', help: 'TCP and TLS connections refused' }
const ENDED = { family: 'connections_ended', help: 'TCP and TLS connections that we ended' }

/**
 * Every counter there is. Received = keep-alives + retransmissions + failed + stored + folded + dropped + still
 * waiting, so nothing goes missing without one of these saying so.
 */
export const COUNTERS = {
  packetsReceived: { family: 'packets_received', help: 'Datagrams and framed messages that reached the parser' },
  keepAlives: { family: 'keep_alives', help: 'Keep-alives, which are no evidence and are not stored' },
  retransmissions: {
    family: 'retransmissions',
    help: 'Requests that came again and are counted with the event of the first one',
  },
  notSip: {
    family: 'packets_not_sip',
    help: 'Datagrams, and messages of connections, that are no SIP; kept as evidence',
  },
  transactionsDropped: {
    family: 'transactions_dropped',
    help: 'Transactions forgotten early because there were too many; what comes again is a new event then',
  },
  packetsFailed: {
    family: 'packets_failed',
    help: 'Packets that made the program fail before they were events: a bug, please report it',
  },
  answersFailed: {
    family: 'answers_failed',
    help: 'Events whose answer made the program fail, counted as stored or dropped too: a bug, please report it',
  },
  eventsStored: { family: 'events_stored', help: 'Events committed to the database' },
  eventsFolded: {
    family: 'events_folded',
    reason: 'overload',
    help: 'Events like one that waited for the database already, counted as retransmissions with its row',
  },
  droppedOverload: { ...DROPPED, reason: 'overload' },
  droppedQueueFull: { ...DROPPED, reason: 'queue_full' },
  droppedStop: { ...DROPPED, reason: 'stop' },
  leftOutReplies: { ...LEFT_OUT, reason: 'replies' },
  leftOutLines: { ...LEFT_OUT, reason: 'verbose_lines' },
  leftOutBodies: { ...LEFT_OUT, reason: 'bodies' },
  storeFailures: { family: 'store_failures', help: 'Times that the database refused a batch, which is tried again' },
  repliesSent: { family: 'replies_sent', help: 'SIP replies handed to the socket' },
  repliesNotSent: { family: 'replies_not_sent', help: 'SIP replies that the socket did not take' },
  repliesExpired: {
    family: 'packets_answered_too_late',
    help: 'Packets not answered because their commit took too long',
  },
  suppressedTooManyReplies: { ...SUPPRESSED, reason: 'too_many_replies' },
  suppressedTooManyBytes: { ...SUPPRESSED, reason: 'too_many_bytes' },
  suppressedTableFull: { ...SUPPRESSED, reason: 'table_full' },
  suppressedTooMuchInAll: { ...SUPPRESSED, reason: 'too_much_in_all' },
  suppressedForbiddenSource: { ...SUPPRESSED, reason: 'forbidden_source' },
  passwordsNotTried: {
    family: 'credentials_not_examined',
    help: 'Captured credentials that were not compared with every weak password, since there were too many at once',
  },
  mediaFailures: { family: 'media_failures', help: 'Audio of calls that could not be sent' },
  connectionsAccepted: { family: 'connections_accepted', help: 'TCP and TLS connections accepted' },
  connectionsNotSip: {
    family: 'connections_not_sip',
    help: 'TCP and TLS connections that began with something else than SIP, which is kept as evidence',
  },
  connectionsNotTls: { family: 'connections_not_tls', help: 'Connections to the TLS port that spoke in the clear' },
  refusedPerSource: { ...REFUSED, reason: 'too_many_from_source' },
  endedTimeout: { ...ENDED, reason: 'no_message_in_time' },
  endedForRoom: { ...ENDED, reason: 'made_room' },
  endedLostFrame: { ...ENDED, reason: 'length_unknown' },
  tlsHandshakesFailed: { family: 'tls_handshakes_failed', help: 'TLS handshakes that failed or took too long' },
  streamPings: { family: 'stream_pings', help: 'Keep-alive pings answered on TCP and TLS' },
  socketErrors: { family: 'socket_errors', help: 'Errors that the operating system reported for a socket' },
} as const satisfies Record<string, CounterRow>

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
