// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { parseCommand } from './command.ts'

for (const [argv, expected] of [
  [[], { kind: 'run', argv: [] }],
  [['-draps'], { kind: 'run', argv: ['-draps'] }],
  [['config', 'check'], { kind: 'config-check', argv: [] }],
  [['config', 'check', '-f', 'x'], { kind: 'config-check', argv: ['-f', 'x'] }],
  [['api-key'], { kind: 'api-key' }],
  [['purge', '--before', '2026-01-31'], { kind: 'purge', before: '2026-01-31', argv: [] }],
  [['purge', '-f', 'x', '--before=2026-01-31', '-v'], { kind: 'purge', before: '2026-01-31', argv: ['-f', 'x', '-v'] }],
  [['-h'], { kind: 'help' }],
  [['api-key', '--help'], { kind: 'help' }],
  [['config', '--version'], { kind: 'version' }],
  [['--bogus', 'stray', '-h'], { kind: 'help' }],
] as const) {
  test(`"sentrypeer ${argv.join(' ')}" is understood as ${expected.kind}`, () => {
    assert.deepEqual(parseCommand(argv), expected)
  })
}

for (const [argv, message] of [
  [['config'], '"config" needs to be told what to do'],
  [['config', 'chekc'], '"config" needs to be told what to do'],
  [['config', '-f', 'x'], '"config" needs to be told what to do'],
  [['api-key', 'now'], '"api-key" has no use for "now"'],
  [['api-key', '-a'], '"api-key" has no use for "-a"'],
  [['purge'], '"purge" needs to be told what to delete'],
  [['purge', '--before'], '"purge" needs to be told what to delete'],
  [['start'], 'there is no subcommand "start"'],
  [['\u001b]0;x\u0007'], 'there is no subcommand "\\u{1b}]0;x\\u{7}"'],
] as const) {
  test(`"sentrypeer ${argv.join(' ')}" is a mistake of usage`.replace(/\p{Cc}/gu, '?'), () => {
    assert.throws(() => parseCommand(argv), { code: 'USAGE', message, hint: /"sentrypeer --help"/ })
  })
}
