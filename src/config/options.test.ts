// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import { environmentName } from '../ops/option.ts'
import { SETTINGS } from './settings.ts'

// The contract: other people's scripts, unit files and Dockerfiles say these. A change here breaks them.
const CONTRACT = [
  // long, short, environment, default
  ['db-file', 'f', 'SENTRYPEER_DB_FILE', './sentrypeer.db'],
  ['json-log', 'j', 'SENTRYPEER_JSON_LOG', false],
  ['json-log-file', 'l', 'SENTRYPEER_JSON_LOG_FILE', './sentrypeer_json.log'],
  ['json-profile', null, 'SENTRYPEER_JSON_PROFILE', 'seed'],
  ['peer-to-peer', 'p', 'SENTRYPEER_PEER_TO_PEER', false],
  ['bootstrap', 'b', 'SENTRYPEER_BOOTSTRAP_NODE', 'bootstrap.sentrypeer.org:4222'],
  ['dht-listen', null, 'SENTRYPEER_DHT_LISTEN_ADDRESS', ['0.0.0.0:4222', '[::]:4222']],
  ['api', 'a', 'SENTRYPEER_API', false],
  ['api-listen', null, 'SENTRYPEER_API_LISTEN_ADDRESS', '127.0.0.1:8082'],
  ['api-key', null, 'SENTRYPEER_API_KEY', []],
  ['api-allow-anonymous', null, 'SENTRYPEER_API_ALLOW_ANONYMOUS', false],
  ['webhook-url', 'w', 'SENTRYPEER_WEBHOOK_URL', null],
  ['oauth2-client-id', 'i', 'SENTRYPEER_OAUTH2_CLIENT_ID', null],
  ['oauth2-client-secret', 'c', 'SENTRYPEER_OAUTH2_CLIENT_SECRET', null],
  ['oauth2-token-url', null, 'SENTRYPEER_OAUTH2_TOKEN_URL', 'https://authz.sentrypeer.com/oauth/token'],
  ['oauth2-audience', null, 'SENTRYPEER_OAUTH2_AUDIENCE', 'https://sentrypeer.com/api'],
  ['responsive', 'r', 'SENTRYPEER_SIP_RESPONSIVE', false],
  ['sip-disable', 'R', 'SENTRYPEER_SIP_DISABLE', false],
  ['sip-listen', null, 'SENTRYPEER_SIP_LISTEN_ADDRESS', ['0.0.0.0:5060', '[::]:5060']],
  ['tls-listen', 'z', 'SENTRYPEER_TLS_LISTEN_ADDRESS', ['0.0.0.0:5061', '[::]:5061']],
  ['tls-cert', 't', 'SENTRYPEER_CERT', './cert.pem'],
  ['tls-key', 'k', 'SENTRYPEER_KEY', './key.pem'],
  ['tls-disable', 'N', 'SENTRYPEER_TLS_DISABLE', false],
  ['syslog', 's', 'SENTRYPEER_SYSLOG', false],
  ['config', 'g', 'SENTRYPEER_CONFIG_FILE', null],
  ['verbose', 'v', 'SENTRYPEER_VERBOSE', false],
  ['debug', 'd', 'SENTRYPEER_DEBUG', false],
] as const

for (const [long, short, environment, standard] of CONTRACT) {
  test(`--${long} keeps its short flag, variable and default`, () => {
    const row = SETTINGS.find((setting) => setting.row.long === long)?.row
    assert(row !== undefined)
    assert.deepEqual([row.short ?? null, environmentName(row), row.default], [short, environment, standard])
  })
}

test('--json-profile takes seed and tpot', () => {
  const row = SETTINGS.find((setting) => setting.row.long === 'json-profile')?.row
  assert.deepEqual(row?.kind === 'choice' ? row.choices : null, ['seed', 'tpot'])
})

for (const [what, names] of [
  ['long flag', SETTINGS.map(({ row }) => row.long)],
  ['short flag', SETTINGS.flatMap(({ row }) => row.short ?? [])],
  ['variable', SETTINGS.flatMap(({ row }) => environmentName(row) ?? [])],
] as const) {
  test(`no ${what} belongs to two settings`, () => assert.deepEqual(names, [...new Set(names)]))
}

test('-h and -V are kept for help and version', () => {
  const taken = SETTINGS.filter(({ row }) => ['h', 'V'].includes(row.short ?? '') || /^(help|version)$/.test(row.long))
  assert.deepEqual(taken, [])
})
