// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { Ajv2020 } from 'ajv/dist/2020.js'
import fc from 'fast-check'
import { SINCE_PARAMETER } from './list-answer.ts'
import { checkParameters, type ParameterSchemas, parseQuery } from './parameters.ts'

const SCHEMAS = {
  limit: { description: 'a limit', type: 'integer', minimum: 1, maximum: 100 },
  order: { description: 'an order', type: 'string', enum: ['newest', 'oldest'], default: 'newest' },
  since: SINCE_PARAMETER,
} as const satisfies ParameterSchemas

const check = (query: string) => checkParameters(SCHEMAS, parseQuery(query))

for (const [query, expected, why] of [
  ['', { order: 'newest' }, 'has defaults'],
  ['limit=7', { limit: 7, order: 'newest' }, 'has a number'],
  ['limit=007', { limit: 7, order: 'newest' }, 'has a number with leading zeros'],
  ['&&limit=7&', { limit: 7, order: 'newest' }, 'has empty parts, which mean nothing'],
  ['%6cimit=%37', { limit: 7, order: 'newest' }, 'is percent-encoded'],
  ['order=oldest', { order: 'oldest' }, 'has a choice'],
] as const) {
  test(`the query "${query}" ${why}`, () => {
    assert.deepEqual(JSON.parse(JSON.stringify(check(query))), expected)
  })
}

for (const [query, why] of [
  ['limit=101', 'limit must be a whole number from 1 to 100'],
  ['limit', 'limit must be a whole number from 1 to 100'],
  ['order=', 'order must be one of newest, oldest'],
  ['limit=1&limit=1', 'a query parameter is given twice'],
  ['limit=%', 'the query is not valid percent-encoding'],
  ['%ff=1', 'the query is not valid percent-encoding'],
  ['__proto__=1', 'only these parameters are known here: limit, order, since'],
  ['toString=1', 'only these parameters are known here: limit, order, since'],
] as const) {
  test(`the query "${query}" is refused: ${why}`, () => assert.equal(check(query), why))
}

test('a plus sign in a query is a plus sign', () => {
  const query = parseQuery('number=+46&other=%2B46')
  assert.ok(query.kind === 'query')
  assert.deepEqual([...query.values.values()], ['+46', '+46'])
})

test('any names and values come back as they were encoded', () => {
  const texts = fc.dictionary(fc.string({ unit: 'grapheme', minLength: 1 }), fc.string({ unit: 'grapheme' }))
  fc.assert(
    fc.property(texts, (values) => {
      const pairs = Object.entries(values).map(
        ([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(value)}`,
      )
      const query = parseQuery(pairs.join('&'))
      assert.ok(query.kind === 'query')
      assert.deepEqual([...query.values], Object.entries(values))
    }),
  )
})

test('a parameter is taken exactly when ajv takes it by the same schema', () => {
  const ajv = new Ajv2020()
  const validators = Object.entries(SCHEMAS).map(([name, { description: _, ...schema }]) => ({
    name,
    takes: ajv.compile(schema),
    isNumber: schema.type === 'integer',
  }))
  const digits = fc.stringMatching(/^\d{1,4}$/)
  const time = fc.stringMatching(/^\d{4}-[01]\d-[0-3]\d([T +][0-2]\d:[0-6]\d(:[0-6]\d(\.\d{1,10})?)?Z?)?$/)
  const text = fc.oneof(digits, time, fc.constantFrom('newest', 'oldest', 'Newest', ''), fc.string())
  fc.assert(
    fc.property(fc.constantFrom(...validators), text, ({ name, takes, isNumber }, value) => {
      const read = isNumber && /^\d+$/.test(value) ? Number(value) : value
      const checked = check(`${name}=${encodeURIComponent(value)}`)
      assert.equal(typeof checked !== 'string', takes(read), `${name}=${value}`)
    }),
    { numRuns: 2_000 },
  )
})
