// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { parse } from 'smol-toml'
import { pathKey, tomlLines } from './toml-lines.ts'

const DOCUMENT = `# api_listen = "not here"
db_file = "x.db" # nor here: api_listen = 1
text = """
api_listen = "nor here"
"quoted" \\""" still """""
raw = '''
[api]
it''s''''

[api]
"listen" = '127.0.0.1:1'
keys . 'a.b' = [ # a list
  "one", # [api]
  "two"
]
inline = { first = 1, "second" = { third = [ { fourth = 2 } ] } }

[ json . log ]
file=1979-05-27T07:32:00Z
[[many]]
name = true`

for (const [path, line] of [
  [['db_file'], 2],
  [['text'], 3],
  [['raw'], 6],
  [['api'], 10],
  [['api', 'listen'], 11],
  [['api', 'keys'], 12],
  [['api', 'keys', 'a.b'], 12],
  [['api', 'inline'], 16],
  [['api', 'inline', 'second', 'third'], 16],
  [['json', 'log', 'file'], 19],
  [['many'], 20],
  [['many', 'name'], 21],
] as const) {
  test(`the key ${path.join(' / ')} is found on line ${line}`, () => {
    parse(DOCUMENT)
    assert.equal(tomlLines(DOCUMENT).get(pathKey(path)), line)
  })
}

for (const [why, text] of [
  ['a carriage return before each line end', 'a = 1\r\n\r\nb = 2\r\n'],
  ['a byte order mark', '\ufeffa = 1\n\nb = 2'],
] as const) {
  test(`lines are counted right with ${why}`, () => {
    const lines = tomlLines(text)
    assert.deepEqual([lines.get(pathKey(['a'])), lines.get(pathKey(['b']))], [1, 3])
  })
}

test('a table that is written in several places is found at the first', () => {
  assert.equal(tomlLines('a.b = 1\na.c = 2').get(pathKey(['a'])), 1)
})

test('keys in text, comments and lists are no keys', () => {
  const lines = tomlLines(DOCUMENT)
  assert.equal(lines.has(pathKey(['api_listen'])), false)
  assert.equal(lines.get(pathKey(['api', 'quoted'])), undefined)
})

// Documents made at random, each with the lines on which its keys were written.

interface Key {
  readonly name: string
  readonly written: string
}

type Value = { readonly written: string } | { readonly gap: string; readonly pairs: readonly Pair[] }

interface Pair {
  readonly keys: readonly Key[]
  readonly value: Value
}

interface Table {
  readonly header: readonly Key[]
  readonly open: readonly [string, string]
  readonly pairs: readonly Pair[]
  readonly between: string
}

const plainText = fc.string({ unit: 'grapheme', maxLength: 8 }).filter((text) => !/[\u007f\u0000-\u001f]/.test(text))
const anyKey: fc.Arbitrary<Key> = fc.oneof(
  fc.stringMatching(/^[A-Za-z0-9_-]{1,6}$/).map((name) => ({ name, written: name })),
  fc
    .string({ unit: 'grapheme', maxLength: 6 })
    .filter((name) => !name.includes('\u007f'))
    .map((name) => ({ name, written: JSON.stringify(name) })),
  plainText.filter((name) => !name.includes("'")).map((name) => ({ name, written: `'${name}'` })),
)
const plainValue = fc.oneof(
  fc.constantFrom('1', '-0.5e3', 'true', 'inf', '0xff', '1979-05-27', '07:32:00', '1979-05-27 07:32:00.5-07:00'),
  plainText.map((text) => JSON.stringify(text)),
  plainText.filter((text) => !text.includes("'")).map((text) => `'${text}'`),
  fc.constantFrom(
    '"""\na = 1\n"quoted" \\""" [b]"""""',
    "'''\n[c] # no\n''\n'''",
    '"""""""',
    '"\\"] = # \\\\"',
    "'''''''",
    '""',
  ),
  fc.constantFrom('[]', '[\n  1, # one ]\n  [ "a", "]" ],\n]', '[ "x = 1", 2 ]'),
)
const anyValue = (depth: number): fc.Arbitrary<Value> => {
  const plain = plainValue.map((written): Value => ({ written }))
  if (depth === 0) return plain
  const inline = fc.record({
    gap: fc.constantFrom(' ', '', '\n'),
    pairs: fc.array(anyPair(depth - 1), { maxLength: 3 }),
  })
  return fc.oneof({ weight: 3, arbitrary: plain }, inline)
}
function anyPair(depth: number): fc.Arbitrary<Pair> {
  return fc.record({ keys: fc.array(anyKey, { minLength: 1, maxLength: 2 }), value: anyValue(depth) })
}
const anyDocument = fc.array(
  fc.record({
    header: fc.array(anyKey, { minLength: 1, maxLength: 3 }),
    open: fc.constantFrom(['[', ']'], ['[ ', ' ]'], ['[\t', '] # x = [[y]]']) as fc.Arbitrary<[string, string]>,
    pairs: fc.array(anyPair(2), { maxLength: 4 }),
    between: fc.constantFrom('', '\n', '  # a = "b\n', '\t\n\n'),
  }),
  { maxLength: 4 },
)

/** The document as text, and where each value's key stands. Keys get a number, so that none comes twice. */
function written(tables: readonly Table[]): { text: string; lines: Map<string, number> } {
  const lines = new Map<string, number>()
  let text = ''
  let count = 0
  const line = () => text.split('\n').length
  const writeKeys = (keys: readonly Key[]): string[] => {
    const numbered = keys.map(({ name, written: as }) => {
      const number = `k${count++}`
      const quote = /^["']/.exec(as)?.[0] ?? ''
      return { name: name + number, as: quote === '' ? as + number : as.slice(0, -1) + number + quote }
    })
    text += numbered.map(({ as }) => as).join(' . ')
    return numbered.map(({ name }) => name)
  }
  const writePair = ({ keys, value }: Pair, above: readonly string[]) => {
    const startLine = line()
    const path = [...above, ...writeKeys(keys)]
    text += ' = '
    if ('written' in value) {
      text += value.written
      lines.set(pathKey(path), startLine)
      return
    }
    text += `{${value.gap}`
    value.pairs.forEach((pair, position) => {
      if (position > 0) text += `${value.gap},${value.gap}`
      writePair(pair, path)
    })
    text += `${value.gap}}`
  }
  for (const [position, { header, open, pairs, between }] of tables.entries()) {
    let path: string[] = []
    if (position > 0) {
      text += open[0]
      path = writeKeys(header)
      text += `${open[1]}\n`
    }
    for (const pair of pairs) {
      writePair(pair, path)
      text += `${between === '' ? '' : ' '}${between}\n`
    }
  }
  return { text, lines }
}

function leaves(table: object, above: readonly string[] = []): string[] {
  return Object.entries(table).flatMap(([key, value]) => {
    const isTable = typeof value === 'object' && !Array.isArray(value) && !(value instanceof Date)
    return isTable ? leaves(value, [...above, key]) : [pathKey([...above, key])]
  })
}

test('every value of any document is found on the line where its key was written', () => {
  fc.assert(
    fc.property(anyDocument, (tables) => {
      const { text, lines } = written(tables)
      assert.deepEqual(leaves(parse(text)).sort(), [...lines.keys()].sort())
      const found = tomlLines(text)
      for (const [key, line] of lines) assert.equal(found.get(key), line, `${key} in\n${text}`)
    }),
    { numRuns: 1000 },
  )
})

test('the walk ends on any text, TOML or not, unless a key cannot be read', () => {
  fc.assert(
    fc.property(fc.stringMatching(/^[a-c"'\\[\]{}=.,# \n]{0,40}$/), (text) => {
      try {
        tomlLines(text)
      } catch (error) {
        assert.match(String(error), /Invalid TOML document/)
      }
    }),
    { numRuns: 2000 },
  )
})
