// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OperatorError } from '../ops/errors.ts'
import { readConfigFile } from './config-file.ts'

function read(text: string) {
  return readConfigFile('s.toml', new TextEncoder().encode(text))
}

function values(text: string): Record<string, unknown> {
  return Object.fromEntries([...read(text)].map(([long, { value }]) => [long, value]))
}

for (const [text, expected, why] of [
  ['api_listen = "[::1]:0"', { 'api-listen': '[::1]:0' }, 'a key is the long flag with underscores'],
  ['[api]\nlisten = "[::1]:0"', { 'api-listen': '[::1]:0' }, 'tables are joined to it'],
  ['api.listen = "[::1]:0"', { 'api-listen': '[::1]:0' }, 'dotted keys are joined to it'],
  ['api = { listen = "[::1]:0" }', { 'api-listen': '[::1]:0' }, 'inline tables are joined to it'],
  ['[json.log]\nfile = "x"', { 'json-log-file': 'x' }, 'tables in tables are joined to it'],
  ['api = true', { api: true }, 'a switch is true'],
  ['[api]\nenabled = true', { api: true }, 'a switch is called enabled in its table'],
  ['[json_log]\nenabled = false\nfile = "x"', { 'json-log': false, 'json-log-file': 'x' }, 'a switch is false'],
  ['[sip]\nlisten = ["[::1]:0"]\ndisable = true', { 'sip-listen': ['[::1]:0'], 'sip-disable': true }, 'sip is a table'],
  ['cert = "c"\nkey = "k"', { 'tls-cert': 'c', 'tls-key': 'k' }, 'old keys are known at top level'],
  ['tls_listen_address = "0.0.0.0:5061"', { 'tls-listen': ['0.0.0.0:5061'] }, 'the old address is known'],
  ['[tls]\ncert = "c"\nkey = "k"', { 'tls-cert': 'c', 'tls-key': 'k' }, 'the table tls has its own'],
  ['[api]\n[syslog]\n', {}, 'empty tables say nothing'],
  ['api_key = []', { 'api-key': [] }, 'there may be no keys'],
  ['', {}, 'it is empty'],
  ['\ufeffapi = true', { api: true }, 'it has a byte order mark'],
] as const) {
  test(`the file ${JSON.stringify(text)} is read: ${why}`, () => assert.deepEqual(values(text), expected))
}

for (const [text, message, hint] of [
  [
    '\n\napi_listen = "x"',
    's.toml:3: api_listen must be ADDR:PORT, not "x"',
    'For example: api_listen = "127.0.0.1:8082"',
  ],
  [
    '[api]\n# x\nlisten = 1',
    's.toml:3: api_listen must be ADDR:PORT, not 1',
    'For example: api_listen = "127.0.0.1:8082"',
  ],
  ['api = "yes"', 's.toml:1: api must be true or false, not "yes"', 'For example: api = true'],
  ['api = 1', 's.toml:1: api must be true or false, not 1', 'For example: api = true'],
  [
    'sip_listen = []',
    's.toml:1: sip_listen must have one ADDR:PORT at least, not []',
    'For example: sip_listen = "0.0.0.0:5060"',
  ],
  [
    'sip_listen = [\n"[::1]:0",\n1]',
    's.toml:1: sip_listen must be a string or a list of strings, not ["[::1]:0",1]',
    'For example: sip_listen = "0.0.0.0:5060"',
  ],
  ['db_file = ""', 's.toml:1: db_file must name a file, not ""', 'For example: db_file = "./sentrypeer.db"'],
  [
    'db_file = "\\u0000"',
    's.toml:1: db_file must name a file, not "\\u0000"',
    'For example: db_file = "./sentrypeer.db"',
  ],
  [
    'oauth2_client_secret = 12345',
    's.toml:1: oauth2_client_secret must be text in quotes',
    'For example: oauth2_client_secret = "SECRET"',
  ],
  ['\nlisten = 1', 's.toml:2: there is no setting listen', 'docs/configuration.md lists every setting.'],
  ['\n[api]\nlisen = 1', 's.toml:3: there is no setting api_lisen', 'Did you mean api_listen?'],
  ['db-file = "x"', 's.toml:1: there is no setting db-file', 'Did you mean db_file?'],
  ['\n[whatever]', 's.toml:2: there is no setting whatever', 'docs/configuration.md lists every setting.'],
  ['"api.listen" = "[::1]:0"', 's.toml:1: there is no setting api.listen', 'Did you mean api_listen?'],
  ['[old]\ncert = "x"', 's.toml:2: there is no setting old_cert', 'Did you mean tls_cert?'],
  ['[[sip]]\nlisten = "[::1]:0"', 's.toml:1: there is no setting sip', 'Did you mean sip_listen?'],
  ['__proto__ = 1', 's.toml:1: there is no setting __proto__', 'docs/configuration.md lists every setting.'],
  ['config = "x"', 's.toml:1: a config file cannot name another one', 'Leave the line out.'],
  [
    'api_listen = "[::1]:0"\n[api]\nlisten = "[::1]:0"',
    's.toml:3: api_listen is set already at s.toml:1',
    'Leave one of the two out.',
  ],
  ['cert = "x"\ntls_cert = "x"', 's.toml:2: tls_cert is set already at s.toml:1', 'Leave one of the two out.'],
] as const) {
  test(`the file ${JSON.stringify(text)} is refused: ${message}`, () => {
    assert.throws(() => read(text), { code: 'CONFIG_INVALID', message, hint })
  })
}

test('a secret of the wrong type is not shown', () => {
  assert.throws(
    () => read('api_key = { plain = "hunter2" }'),
    (error) => !String(error).includes('hunter2'),
  )
  assert.throws(
    () => read('api_key = ["hunter2", 1]'),
    (error) => !String(error).includes('hunter2'),
  )
})

test('a mistake of syntax is told in one line, with line and column', () => {
  assert.throws(
    () => read('api = true\ndb_file = '),
    (error) => {
      assert(error instanceof OperatorError)
      assert.equal(error.code, 'CONFIG_INVALID')
      assert.match(error.message, /^s\.toml:2:\d+: [^\n]+$/)
      return true
    },
  )
})

test('a file that is not UTF-8 is refused', () => {
  const bytes = Uint8Array.of(0x23, 0xff, 0xfe)
  assert.throws(() => readConfigFile('s.toml', bytes), { code: 'CONFIG_INVALID', message: 's.toml is not UTF-8 text' })
})

test('a file may be anything and is read or refused with a reason', () => {
  const line = fc.oneof(
    fc.constantFrom(
      'api = true',
      '[api]',
      'listen = "[::1]:0"',
      'x = {',
      'x = [',
      ']',
      '}',
      '"""',
      "'''",
      'a.b = 1979-05-27',
      '#',
    ),
    fc.string({ unit: 'binary', maxLength: 20 }),
  )
  fc.assert(
    fc.property(fc.array(line), (lines) => {
      try {
        read(lines.join('\n'))
      } catch (error) {
        assert(error instanceof OperatorError, String(error))
        assert.equal(error.code, 'CONFIG_INVALID')
      }
    }),
    { numRuns: 1000 },
  )
})
