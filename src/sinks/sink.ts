// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { BadActorEvent } from '../event/event.ts'
import type { Application } from '../event/json.ts'
import type { Log } from '../ops/log.ts'
import type { OptionRows, OptionValues } from '../ops/option.ts'

/** Something that receives events once they are rows. Each runs on its own; none can hold up another or the store. */
export interface Sink {
  readonly name: string
  /**
   * Takes one batch, in order; the next comes when the promise settles. A rejection counts the batch as failed, is
   * reported, and does not come again: a sink that can mend a failure by waiting waits. When it resolves, the batch
   * has left, unless the sink has `delivered`.
   */
  deliver(batch: readonly BadActorEvent[]): Promise<void>
  /**
   * Events that have left for good. For a sink whose `deliver` also resolves for what it keeps for later or drops; it
   * then has `waiting` and `drops` too, and every event it was given is in exactly one of the three.
   */
  delivered?(): number
  /** Events that it took and keeps for later. */
  waiting?(): number
  /** What keeps it from working now, although `deliver` does not reject; null when all is well, or well again. */
  trouble?(): string | null
  /** Opens files or sockets again (SIGHUP). */
  reopen?(): Promise<void>
  /** What the sink itself had to leave out so far, by reason. */
  drops?(): ReadonlyMap<string, number>
  /** Lets go of files and sockets; resolves when what it was given is out. */
  stop(): Promise<void>
}

/** What every sink may use. */
export interface SinkContext {
  readonly log: Log
  readonly application: Application
}

export interface SinkDefinition<Rows extends OptionRows = OptionRows> {
  readonly name: string
  readonly options: Rows
  /** Null: not switched on. Throws an OperatorError when it is on and cannot work at all. */
  start(values: OptionValues<Rows>, context: SinkContext): Promise<Sink | null>
}

/** A sink with its options; the file's one export that `all.ts` lists. */
export function defineSink<const Rows extends OptionRows>(definition: SinkDefinition<Rows>): SinkDefinition<Rows> {
  return definition
}
