// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { shareOpenFiles } from '../ops/open-files.ts'
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

test('docs/service.md says what share of the open files each part has', () => {
  const docs = readFileSync(new URL('../../docs/service.md', import.meta.url), 'utf8')
  const table = docs.slice(docs.indexOf('## Open files'), docs.indexOf('## Overload'))
  const rows = [...table.matchAll(/^\|[^|]+\|(( [\d,]+ \|){3})$/gm)].map(
    ([, cells = '']) => cells.match(/[\d,]+/g) ?? [],
  )
  const columns = [65_536, 1_024, 256].map((openFiles) => {
    const { sipConnections, apiConnections, lists, calls } = shareOpenFiles(openFiles, { sockets: 7, hasApi: true })
    const { mostPerClient, maxListsPerClient } = limitsWithin({ connections: apiConnections, lists })
    return [sipConnections, apiConnections, mostPerClient, lists, maxListsPerClient, calls]
  })
  assert.deepEqual(
    rows,
    columns[0]?.map((_, row) => columns.map((column) => (column[row] ?? 0).toLocaleString('en'))),
  )
})
