// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * The bytes of many that come and go, outside of V8's heap: its collector moves what lives for seconds twice and traces it
 * again and again, and of a flood's answers that was a third of the main thread's time.
 */

const SLAB_BYTES = 65_536 // chosen: some 170 answers
const FREE_SLABS = 4 // chosen: enough for a flood, in which one comes free whenever one is full; more go back at once

/** What keeps bytes. The fields belong to whoever keeps them. */
export interface Keeper {
  slab: Slab | null
  slabFrom: number
  slabTo: number
}

/** Bytes of several keepers, one behind the other. */
interface Slab {
  readonly memory: ArrayBuffer
  readonly bytes: Buffer
  used: number
  keepers: number
}

/**
 * For keepers that let go about in the order in which they began: a slab is used again when the last of those that share
 * it has let go.
 */
export interface KeptBytes {
  /** Copies `bytes`, of 64 KiB at the most, in place of what was kept before. */
  keep(keeper: Keeper, bytes: Uint8Array): void
  /** A copy of what is kept; null when nothing is. */
  read(keeper: Keeper): Buffer | null
  drop(keeper: Keeper): void
}

export function createKeptBytes(): KeptBytes {
  const free: Slab[] = []
  let filling: Slab | null = null

  function slabFor(length: number): Slab {
    if (filling !== null && filling.used + length <= SLAB_BYTES) return filling
    const full = filling
    filling = free.pop() ?? newSlab()
    if (full !== null && full.keepers === 0) recycle(full)
    return filling
  }

  function recycle(slab: Slab): void {
    slab.used = 0
    if (free.length < FREE_SLABS) free.push(slab)
    else slab.memory.transfer(0) // frees it now and not when the collector comes by
  }

  function drop(keeper: Keeper): void {
    const { slab } = keeper
    if (slab === null) return
    keeper.slab = null
    slab.keepers--
    if (slab.keepers === 0 && slab !== filling) recycle(slab)
  }

  return {
    keep(keeper, bytes) {
      drop(keeper)
      const slab = slabFor(bytes.length)
      slab.bytes.set(bytes, slab.used)
      keeper.slab = slab
      keeper.slabFrom = slab.used
      slab.used += bytes.length
      keeper.slabTo = slab.used
      slab.keepers++
    },
    read: ({ slab, slabFrom, slabTo }) =>
      slab === null ? null : Buffer.copyBytesFrom(slab.bytes, slabFrom, slabTo - slabFrom),
    drop,
  }
}

function newSlab(): Slab {
  const memory = new ArrayBuffer(SLAB_BYTES)
  return { memory, bytes: Buffer.from(memory), used: 0, keepers: 0 }
}
