// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { isLoopback, requireKeyBeyondLoopback } from './loopback.ts'

for (const [host, expected] of [
  ['127.0.0.1', true],
  ['127.9.9.9', true],
  ['::1', true],
  ['localhost', true],
  ['0.0.0.0', false],
  ['::', false],
  ['192.0.2.1', false],
  ['127.example.org', false],
] as const) {
  test(`${host} ${expected ? 'is loopback and needs no key' : 'is beyond loopback and needs a key'}`, () => {
    assert.equal(isLoopback(host), expected)
    const ask = () => requireKeyBeyondLoopback(host, [], false)
    if (expected) ask()
    else assert.throws(ask, { code: 'API_NEEDS_KEY' })
    requireKeyBeyondLoopback(host, ['key'], false)
    requireKeyBeyondLoopback(host, [], true)
  })
}
