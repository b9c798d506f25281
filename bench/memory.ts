// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { start } from '../test/run.ts'
import type { Figure } from './figure.ts'
import { memoryMb, type Node, settled } from './processes.ts'
import { type Workbench, wait } from './workbench.ts'

const SOURCES = 4_096
const STEADY_PER_S = 30_000
const FLOOD_PER_S = 200_000
const LOOK_EVERY_MS = 50
const SETTLE_MS = 1_000
const COLLECTED_MS = 21_000 // the node collects when it has been quiet for ten seconds, and looks every ten

// Plain JavaScript: what strips types takes 25 MB of its own.
const BARE_SERVER = "require('node:http').createServer((_, answer) => answer.end()).listen(0, '127.0.0.1')"

const STATES = [
  { state: 'at rest, with the API', goal: '≤ 70 MB' },
  { state: 'after {events} events', goal: '≤ 120 MB' },
  { state: 'at most in a flood', goal: '≤ 250 MB' },
  { state: 'some seconds after it', goal: 'back' },
] as const

/** Resident memory of the published package: at rest, after many events, in a flood beyond what it can take, and after. */
export async function measureMemory(bench: Workbench): Promise<Figure[]> {
  if (memoryMb(process.pid) === null) {
    bench.say('memory is not measured: there is no /proc')
    return []
  }
  const { program } = await bench.packaged()
  const events = bench.isQuick ? 100_000 : 1_000_000
  const flags = ['-a', '--api-listen', '127.0.0.1:0', '-r']
  const rounds: (readonly number[])[] = []
  const floors: number[] = []
  for (let round = 0; round < bench.rounds; round++) {
    rounds.push(await bench.withNode({ program, flags }, (node) => statesOf(bench, node, events)))
    floors.push(await bareMemory())
  }
  return STATES.map(({ state, goal }, index) => ({
    name: `memory ${state.replace('{events}', String(events))}`,
    unit: 'MB',
    goal,
    ours: { values: rounds.map((values) => values[index] ?? Number.NaN) },
    floor: { name: 'bare node:http process at rest', values: floors },
    events: index === 0 ? null : events,
  }))
}

async function statesOf(
  { load, isQuick }: Workbench,
  { pid, udpPort, taken }: Node,
  events: number,
): Promise<number[]> {
  const now = () => memoryMb(pid) ?? Number.NaN
  await wait(SETTLE_MS)
  const atRest = now()
  const sending = { port: udpPort, sources: SOURCES, replies: false }
  const { sent } = await load.send({ ...sending, rate: STEADY_PER_S, count: events })
  await settled(taken, sent)
  await wait(SETTLE_MS)
  const after = now()
  let most = after
  const looking = setInterval(() => {
    most = Math.max(most, now())
  }, LOOK_EVERY_MS)
  await load.send({ ...sending, rate: FLOOD_PER_S, count: FLOOD_PER_S * (isQuick ? 1 : 4) })
  await settled(taken, Number.POSITIVE_INFINITY, 2 * SETTLE_MS)
  clearInterval(looking)
  await wait(isQuick ? 2 * SETTLE_MS : COLLECTED_MS)
  return [atRest, after, most, now()]
}

async function bareMemory(): Promise<number> {
  const { child, pid, ended } = await start([process.execPath, '-e', BARE_SERVER])
  await wait(SETTLE_MS)
  const memory = memoryMb(pid) ?? Number.NaN
  child.kill('SIGTERM')
  await ended
  return memory
}
