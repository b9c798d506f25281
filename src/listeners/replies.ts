// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { BATCH, LONGEST_PAYLOAD, type Outgoing } from '../net/message-batch.ts'
import { MAX_UNSENT_BYTES } from './udp-socket.ts'

export interface RepliesOptions {
  /** See `DatagramSocket`. */
  readonly send: (outgoing: readonly Outgoing[], first: number) => number | 'busy' | 'refused'
  /** Told of replies that the kernel does not take, each once. */
  readonly onRefused: (count: number) => void
  /** Told when the kernel takes nothing for now, and when it does again; `flush` is called when it may. */
  readonly onBusy: (isBusy: boolean) => void
}

export interface Replies {
  /** Whether it will be handed to the kernel, in this turn of the event loop or as soon as there is room. */
  add(reply: Outgoing): boolean
  flush(): void
  isBusy(): boolean
  /** Hands over what can be, counts the rest as refused, and takes no more. */
  end(): void
}

/** What is to be sent in one turn of the event loop goes out together: a committed batch settles in one go. */
export function createReplies({ send, onRefused, onBusy }: RepliesOptions): Replies {
  let queue: Outgoing[] = []
  let queuedBytes = 0
  let isBusy = false
  let isEnded = false

  function flush(): void {
    const outgoing = queue
    let at = 0
    let wasBusy = false
    while (at < outgoing.length && !wasBusy) {
      const sent = send(outgoing, at)
      if (sent === 'busy') wasBusy = true
      else if (sent === 'refused') {
        onRefused(1) // no route to there, or a filter: nothing to the others
        at++
      } else at += sent
    }
    queue = outgoing.slice(at)
    queuedBytes = queue.reduce((sum, { bytes }) => sum + bytes.length, 0)
    if (wasBusy !== isBusy) {
      isBusy = wasBusy
      onBusy(isBusy)
    }
  }

  return {
    add(reply) {
      if (isEnded || reply.bytes.length > LONGEST_PAYLOAD || queuedBytes > MAX_UNSENT_BYTES) return false
      if (queue.length === 0) queueMicrotask(() => isBusy || flush())
      queue.push(reply)
      queuedBytes += reply.bytes.length
      if (queue.length >= BATCH && !isBusy) flush()
      return true
    },
    flush,
    isBusy: () => isBusy,
    end() {
      if (isEnded) return
      flush()
      isEnded = true
      if (queue.length > 0) onRefused(queue.length)
      queue = []
    },
  }
}
