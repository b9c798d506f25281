// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Figure } from './figure.ts'
import { floorOf, nodeFlags } from './ingest.ts'
import { type Receiver, startNode } from './processes.ts'
import { inTurns, timesOf, type Workbench } from './workbench.ts'

const SOURCES = 4_096
const WARM_UP_S = 0.5

/** From the moment in which a probe is sent to its reply, which goes out after its row is committed. */
export async function measureReplyTime(bench: Workbench): Promise<Figure[]> {
  if (bench.load.program === null) {
    bench.say('the time to a reply is not measured without the C program: it would be the time of the sender')
    return []
  }
  return [await replyTime(bench, 1_000, 'p99 ≤ 5 ms'), await replyTime(bench, 10_000, 'p99 ≤ 20 ms')]
}

async function replyTime(bench: Workbench, rate: number, goal: string): Promise<Figure> {
  const floor = floorOf(bench, 'responsive')
  const measured = await inTurns(
    bench.rounds,
    async () => timed(bench, rate, await startNode({ folder: bench.newFolder(), flags: nodeFlags('responsive') })),
    async () => timed(bench, rate, await floor.start()),
  )
  return {
    name: `time to reply at ${rate} probes/s, commit included`,
    unit: 'ms',
    goal,
    ours: timesOf(measured.ours),
    floor: { name: floor.name, ...timesOf(measured.floor) },
    events: rate * secondsOf(bench),
    note: `answered: ${measured.ours.map(({ replies, sent }) => `${replies} of ${sent}`).join(', ')}`,
  }
}

function secondsOf({ seconds }: Workbench): number {
  return Math.max(1.5, seconds)
}

async function timed(bench: Workbench, rate: number, receiver: Receiver) {
  try {
    const sending = { port: receiver.udpPort, rate, sources: SOURCES, replies: true }
    await bench.load.send({ ...sending, count: rate * WARM_UP_S })
    return await bench.load.send({ ...sending, count: rate * secondsOf(bench) })
  } finally {
    await receiver.stop()
  }
}
