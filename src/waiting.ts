// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent, OnSettled } from './event/event.ts'
import { type OpenBatch, openBatch, type PackedBatch, slabBytesFor } from './event/packed.ts'

/*
 * Where events wait for the store: packed, in batches, oldest first. On the heap an event leaves what its answer needs,
 * for as long as it may be answered, and two numbers.
 */

const SLAB_BYTES = 1024 * 1024 // chosen: about 1,400 events, which the store takes in 10 ms; several cost no more
const MAX_BATCH = 2_000 // chosen: about 20 ms of writing, so that stopping and failing are never far away
const KEPT_SLABS = 4 // chosen: one that is filled, one that is written, two for a burst; more go back at once

/** Events that are stored together, or none of them. */
export interface WaitingBatch {
  readonly packed: PackedBatch
  /** Whom to tell what became of each event; null where it was told. */
  readonly toldTo: (OnSettled | null)[]
  /** Until when each may be answered, by the steady clock. */
  readonly answerUntilMs: number[]
  /** How often the messages of events that were let go have come again, by the event's number. */
  readonly cameAgain: Map<number, number>
}

export interface WaitingRoom {
  /** Takes an event as the last one of the batch that it gives; null when there is no room. */
  add(event: BadActorEvent, toldTo: OnSettled | null, answerUntilMs: number): WaitingBatch | null
  /** The batch that waits longest; it takes no more events. Null when nothing waits. */
  oldest(): WaitingBatch | null
  /** The oldest batch is stored: its place is free, and its slab is for others. */
  leave(): void
  /** Oldest first. */
  batches(): Iterable<WaitingBatch>
  /** Tells of all that were not told, and empties the room. */
  clear(tell: (toldTo: OnSettled) => void): void
  /** How many events wait. */
  size(): number
  /** From 0 to 1, of events or of bytes, whichever is more. */
  fullness(): number
}

interface Group extends WaitingBatch {
  readonly open: OpenBatch
  readonly slabBytes: number
  isClosed: boolean
  /** Bytes that count: what is used, and of a slab into which the next event did not fit all of it. */
  bytes: number
}

/** Bounded in events, and in bytes of what is packed. */
export function createWaitingRoom(maxEvents: number, maxBytes: number): WaitingRoom {
  const groups: Group[] = []
  const freeSlabs: ArrayBuffer[] = []
  let events = 0
  let bytes = 0

  function newGroup(event: BadActorEvent): Group {
    const slabBytes = Math.max(SLAB_BYTES, slabBytesFor(event))
    const slab = (slabBytes === SLAB_BYTES ? freeSlabs.pop() : undefined) ?? newSlab(slabBytes)
    const open = openBatch(slab, event)
    const group: Group = {
      open,
      packed: open.batch,
      slabBytes,
      toldTo: [],
      answerUntilMs: [],
      cameAgain: new Map(),
      isClosed: false,
      bytes: 0,
    }
    groups.push(group)
    return group
  }

  function recycle({ packed: { slab }, slabBytes }: Group): void {
    if (slab.detached) return // gone with a writer that died
    if (slabBytes === SLAB_BYTES && freeSlabs.length < KEPT_SLABS) freeSlabs.push(slab)
    else slab.transfer(0) // frees it now and not when the collector comes by: after a flood nothing makes it come
  }

  /** The last batch with the event in it, or a new one. */
  function packInto(event: BadActorEvent): Group {
    const last = groups.at(-1)
    if (last !== undefined && !last.isClosed) {
      if (last.packed.count < MAX_BATCH && last.open.add(event)) return last
      last.isClosed = true
      bytes += last.slabBytes - last.bytes
      last.bytes = last.slabBytes
    }
    const group = newGroup(event)
    if (!group.open.add(event)) throw new Error('an event does not fit into a slab that was made for it')
    return group
  }

  const leave = (): void => {
    const group = groups.shift()
    if (group === undefined) return
    events -= group.packed.count
    bytes -= group.bytes
    recycle(group)
  }

  return {
    add(event, toldTo, answerUntilMs) {
      if (events >= maxEvents || bytes + event.sipMessage.length > maxBytes) return null
      const group = packInto(event)
      bytes += group.packed.bytes - group.bytes
      group.bytes = group.packed.bytes
      group.toldTo.push(toldTo)
      group.answerUntilMs.push(answerUntilMs)
      events++
      return group
    },
    oldest() {
      const group = groups[0]
      if (group === undefined) return null
      group.isClosed = true
      return group
    },
    leave,
    batches: () => groups,
    clear(tell) {
      for (const { toldTo } of groups) for (const one of toldTo) if (one !== null) tell(one)
      while (groups.length > 0) leave()
    },
    size: () => events,
    fullness: () => Math.max(events / maxEvents, bytes / maxBytes),
  }
}

/**
 * A resizable buffer has pages of its own, which go back to the operating system when it is freed. Of others malloc()
 * kept 55 of 64 MB after a flood. Its words are checked more: 0.06 µs an event.
 */
function newSlab(bytes: number): ArrayBuffer {
  return new ArrayBuffer(bytes, { maxByteLength: bytes })
}
