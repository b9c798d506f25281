// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { getHeapStatistics } from 'node:v8'

const MAX_WAITING = 100_000
const MAX_WAITING_BYTES = 64 * 1024 * 1024
const MAX_ANSWERS = 16_384 // as many as there are transactions: nothing else can be answered
const ANSWER_BYTES = 1024 // measured: 0.6 KB of heap for the answer to a message of 450 bytes

/**
 * How much may wait for the store. What waits is packed and outside of V8's heap. In it is what answers need: a heap that
 * is full ends the process, and that of a small board or container is far smaller than that of a server, since V8 takes
 * a half of the memory there is, and 4 GB at most. A third of it for answers, since the limit counts a nursery of up to
 * 96 MB that holds nothing for long. The heap's limit tells how much memory there is for the rest as well. The names are
 * those of the publisher's options: events, bytes of them, events that may still be answered.
 */
export function waitingBounds() {
  const heapBytes = getHeapStatistics().heap_size_limit
  return {
    maxPending: MAX_WAITING,
    maxPendingBytes: Math.min(MAX_WAITING_BYTES, Math.floor(heapBytes / 8)),
    maxAnswers: Math.min(MAX_ANSWERS, Math.floor(heapBytes / 3 / ANSWER_BYTES)),
  }
}
