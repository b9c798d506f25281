// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { OperatorErrorCode } from '../ops/errors.ts'
import type { HealthReport } from './health.ts'
import type { MetricReading } from './metrics.ts'

/** Everything that the thread of the API needs and that does not change, as plain data. */
export interface ApiSettings {
  readonly listen: { readonly host: string; readonly port: number }
  /** Plain or `sha256:HEX`. None: everyone who reaches the socket may ask. */
  readonly keys: readonly string[]
  /** Listen beyond loopback even without a key. */
  readonly allowAnonymous: boolean
  /** Ranges whose clients may ask as often as they like. */
  readonly unlimitedRanges: readonly string[]
  readonly version: string
  readonly dbFile: string
  /** At a time. */
  readonly places: { readonly connections: number; readonly lists: number }
  /** Special-purpose ranges that are taken as public all the same. */
  readonly publicRanges: readonly string[]
  /** What is told until the main thread has been asked for the first time. */
  readonly first: Answers
}

/** What the main thread knows and the API may ask for. */
export interface Answers {
  readonly health: HealthReport
  readonly metrics: readonly MetricReading[]
}

export type LogLine = 'warn' | 'notice' | 'info' | 'debug'

export type ToApi =
  | { readonly kind: 'health'; readonly health: HealthReport }
  | { readonly kind: 'metrics'; readonly metrics: readonly MetricReading[] }
  | { readonly kind: 'stop' }

export type FromApi =
  | { readonly kind: 'listening'; readonly address: string; readonly port: number }
  /** The start failed for a reason that the operator can do something about. */
  | { readonly kind: 'refused'; readonly code: OperatorErrorCode; readonly reason: string; readonly hint: string }
  | { readonly kind: 'ask'; readonly what: keyof Answers }
  | { readonly kind: 'log'; readonly line: LogLine; readonly text: string }
  | { readonly kind: 'stopped' }
