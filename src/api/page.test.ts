// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

const FIREFOX = 'text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8'

for (const [accept, page] of [
  [FIREFOX, true],
  ['TEXT/HTML', true],
  ['text/html;q=0.5, application/json;q=0.5', true],
  ['text/html;q=0.4, application/json;q=0.5', false],
  ['text/html;q=0', false],
  ['text/html;q=x', false],
  ['application/json', false],
  ['*/*', false],
  ['text/*', false],
  ['', false],
] as const) {
  test(`Accept: ${accept} asks for ${page ? 'a page' : 'JSON'}`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader())
    for (const path of ['/', '/health-check']) {
      const answer = await api.get(path, { Accept: accept })
      assert.equal(answer.headers.get('content-type')?.startsWith(page ? 'text/html' : 'application/json'), true, path)
      assert.match(answer.headers.get('vary') ?? '', /\bAccept\b/)
    }
  })
}

test('every link of the first page leads somewhere', async (t) => {
  const api = await startFixtureApi(t, createFixtureReader({}))
  const page = await (await api.get('/', { Accept: FIREFOX })).text()
  const links = [...page.matchAll(/href="([^"]+)"/g)].map(([, link]) => link ?? '')
  assert.ok(links.length > 3)
  for (const link of links) assert.equal((await api.get(link)).status, 200, link)
})
