// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { PROOF_LEVELS, type Proof, type ProofBy } from '../../event/event.ts'
import type { IpAddress } from '../../net/ip.ts'
import { createCatchUp } from './catch-up.ts'
import { add, eventOf, settle, temporaryStore } from './fixture.ts'

const IP = '198.51.100.7' as IpAddress
const NUMBER = '00046500729221'
const at = (second: number) => `2026-11-22 01:02:${String(second).padStart(2, '0')}.000000000`

type Shown = readonly [second: number, proof: Proof, proofBy: ProofBy | null]

for (const [why, batches, expected] of [
  ['nothing was shown', [[[1, 'none', null]]], ['none', null, null]],
  ['a tag of ours came back', [[[1, 'none', null]], [[2, 'echo', 'to-tag']]], ['echo', at(2), 'to-tag']],
  ['the same was shown twice', [[[2, 'echo', 'nonce']], [[3, 'echo', 'to-tag']]], ['echo', at(2), 'nonce']],
  ['a better proof came later', [[[2, 'echo', 'nonce']], [[5, 'handshake', 'tls']]], ['handshake', at(5), 'tls']],
  ['a worse proof came later', [[[2, 'handshake', 'tcp']], [[5, 'echo', 'contact']]], ['handshake', at(2), 'tcp']],
  ['the earlier event is counted later', [[[4, 'echo', 'nonce']], [[1, 'echo', 'to-tag']]], ['echo', at(1), 'to-tag']],
  [
    'all of it is in one batch',
    [
      [
        [9, 'echo', 'nonce'],
        [8, 'handshake', 'tls'],
        [7, 'handshake', 'tcp'],
        [1, 'none', null],
      ],
    ],
    ['handshake', at(7), 'tcp'],
  ],
] as readonly (readonly [string, readonly (readonly Shown[])[], readonly unknown[]])[]) {
  test(`a bad actor has its best proof, when it was first given and how, and a number its best, when ${why}`, (t) => {
    for (const isFolded of [false, true]) {
      const { table, reader, catchUp } = temporaryStore(t)
      for (const batch of batches) {
        add(table, ...batch.map(([second, proof, proofBy]) => eventOf({ timestamp: at(second), proof, proofBy })))
        if (isFolded) settle(catchUp)
      }
      const actor = reader.badActor(IP)
      assert.deepEqual([actor?.bestProof, actor?.proofAt, actor?.proofBy], expected)
      assert.equal(reader.calledNumber(NUMBER)?.bestProof, expected[0])
    }
  })
}

test('best proof, when and how do not depend on how events are put into batches', (t) => {
  const { table, reader, database, catchUp } = temporaryStore(t)
  const shown = fc.tuple(fc.nat(59), fc.constantFrom(...PROOF_LEVELS))
  fc.assert(
    fc.property(
      fc.array(fc.array(shown, { minLength: 1, maxLength: 4 }), { minLength: 1, maxLength: 4 }),
      (batches) => {
        settle(catchUp)
        database.exec('DELETE FROM bad_actors; DELETE FROM called_numbers')
        for (const batch of batches) {
          add(table, ...batch.map(([second, proof]) => eventOf({ timestamp: at(second), proof, proofBy: 'nonce' })))
          if (batch.length % 2 === 0) settle(catchUp) // some in the views, some in the tail
        }
        const best = Math.max(...batches.flat().map(([, proof]) => PROOF_LEVELS.indexOf(proof)))
        const first = Math.min(
          ...batches
            .flat()
            .filter(([, proof]) => proof === PROOF_LEVELS[best])
            .map(([second]) => second),
        )
        const actor = reader.badActor(IP)
        assert.equal(actor?.bestProof, PROOF_LEVELS[best])
        assert.equal(actor?.proofAt, best === 0 ? null : at(first))
        assert.equal(reader.calledNumber(NUMBER)?.bestProof, PROOF_LEVELS[best])
      },
    ),
    { numRuns: 50 },
  )
})

test('a number has the best proof of all who dialled it, in To or in the Request-URI, and of nobody else', (t) => {
  const { table, reader } = temporaryStore(t)
  add(
    table,
    eventOf({ sourceIp: '198.51.100.1', calledNumber: '1', proof: 'none' }),
    eventOf({ sourceIp: '198.51.100.2', calledNumber: '1', requestUser: '2', proof: 'echo' }),
    eventOf({ sourceIp: '198.51.100.2', calledNumber: '3', proof: 'none' }),
    eventOf({ sourceIp: '198.51.100.2', calledNumber: 'admin', requestUser: '4', proof: 'handshake' }),
  )
  assert.deepEqual(
    ['1', '2', '3', '4'].map((number) => reader.calledNumber(number)?.bestProof),
    ['echo', 'echo', 'none', 'handshake'],
  )
})

test('rows of other programs count towards the proof, also where they do not say what showed it', (t) => {
  const { database, table, reader, catchUp } = temporaryStore(t)
  add(table, eventOf({ timestamp: at(5), proof: 'echo', proofBy: 'nonce' }))
  const foreign = database.prepare(
    'INSERT INTO honey (event_timestamp, source_ip, proof, proof_by, called_number) VALUES (?, ?, ?, ?, ?)',
  )
  foreign.run(at(3), IP, 'echo', null, '1')
  foreign.run(at(4), IP, 'no such level', 'tls', '2')
  foreign.run(at(9), '203.0.113.5', 'handshake', 'tcp', NUMBER)
  for (const isSettled of [false, true]) {
    if (isSettled) settle(catchUp)
    const { bestProof, proofAt, proofBy, seenCount } = reader.badActor(IP) ?? assert.fail('it was seen')
    assert.deepEqual([bestProof, proofAt, proofBy, seenCount], ['echo', at(3), null, 3])
    const other = reader.badActor('203.0.113.5' as IpAddress)
    assert.deepEqual([other?.bestProof, other?.proofAt, other?.proofBy], ['handshake', at(9), 'tcp'])
    assert.deepEqual(
      ['1', '2', NUMBER].map((number) => reader.calledNumber(number)?.bestProof),
      ['echo', 'none', 'handshake'],
    )
  }
  settle(createCatchUp(database))
  assert.equal(reader.badActor(IP)?.seenCount, 3)
})
