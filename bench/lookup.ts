// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { existsSync, readFileSync } from 'node:fs'
import type { Figure } from './figure.ts'
import { ADDRESSES, addressOf } from './fill.ts'
import { floorOf } from './ingest.ts'
import type { Asked } from './load.ts'
import { NUMBERS, numberOf } from './messages.ts'
import { script, settled, startFloor } from './processes.ts'
import { inTurns, timesOf, type Workbench } from './workbench.ts'

const CONNECTIONS = 8
const DOWNLOADS = 20
const EVENTS_PER_S = 10_000
const EVENT_SOURCES = 200
const EVENTS = 1_000_000
const EVENTS_WITHOUT_WAIT = 200_000
const SPARE_S = 0.5
const WARM_UP_S = 2 // chosen: ten thousand requests and more, where nobody else uses the machine
const TICK_MS = 10 // USER_HZ is 100 on every machine that Linux runs Node.js on

const LOOKUPS = [
  { path: '/numbers/%d', name: '/numbers/{n}', numbers: NUMBERS },
  { path: '/ip-addresses/%a', name: '/ip-addresses/{ip}', numbers: ADDRESSES },
] as const

type Lookup = (typeof LOOKUPS)[number]

/** Look-ups a second and their times, at rest and while 10,000 events a second arrive, beside a bare handler. */
export async function measureLookups(bench: Workbench): Promise<Figure[]> {
  const file = await bench.filled(EVENTS)
  return bench.withNode({ file, flags: ['-a', '--api-listen', '127.0.0.1:0'] }, async (node) => {
    const figures: Figure[] = []
    for (const lookup of LOOKUPS) {
      const answerBytes = await bytesOf(node.httpPort, lookup.path)
      const floor = await startFloor(script('bare-handler.ts', answerBytes), 'received')
      try {
        // Both have compiled what they need before: a node is asked all day, and a round of a quick run lasts for a second.
        for (const port of [node.httpPort, floor.udpPort]) await ask(bench, port, lookup, WARM_UP_S)
        const spent: number[] = []
        const measured = await inTurns(
          bench.rounds,
          async () => {
            const before = processorMs(node.pid)
            const asked = await ask(bench, node.httpPort, lookup)
            spent.push(((processorMs(node.pid) - before) * 1_000) / asked.requests)
            return asked
          },
          () => ask(bench, floor.udpPort, lookup),
        )
        figures.push(...lookupFigures(lookup, measured.ours, measured.floor, spent))
        figures.push(await underLoad(bench, lookup, node, floor.udpPort))
      } finally {
        await floor.stop()
      }
    }
    return figures
  })
}

/** Times of look-ups while 20 clients fetch the longest list, one after the other, as fast as they get it. */
export async function measureDownloads(bench: Workbench): Promise<Figure[]> {
  if (bench.load.program === null) return []
  const file = await bench.filled(EVENTS)
  return bench.withNode({ file, flags: ['-R', '-a', '--api-listen', '127.0.0.1:0'] }, async ({ httpPort }) => {
    const lookup = LOOKUPS[0]
    const listBytes = await bytesOf(httpPort, '/numbers')
    const floor = await startFloor(script('bare-handler.ts', await bytesOf(httpPort, lookup.path)), 'received')
    try {
      const measured = await inTurns(
        bench.rounds,
        () => besideDownloads(bench, httpPort, lookup, '/numbers'),
        () => besideDownloads(bench, floor.udpPort, lookup, `/bytes/${listBytes}`),
      )
      return [
        {
          name: `GET ${lookup.name} while ${DOWNLOADS} clients download /numbers`,
          unit: 'ms',
          goal: 'p99 as without them',
          ours: timesOf(measured.ours),
          floor: { name: 'bare node:http handler, the same bytes', ...timesOf(measured.floor) },
          events: EVENTS,
        },
      ]
    } finally {
      await floor.stop()
    }
  })
}

function lookupFigures(
  { name }: Lookup,
  ours: readonly Asked[],
  bare: readonly Asked[],
  spentUs: readonly number[],
): Figure[] {
  const perSecond = (asked: readonly Asked[]) => ({
    values: asked.map(({ requests, elapsedS }) => requests / elapsedS),
  })
  const floor = 'bare node:http handler'
  return [
    {
      name: `GET ${name}, ${EVENTS} events, ${CONNECTIONS} connections`,
      unit: 'requests/s',
      goal: '≥ 25,000, ≥ 0.6 of the floor',
      ours: perSecond(ours),
      floor: { name: floor, ...perSecond(bare) },
      events: EVENTS,
      ...(spentUs.every(Number.isFinite) ? { note: noteOf(spentUs) } : {}),
    },
    {
      name: `GET ${name}, ${CONNECTIONS} connections, at rest`,
      unit: 'ms',
      goal: 'p99 ≤ 3 ms',
      ours: timesOf(ours),
      floor: { name: floor, ...timesOf(bare) },
      events: EVENTS,
    },
  ]
}

/** Processor time, since it says the same on a machine that others use, too. */
function noteOf(spentUs: readonly number[]): string {
  return `${spentUs.map((us) => us.toFixed(1)).join(' / ')} µs of processor time of the whole node a request`
}

/** User's and system's time of all threads of a process, those that ended among them (proc(5)); NaN without /proc. */
function processorMs(pid: number): number {
  const file = `/proc/${pid}/stat`
  if (!existsSync(file)) return Number.NaN
  const text = readFileSync(file, 'latin1')
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ') // from the third on: the second may have spaces
  return (Number(fields[11]) + Number(fields[12])) * TICK_MS
}

async function underLoad(
  bench: Workbench,
  lookup: Lookup,
  node: { readonly httpPort: number; readonly udpPort: number; taken(): Promise<number> },
  floorPort: number,
): Promise<Figure> {
  const events = floorOf(bench, 'passive')
  let missed = 0
  const measured = await inTurns(
    bench.rounds,
    async () => {
      const before = await node.taken()
      const { asked, sent } = await besideEvents(bench, node.httpPort, node.udpPort, lookup)
      missed += before + sent - (await settled(node.taken, before + sent))
      return asked
    },
    async () => {
      const receiver = await events.start()
      try {
        return (await besideEvents(bench, floorPort, receiver.udpPort, lookup)).asked
      } finally {
        await receiver.stop()
      }
    },
  )
  return {
    name: `GET ${lookup.name} while ${EVENTS_PER_S} events/s arrive`,
    unit: 'ms',
    goal: 'p99 ≤ 5 ms, no event lost',
    ours: timesOf(measured.ours),
    floor: { name: `bare node:http handler beside: ${events.name}`, ...timesOf(measured.floor) },
    events: EVENTS,
    note: `${Math.round(rate(measured.ours))} requests/s, ${missed} events lost`,
  }
}

function rate(asked: readonly Asked[]): number {
  return asked.reduce((sum, { requests, elapsedS }) => sum + requests / elapsedS, 0) / asked.length
}

async function ask(bench: Workbench, port: number, { path, numbers }: Lookup, leastS = 0): Promise<Asked> {
  const seconds = Math.max(bench.seconds, leastS)
  const asked = await bench.load.ask({ port, path, numbers, connections: CONNECTIONS, seconds })
  if (asked.failed > 0) throw new Error(`${path}: ${JSON.stringify(asked)}`)
  return asked
}

async function besideEvents(bench: Workbench, httpPort: number, udpPort: number, lookup: Lookup) {
  const count = Math.min(EVENTS_WITHOUT_WAIT, Math.round(EVENTS_PER_S * (bench.seconds + SPARE_S)))
  const sending = bench.load.send({ port: udpPort, rate: EVENTS_PER_S, count, sources: EVENT_SOURCES, replies: false })
  const asked = await ask(bench, httpPort, lookup)
  const { sent } = await sending
  return { asked, sent }
}

async function besideDownloads(bench: Workbench, port: number, lookup: Lookup, list: string): Promise<Asked> {
  const seconds = Math.max(2, bench.seconds)
  const downloads = bench.load.ask({ port, path: list, numbers: 1, connections: DOWNLOADS, seconds: seconds + SPARE_S })
  const asked = await ask(bench, port, lookup, seconds)
  await downloads
  return asked
}

/** How long the body of an answer is, for a floor that sends as much. */
async function bytesOf(port: number, path: string): Promise<number> {
  const target = path.replace('%d', numberOf(0)).replace('%a', addressOf(0))
  const answer = await fetch(`http://127.0.0.1:${port}${target}`)
  if (answer.status !== 200) throw new Error(`${target} answers ${answer.status}`)
  return (await answer.arrayBuffer()).byteLength
}
