// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { once } from 'node:events'
import { get } from 'node:http'
import { join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { kernelDrops } from '../../bench/processes.ts'
import { reason } from '../../src/ops/errors.ts'
import { type NodeProcess, startNodeProcess } from '../node-process.ts'
import { account } from './account.ts'
import { pollers, SLOW_READERS, slowReaders } from './api-readers.ts'
import { countedIn, type Metrics, sumOf } from './books.ts'
import { callers, hostile, keepAlives, probes, retransmissions } from './datagrams.ts'
import { locks, NAMES, rotations, syslogThatComesAndGoes } from './disturbances.ts'
import { floods } from './flood.ts'
import { createLedger, type Ledger } from './ledger.ts'
import { type Sample, startQuietClient } from './quiet-client.ts'
import type { Tally } from './rows.ts'
import { scanners } from './scanners.ts'
import { createScene, type Play, playAll, type Scene } from './scene.ts'
import type { Actor } from './stage.ts'
import { clients, handshakes, hostileStreams, slowClients } from './streams.ts'
import type { SyslogCount } from './syslog-receiver.ts'
import { faultsOfTimes, type Span } from './times.ts'
import { faultsOfMemory, faultsOfWal, type Look, lookAt, openFiles, watch } from './watch.ts'

export interface SoakOptions extends Play {
  /** Whether times and the growth of memory may be findings: not for a short run on a busy machine. */
  readonly judgesTimes: boolean
  readonly onProgress: (text: string) => void
}

export interface SoakReport {
  readonly seed: number
  readonly folder: string
  readonly loadMs: number
  /** One line each; none is what is wanted. */
  readonly findings: readonly string[]
  /** What was done, by whom, how often. */
  readonly notes: ReadonlyMap<string, number>
  readonly ledger: Ledger
  readonly tally: Tally
  readonly metrics: Metrics
  readonly syslog: SyslogCount | null
  readonly looks: readonly Look[]
  readonly before: Look
  readonly after: Look
  readonly samples: readonly Sample[]
  readonly locks: readonly Span[]
  readonly startedAtMs: number
  readonly stopMs: number
}

const FLAGS = ['-r', '--extensions', '100-104', '--accept-after', '2', '-j', '-s', '--public-range', '127.0.0.0/8']
const STOP_WITHIN_MS = 5_000 // what the documentation promises
const SETTLED_WITHIN_MS = 60_000
const LOOK_EVERY_MS = 500
const PROGRESS_EVERY_MS = 10_000
const WARM_UP_QUESTIONS = 8
// The connection that asks for the metrics, and two that are just being closed. And a file for each list that was open at
// a time: while others hold locks on it SQLite keeps the file of a closed connection for the next one (os_unix.c, setPendingFd).
const SPARE_FILES = 4 + SLOW_READERS
const SPARE_THREADS = 4 // of libuv's pool, which are started when they are needed first and stay (UV_THREADPOOL_SIZE)
const MAX_COMPLAINTS = 20

/** Starts the program, sends everything at once for so long, and accounts for it. Rejects when it cannot even begin. */
export async function soak(options: SoakOptions): Promise<SoakReport> {
  const { seed, folder, onProgress } = options
  const flags = [...FLAGS, '--syslog-socket', join(folder, NAMES.syslog)]
  const node = await startNodeProcess({ folder, flags, tls: ['127.0.0.1:0'], detached: true })
  await warmUp(node)
  const before = lookAt(node, join(folder, NAMES.database), 0)
  const filesBefore = openFiles(node)
  const ledger = createLedger()
  const scene = createScene(options, node, ledger)
  onProgress(`node ${node.pid} listens on ${JSON.stringify(node.ports)}, in ${folder}`)
  const played = await play(options, node, scene, before)
  const { settled, samples, looks, syslog } = played
  const stopped = await ending(node)
  onProgress('stopped; counting')
  const { tally, faults } = await account({ folder, ledger, metrics: settled.metrics, syslog })
  const findings = [
    ...played.failures,
    ...shortened(scene.complaints),
    ...stopped.faults,
    ...settled.faults.map((fault) => `${fault} (before: ${filesBefore}; after: ${settled.files})`),
    ...faults,
    ...(options.judgesTimes ? faultsOfTimes(samples, scene.spans) : []),
    ...faultsOfMemory(looks.map(({ residentMib }) => residentMib)),
    ...faultsOfWal(looks.map(({ walMib }) => walMib)),
  ]
  const { notes, spans: locks, startedAtMs } = scene
  const { metrics, after } = settled
  const { stopMs } = stopped
  const { loadMs } = played
  return {
    ...{ seed, folder, loadMs, findings, notes, ledger, tally, metrics, syslog },
    ...{ looks, before, after, samples, locks, startedAtMs, stopMs },
  }
}

/** The load, from the first datagram until nothing is under way any more. */
async function play({ folder, onProgress }: SoakOptions, node: NodeProcess, scene: Scene, before: Look) {
  const { stage, startedAtMs } = scene
  const database = join(folder, NAMES.database)
  const samples: Sample[] = []
  const quiet = startQuietClient(node.ports, node.pid, stage.ledger, (more) => void samples.push(...more))
  const { looks, stop } = watch(node, database)
  const tell = () => onProgress(progress(Date.now() - startedAtMs, stage.ledger, looks))
  const told = setInterval(tell, PROGRESS_EVERY_MS)
  const drained = Promise.withResolvers<void>()
  const syslog = syslogThatComesAndGoes(stage, drained.promise).catch((error) => {
    stage.complain(`the syslog of the soak failed: ${error}`)
    return null
  })
  const failures = await playAll([...ACTORS, rotations(() => node.signal('SIGHUP'))], scene)
  await quiet.stop()
  const loadMs = Date.now() - startedAtMs
  clearInterval(told)
  onProgress('no more is sent; waiting for what is under way')
  const settled = await settle(node, database, before)
  stop()
  drained.resolve()
  return { failures, samples, looks, loadMs, settled, syslog: await syslog }
}

const ACTORS: readonly Actor[] = [
  ...[probes, retransmissions, keepAlives, hostile, callers, floods, scanners],
  ...[clients, slowClients, hostileStreams, handshakes, pollers, slowReaders, locks],
]

/** What is opened at the first need and stays: threads for files, a reader of the database. */
async function warmUp({ ports }: NodeProcess): Promise<void> {
  for (const path of ['/ip-addresses', '/numbers', '/metrics', '/events']) {
    const questions = Array.from({ length: WARM_UP_QUESTIONS }, async () => {
      const [response] = await once(get({ host: '127.0.0.1', port: ports.http, path, agent: false }), 'response')
      response.resume()
      await once(response, 'close')
    })
    await Promise.all(questions)
  }
}

/** Waits until nothing is under way any more. What does not end is found by the accounting. */
async function settle(node: NodeProcess, database: string, before: Look) {
  const untilMs = performance.now() + SETTLED_WITHIN_MS
  const none: Metrics = new Map()
  let [metrics, previous] = [none, -1]
  let after = before
  for (;;) {
    if (node.isOver()) return { metrics, after, files: '', faults: ['the node ended by itself'] }
    try {
      metrics = await node.metrics('labels')
    } catch (error) {
      return { metrics, after, files: openFiles(node), faults: [`the node did not tell its metrics: ${reason(error)}`] }
    }
    after = lookAt(node, database, 0)
    const counted = countedIn(metrics)
    const isSettled =
      counted.received === previous &&
      counted.waiting === 0 &&
      sumOf(metrics, 'sink_queued') === 0 &&
      counted.kernelDrops === kernelDrops(node.ports.udp) &&
      faultsOfLeftOvers(before, after).length === 0
    previous = counted.received
    if (isSettled || performance.now() > untilMs)
      return { metrics, after, files: openFiles(node), faults: faultsOfLeftOvers(before, after) }
    await delay(LOOK_EVERY_MS)
  }
}

function faultsOfLeftOvers(before: Look, after: Look): string[] {
  return [
    ...(after.files > before.files + SPARE_FILES ? [`${after.files} open files, ${before.files} before`] : []),
    ...(after.threads > before.threads + SPARE_THREADS ? [`${after.threads} threads, ${before.threads} before`] : []),
  ]
}

async function ending(node: NodeProcess): Promise<{ readonly faults: string[]; readonly stopMs: number }> {
  const { code, signal, stopMs } = await node.stop(STOP_WITHIN_MS * 4)
  return {
    stopMs,
    faults: [
      ...(code === 0 ? [] : [`the node ended with ${code ?? signal}: ${node.stderr().slice(-1_000)}`]),
      ...(node.spokeOfBug() ? [`the node spoke of a bug: ${node.stderr().slice(-2_000)}`] : []),
      ...(stopMs > STOP_WITHIN_MS ? [`it took ${stopMs.toFixed(0)} ms to stop`] : []),
    ],
  }
}

function progress(elapsedMs: number, ledger: Ledger, looks: readonly Look[]): string {
  const { residentMib = 0, files = 0, threads = 0 } = looks.at(-1) ?? {}
  const sent = `${(elapsedMs / 1_000).toFixed(0)} s, ${ledger.datagrams()} datagrams sent`
  return `${sent}; node: ${residentMib.toFixed(0)} MiB, ${files} files, ${threads} threads`
}

function shortened(complaints: readonly string[]): string[] {
  if (complaints.length <= MAX_COMPLAINTS) return [...complaints]
  return [...complaints.slice(0, MAX_COMPLAINTS), `… and ${complaints.length - MAX_COMPLAINTS} more complaints`]
}
