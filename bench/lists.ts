// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Figure } from './figure.ts'
import { ADDRESSES } from './fill.ts'
import type { Asked } from './load.ts'
import { NUMBERS } from './messages.ts'
import { memoryMb, script, startFloor } from './processes.ts'
import { inTurns, type Workbench } from './workbench.ts'

const EVENTS = 1_000_000
const DOWNLOADS = 20
const LOOK_EVERY_MS = 50
const MOST_SECONDS = 55 // the API cuts a list after 60

const LISTS = [
  { path: '/ip-addresses', rows: `${ADDRESSES} addresses`, goal: 'whole ≤ 50 ms' },
  { path: '/numbers', rows: `${NUMBERS} numbers`, goal: 'whole ≤ 400 ms' },
] as const

/** The long lists: first byte, whole, and what 20 downloads at a time do to the memory of the node. */
export async function measureLists(bench: Workbench): Promise<Figure[]> {
  if (bench.load.program === null) {
    bench.say('lists are not measured without the C program')
    return []
  }
  const file = await bench.filled(EVENTS)
  const flags = ['-R', '-a', '--api-listen', '127.0.0.1:0']
  return bench.withNode({ file, flags, program: (await bench.packaged()).program }, async ({ httpPort, pid }) => {
    const floor = await startFloor(script('bare-handler.ts'), 'received')
    try {
      const figures: Figure[] = []
      for (const list of LISTS) {
        const { bytes } = await ask(bench, httpPort, list.path, 1) // warm, and how much it is
        const measured = await inTurns(
          bench.rounds,
          () => ask(bench, httpPort, list.path, 1),
          () => ask(bench, floor.udpPort, `/bytes/${bytes}`, 1),
        )
        figures.push(...listFigures(list, measured.ours, measured.floor))
      }
      return [...figures, await memoryFigure(bench, httpPort, pid)]
    } finally {
      await floor.stop()
    }
  })
}

function listFigures(
  { path, rows, goal }: (typeof LISTS)[number],
  ours: readonly Asked[],
  bare: readonly Asked[],
): Figure[] {
  const name = 'bare node:http handler, the same bytes from memory'
  const first = (asked: readonly Asked[]) => ({
    values: asked.map(({ firstP50Ms }) => firstP50Ms),
    p99: asked.map(({ firstP99Ms }) => firstP99Ms),
  })
  const whole = (asked: readonly Asked[]) => ({
    values: asked.map(({ p50Ms }) => p50Ms),
    p99: asked.map(({ p99Ms }) => p99Ms),
  })
  return [
    {
      name: `GET ${path}, ${rows}, first byte`,
      unit: 'ms',
      goal: '≤ 20 ms',
      ours: first(ours),
      floor: { name, ...first(bare) },
      events: EVENTS,
    },
    {
      name: `GET ${path}, ${rows}, whole`,
      unit: 'ms',
      goal,
      ours: whole(ours),
      floor: { name, ...whole(bare) },
      events: EVENTS,
    },
  ]
}

/** How much larger the process was at most while the list was on its way, 20 times at once. */
async function memoryFigure(bench: Workbench, port: number, pid: number): Promise<Figure> {
  const grown: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    const before = memoryMb(pid) ?? Number.NaN
    let most = before
    const looking = setInterval(() => {
      most = Math.max(most, memoryMb(pid) ?? Number.NaN)
    }, LOOK_EVERY_MS)
    await ask(bench, port, '/numbers', DOWNLOADS)
    clearInterval(looking)
    grown.push(most - before)
  }
  return {
    name: `memory that ${DOWNLOADS} downloads of /numbers at a time add`,
    unit: 'MB',
    goal: 'does not grow with the list',
    ours: { values: grown },
    floor: null,
    events: EVENTS,
  }
}

async function ask({ load, isQuick }: Workbench, port: number, path: string, connections: number): Promise<Asked> {
  const count = Math.max(connections, isQuick ? 5 : 20)
  const asked = await load.ask({ port, path, numbers: 1, connections, seconds: MOST_SECONDS, count })
  if (asked.requests === 0 || asked.failed > 0) throw new Error(`${path}: ${JSON.stringify(asked)}`)
  return { ...asked, bytes: Math.round(asked.bytes / asked.requests) }
}
