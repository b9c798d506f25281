// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { type TestContext, test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

interface Body {
  readonly called_numbers_total: number
  readonly called_numbers: readonly { readonly called_number: string }[]
  readonly next_cursor?: string | null
}

/** Number n was last called at second n. */
async function apiWithNumbers(t: TestContext, count: number) {
  const reader = createFixtureReader(
    ...Array.from({ length: count }, (_, index) => ({
      calledNumber: String(index),
      timestamp: new Date(Date.UTC(2026, 0, 1) + index * 1000).toISOString().replace('T', ' ').replace('Z', '000000'),
    })),
  )
  const api = await startFixtureApi(t, reader)
  return { reader, ...api, list: async (query: string) => (await api.json(`/numbers${query}`)) as Body }
}

const numbersOf = (body: Body) => body.called_numbers.map((row) => Number(row.called_number))

test('a list that nobody asked to page is whole, however long', async (t) => {
  const { list } = await apiWithNumbers(t, 5_000)
  const body = await list('')
  assert.equal(body.called_numbers_total, 5_000)
  assert.deepEqual(
    numbersOf(body),
    Array.from({ length: 5_000 }, (_, index) => 4_999 - index),
  )
  assert.equal('next_cursor' in body, false)
})

for (const order of ['newest', 'oldest'] as const) {
  test(`pages of the ${order} first follow one another without gap or repetition`, async (t) => {
    const api = await apiWithNumbers(t, 25)
    const seen: number[][] = []
    let path: string | null = `/numbers?limit=10&order=${order}`
    while (path !== null) {
      const answer: Response = await api.get(path)
      const body = (await answer.json()) as Body
      seen.push(numbersOf(body))
      const link: string | undefined = /^<([^>]+)>; rel="next"$/.exec(answer.headers.get('link') ?? '')?.[1]
      assert.equal(link?.includes(`cursor=${body.next_cursor}`) ?? null, body.next_cursor === null ? null : true)
      path = link ?? null
    }
    assert.deepEqual(
      seen.map((page) => page.length),
      [10, 10, 5],
    )
    const upwards = Array.from({ length: 25 }, (_, index) => index)
    assert.deepEqual(seen.flat(), order === 'newest' ? upwards.toReversed() : upwards)
  })
}

test('a page that ends with the last row says that there is no next one', async (t) => {
  const { list } = await apiWithNumbers(t, 10)
  assert.equal((await list('?limit=10')).next_cursor, null)
})

for (const [since, oldest] of [
  ['2026-01-01', 0],
  ['2026-01-01T00:00:07Z', 7],
  ['2026-01-01T00:00:07.5Z', 8],
  ['2026-01-01%2000:00:07', 7],
  ['2026-01-01+00:00:07', 7],
  ['2026-01-01T00:00', 0],
] as const) {
  test(`since=${since} leaves out what was last seen before`, async (t) => {
    const { list } = await apiWithNumbers(t, 10)
    const body = await list(`?since=${since}`)
    assert.equal(numbersOf(body).at(-1), oldest)
    assert.equal(body.called_numbers_total, 10)
    assert.equal(body.next_cursor, null)
  })
}

test('nothing since then is the same answer as nothing at all', async (t) => {
  const { get } = await apiWithNumbers(t, 10)
  const answer = await get('/numbers?since=2027-01-01')
  assert.equal(answer.status, 404)
  assert.equal(answer.headers.get('etag'), null)
  assert.deepEqual(await answer.json(), { message: 'No phone numbers found' })
})

for (const query of [
  'limit=0',
  'limit=10001',
  'limit=-1',
  'limit=1e3',
  'limit=',
  'order=up',
  'since=yesterday',
  'since=2026-13-01',
  'since=2026-01-01T24:00:00Z',
  'cursor=',
  'cursor=!!',
  'cursor=e30',
  'min_proof=sure',
  'limit=1&limit=1',
  'limit=%zz',
  'constructor=1',
  '__proto__=1',
]) {
  test(`/numbers?${query} is answered 400`, async (t) => {
    const { get } = await apiWithNumbers(t, 1)
    const answer = await get(`/numbers?${query}`)
    assert.equal(answer.status, 400)
    const body = (await answer.json()) as { error: string; detail: string }
    assert.equal(body.error, 'The request data was invalid')
    assert.notEqual(body.detail, '')
  })
}

test('the cursor of one list is not one of the other', async (t) => {
  const { list, get } = await apiWithNumbers(t, 3)
  const { next_cursor: cursor } = await list('?limit=1')
  assert.equal((await get(`/ip-addresses?cursor=${cursor}`)).status, 400)
})

test('a page leaves no snapshot behind', async (t) => {
  const { list, reader } = await apiWithNumbers(t, 1_000)
  await list('?limit=500')
  await t.waitFor(() => assert.equal(reader.openSnapshots(), 0), { timeout: 20_000 })
})
