// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OperatorError } from '../ops/errors.ts'
import { readFlags, requestedText } from './flags.ts'

function values(...argv: string[]): Record<string, unknown> {
  return Object.fromEntries([...readFlags(argv)].map(([long, { value }]) => [long, value]))
}

for (const [argv, expected, why] of [
  [['-draps'], { debug: true, responsive: true, api: true, 'peer-to-peer': true, syslog: true }, 'short ones cluster'],
  [['-f', 'x.db'], { 'db-file': 'x.db' }, 'a value comes after a space'],
  [['-fx.db'], { 'db-file': 'x.db' }, 'a value is attached'],
  [['-rafx.db'], { responsive: true, api: true, 'db-file': 'x.db' }, 'a cluster ends with a value'],
  [['-raf', 'x.db'], { responsive: true, api: true, 'db-file': 'x.db' }, 'a cluster is followed by a value'],
  [['--db-file', 'x.db'], { 'db-file': 'x.db' }, 'long ones have a value after a space'],
  [['--db-file=x=y.db'], { 'db-file': 'x=y.db' }, 'the first equals sign ends the name'],
  [['-f', '-'], { 'db-file': '-' }, 'a lone dash is a value'],
  [['-f-x'], { 'db-file': '-x' }, 'a value with a dash is attached'],
  [['--api-key=-x'], { 'api-key': ['-x'] }, 'a value with a dash is attached to a long one too'],
  [['-f', 'one', '-f', 'two'], { 'db-file': 'two' }, 'of one value the last counts'],
  [
    ['--sip-listen', '[::1]:1', '--sip-listen=a.example:2'],
    { 'sip-listen': ['[::1]:1', 'a.example:2'] },
    'a list grows',
  ],
  [
    ['-z', '127.0.0.1:0', '--tls-listen', '[::1]:0'],
    { 'tls-listen': ['127.0.0.1:0', '[::1]:0'] },
    'short and long add up',
  ],
  [['-vv'], { verbose: true }, 'a switch may be said twice'],
  [['--'], {}, 'nothing comes after --'],
  [[], {}, 'there are none'],
] as const) {
  test(`flags ${JSON.stringify(argv)} are read: ${why}`, () => assert.deepEqual(values(...argv), expected))
}

for (const [argv, message, hint] of [
  [['--bogus'], 'there is no flag --bogus', /^"sentrypeer --help"/],
  [['--db-fil=x'], 'there is no flag --db-fil', /Did you mean --db-file\?/],
  [['-x'], 'there is no flag -x', /--help/],
  [['-ax'], 'there is no flag -x', /--help/],
  [['--f', 'x'], 'there is no flag --f', /--help/],
  [['--__proto__'], 'there is no flag --__proto__', /--help/],
  [['--constructor=1'], 'there is no flag --constructor', /--help/],
  [['--no-api'], 'there is no flag --no-api', /--help/],
  [['stray'], 'there is no use for the argument "stray"', /--help/],
  [['-a', 'stray\u001b[2J'], 'there is no use for the argument "stray\\u{1b}[2J"', /--help/],
  [['--', '-a'], 'there is no use for the argument "-a"', /--help/],
  [['-f'], '-f needs a value', /--help/],
  [['--db-file'], '--db-file needs a value', /--help/],
  [['-f', '-a'], '-f needs a value', /attached: -f-….*--help/],
  [['--db-file', '--api'], '--db-file needs a value', /attached: --db-file=-….*--help/],
  [['--api=1'], '--api is a switch and takes no value', /--help/],
  [['-f', ''], '-f must name a file, not ""', /For example: -f \.\/sentrypeer\.db\. .*--help/],
  [['-z', '5061'], '-z must be ADDR:PORT, not "5061"', /For example: -z 0\.0\.0\.0:5061\./],
  [['--api-listen=::1:80'], '--api-listen must be ADDR:PORT, not "::1:80"', /--help/],
  [['--json-profile', 'x'], '--json-profile must be one of seed, tpot, not "x"', /--help/],
  [['-w', 'ftp://x/'], '-w must be an http or https URL, not "ftp://x/"', /--help/],
  [
    ['--api-key', 'sha256:12'],
    '--api-key must be visible ASCII characters, or sha256: and 64 hexadecimal digits',
    /--help/,
  ],
  [['--api-key=a b'], '--api-key must be visible ASCII characters, or sha256: and 64 hexadecimal digits', /--help/],
  [['--public-range', 'x'], '--public-range must be NETWORK/BITS, not "x"', /192\.0\.2\.0\/24/],
] as const) {
  test(`flags ${JSON.stringify(argv)} are refused: ${message}`, () => {
    assert.throws(
      () => readFlags(argv),
      (error) => {
        assert(error instanceof OperatorError)
        assert.deepEqual([error.code, error.message], ['USAGE', message])
        assert.match(error.hint, hint)
        return true
      },
    )
  })
}

test('the origin of a value is the flag as it was typed', () => {
  const source = readFlags(['-rfx', '--api'])
  assert.deepEqual(
    [...source.values()].map(({ origin, flag }) => [origin, flag]),
    [
      ['flag -r', '-r'],
      ['flag -f', '-f'],
      ['flag --api', '--api'],
    ],
  )
})

for (const [argv, expected] of [
  [['-h'], 'help'],
  [['--bogus', '--help'], 'help'],
  [['-ah'], 'help'],
  [['-V'], 'version'],
  [['--version', '-h'], 'version'],
  [['-f', '-h'], null],
  [['-a', '--', '-h'], null],
  [['-a'], null],
] as const) {
  test(`${JSON.stringify(argv)} asks for ${expected ?? 'no text'}`, () => assert.equal(requestedText(argv), expected))
}

test('whatever the command line says, it is read or refused as a mistake of usage', () => {
  const piece = fc.oneof(fc.constantFrom('-f', '-rapx', '--db-file', '--sip-listen=', '--', '-', '[::]:1'), fc.string())
  fc.assert(
    fc.property(fc.array(piece), (argv) => {
      requestedText(argv)
      try {
        readFlags(argv)
      } catch (error) {
        assert(error instanceof OperatorError, String(error))
        assert.equal(error.code, 'USAGE')
      }
    }),
  )
})
