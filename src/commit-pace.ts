// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// A row costs the store's thread 40 µs of processor time in commits of one, 26 in commits of two, 13 in commits of ten.
const COMMITS_PER_MS = 1
// Chosen: some events at once, and 1,000 a second however they are spread, are committed as they come.
const BURST = 8

/** How long a wait for more events to commit with is: the shortest that a timer can have. */
export const GATHER_MS = 1

/**
 * Makes the function that says whether the next commit should wait for `GATHER_MS`, so that there are no more than
 * about a thousand in a second. To be asked once for each. In a flood a commit takes longer than that and none waits.
 */
export function createCommitPace(steadyMs: () => number): () => boolean {
  let saved = BURST
  let askedAtMs = steadyMs()
  return () => {
    const nowMs = steadyMs()
    // A commit that waits is paid for by the wait, and owes no more than that however short it was.
    saved = Math.max(-1, Math.min(BURST, saved + (nowMs - askedAtMs) * COMMITS_PER_MS) - 1)
    askedAtMs = nowMs
    return saved < 0
  }
}
