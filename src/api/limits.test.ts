// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { API_LIMITS, limitsWithin } from './limits.ts'

for (const [places, perClient] of [
  [{ connections: 512, lists: 32 }, [64, 8]],
  [{ connections: 241, lists: 32 }, [31, 8]],
  [{ connections: 49, lists: 8 }, [7, 2]],
  [{ connections: 4, lists: 1 }, [4, 1]],
] as const) {
  test(`of ${places.connections} connections and ${places.lists} lists one client has ${perClient.join(' and ')}`, () => {
    const limits = limitsWithin(places)
    assert.deepEqual([limits.mostPerClient, limits.maxListsPerClient], perClient)
    assert.deepEqual([limits.maxConnections, limits.maxLists], [places.connections, places.lists])
    assert.equal(limits.requestMs, API_LIMITS.requestMs)
  })
}
