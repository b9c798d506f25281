// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Curve } from './figure.ts'
import type { Load } from './load.ts'
import { kernelDrops, type Receiver, settled } from './processes.ts'

const SOURCES = 4_096 // an address gets 50 replies a second, so together 200,000
const LEAST_RATE = 1_000
const MOST_RATE = 1_000_000
const WARM_UP_RATE = 15_000
const MOST_STEPS = 14
const MOST_FACTOR = 1.6 // a first guess may be far off
const HELD_UP = 0.85 // a sender that gets out less than this of what it was asked for is at its own limit
// Of the replies; some are lost at the sender's own socket, and what is behind in a commit may come too late for one.
const MOST_UNANSWERED = 0.001

/** One load at one rate. */
export interface Step {
  /** Messages a second that were sent. */
  readonly perSecond: number
  readonly sent: number
  readonly taken: number
  readonly replies: number
  /** Of those not taken, what the kernel dropped because nobody had read it yet. */
  readonly kernelDrops: number
  /** What was not stored, or on an answering node not answered. */
  readonly lostPercent: number
  readonly isLossless: boolean
  readonly isSendersLimit: boolean
}

export interface Search {
  /** Where it begins to look. */
  readonly fromRate: number
  readonly stepS: number
  /** How close to the limit is close enough, as a share of it. */
  readonly within: number
  /** Messages that have to pass without loss at the rate that was found. */
  readonly confirmedBy: number
  /** How many such long runs there may be, until one loses nothing. */
  readonly mostLongRuns: number
  /**
   * Whether a short step that lost something is tried once more, since what a machine does besides is not what we
   * measure, and whether more is tried between a long run that lost something and one that did not.
   */
  readonly isThorough: boolean
  /** Messages before the first step. */
  readonly warmUp: number
  /** Times the rate that was found, to see what happens to a node that is offered more. */
  readonly beyond: readonly number[]
  readonly replies: boolean
}

export interface Found {
  readonly perSecond: number
  readonly steps: readonly Step[]
}

/**
 * The highest rate at which every message is taken and, on an answering node, answered, by one receiver that has been up
 * for some seconds and has had messages before: nodes run for months.
 */
export async function highestRate(
  load: Load,
  startReceiver: () => Promise<Receiver>,
  search: Search,
  say: (text: string) => void,
): Promise<Found> {
  const receiver = await startReceiver()
  try {
    if (search.warmUp > 0)
      await offer(load, receiver, { rate: WARM_UP_RATE, count: search.warmUp, replies: search.replies })
    return await searchOn(load, receiver, search, say)
  } finally {
    await receiver.stop()
  }
}

async function searchOn(load: Load, receiver: Receiver, search: Search, say: (text: string) => void): Promise<Found> {
  const steps: Step[] = []
  const tryOnce = async (rate: number, count: number) => {
    const step = await offer(load, receiver, { rate, count, replies: search.replies })
    steps.push(step)
    say(stepText(rate, step))
    return step
  }
  const tryTwice = async (rate: number, count: number) => {
    const first = await tryOnce(rate, count)
    return first.isLossless || !search.isThorough ? first : tryOnce(rate, count)
  }
  const near = await nearestRate((rate) => tryTwice(rate, Math.round(rate * search.stepS)), search)
  const perSecond = await confirmed((rate) => tryOnce(rate, search.confirmedBy), near, search)
  say(`  ${Math.round(perSecond)}/s without loss`)
  for (const times of search.beyond) {
    const rate = Math.min(MOST_RATE, Math.round(perSecond * times))
    await tryOnce(rate, Math.round(rate * search.stepS))
  }
  return { perSecond, steps }
}

/** Up or down in steps that grow until the limit lies between two of them, then halves what is between. */
async function nearestRate(offered: (rate: number) => Promise<Step>, { fromRate, within }: Search): Promise<number> {
  let good = 0
  let bad = MOST_RATE
  let rate = fromRate
  let reach = 1 + within
  for (let step = 0; step < MOST_STEPS && rate >= LEAST_RATE && rate < MOST_RATE; step++) {
    const { isLossless, isSendersLimit } = await offered(rate)
    if (isLossless && isSendersLimit) return rate
    if (isLossless) good = rate
    else bad = rate
    if (good > 0 && bad < MOST_RATE) {
      if (bad - good <= good * within + 1) break
      rate = Math.round((good + bad) / 2)
    } else {
      rate = Math.round(good === 0 ? bad / reach : good * reach)
      reach = Math.min(MOST_FACTOR, reach ** 2)
    }
  }
  return Math.max(good, LEAST_RATE)
}

/**
 * The rate that was really sent while all of a long run was taken, 0 when there was none. Goes back in steps that grow,
 * then halves what is between: a long run takes half a minute. Where that is not wanted, in steps of the same size.
 */
async function confirmed(
  offered: (rate: number) => Promise<Step>,
  from: number,
  { within, mostLongRuns, isThorough }: Search,
): Promise<number> {
  let good: { readonly rate: number; readonly perSecond: number } | null = null
  let bad = Number.POSITIVE_INFINITY
  let rate = from
  let back = within
  for (let run = 0; run < mostLongRuns && rate >= LEAST_RATE; run++) {
    const { isLossless, perSecond } = await offered(rate)
    if (isLossless) good = { rate, perSecond }
    else bad = rate
    if (good !== null && (!isThorough || bad === Number.POSITIVE_INFINITY || bad - good.rate <= 2 * within * good.rate))
      break
    rate = Math.round(good === null ? rate * (1 - back) : (good.rate + bad) / 2)
    if (isThorough) back = Math.min(0.5, back * 2)
  }
  return good?.perSecond ?? 0
}

async function offer(
  load: Load,
  receiver: Receiver,
  { rate, count, replies }: { readonly rate: number; readonly count: number; readonly replies: boolean },
): Promise<Step> {
  const drops = () => kernelDrops(receiver.udpPort)
  const [takenBefore, dropsBefore] = [await receiver.taken(), drops()]
  const result = await load.send({ port: receiver.udpPort, rate, count, sources: SOURCES, replies })
  const [taken, dropped] = [async () => (await receiver.taken()) - takenBefore, () => drops() - dropsBefore]
  await settled(async () => (await taken()) + dropped(), result.sent)
  return stepOf(rate, result, await taken(), dropped(), replies)
}

function stepOf(
  rate: number,
  { sent, elapsedS, replies }: { readonly sent: number; readonly elapsedS: number; readonly replies: number },
  taken: number,
  drops: number,
  wantsReplies: boolean,
): Step {
  const perSecond = sent / elapsedS
  const unanswered = wantsReplies ? sent - replies : 0
  return {
    perSecond,
    sent,
    taken,
    replies,
    kernelDrops: drops,
    lostPercent: (Math.max(sent - taken, unanswered, 0) / sent) * 100,
    isLossless: taken >= sent && unanswered <= sent * MOST_UNANSWERED,
    isSendersLimit: perSecond < rate * HELD_UP,
  }
}

/** The points of a plot. */
export function curveOf(label: string, found: readonly Found[]): Curve {
  const points = found.flatMap(({ steps }) => steps).map(({ perSecond, lostPercent }) => ({ perSecond, lostPercent }))
  return { label, points: points.toSorted((one, other) => one.perSecond - other.perSecond) }
}

function stepText(rate: number, { perSecond, sent, taken, replies, kernelDrops: drops, lostPercent }: Step): string {
  const share = `${lostPercent.toFixed(lostPercent > 0 && lostPercent < 1 ? 3 : 1)} % lost`
  return `  ${rate}/s offered, ${Math.round(perSecond)}/s sent: ${sent} sent, ${taken} taken, ${drops} dropped by the kernel, ${replies} answered, ${share}`
}
