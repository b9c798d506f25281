// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { test } from 'node:test'
import { newApiKeyText } from './api-key.ts'

const TEXT =
  /^Key for the client, shown only now: {2}(\S+)\nLine for the config file: +api_key = "sha256:([0-9a-f]{64})"\n$/

test('a new key has 256 bits, in letters that a header takes', () => {
  const key = TEXT.exec(newApiKeyText(randomBytes))?.[1] ?? ''
  assert.match(key, /^[A-Za-z0-9_-]{43}$/)
})

test('the line for the config file is the hash of the key', () => {
  const [, key = '', hash] = TEXT.exec(newApiKeyText(randomBytes)) ?? []
  assert.equal(hash, createHash('sha256').update(key).digest('hex'))
})

test('two keys are not the same', () => assert.notEqual(newApiKeyText(randomBytes), newApiKeyText(randomBytes)))

test('a key that would look like a flag is drawn again', () => {
  const draws = [Buffer.alloc(32, 0xf8), Buffer.alloc(32, 1)] // 0xf8: the first six bits are 62, a dash
  assert.match(Buffer.alloc(32, 0xf8).toString('base64url'), /^-/)
  const text = newApiKeyText(() => draws.shift() ?? assert.fail('drawn too often'))
  assert.equal(TEXT.exec(text)?.[1], Buffer.alloc(32, 1).toString('base64url'))
})
