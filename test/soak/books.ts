// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { DatabaseSync } from 'node:sqlite'
import type { Ledger } from './ledger.ts'
import type { Tally } from './rows.ts'
import type { SyslogCount } from './syslog-receiver.ts'

/** Values of /metrics by name and labels, without `sentrypeer_`. */
export type Metrics = ReadonlyMap<string, number>

/** Of a family, whatever its labels. */
export function sumOf(metrics: Metrics, family: string): number {
  let sum = 0
  for (const [name, value] of metrics) if (name === family || name.startsWith(`${family}{`)) sum += value
  return sum
}

/** What the last look at the metrics said, in words of its own. */
export interface Counted {
  readonly received: number
  readonly stored: number
  readonly dropped: number
  readonly kernelDrops: number
  readonly keepAlives: number
  readonly retransmissions: number
  readonly failed: number
  readonly waiting: number
}

export function countedIn(metrics: Metrics): Counted {
  const of = (family: string) => sumOf(metrics, family)
  return {
    received: of('packets_received_total'),
    stored: of('events_stored_total'),
    dropped: of('events_dropped_total'),
    kernelDrops: of('udp_kernel_drops_total'),
    keepAlives: of('keep_alives_total'),
    retransmissions: of('retransmissions_total'),
    failed: of('packets_failed_total'),
    waiting: of('events_waiting'),
  }
}

/** Sent is stored and counted: to the datagram. */
export function faultsOfBooks(ledger: Ledger, tally: Tally, metrics: Metrics): string[] {
  const counted = countedIn(metrics)
  const { received, stored, dropped, kernelDrops, keepAlives, retransmissions, failed, waiting } = counted
  const onStreams = ledger.keepAlivesOnStreams()
  // What was dropped took the count of its retransmissions with it.
  const uncounted = dropped === 0 ? 0 : retransmissions - tally.retransmissions
  const arrived = tally.datagrams + uncounted
  const lost = ledger.datagrams() - arrived - kernelDrops + tally.missingOfStreams - dropped
  const forgotten = sumOf(metrics, 'transactions_dropped_total') + sumOf(metrics, 'packets_answered_too_late_total')
  return [
    ...unequal(
      'received',
      received,
      'what became of it',
      stored + dropped + keepAlives + retransmissions + failed + waiting,
    ),
    ...unequal('rows', tally.rows, 'events stored', stored),
    ...(failed > 0 ? [`${failed} packets made the program fail`] : []),
    ...(waiting > 0 ? [`${waiting} events still waited for the database`] : []),
    ...(dropped === 0 ? unequal('retransmissions on rows', tally.retransmissions, 'counted', retransmissions) : []),
    // What was not stored and not dropped has to be the keep-alives, of which those that the kernel dropped are counted there.
    ...(lost >= keepAlives - onStreams.most && lost <= keepAlives - onStreams.least
      ? []
      : [
          `of ${ledger.datagrams()} datagrams ${arrived} are stored, ${kernelDrops} dropped by the kernel, ${dropped} by us: ` +
            `${lost} are left, and ${keepAlives} keep-alives were counted`,
        ]),
    ...(tally.missingOfStreams > dropped
      ? [`${tally.missingOfStreams} messages of sound streams are nowhere, and ${dropped} events were dropped`]
      : []),
    ...(tally.again > forgotten
      ? [
          `${tally.again} rows are of a datagram that has one already, and ${forgotten} requests were forgotten early or answered too late`,
        ]
      : []),
  ]
}

/** The file is sound, and its aggregates say what its rows say. */
export function faultsOfDatabase(database: DatabaseSync, metrics: Metrics): string[] {
  const one = (sql: string) => Object.values(database.prepare(sql).get() ?? {})[0]
  const count = (sql: string) => Number(one(sql))
  const integrity = String(one('PRAGMA integrity_check'))
  const rows = count('SELECT count(*) FROM honey')
  const actors = count('SELECT count(*) FROM bad_actors')
  return [
    ...(integrity === 'ok' ? [] : [`integrity_check: ${integrity}`]),
    ...unequal('event_uuids', count('SELECT count(DISTINCT event_uuid) FROM honey'), 'rows', rows),
    ...unequal('events of bad actors', count('SELECT coalesce(sum(seen_count), 0) FROM bad_actors'), 'rows', rows),
    ...unequal('bad actors', actors, 'source addresses', count('SELECT count(DISTINCT source_ip) FROM honey')),
    ...unequal('bad actors', actors, 'those in /metrics', sumOf(metrics, 'bad_actors')),
    ...unequal(
      'called numbers',
      count('SELECT count(*) FROM called_numbers'),
      'those in /metrics',
      sumOf(metrics, 'called_numbers'),
    ),
  ]
}

/** Each sink has every event, or says which it has not. */
export function faultsOfSinks(metrics: Metrics, syslog: SyslogCount | null): string[] {
  const { stored } = countedIn(metrics)
  const of = (sink: string, family: string) => {
    let sum = 0
    for (const [name, value] of metrics) if (name.startsWith(`${family}{sink="${sink}"`)) sum += value
    return sum
  }
  const sinks = syslog === null ? ['jsonlog'] : ['jsonlog', 'syslog']
  return [
    ...sinks.flatMap((sink) => {
      const sum = of(sink, 'sink_delivered_total') + of(sink, 'sink_dropped_total') + of(sink, 'sink_queued')
      return unequal(`events at ${sink}`, sum, 'stored', stored)
    }),
    ...unequal('events that the JSON log missed', of('jsonlog', 'sink_dropped_total'), 'what it may miss', 0),
    ...(syslog === null
      ? []
      : unequal('syslog lines', syslog.lines, 'delivered', of('syslog', 'sink_delivered_total'))),
    ...(syslog === null ? [] : unequal('lines of somebody else at syslog', syslog.strange, 'sent', 0)),
  ]
}

function unequal(what: string, count: number, that: string, wanted: number): string[] {
  return count === wanted ? [] : [`${what}: ${count}, ${that}: ${wanted}`]
}
