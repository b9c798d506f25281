// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { loadConfig } from '../config/load.ts'
import { SETTINGS } from '../config/settings.ts'
import { tomlKey } from '../ops/option.ts'
import { configReport } from './config-check.ts'

function report(argv: readonly string[], env: Readonly<Record<string, string>> = {}, file = ''): string[] {
  const readFile = () => new TextEncoder().encode(file)
  return configReport(loadConfig({ argv, env, homeDir: '/home/u', readFile })).split('\n')
}

test('every setting has its line, in the order of the rows', () => {
  const names = report([]).map((line) => line.split(' = ')[0])
  assert.deepEqual(names, [...SETTINGS.map(({ row }) => tomlKey(row)), ''])
})

for (const [line, argv, env, file] of [
  ['db_file = "./sentrypeer.db"  # default', [], {}, ''],
  ['db_file = "x.db"  # flag -f', ['-fx.db'], {}, ''],
  ['responsive = true  # SENTRYPEER_SIP_RESPONSIVE', [], { SENTRYPEER_SIP_RESPONSIVE: '' }, ''],
  [
    'sip_listen = ["[::1]:0", "127.0.0.1:0"]  # s.toml:2',
    ['-gs.toml'],
    {},
    '\nsip_listen = ["[::1]:0", "127.0.0.1:0"]',
  ],
  ['config = "s.toml"  # flag -g', ['-gs.toml'], {}, ''],
  ['api_key = (not set)  # default', [], {}, ''],
  ['api_key = (set)  # SENTRYPEER_API_KEY', [], { SENTRYPEER_API_KEY: 'hunter2' }, ''],
  ['oauth2_client_secret = (set)  # flag -c', ['-chunter2', '-ix'], {}, ''],
  ['webhook_url = "https://(set)@a.example/x"  # flag -w', ['-whttps://me:hunter2@a.example/x'], {}, ''],
  ['json_log = true  # flag -l', ['-lx'], {}, ''],
  ['db_file = "a\\u{202e}b"  # flag -f', ['-fa\u202eb'], {}, ''],
] as const) {
  test(`the report has the line ${line}`, () => {
    const lines = report(argv, env, file)
    assert(lines.includes(line), lines.join('\n'))
    assert(!lines.join('\n').includes('hunter2'))
  })
}
