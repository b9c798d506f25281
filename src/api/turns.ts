// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/**
 * Lists take turns: `await turn()` lets one piece of one list be made per round of the event loop, so that a lookup
 * waits for one piece at most, however many lists are on their way.
 */
export function createTurns(): () => Promise<void> {
  const waiting: (() => void)[] = []
  const next = () => {
    waiting.shift()?.()
    if (waiting.length > 0) setImmediate(next)
  }
  return () =>
    new Promise((resolve) => {
      waiting.push(resolve)
      if (waiting.length === 1) setImmediate(next)
    })
}
