// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { jsonlog } from './jsonlog.ts'
import { syslog } from './syslog.ts'

/** Every sink there is. A new sink is its file and its line here; a test fails when the line is forgotten. */
export const SINKS = { jsonlog, syslog } as const
