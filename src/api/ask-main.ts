// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** What the main thread last told, and how long it has been owing an answer: 0 while it answers. */
export interface Told<T> {
  readonly value: T
  readonly silentMs: number
}

export interface AskTimes {
  /** How long a question waits for its answer; then the last one has to do. */
  readonly deadlineMs: number
}

// A main thread at work answers within some milliseconds. Chosen so that a health check that gives up after a second
// still gets an answer.
export const ASK_TIMES: AskTimes = { deadlineMs: 250 }

/** A question that is asked again and again, of a thread that may be too busy to answer. */
export interface Question<T> {
  read(): Promise<Told<T>>
  /** Takes the answer, whenever it comes. */
  told(value: T): void
}

/**
 * Puts one question to the main thread at a time, however many want to know. Once a question has waited for longer than
 * the deadline nobody waits for it any more: everyone gets the last answer at once, until there is a new one.
 */
export function createQuestion<T>(
  ask: () => void,
  first: T,
  { deadlineMs }: AskTimes,
  nowMs: () => number,
): Question<T> {
  let last = first
  let asked: { readonly atMs: number; readonly answer: PromiseWithResolvers<void> } | null = null

  return {
    async read() {
      if (asked === null) {
        asked = { atMs: nowMs(), answer: Promise.withResolvers() }
        ask()
      }
      await within(deadlineMs - (nowMs() - asked.atMs), asked.answer.promise)
      return { value: last, silentMs: asked === null ? 0 : nowMs() - asked.atMs }
    },
    told(value) {
      last = value
      asked?.answer.resolve()
      asked = null
    },
  }
}

async function within(ms: number, answer: Promise<void>): Promise<void> {
  if (ms <= 0) return
  const timeout = Promise.withResolvers<void>()
  const timer = setTimeout(timeout.resolve, ms)
  await Promise.race([answer, timeout.promise])
  clearTimeout(timer)
}
