// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { OptionValues } from '../ops/option.ts'
import { SINKS } from './all.ts'
import { createFeed, type SinkFeed } from './feed.ts'
import type { SinkContext, SinkDefinition } from './sink.ts'

/** The values of every sink's rows, by the sink's name. */
export type SinkValues = { readonly [Name in keyof typeof SINKS]: OptionValues<(typeof SINKS)[Name]['options']> }

/** Starts every sink that is switched on, each behind a feed of its own. Throws the OperatorError of the first that cannot. */
export async function startSinks(
  values: SinkValues,
  context: SinkContext,
  steadyMs: () => number,
): Promise<SinkFeed[]> {
  const feeds: SinkFeed[] = []
  try {
    for (const [name, definition] of Object.entries<SinkDefinition>(SINKS)) {
      const sink = await definition.start(values[name as keyof SinkValues], context) // the keys of SINKS and SinkValues are the same
      if (sink !== null) feeds.push(createFeed(sink, context.log, steadyMs))
    }
    return feeds
  } catch (error) {
    for (const feed of feeds) await feed.stop(0)
    throw error
  }
}
