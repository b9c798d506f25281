// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** What is fuzzed, and for how long: until the first of the two limits. */
export interface Campaign {
  readonly seed: number
  readonly count: number
  readonly seconds: number
  /** Where messages to damage come from. */
  readonly corpus: readonly Buffer[]
  readonly onProgress: (text: string) => void
}

/** An input that made something happen that must not. */
export interface Finding {
  readonly target: string
  /** One line. */
  readonly why: string
  readonly bytes: Buffer
  /** Whether the input alone does it, or only after what came before. */
  readonly isAlone: boolean
}

export interface Outcome {
  readonly inputs: number
  readonly tookMs: number
  readonly findings: readonly Finding[]
  /** What was measured, for the summary. */
  readonly figures: Readonly<Record<string, string | number>>
}

/** No input may hold up the others for longer. Chosen: below what a caller notices. */
export const MAX_STALL_MS = 50

const PROGRESS_EVERY_MS = 5_000

/** Counts inputs against the limits of a campaign, and says how far it is now and then. */
export interface Pace {
  /** Counts one more; false when that was the last. */
  another(): boolean
  /** Whether there will be no more. */
  isOver(): boolean
  inputs(): number
  elapsedMs(): number
}

export function createPace({ count, seconds, onProgress }: Campaign): Pace {
  const startedMs = performance.now()
  let inputs = 0
  let saidMs = startedMs
  let isOver = count <= 0

  function look(): void {
    const nowMs = performance.now()
    isOver = nowMs - startedMs >= seconds * 1000
    if (nowMs - saidMs < PROGRESS_EVERY_MS) return
    saidMs = nowMs
    onProgress(`${inputs} inputs, ${Math.round((inputs * 1000) / (nowMs - startedMs))} a second`)
  }

  return {
    another() {
      if (isOver || inputs >= count) return false
      inputs++
      if (inputs % 256 === 0) look()
      return true
    },
    isOver: () => isOver || inputs >= count,
    inputs: () => inputs,
    elapsedMs: () => performance.now() - startedMs,
  }
}
