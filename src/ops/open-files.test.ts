// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { platform } from 'node:process'
import { test } from 'node:test'
import { MOST, openFilesLimit, shareOpenFiles } from './open-files.ts'

for (const [openFiles, hasApi, shares, why] of [
  [null, true, [2_000, 512, 32, 32], 'no limit is known'],
  [65_536, true, [2_000, 512, 32, 32], 'there are plenty'],
  [4_096, true, [2_000, 512, 32, 32], 'there are plenty'],
  [1_024, true, [595, 241, 32, 32], 'a quarter is for clients of the API, more than a half for SIP'],
  [1_024, false, [940, 243, 32, 32], 'nobody asks the API'],
  [256, true, [111, 49, 8, 12], 'the same where there are few'],
  [256, false, [192, 51, 8, 12], 'nobody asks the API'],
  [64, true, [1, 4, 1, 1], 'never none'],
] as const) {
  test(`of ${openFiles ?? 'unlimited'} open files each part has its share${hasApi ? '' : ' without the API'}: ${why}`, () => {
    const { sipConnections, apiConnections, lists, calls } = shareOpenFiles(openFiles, { sockets: 4, hasApi })
    assert.deepEqual([sipConnections, apiConnections, lists, calls], shares)
  })
}

test('all shares together are never more than there are files, and more files are never less for anybody', () => {
  for (const hasApi of [false, true]) {
    for (const sockets of [2, 4, 7, 40]) {
      let before = shareOpenFiles(0, { sockets, hasApi })
      const enough = 39 + sockets + (hasApi ? 8 + 4 + 3 : 0) + 2 // what a node at rest has open, and the least of each
      for (let openFiles = enough; openFiles < 4_000; openFiles++) {
        const now = shareOpenFiles(openFiles, { sockets, hasApi })
        const ofApi = hasApi ? 8 + 3 * now.lists + now.apiConnections : 0
        const all = 39 + sockets + now.calls + now.sipConnections + ofApi
        assert.ok(all <= openFiles, `${all} of ${openFiles}`)
        for (const kind of ['apiConnections', 'lists', 'calls'] as const) assert.ok(now[kind] >= before[kind], kind)
        before = now
      }
      assert.deepEqual(before, MOST)
    }
  }
})

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
