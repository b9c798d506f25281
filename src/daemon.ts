// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { randomFillSync } from 'node:crypto'
import { isIPv6 } from 'node:net'
import type { KeptApi } from './api/keep-api.ts'
import type { Daemon } from './cli/supervise.ts'
import { VERSION } from './cli/version.ts'
import type { Config } from './config/load.ts'
import { createUuidv7 } from './event/uuid.ts'
import { createObserver } from './honeypot/observe.ts'
import { certificatePair } from './listeners/certificate.ts'
import type { Listener } from './listeners/listener.ts'
import { openListeners, type Place } from './listeners/open.ts'
import { watchKernelDrops } from './listeners/watch-drops.ts'
import { createNarrator } from './narrate.ts'
import { endpointText, parseEndpoint } from './net/ip.ts'
import { createLocalAddresses, type LocalAddresses } from './net/local.ts'
import { openStore } from './open-store.ts'
import { type Clock, createTimestampFormat, systemClock } from './ops/clock.ts'
import { collectWhenQuiet } from './ops/collect-garbage.ts'
import { type Counters, createCounters } from './ops/counters.ts'
import { durationMs } from './ops/duration.ts'
import { reason } from './ops/errors.ts'
import { every } from './ops/every.ts'
import { createRepeatedNotice, type Log } from './ops/log.ts'
import { type FileShares, openFilesLimit, shareOpenFiles } from './ops/open-files.ts'
import { createPbx, type Identity } from './pbx.ts'
import { createPublisher, type Publisher } from './publish.ts'
import { createReceiver } from './receive.ts'
import { startSinks } from './sinks/start.ts'
import { healthReport, metricReadings, type Observed } from './status.ts'
import { startRetention } from './store/retention.ts'
import type { SqliteWriter } from './store/sqlite/writer.ts'
import { waitingBounds } from './waiting-bounds.ts'

// A stop has one deadline for all of its steps, which may take what those after them leave.
const STOP_MS = 4_500 // of the 5 s that a stop may take: the process has to end, too
const SINKS_MS = 1_000 // a sink whose other side does not listen is not worth more
const FOR_CLOSE_MS = 700 // measured: 600 when the database is locked; as long as catching up may take otherwise
const FOR_SINKS_AND_CLOSE_MS = FOR_CLOSE_MS + 300
const FOR_ALL_AFTER_STORE_MS = FOR_SINKS_AND_CLOSE_MS + 200 + 500 // connections, and answers of the API on their way
const BUG_NOTICE_MS = 60_000

export interface DaemonParts {
  readonly log: Log
  readonly clock?: Clock
  /** The database, where it is being opened already. */
  readonly opening?: Promise<SqliteWriter>
}

type Observe = ReturnType<typeof createObserver>

/** What the parts of a node share while it runs. */
interface Node {
  readonly config: Config
  readonly log: Log
  readonly clock: Clock
  readonly counters: Counters
  readonly local: LocalAddresses
  readonly shares: FileShares
  /** How to take down what was built, in the order built; each is told how much is left of the time for all. */
  readonly undo: ((leftMs: () => number) => Promise<void>)[]
}

/**
 * Builds everything in order: store, sinks, sockets of SIP, so that no packet comes before there is a place for it; then
 * the API. What was built before something failed is taken down again. Stopping goes the other way round.
 */
export async function startDaemon(
  config: Config,
  { log, clock = systemClock(), opening = openStore(config, log) }: DaemonParts,
): Promise<Daemon> {
  const local = createLocalAddresses(clock.steadyMs)
  const shares = shareOpenFiles(await openFilesLimit(), { sockets: socketsOf(config), hasApi: config.core.api })
  const node: Node = { config, log, clock, counters: createCounters(), local, shares, undo: [] }
  try {
    return await build(node, opening)
  } catch (error) {
    await takeDown(node)
    throw error
  }
}

async function build(node: Node, opening: Promise<SqliteWriter>): Promise<Daemon> {
  const { config, log, clock, counters, undo } = node
  const { core } = config
  if (!core.sipDisable) readAhead()
  const writer = await opening
  undo.push((leftMs) => writer.close(leftMs()))
  log.notice(`SentryPeer node id: ${writer.nodeId}`)
  log.notice('Starting sentrypeer...')
  if (core.peerToPeer) log.warn('Peer to peer is not in this version: collecting without it')
  if (core.webhookUrl !== null) log.warn('The webhook is not in this version: collecting without it')

  const retainMs = core.retain === null ? null : durationMs(core.retain)
  if (retainMs !== null) {
    const purge = async (before: string, isThorough: boolean) =>
      (await writer.purge(before, undefined, isThorough)).events
    const stopRetention = startRetention({ retainMs, purge, clock, log, every })
    undo.push(async () => stopRetention())
  }

  const application = { name: 'sentrypeer', version: VERSION }
  const feeds = await startSinks(config.sinks, { log, application }, clock.steadyMs)
  undo.push(async (leftMs) => {
    const withinMs = Math.min(SINKS_MS, Math.max(0, leftMs() - FOR_CLOSE_MS))
    await Promise.all(feeds.map((feed) => feed.stop(withinMs)))
  })
  const publisher = createPublisher({
    writer,
    feeds,
    counters,
    clock,
    log,
    answers: core.responsive,
    ...waitingBounds(),
  })
  const stopPublisher = (leftMs: () => number) => publisher.stop(Math.max(0, leftMs() - FOR_ALL_AFTER_STORE_MS))
  undo.push(stopPublisher) // for a start that fails halfway

  const stopCollecting = collectWhenQuiet(() => counters.get('packetsReceived'), every)
  undo.push(async () => stopCollecting())

  const listeners: Listener[] = []
  const drops = watchKernelDrops(listeners, log.warn)
  undo.push(async () => drops.stop())
  const observed = { publisher, feeds, listeners, counters, kernelDrops: drops.total }
  let api: KeptApi | null = null
  undo.push(async (leftMs) => api?.stop(Math.max(0, leftMs() - FOR_SINKS_AND_CLOSE_MS)))
  if (!core.sipDisable) await startSip(node, publisher, writer, listeners)
  undo.push(async () => void (await Promise.all(listeners.map((listener) => listener.stop()))))
  undo.push(stopPublisher) // what was accepted is stored and answered before the sockets close
  undo.push(async () => void (await Promise.all(listeners.map((listener) => listener.stopAccepting()))))
  if (core.api) api = await startRestApi(node, observed) // its thread takes longer to begin than all of the rest
  undo.push(async () => {
    log.info('Stopping sentrypeer...')
    writer.hurry()
  })
  return {
    failed: writer.failed,
    ping: writer.ping,
    status: () => statusLine(observed),
    async reopen() {
      await Promise.all(feeds.map((feed) => feed.reopen()))
      log.info('Opened the logs again')
    },
    async stop() {
      await takeDown(node)
      log.info('Stopped sentrypeer')
    },
  }
}

/**
 * What the sockets of SIP need, while the thread of the database begins: 15 ms that nobody has to wait for later. Where
 * it cannot be had, whoever needs it says so.
 */
function readAhead(): void {
  isIPv6('::') // Node.js makes its regular expression when it is asked first
  const calls = import('./net/datagrams-ffi.ts').then(({ openDatagramCalls }) => void openDatagramCalls())
  calls.catch(() => {})
}

async function takeDown({ undo, log, clock }: Node): Promise<void> {
  const untilMs = clock.steadyMs() + STOP_MS
  const leftMs = () => Math.max(0, untilMs - clock.steadyMs())
  for (let step = undo.pop(); step !== undefined; step = undo.pop()) {
    await step(leftMs).catch((error) => log.warn(`While stopping: ${reason(error)}`))
  }
}

/** The API is read in only when it is asked for, and in a thread of its own: it is the larger half of the program. */
async function startRestApi({ config, log, shares }: Node, observed: Observed): Promise<KeptApi> {
  const { core } = config
  log.info('API mode enabled, starting http daemon...')
  const { keepApi } = await import('./api/keep-api.ts')
  const answers = { health: () => healthReport(observed), metrics: () => metricReadings(observed) }
  const api = await keepApi(
    {
      listen: places([core.apiListen])[0] ?? failedCheck(core.apiListen),
      keys: core.apiKeys,
      allowAnonymous: core.apiAllowAnonymous,
      unlimitedRanges: core.apiUnlimited,
      version: VERSION,
      dbFile: core.dbFile,
      places: { connections: shares.apiConnections, lists: shares.lists },
      publicRanges: core.publicRanges,
      first: { health: answers.health(), metrics: answers.metrics() },
    },
    answers,
    log,
  )
  log.notice(`Listening for incoming HTTP connections... ${endpointText(api.address, api.port)}`)
  return api
}

/** How many will listen. */
function socketsOf({ core }: Config): number {
  const sip = core.sipDisable ? 0 : 2 * core.sipListen.length + (core.tlsDisable ? 0 : core.tlsListen.length)
  return sip + (core.api ? 1 : 0)
}

/** For `systemctl status`. */
function statusLine({ publisher, counters }: Observed): string {
  const trouble = publisher.trouble()
  const stored = `${counters.get('eventsStored')} events stored since the start`
  if (trouble === null) return stored
  return `Cannot store events (${trouble.reason}), ${publisher.pending()} wait in memory, ${stored}`
}

async function startSip(node: Node, publisher: Publisher, writer: SqliteWriter, listeners: Listener[]): Promise<void> {
  const { config, log, clock, counters, local, shares } = node
  const { core } = config
  log.info('SIP mode enabled...')
  if (core.responsive) log.info('SIP responsive mode enabled. Will reply to SIP probes...')
  const pbx = await createPbx({
    core,
    identity: identityOf(writer),
    clock,
    counters,
    isOwnSocket: (address, port) =>
      listeners.some((listener) => listener.transport === 'UDP' && listener.port === port) && local.all().has(address),
    maxCalls: shares.calls,
    onRetransmitted: publisher.retransmitted,
  })
  node.undo.push(async () => pbx.stop())
  if (core.responsive) log.notice(`Passing for ${pbx.personaName} (docs/personas.md)`)
  const timestamp = createTimestampFormat()
  const observe = createObserver({
    nodeId: writer.nodeId,
    collectedMethod: core.responsive ? 'responsive' : 'passive',
    newEventUuid: createUuidv7({ wallMs: clock.wallMs, fillRandom: randomFillSync }),
    timestamp: () => timestamp(clock.wallMs()),
    ...pbx.observing,
  })
  const bug = createRepeatedNotice(log.warn, BUG_NOTICE_MS, clock.steadyMs)
  const receive = createReceiver({
    observe:
      core.verbose || core.debug
        ? told(observe, createNarrator({ log, counters, fullness: publisher.fullness }))
        : observe,
    transactions: pbx.transactions,
    respond: core.responsive ? pbx.respond : null,
    publish: publisher.publish,
    counters,
    onBug: (error) =>
      bug(`A packet made the program fail, please report this: ${error instanceof Error ? error.stack : error}`),
  })

  const tls = core.tlsDisable ? [] : places(core.tlsListen)
  const pair =
    tls.length > 0 ? await certificatePair({ certFile: core.tlsCert, keyFile: core.tlsKey }, log.notice) : null
  const sip = places(core.sipListen)
  const byDefault = (long: string, listed: readonly Place[]) => (config.origins[long] === 'default' ? listed : [])
  const optional = [...byDefault('sip-listen', sip), ...byDefault('tls-listen', tls)]
  const opened = await openListeners(
    { sip, tls, pair, optional },
    {
      local,
      counters,
      receive,
      maxConnections: shares.sipConnections,
      udpWay: core.udpReceive,
      onUdpWay: ({ host, port }, text) => log.debug(`Datagrams to ${endpointText(host, port)} are read ${text}`),
      answersPings: (source) => core.responsive && pbx.mayAnswer(source),
      onLeftOut: ({ host, port }) =>
        log.notice(`Not listening on ${endpointText(host, port)}: this machine has no IPv6`),
    },
  )
  listeners.push(...opened)
  for (const listener of opened) log.notice(listeningLine(listener))
}

function told(observe: Observe, tell: ReturnType<typeof createNarrator>): Observe {
  return (packet, parsed) => {
    const event = observe(packet, parsed)
    tell(event)
    return event
  }
}

function identityOf({ kept }: SqliteWriter): Identity {
  const [seed, persona] = [kept.get('seed'), kept.get('persona')]
  if (seed === undefined || persona === undefined) throw new Error('the database keeps no seed and persona')
  return { seed, persona }
}

function listeningLine({ transport, address, port, receiveBufferBytes }: Listener): string {
  const buffer = receiveBufferBytes === null ? '' : ` (receive buffer ${Math.round(receiveBufferBytes / 1024)} KiB)`
  return `Listening for incoming ${transport} connections... ${endpointText(address, port)}${buffer}`
}

function places(endpoints: readonly string[]): Place[] {
  return endpoints.map((endpoint) => parseEndpoint(endpoint) ?? failedCheck(endpoint))
}

function failedCheck(endpoint: string): never {
  throw new Error(`configuration let an endpoint through that is none: ${endpoint}`)
}
