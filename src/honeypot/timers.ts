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

/** Waits of many items, each up to one step longer than asked for. */
export interface Deadlines<Item> {
  /** Starts to wait; deleting the item from the set returned calls it off. */
  start(item: Item, afterMs: number): Set<Item>
  /** Calls all off. */
  stop(): void
}

/**
 * Many waits on few timers: the items that begin to wait for the same time within one step share a timer, so that a
 * flood of them costs an entry in a set each. For times of which there are a handful.
 */
export function createDeadlines<Item>(
  timers: Timers,
  stepMs: number,
  onExpired: (item: Item) => void,
): Deadlines<Item> {
  const filling = new Map<number, Set<Item>>() // by time
  const cancels = new Set<() => void>()

  /** Like `after`, remembered for the stop. */
  function wait(ms: number, run: () => void): void {
    const cancel = timers.after(ms, () => {
      cancels.delete(cancel)
      run()
    })
    cancels.add(cancel)
  }

  function begin(afterMs: number): Set<Item> {
    const items = new Set<Item>()
    filling.set(afterMs, items)
    wait(stepMs, () => {
      filling.delete(afterMs)
      wait(afterMs, () => {
        for (const item of items) onExpired(item)
        items.clear()
      })
    })
    return items
  }

  return {
    start(item, afterMs) {
      const items = filling.get(afterMs) ?? begin(afterMs)
      items.add(item)
      return items
    },
    stop() {
      for (const cancel of cancels) cancel()
      cancels.clear()
      filling.clear()
    },
  }
}
