// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/** Waits, handed down as an argument so that tests can stand in for time. */
export interface Timers {
  /** Runs `run` once, `ms` from now. The function returned calls it off; later it does nothing. */
  after(ms: number, run: () => void): () => void
}

/** The system's timers. None of them keeps the process alive. */
export function systemTimers(): Timers {
  return {
    after(ms, run) {
      const timeout = setTimeout(run, ms).unref()
      return () => clearTimeout(timeout)
    },
  }
}

/** An item that can wait: where it stands in its batch, which belongs to the deadlines. */
export interface Waiting<Item> {
  waitsIn: Batch<Item> | null
  waitsBehind: Item | null
  waitsBefore: Item | null
}

/** Those that began to wait for the same time within one step, in that order. */
export interface Batch<Item> {
  first: Item | null
  last: Item | null
}

/** Waits of many items, each up to one step longer than asked for. */
export interface Deadlines<Item> {
  /** Starts to wait, and not any more for what the item has waited for so far. */
  start(item: Item, afterMs: number): void
  /** Calls it off. */
  cancel(item: Item): void
  /** Calls all off. */
  stop(): void
}

/**
 * Many waits on few timers: the items that begin to wait for the same time within one step share a timer, and are
 * linked to one another, so that a flood of them costs a few assignments each. For times of which there are a handful.
 */
export function createDeadlines<Item extends Waiting<Item>>(
  timers: Timers,
  stepMs: number,
  onExpired: (item: Item) => void,
): Deadlines<Item> {
  const filling = new Map<number, Batch<Item>>() // by time
  const cancels = new Set<() => void>()

  /** Like `after`, remembered for the stop. */
  function wait(ms: number, run: () => void): void {
    const cancel = timers.after(ms, () => {
      cancels.delete(cancel)
      run()
    })
    cancels.add(cancel)
  }

  function begin(afterMs: number): Batch<Item> {
    const batch: Batch<Item> = { first: null, last: null }
    filling.set(afterMs, batch)
    wait(stepMs, () => {
      filling.delete(afterMs)
      wait(afterMs, () => {
        for (let item = batch.first; item !== null; item = batch.first) {
          cancel(item)
          onExpired(item)
        }
      })
    })
    return batch
  }

  function cancel(item: Item): void {
    const { waitsIn, waitsBehind, waitsBefore } = item
    if (waitsIn === null) return
    if (waitsBehind === null) waitsIn.first = waitsBefore
    else waitsBehind.waitsBefore = waitsBefore
    if (waitsBefore === null) waitsIn.last = waitsBehind
    else waitsBefore.waitsBehind = waitsBehind
    item.waitsIn = null
    item.waitsBehind = null
    item.waitsBefore = null
  }

  return {
    start(item, afterMs) {
      cancel(item)
      const batch = filling.get(afterMs) ?? begin(afterMs)
      const { last } = batch
      item.waitsIn = batch
      item.waitsBehind = last
      if (last === null) batch.first = item
      else last.waitsBefore = item
      batch.last = item
    },
    cancel,
    stop() {
      for (const callOff of cancels) callOff()
      cancels.clear()
      filling.clear()
    },
  }
}
