// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { setMaxListeners } from 'node:events'
import { createRandom } from '../fuzz/random.ts'
import type { NodeProcess } from '../node-process.ts'
import type { Ledger } from './ledger.ts'
import type { Actor, Stage } from './stage.ts'
import type { Span } from './times.ts'

const ENDED_WITHIN_MS = 60_000 // the slowest of the tools takes half of it
const LOOK_EVERY_MS = 500

export interface Play {
  readonly seed: number
  readonly seconds: number
  /** For the node; its evidence stays there. */
  readonly folder: string
  /** Aborted: nothing more is sent, and the accounting is of what was. */
  readonly over: AbortSignal
}

/** Where the actors play, and what they left besides traffic. */
export interface Scene {
  readonly stage: Stage
  readonly complaints: string[]
  readonly notes: Map<string, number>
  /** In which the database was locked. */
  readonly spans: Span[]
  /** Of the clock on the wall. */
  readonly startedAtMs: number
  /** Nothing more is sent. */
  end(): void
}

/** It is over after so many seconds, when the caller says so, or when the node has died. */
export function createScene({ seed, seconds, folder, over }: Play, node: NodeProcess, ledger: Ledger): Scene {
  const notes = new Map<string, number>()
  const complaints: string[] = []
  const spans: Span[] = []
  const ended = new AbortController()
  const timeUp = setTimeout(() => ended.abort(), seconds * 1_000)
  const all = AbortSignal.any([over, ended.signal])
  const watchdog = setInterval(() => node.isOver() && ended.abort(), LOOK_EVERY_MS)
  all.addEventListener('abort', () => {
    clearTimeout(timeUp)
    clearInterval(watchdog)
  })
  setMaxListeners(0, all)
  let lockedMs = 0
  const stage: Stage = {
    ports: node.ports,
    folder,
    ledger,
    random: (stream) => createRandom(seed, stream),
    over: all,
    note: (what, count = 1) => void notes.set(what, (notes.get(what) ?? 0) + count),
    complain: (why) => void complaints.push(why),
    locked(isLocked) {
      if (isLocked) lockedMs = Date.now()
      else spans.push({ fromMs: lockedMs, toMs: Date.now() })
    },
  }
  return { stage, complaints, notes, spans, startedAtMs: Date.now(), end: () => ended.abort() }
}

/** Runs them until the time is up, or until one of them fails, which is our own bug or the death of the node. */
export async function playAll(actors: readonly Actor[], { stage, end }: Scene): Promise<string[]> {
  const failures: string[] = []
  const late = new Promise<'late'>((resolve) => {
    stage.over.addEventListener('abort', () => setTimeout(resolve, ENDED_WITHIN_MS, 'late').unref())
  })
  const play = async (act: Actor) => {
    try {
      if ((await Promise.race([act(stage), late])) === 'late') failures.push(`the soak itself hung: actor ${act.name}`)
    } catch (error) {
      failures.push(`the soak itself failed: ${error instanceof Error ? error.stack : error}`)
      end()
    }
  }
  await Promise.all(actors.map(play))
  return failures
}
