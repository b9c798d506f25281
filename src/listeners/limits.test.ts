// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { platform } from 'node:process'
import { test } from 'node:test'
import { type IpAddress, parseIp } from '../net/ip.ts'
import { CONNECTION_LIMITS, createDoorkeeper, openFilesLimit, withinFileLimit } from './limits.ts'

const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)

test('all addresses of one IPv6 /64 share the places of one source, and give them back', () => {
  const doorkeeper = createDoorkeeper({ ...CONNECTION_LIMITS, maxPerSource: 2 })
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2::1')), 'admitted')
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2::2')), 'admitted')
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2:ffff::3')), 'too-many-from-source')
  assert.equal(doorkeeper.admit(ip('2001:db8:1:3::1')), 'admitted')
  doorkeeper.release(ip('2001:db8:1:2::1'))
  assert.equal(doorkeeper.admit(ip('2001:db8:1:2::4')), 'admitted')
})

test('neighbours of IPv4 are different sources', () => {
  const doorkeeper = createDoorkeeper({ ...CONNECTION_LIMITS, maxPerSource: 1 })
  assert.equal(doorkeeper.admit(ip('192.0.2.1')), 'admitted')
  assert.equal(doorkeeper.admit(ip('192.0.2.2')), 'admitted')
})

for (const [openFiles, maxTotal, why] of [
  [null, 2_000, 'no limit is known'],
  [1_048_576, 2_000, 'there are plenty'],
  [2_100, 2_000, 'there are just enough'],
  [1_024, 924, 'a hundred are for others'],
  [150, 75, 'half are for others where there are few'],
  [3, 1, 'the larger half is for others'],
] as const) {
  test(`with ${openFiles ?? 'unlimited'} open files ${maxTotal} connections are served: ${why}`, () => {
    assert.deepEqual(withinFileLimit(CONNECTION_LIMITS, openFiles), { ...CONNECTION_LIMITS, maxTotal })
  })
}

test('the limit of open files is read where the system tells it', { skip: platform !== 'linux' }, async () => {
  const limit = await openFilesLimit()
  assert.ok(limit === null || limit > 0)
  assert.equal(limit, fileLimitInReport())
})

/** As Node.js itself sees it. */
function fileLimitInReport(): number | null {
  const { userLimits } = process.report.getReport() as unknown as {
    readonly userLimits: { readonly open_files: { readonly soft: number | 'unlimited' } }
  }
  return userLimits.open_files.soft === 'unlimited' ? null : userLimits.open_files.soft
}
