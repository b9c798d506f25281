// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { corpusMessages } from '../corpus.ts'
import { createCaller } from '../fuzz/caller.ts'
import { createMutator } from '../fuzz/mutate.ts'
import { sipRequest } from '../sip-client.ts'
import { type Flow, markOf } from './ledger.ts'
import { type Actor, openSources, pause, type Source, type Stage } from './stage.ts'

// Datagrams a second, chosen: with the floods an hour leaves a database of one or two GB.
const PROBES_EVERY_MS = 20
const AGAIN_EVERY_MS = 100
const KEEP_ALIVES_EVERY_MS = 100
const HOSTILE_EVERY_MS = 25
const CALLS_EVERY_MS = 25

const METHODS = ['OPTIONS', 'OPTIONS', 'REGISTER', 'INVITE', 'BYE', 'MESSAGE', 'SUBSCRIBE'] as const
const NUMBERS = 5_000 // called numbers, so that lists get long
const MOST_COPIES = 4
const MOST_PAUSE_MS = 500 // between copies: T1 of RFC 3261 §17.1.1.1
const MAX_HOSTILE_BYTES = 65_000 // what fits in a datagram, and a mark behind it
const NO_EVIDENCE = ['', '\r\n', '\r\n\r\n', '\0\0\0\0', '\n'] as const

/** Sound requests of every kind from sources that come back. */
export const probes: Actor = async (stage) => {
  const random = stage.random(1)
  const flow = stage.ledger.flow('probe')
  await fromSources(stage, 20, 32, PROBES_EVERY_MS, (source) => {
    const number = flow.next()
    const callId = markOf(flow.name, number)
    const called = `0044${1_000_000 + random.below(NUMBERS)}`
    source.send(sipRequest({ method: random.pick(METHODS), callId, number: called }), () => flow.datagramLeft(number))
    stage.note('probes')
  })
}

/** The same datagram up to four times, as by a client that is not heard, or at once, as on a broken network. */
export const retransmissions: Actor = async (stage) => {
  const random = stage.random(2)
  const flow = stage.ledger.flow('again')
  const repeat = async (source: Source, bytes: string, number: number) => {
    for (let copies = 1 + random.below(MOST_COPIES); copies > 0; copies--) {
      source.send(bytes, () => flow.datagramLeft(number))
      stage.note('retransmitted datagrams')
      if (random.oneIn(2) && !(await pause(stage, random.below(MOST_PAUSE_MS)))) return
    }
  }
  const underWay = new Set<Promise<void>>()
  const sources = await openSources(stage, 21, 8)
  while (await pause(stage, AGAIN_EVERY_MS)) {
    const source = sources[random.below(sources.length)]
    if (source === undefined) continue
    const number = flow.next()
    const method = random.pick(['OPTIONS', 'REGISTER', 'INVITE'])
    const one = repeat(source, sipRequest({ method, callId: markOf(flow.name, number) }), number)
    underWay.add(one.finally(() => underWay.delete(one)))
  }
  await Promise.all(underWay)
  await Promise.all(sources.map((source) => source.close()))
}

/** What keeps a NAT open: counted, and no evidence. */
export const keepAlives: Actor = async (stage) => {
  const random = stage.random(3)
  await fromSources(stage, 22, 4, KEEP_ALIVES_EVERY_MS, (source) => {
    source.send(random.pick(NO_EVIDENCE), () => stage.ledger.keepAliveLeft())
    stage.note('keep-alives')
  })
}

/** Messages of the corpus, damaged, with a mark behind them. */
export const hostile: Actor = async (stage) => {
  const random = stage.random(4)
  const mutator = createMutator(random, [...corpusMessages().values()])
  const flow = stage.ledger.flow('hostile')
  await fromSources(stage, 23, 16, HOSTILE_EVERY_MS, (source) => {
    sendMarked(source, flow, mutator.any().subarray(0, MAX_HOSTILE_BYTES))
    stage.note('hostile datagrams')
  })
}

/** Callers who read the answers: log in, dial, acknowledge, talk in calls that are up, hang up, and repeat themselves. */
export const callers: Actor = async (stage) => {
  const random = stage.random(5)
  const mutator = createMutator(random, [...corpusMessages().values()])
  const flow = stage.ledger.flow('call')
  const talk = new Map<Source, { next(): void }>()
  await fromSources(stage, 24, 12, CALLS_EVERY_MS, (source) => {
    const known = talk.get(source) ?? newCaller(source)
    talk.set(source, known)
    known.next()
    stage.note('requests of callers')
  })

  function newCaller(source: Source) {
    const caller = createCaller(random, { address: source.address, port: source.port, transport: 'UDP' })
    source.onAnswer((answer) => {
      stage.note('answers to callers')
      caller.heard(answer.toString('latin1'))
    })
    let last = { text: '', number: 0 }
    return {
      next() {
        const text = caller.next()
        if (random.oneIn(20)) return sendMarked(source, flow, mutator.damaged(text).subarray(0, MAX_HOSTILE_BYTES))
        if (text !== last.text) last = { text, number: flow.next() } // a retransmission keeps its mark
        const { number } = last
        const marked = text.replace(
          '\r\nMax-Forwards: 70',
          `\r\nMax-Forwards: 70\r\nX-Soak: ${markOf(flow.name, number)}`,
        )
        source.send(Buffer.from(marked, 'latin1'), () => flow.datagramLeft(number))
      },
    }
  }
}

function sendMarked(source: Source, flow: Flow, bytes: Buffer): void {
  const number = flow.next()
  source.send(Buffer.concat([bytes, Buffer.from(markOf(flow.name, number))]), () => flow.datagramLeft(number))
}

/** One of `count` sources acts every `everyMs`, chosen by the seed. */
async function fromSources(
  stage: Stage,
  net: number,
  count: number,
  everyMs: number,
  act: (source: Source) => void,
): Promise<void> {
  const random = stage.random(100 + net)
  const sources = await openSources(stage, net, count)
  while (await pause(stage, everyMs)) {
    const source = sources[random.below(count)]
    if (source !== undefined) act(source)
  }
  await Promise.all(sources.map((source) => source.close()))
}
