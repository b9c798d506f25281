// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createEpisode, type Source, type Tally } from './episode.ts'
import { createMemoryWatch } from './memory.ts'
import { createMutator, type Mutator } from './mutate.ts'
import { createRandom, type Random } from './random.ts'
import { type Campaign, createPace, type Outcome, type Pace } from './target.ts'
import { terseRequest } from './terse.ts'

const EPISODE = 50_000 // inputs that one PBX gets: more than it can remember
const MAX_FINDINGS = 5
const PASS_ONCE_IN = 16 // inputs, between which time passes

/** Everything behind the sockets but the store: parse, arrive, observe, respond, with time that passes. */
export async function fuzzPbx(campaign: Campaign): Promise<Outcome> {
  const pace = createPace(campaign)
  const memory = createMemoryWatch()
  const counts = { replies: 0, proven: 0, retransmissions: 0, slowestMs: 0, slowOnce: 0 }
  const tally: Tally = { findings: [], statuses: new Map(), ...counts }
  for (let episode = 0; !pace.isOver() && tally.findings.length < MAX_FINDINGS; episode++) {
    await runEpisode(createRandom(campaign.seed, 1_000 + episode), campaign, pace, tally)
    memory.sample()
  }
  const grown = memory.fault()
  if (grown !== null) tally.findings.push({ target: 'pbx', why: grown, bytes: Buffer.alloc(0), isAlone: false })
  return {
    inputs: pace.inputs(),
    tookMs: pace.elapsedMs(),
    findings: tally.findings,
    figures: figuresOf(tally, memory.text()),
  }
}

function figuresOf({ replies, statuses, proven, retransmissions, slowestMs, slowOnce }: Tally, memory: string) {
  const byStatus = [...statuses].sort(([one], [other]) => one.localeCompare(other)).map((pair) => pair.join('×'))
  return {
    replies,
    statuses: byStatus.join(' '),
    proven,
    retransmissions,
    slowestMs: slowestMs.toFixed(1),
    slowOnce,
    memory,
  }
}

async function runEpisode(random: Random, { corpus }: Campaign, pace: Pace, tally: Tally): Promise<void> {
  const episode = createEpisode(random, tally)
  const mutator = createMutator(random, corpus)
  for (let left = EPISODE; left > 0 && tally.findings.length < MAX_FINDINGS && pace.another(); left--) {
    const source = random.pick(episode.sources)
    episode.receive(source, inputOf(random, mutator, source))
    if (random.oneIn(PASS_ONCE_IN)) await episode.pass(passingMs(random))
  }
  await episode.end()
}

function inputOf(random: Random, mutator: Mutator, { caller, isTerse }: Source): Buffer {
  if (!isTerse && (caller === null || random.oneIn(3))) return mutator.any()
  const text = caller === null ? terseRequest(random) : caller.next()
  return random.oneIn(2) ? Buffer.from(text, 'latin1') : mutator.damaged(text)
}

/** Mostly as in a flood; now and then long enough for a call to ring, and for tokens to expire. */
function passingMs(random: Random): number {
  if (random.oneIn(1_000)) return 400_000
  return random.oneIn(50) ? random.below(3_000) : random.below(40)
}
