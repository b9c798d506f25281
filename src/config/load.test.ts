// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { OperatorError } from '../ops/errors.ts'
import { environmentName, type OptionRow, tomlKey } from '../ops/option.ts'
import { type Config, loadConfig } from './load.ts'
import { isList, SETTINGS } from './settings.ts'

interface Given {
  readonly argv?: readonly string[]
  readonly env?: Readonly<Record<string, string>>
  readonly files?: Readonly<Record<string, string | Uint8Array | Error>>
}

/** Loads from files in memory; the user's home is /home/u. */
function load({ argv = [], env = {}, files = {} }: Given): Config {
  const readFile = (path: string) => {
    const content = files[path] ?? Object.assign(new Error(`no such file: ${path}`), { code: 'ENOENT' })
    if (content instanceof Error) throw content
    return typeof content === 'string' ? new TextEncoder().encode(content) : content
  }
  return loadConfig({ argv, env, homeDir: '/home/u', readFile })
}

function refusal(given: Given): OperatorError {
  try {
    load(given)
  } catch (error) {
    if (error instanceof OperatorError) return error
    throw error
  }
  return assert.fail('it was not refused')
}

const STANDARD_FILE = '/home/u/.config/sentrypeer/default-config.toml'

test('with nothing given every setting has its default', () => {
  const { core, sinks, origins, warnings } = load({})
  for (const { section, name, row } of SETTINGS) {
    const values: Record<string, unknown> = section === 'core' ? core : sinks[section]
    assert.deepEqual(values[name], row.default, row.long)
    assert.equal(origins[row.long], 'default')
  }
  assert.deepEqual(warnings, [])
})

for (const [given, file, origin] of [
  [
    { argv: ['-f', '1'], env: { SENTRYPEER_DB_FILE: '2' }, files: { [STANDARD_FILE]: 'db_file = "3"' } },
    '1',
    'flag -f',
  ],
  [{ env: { SENTRYPEER_DB_FILE: '2' }, files: { [STANDARD_FILE]: 'db_file = "3"' } }, '2', 'SENTRYPEER_DB_FILE'],
  [{ files: { [STANDARD_FILE]: '\ndb_file = "3"' } }, '3', `${STANDARD_FILE}:2`],
  [{}, './sentrypeer.db', 'default'],
] as const) {
  test(`the database file comes from ${origin} when nothing before it says one`, () => {
    const { core, origins } = load(given)
    assert.deepEqual([core.dbFile, origins['db-file']], [file, origin])
  })
}

for (const text of ['0', '', 'false', '1']) {
  test(`a switch is on when its variable is "${text}"`, () => {
    const { core, sinks } = load({ env: { SENTRYPEER_SIP_RESPONSIVE: text, SENTRYPEER_SYSLOG: text } })
    assert.deepEqual([core.responsive, sinks.syslog.enabled], [true, true])
  })
}

test('every variable of a switch switches it on', () => {
  for (const { section, name, row } of SETTINGS.filter((setting) => setting.row.kind === 'switch')) {
    const config = load({ env: { [environmentName(row) ?? '']: '' } })
    const values: Record<string, unknown> = section === 'core' ? config.core : config.sinks[section]
    assert.equal(values[name], true, row.long)
  }
})

test('any other variable that is empty is as good as not set', () => {
  const empty = SETTINGS.filter(({ row }) => row.kind !== 'switch').map(({ row }) => [environmentName(row), ''])
  assert.deepEqual(load({ env: Object.fromEntries(empty) }), load({}))
})

test('a list has commas in a variable and may be one string or a list in the file', () => {
  const { core } = load({
    env: { SENTRYPEER_SIP_LISTEN_ADDRESS: ' 127.0.0.1:0, [::1]:0 ,', SENTRYPEER_API_KEY: 'one,two' },
    files: { [STANDARD_FILE]: 'tls_listen = "127.0.0.1:0"\npublic_range = ["192.0.2.0/24", "2001:db8::/32"]' },
  })
  assert.deepEqual(core.sipListen, ['127.0.0.1:0', '[::1]:0'])
  assert.deepEqual(core.tlsListen, ['127.0.0.1:0'])
  assert.deepEqual(core.publicRanges, ['192.0.2.0/24', '2001:db8::/32'])
  assert.deepEqual(core.apiKeys, ['one', 'two'])
})

test('a list of a stronger source takes the place of a weaker one', () => {
  const env = { SENTRYPEER_SIP_LISTEN_ADDRESS: '127.0.0.1:1,127.0.0.1:2' }
  assert.deepEqual(load({ argv: ['--sip-listen', '[::1]:3'], env }).core.sipListen, ['[::1]:3'])
})

test('the configuration is frozen to the bottom', () => {
  const config = load({ argv: ['--sip-listen', '[::1]:3'] })
  const frozen = (value: unknown): boolean =>
    typeof value !== 'object' || value === null || (Object.isFrozen(value) && Object.values(value).every(frozen))
  assert(frozen(config))
})

for (const [given, on] of [
  [{ argv: ['-l', 'x.log'] }, true],
  [{ argv: ['--json-log-file=x.log'] }, true],
  [{ env: { SENTRYPEER_JSON_LOG_FILE: 'x.log' } }, true],
  [{ files: { [STANDARD_FILE]: 'json_log_file = "x.log"' } }, true],
  [{ files: { [STANDARD_FILE]: 'json_log_file = "x.log"\njson_log = false' } }, false],
  [{ argv: ['-l', 'x.log'], files: { [STANDARD_FILE]: 'json_log = false' } }, true],
  [{ argv: ['--json-profile=tpot'] }, false],
] as const) {
  test(`the JSON log is ${on ? 'on' : 'off'} with ${JSON.stringify(given)}`, () => {
    assert.equal(load(given).sinks.jsonlog.enabled, on)
  })
}

for (const [argv, message] of [
  [['-b', 'node.example'], '-b also needs -p (--peer-to-peer)'],
  [['-i', 'id'], '-i also needs -c (--oauth2-client-secret)'],
  [['--oauth2-client-secret=s'], '--oauth2-client-secret also needs -i (--oauth2-client-id)'],
  [['-t', 'c.pem'], '-t also needs -k (--tls-key)'],
  [['-k', 'k.pem'], '-k also needs -t (--tls-cert)'],
] as const) {
  test(`${JSON.stringify(argv)} alone is refused`, () => {
    const { code, message: said, hint } = refusal({ argv })
    assert.deepEqual([code, said], ['USAGE', message])
    assert.match(hint, /--help/)
  })
}

for (const [given, why] of [
  [{ argv: ['-p', '-b', 'node.example'] }, 'the other flag is there'],
  [{ argv: ['-b', 'node.example'], env: { SENTRYPEER_PEER_TO_PEER: '' } }, 'the environment has the rest'],
  [{ argv: ['-c', 's'], files: { [STANDARD_FILE]: 'oauth2_client_id = "id"' } }, 'the file has the rest'],
  [{ argv: ['-t', 'c.pem', '-k', 'k.pem'] }, 'both halves are there'],
] as const) {
  test(`${JSON.stringify(given)} is accepted without a word: ${why}`, () => assert.deepEqual(load(given).warnings, []))
}

for (const [given, warning] of [
  [
    { env: { SENTRYPEER_BOOTSTRAP_NODE: 'x' } },
    'SENTRYPEER_BOOTSTRAP_NODE sets bootstrap without peer-to-peer: it has no effect',
  ],
  [
    { env: { SENTRYPEER_OAUTH2_CLIENT_ID: 'x' } },
    'SENTRYPEER_OAUTH2_CLIENT_ID sets oauth2-client-id without oauth2-client-secret: OAuth2 stays off',
  ],
  [
    { env: { SENTRYPEER_CERT: 'x' } },
    'SENTRYPEER_CERT sets tls-cert without tls-key: the key is looked for in its default place',
  ],
  [
    { files: { [STANDARD_FILE]: 'key = "x"' } },
    `${STANDARD_FILE}:1 sets tls-key without tls-cert: the certificate is looked for in its default place`,
  ],
  [
    { files: { [STANDARD_FILE]: 'bootstrap = "x"\npeer_to_peer = false' } },
    `${STANDARD_FILE}:1 sets bootstrap without peer-to-peer: it has no effect`,
  ],
  [
    { env: { SENTRYPEER_SIP_RESPONSIV: '1' } },
    'the variable SENTRYPEER_SIP_RESPONSIV is not used; did you mean SENTRYPEER_SIP_RESPONSIVE?',
  ],
] as const) {
  test(`${JSON.stringify(given)} is accepted with a warning`, () => assert.deepEqual(load(given).warnings, [warning]))
}

test('SENTRYPEER_WEBHOOK, and what Kubernetes sets for a service of that name, are passed over in silence', () => {
  const env = {
    SENTRYPEER_WEBHOOK: '1',
    SENTRYPEER_SERVICE_HOST: '192.0.2.1',
    SENTRYPEER_PORT: 'tcp://192.0.2.1:8082',
    SENTRYPEER_PORT_8082_TCP_ADDR: '192.0.2.1',
    SENTRYPEER_API_PORT: 'tcp://192.0.2.1:8082',
    SENTRYPEER_API_SERVICE_HOST: '192.0.2.1',
  }
  assert.deepEqual(load({ env }), load({}))
})

for (const [env, message] of [
  [{ SENTRYPEER_API_LISTEN_ADDRESS: '8082' }, 'SENTRYPEER_API_LISTEN_ADDRESS must be ADDR:PORT, not "8082"'],
  [{ SENTRYPEER_SIP_LISTEN_ADDRESS: '[::]:1,x' }, 'SENTRYPEER_SIP_LISTEN_ADDRESS must be ADDR:PORT, not "x"'],
  [{ SENTRYPEER_WEBHOOK_URL: 'x' }, 'SENTRYPEER_WEBHOOK_URL must be an http or https URL, not "x"'],
  [
    { SENTRYPEER_WEBHOOK_URL: 'gopher://me:pass@x/' },
    'SENTRYPEER_WEBHOOK_URL must be an http or https URL, not "gopher://(set)@x/"',
  ],
  [{ SENTRYPEER_PUBLIC_RANGE: '192.0.2.0/33' }, 'SENTRYPEER_PUBLIC_RANGE must be NETWORK/BITS, not "192.0.2.0/33"'],
  [{ SENTRYPEER_BOOTSTRAP_NODE: 'a b' }, 'SENTRYPEER_BOOTSTRAP_NODE must be HOST or HOST:PORT, not "a b"'],
] as const) {
  test(`a variable that will not do is named: ${message}`, () => {
    const { code, message: said, hint } = refusal({ env })
    assert.deepEqual([code, said], ['CONFIG_INVALID', message])
    assert(hint.startsWith(`For example: ${Object.keys(env)[0]}=`), hint)
  })
}

for (const host of ['node.example', 'node.example:4222', '192.0.2.1', '[2001:db8::1]:4222', '2001:db8::1']) {
  test(`${host} will do as a bootstrap node`, () => assert.equal(load({ argv: ['-pb', host] }).core.bootstrap, host))
}

test('a value that a stronger source overrules is checked all the same', () => {
  const given = { argv: ['--api-listen', '127.0.0.1:1'], env: { SENTRYPEER_API_LISTEN_ADDRESS: 'x' } }
  assert.equal(refusal(given).code, 'CONFIG_INVALID')
})

for (const [given, path] of [
  [{ argv: ['-g', 'a.toml'], env: { SENTRYPEER_CONFIG_FILE: 'b.toml' } }, 'a.toml'],
  [{ env: { SENTRYPEER_CONFIG_FILE: 'b.toml', XDG_CONFIG_HOME: '/xdg' } }, 'b.toml'],
  [{ env: { XDG_CONFIG_HOME: '/xdg' } }, '/xdg/sentrypeer/default-config.toml'],
  [{ env: { XDG_CONFIG_HOME: 'relative' } }, STANDARD_FILE],
  [{ env: { XDG_CONFIG_HOME: '' } }, STANDARD_FILE],
  [{}, STANDARD_FILE],
] as const) {
  test(`the config file is ${path} with ${JSON.stringify(given)}`, () => {
    const files = Object.fromEntries(
      ['a.toml', 'b.toml', '/xdg/sentrypeer/default-config.toml', STANDARD_FILE].map((file) => [
        file,
        `db_file = "${file}"`,
      ]),
    )
    const { core } = load({ ...given, files })
    assert.deepEqual([core.configFile, core.dbFile], [path, path])
  })
}

test('a config file that was asked for and is not there is an error', () => {
  const { code, message } = refusal({ argv: ['-g', 'none.toml'] })
  assert.deepEqual(
    [code, message],
    ['CONFIG_UNREADABLE', 'cannot read the config file none.toml: no such file: none.toml'],
  )
})

test('a home that is no folder has no config file', () => {
  const noFolder = Object.assign(new Error('not a directory'), { code: 'ENOTDIR' })
  assert.equal(load({ files: { [STANDARD_FILE]: noFolder } }).core.configFile, null)
})

test('a config file in its standard place that cannot be read is an error', () => {
  const denied = Object.assign(new Error('permission denied'), { code: 'EACCES' })
  assert.equal(refusal({ files: { [STANDARD_FILE]: denied } }).code, 'CONFIG_UNREADABLE')
})

const anySettingWithText = fc
  .constantFrom(...SETTINGS.filter(({ row }) => !['switch', 'count'].includes(row.kind) && row.long !== 'config'))
  .chain((setting) => fc.record({ setting: fc.constant(setting), text: textFor(setting.row) }))

test('flags, variables and file say the same thing to the same effect', () => {
  const companions = ['-p', '-ix', '-cx', '-tx', '-kx']
  fc.assert(
    fc.property(anySettingWithText, ({ setting, text }) => {
      const { section, name, row } = setting
      for (const way of [
        { argv: [...companions, `--${row.long}=${text}`] },
        { env: { [environmentName(row) ?? '']: text } },
        { files: { [STANDARD_FILE]: `${tomlKey(row)} = ${JSON.stringify(text)}` } },
      ]) {
        const config = load(way)
        const values: Record<string, unknown> = section === 'core' ? config.core : config.sinks[section]
        assert.deepEqual(values[name], isList(row) ? [text] : text, JSON.stringify(way))
      }
    }),
  )
})

function textFor(row: OptionRow): fc.Arbitrary<string> {
  switch (row.kind) {
    case 'url':
      return fc.constantFrom('https://a.example/x?y=1', 'http://192.0.2.1:1/')
    case 'endpoint':
    case 'endpoints':
      return fc.constantFrom('127.0.0.1:1', '[::1]:0', 'a.example:65535')
    case 'duration':
      return fc.constantFrom('1h', '90d', '52w')
    case 'choice':
      return fc.constantFrom(...row.choices)
    case 'texts':
      return fc.constantFrom('10.0.0.0/8', 'fc00::/7') // the one setting of that kind holds ranges
    default:
      return fc.stringMatching(/^[a-z][a-z0-9.]{0,8}$/)
  }
}

for (const [given, message] of [
  [{ argv: ['--public-range', 'x'] }, /^--public-range must be NETWORK\/BITS, not "x"$/],
  [{ argv: ['--public-range', '10.0.0.0/8/9'] }, /^--public-range must be NETWORK\/BITS/],
  [{ env: { SENTRYPEER_PUBLIC_RANGE: '192.0.2.0/33' } }, /^SENTRYPEER_PUBLIC_RANGE must be NETWORK\/BITS/],
  [
    { files: { [STANDARD_FILE]: '\npublic_range = ["192.0.2.0/24", "192.0.2.1"]' } },
    /default-config\.toml:2: public_range must be NETWORK\/BITS, not "192\.0\.2\.1"$/,
  ],
] as const) {
  test(`a range that is none is refused with its place: ${message}`, () =>
    assert.match(refusal(given).message, message))
}

for (const [argv, isRefused] of [
  [['-a', '--api-listen', '0.0.0.0:9'], true],
  [['-a', '--api-listen', '[::]:9'], true],
  [['-a', '--api-listen', '0.0.0.0:9', '--api-key', 'k'], false],
  [['-a', '--api-listen', '0.0.0.0:9', '--api-allow-anonymous'], false],
  [['-a', '--api-listen', '[::1]:9'], false],
  [['-a'], false],
  [['--api-listen', '0.0.0.0:9'], false],
] as const) {
  test(`the settings "${argv.join(' ')}" ${isRefused ? 'open the API to everyone and are refused' : 'will do'}`, () => {
    if (isRefused) assert.equal(refusal({ argv }).code, 'API_NEEDS_KEY')
    else load({ argv })
  })
}

test('a list that is given leaves the other one as the default that it was', () => {
  const { origins } = load({ argv: ['-z', '0.0.0.0:5061'] })
  assert.deepEqual([origins['sip-listen'], origins['tls-listen']], ['default', 'flag -z'])
})
