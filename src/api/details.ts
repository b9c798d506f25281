// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyRequest } from 'fastify'
import type { Profile, Tally } from '../store/store.ts'
import { EVENT_SUMMARY_SCHEMA, eventSummary } from './event-body.ts'
import type { ParameterSchemas, ParameterValues } from './parameters.ts'
import type { JsonSchema } from './route.ts'

/** How many events the details show, at most. */
const RECENT_EVENTS = 10

/**
 * The one parameter of details. Each examined event is a row of its own somewhere in the file, 1.4 µs from memory and far
 * more from a disk: five are a third of the time of ten, and who wants none, a PBX say, need not wait for any.
 */
export const DETAIL_PARAMETERS = {
  examine: {
    description: 'How many of the newest events to look at for the counts and `recent_events`; 0 is the quickest',
    type: 'integer',
    minimum: 0,
    maximum: 100,
    default: 5,
  },
} as const satisfies ParameterSchemas

/** The value of `examine`, checked by the server. */
export function examineOf(request: FastifyRequest): number {
  const { examine } = request.query as ParameterValues<typeof DETAIL_PARAMETERS>
  return examine
}

const MAX_VALUE_CHARACTERS = 256 // an attacker's User-Agent may be 64 KiB, and there may be a hundred of them

/** Key of one counterpart's tally, and of the list of them: a bad actor's called numbers, a number's bad actors. */
export type Counterpart = readonly ['called_number', 'called_numbers'] | readonly ['ip_address', 'ip_addresses']

/** What both kinds of details count, as keys of the body. */
export function profileBody(profile: Profile, [one, many]: Counterpart) {
  return {
    examined_events: profile.examined,
    methods: tallies(profile.methods, 'method'),
    user_agents: tallies(profile.userAgents, 'user_agent'),
    [many]: tallies(profile.counterparts, one),
    recent_events: profile.newest.map(eventSummary),
  }
}

/** Properties of `profileBody` for the schema of an answer. */
export function detailProperties([one, many]: Counterpart) {
  return {
    examined_events: {
      type: 'integer',
      description: 'How many of the newest events the counts below are over; at most `examine`',
    },
    methods: tallySchema('method'),
    user_agents: tallySchema('user_agent'),
    [many]: tallySchema(one),
    recent_events: { type: 'array', maxItems: RECENT_EVENTS, items: EVENT_SUMMARY_SCHEMA },
  } satisfies JsonSchema
}

// With the name of the key computed, an object takes ten times as long to make.
const TALLY_BODIES = {
  method: (value: string, count: string) => ({ method: value, seen_count: count }),
  user_agent: (value: string, count: string) => ({ user_agent: value, seen_count: count }),
  called_number: (value: string, count: string) => ({ called_number: value, seen_count: count }),
  ip_address: (value: string, count: string) => ({ ip_address: value, seen_count: count }),
} as const

function tallies(counted: readonly Tally[], name: keyof typeof TALLY_BODIES) {
  return counted.map(({ value, seenCount }) => TALLY_BODIES[name](shortened(value), String(seenCount)))
}

function shortened(value: string): string {
  if (value.length <= MAX_VALUE_CHARACTERS) return value
  return `${value
    .slice(0, MAX_VALUE_CHARACTERS)
    .toWellFormed()
    .replace(/\ufffd$/, '')}…`
}

function tallySchema(name: string): JsonSchema {
  return {
    type: 'array',
    description: 'Most frequent first; a value longer than 256 characters is cut and ends with an ellipsis',
    items: {
      type: 'object',
      required: [name, 'seen_count'],
      properties: { [name]: { type: 'string' }, seen_count: { type: 'string' } },
    },
  }
}
