// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { randomInt } from 'node:crypto'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { ASTERISK, createTestPbx } from '../src/honeypot/fixture-pbx.ts'
import { corpusMessages } from './corpus.ts'
import { temporaryFolder } from './daemon-process.ts'
import { faultOfReply } from './fuzz/faithful.ts'
import { keepFinding, minimised } from './fuzz/finding.ts'
import { createMutator } from './fuzz/mutate.ts'
import { fuzzParser } from './fuzz/parser.ts'
import { fuzzPbx } from './fuzz/pbx.ts'
import { createRandom } from './fuzz/random.ts'
import type { Campaign, Outcome } from './fuzz/target.ts'

/* The short run of the fuzzer, and what it takes for granted of itself. docs/fuzzing.md has the long one. */

const CORPUS = [...corpusMessages().values()]
const OPTIONS = [
  'OPTIONS sip:100@203.0.113.5 SIP/2.0',
  'Via: SIP/2.0/UDP 192.0.2.1:5071;branch=z9hG4bK1;rport',
  'From: <sip:100@203.0.113.5>;tag=1',
  'To: <sip:100@203.0.113.5>',
  'Call-ID: x',
  'CSeq: 1 OPTIONS',
  `User-Agent: ${'x'.repeat(400)}`,
  '',
  '',
].join('\r\n')

function assertNothingFound({ findings }: Outcome, seed: number): void {
  const kept = findings.map((finding, index) => `${finding.why}: ${keepFinding(finding, seed, index)}`)
  assert.deepEqual(kept, [], `seed ${seed}`)
}

for (const [limit, seed] of [
  [{ count: 20_000, seconds: 60 }, 1],
  [{ count: 1_000_000, seconds: 1 }, randomInt(2 ** 31)],
] as const) {
  const campaign: Campaign = { seed, ...limit, corpus: CORPUS, onProgress() {} }

  test(`damaged messages and streams are read as they should be, seed ${seed}`, () => {
    const outcome = fuzzParser(campaign)
    assertNothingFound(outcome, seed)
    assert.ok(outcome.inputs > 100)
  })

  test(`a PBX outlives what is sent to it and answers in its own words, seed ${seed}`, async () => {
    const outcome = await fuzzPbx(campaign)
    assertNothingFound(outcome, seed)
    assert.ok(outcome.inputs > 100)
  })
}

test('callers of the fuzzer log in, have calls up, and hang up', async () => {
  const { figures } = await fuzzPbx({ seed: 1, count: 3_000, seconds: 60, corpus: CORPUS, onProgress() {} })
  const statuses = String(figures['statuses'])
  for (const status of ['100', '180', '200', '202', '401', '407', '481', '487', '488']) {
    assert.match(statuses, new RegExp(`\\b${status}×`))
  }
})

test('a seed makes the same inputs every time, and another seed makes others', () => {
  const inputsOf = (seed: number) => {
    const mutator = createMutator(createRandom(seed), CORPUS)
    return Array.from({ length: 300 }, () => mutator.any().toString('latin1'))
  }
  assert.deepEqual(inputsOf(7), inputsOf(7))
  assert.notDeepEqual(inputsOf(7), inputsOf(8))
})

test('of an input that fails, the part that makes it fail is left', () => {
  const bytes = Buffer.from(`${OPTIONS}<${'y'.repeat(500)}"z`, 'latin1')
  const fails = (shorter: Buffer) => shorter.includes('<') && shorter.includes('"') && shorter.includes('CSeq')
  assert.equal(minimised(bytes, fails).toString('latin1').replace(/[<"]/g, ''), 'CSeq')
})

test('a finding is kept byte for byte, with a line how to see it again', async (t) => {
  const folder = await temporaryFolder(t)
  const bytes = Buffer.from([0, 255, 13, 10])
  const file = keepFinding({ target: 'pbx', why: 'threw', bytes, isAlone: true }, 5, 0, folder)
  assert.deepEqual(readFileSync(file), bytes)
  assert.match(readFileSync(file.replace('.sip', '.txt'), 'utf8'), /^Again: npm run fuzz -- --file \S+\/pbx-5-0\.sip$/m)
})

const [REPLY = ''] = createTestPbx().receive(OPTIONS).replies

for (const [why, change, fault] of [
  ['as it is', (reply: string) => reply, null],
  [
    'with a line of somebody else',
    (reply: string) => reply.replace('\r\nTo', '\r\nX: y\r\nTo'),
    'a line that is not ours',
  ],
  [
    'with a bare line feed',
    (reply: string) => reply.replace('Call-ID: x', 'Call-ID: x\nX: y'),
    'a line that is not ours',
  ],
  ['with another call', (reply: string) => reply.replace('Call-ID: x', 'Call-ID: y'), 'another Call-ID'],
  ['with two callees', (reply: string) => reply.replace(/To: .*\r\n/, '$&$&'), 'another To'],
  ['without Via', (reply: string) => reply.replace(/Via: .*\r\n/, ''), 'another number of Vias'],
  ['with more behind it', (reply: string) => `${reply}v=0\r\n`, 'a wrong Content-Length'],
  ['with a body of any kind', (reply: string) => `${reply}hello`, 'a body that is not ours'],
  ['of another program', (reply: string) => reply.replace(ASTERISK.agent[1], 'x'), 'an agent that is not ours'],
  [
    'with a reason of somebody else',
    (reply: string) => reply.replace('200 OK', '200 Fine'),
    'a status line that is not ours',
  ],
] as const) {
  test(`a reply ${why} is ${fault === null ? 'found faithful' : `found to have ${fault}`}`, () => {
    assert.equal(faultOfReply(change(REPLY), Buffer.from(OPTIONS, 'latin1'), ASTERISK), fault)
  })
}
