// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type TestContext, test } from 'node:test'
import { loadConfig } from './config/load.ts'
import { OPTIONS } from './config/options.ts'
import { CALL_ENDS } from './honeypot/calls.ts'
import { PERSONA_NAMES } from './honeypot/persona.ts'
import { systemClock } from './ops/clock.ts'
import { createCounters } from './ops/counters.ts'
import { createPbx, type Pbx } from './pbx.ts'

const IDENTITY = { seed: '00', persona: 'cisco' }

async function pbxWith(t: TestContext, argv: readonly string[], identity = IDENTITY): Promise<Pbx> {
  const { core } = loadConfig({ argv, env: {}, homeDir: '/nowhere', readFile: () => new Uint8Array() })
  const pbx = await createPbx({
    core,
    identity,
    clock: systemClock(),
    counters: createCounters(),
    isOwnSocket: () => false,
    maxCalls: 32,
    onRetransmitted: () => {},
  })
  t.after(() => pbx.stop())
  return pbx
}

async function fileWith(t: TestContext, text: string): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'sentrypeer-test-'))
  t.after(() => rm(folder, { recursive: true }))
  const file = join(folder, 'file')
  await writeFile(file, text)
  return file
}

test('the choices of the options are those that there are', () => {
  assert.deepEqual(OPTIONS.persona.choices, ['random', ...PERSONA_NAMES, 'custom'])
  assert.deepEqual(OPTIONS.callEnd.choices, CALL_ENDS)
})

for (const [argv, kept, name, why] of [
  [[], 'cisco', 'cisco', 'is the one that was picked at the first start'],
  [['--persona', '3cx'], 'cisco', '3cx', 'is the one that was asked for'],
  [[], 'from-a-later-version', PERSONA_NAMES[0], 'is a known one when that which was kept is not'],
] as const) {
  test(`the persona of "${argv.join(' ')}" ${why}`, async (t) => {
    const pbx = await pbxWith(t, argv, { ...IDENTITY, persona: kept })
    assert.equal(pbx.personaName, name)
  })
}

test('a persona of your own needs no more than its file', async (t) => {
  const file = await fileWith(t, 'agent = "Mine 1.0"\nbased_on = "kamailio"\n')
  for (const argv of [[], ['--persona', 'custom']]) {
    const pbx = await pbxWith(t, [...argv, '--persona-file', file])
    assert.equal(pbx.personaName, 'custom')
  }
})

for (const [argv, text, code, message] of [
  [['--persona', 'custom'], '', 'PERSONA_INVALID', /needs the file/],
  [['--persona', 'cisco', '--persona-file', 'FILE'], '', 'PERSONA_INVALID', /--persona cisco is none/],
  [['--persona-file', '/nowhere/at.all'], '', 'FILE_UNREADABLE', /cannot read \/nowhere\/at\.all: ENOENT/],
  [['--persona-file', 'FILE'], 'agent = ', 'PERSONA_INVALID', /Invalid TOML/],
  [['--persona-file', 'FILE'], 'agnet = "x"', 'PERSONA_INVALID', /agnet/],
  [['--weak-passwords', 'FILE'], `ok\n${'x'.repeat(500)}\n`, 'FILE_UNREADABLE', /line 2/],
  [['--weak-passwords', '/nowhere/at.all'], '', 'FILE_UNREADABLE', /ENOENT/],
  [['--extensions', '100-99'], '', 'CONFIG_INVALID', /--extensions: /],
] as const) {
  test(`"${argv.join(' ')}" with ${JSON.stringify(text.slice(0, 20))} is refused with ${code}`, async (t) => {
    const file = await fileWith(t, text)
    const given = argv.map((argument) => (argument === 'FILE' ? file : argument))
    await assert.rejects(pbxWith(t, given), (error: { code?: string; message?: string }) => {
      assert.equal(error.code, code)
      assert.match(error.message ?? '', message)
      return true
    })
  })
}
