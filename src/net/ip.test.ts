// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBogonCheck, endpointText, networkOf, parseEndpoint, parseIp } from './ip.ts'

for (const [text, canonical, why] of [
  ['192.0.2.1', '192.0.2.1', 'IPv4 is itself'],
  ['2001:DB8::0:1', '2001:db8::1', 'IPv6 is written as RFC 5952 has it'],
  ['2001:db8:0:0:0:0:0:1', '2001:db8::1', 'zeros are shortened'],
  ['::ffff:192.0.2.1', '192.0.2.1', 'an IPv4-mapped address is the IPv4 one'],
  ['::ffff:c000:201', '192.0.2.1', 'in hexadecimal too'],
  ['fe80::1%eth0', 'fe80::1', 'a zone is left out'],
  ['192.0.2.01', null, 'leading zeros are no address: some read them as octal'],
  ['192.0.2', null, 'three numbers are no address'],
  ['', null, 'nothing is no address'],
  ['localhost', null, 'a name is no address'],
  ['1.2.3.4; drop', null, 'an address with something behind it is none'],
] as const) {
  test(`${JSON.stringify(text)} is ${canonical}: ${why}`, () => assert.equal(parseIp(text), canonical))
}

test('every address comes back as itself once it is canonical', () => {
  fc.assert(
    fc.property(fc.oneof(fc.ipV4(), fc.ipV6()), (text) => {
      const address = parseIp(text)
      assert.ok(address !== null)
      assert.equal(parseIp(address), address)
      assert.deepEqual(parseEndpoint(endpointText(address, 5060)), { host: address, port: 5060 })
    }),
  )
})

for (const [text, expected] of [
  ['127.0.0.1:5060', { host: '127.0.0.1', port: 5060 }],
  ['[::]:5061', { host: '::', port: 5061 }],
  ['sip.example.com:0', { host: 'sip.example.com', port: 0 }],
  ['127.0.0.1', null],
  ['127.0.0.1:65536', null],
  ['::1:5060', null],
  ['[127.0.0.1]:5060', null],
  [':5060', null],
] as const) {
  test(`${JSON.stringify(text)} is ${expected === null ? 'no endpoint' : 'an endpoint'}`, () =>
    assert.deepEqual(parseEndpoint(text), expected))
}

for (const [address, network] of [
  ['192.0.2.7', '192.0.2.7'],
  ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
  ['2001:db8::1', '2001:db8:0:0'],
  ['::1', '0:0:0:0'],
  ['fe80::1:2:3:4:5', 'fe80:0:0:1'],
  ['1:2:3:4:5:6:7::', '1:2:3:4'],
] as const) {
  test(`the network of ${address} is ${network}`, () =>
    assert.equal(networkOf(parseIp(address) ?? assert.fail()), network))
}

test('special-purpose addresses are bogons, others are not, and a laboratory may name exceptions', () => {
  const isBogon = createBogonCheck()
  for (const text of [
    '0.1.2.3',
    '10.1.1.1',
    '100.64.0.1',
    '127.0.0.1',
    '169.254.1.1',
    '172.31.255.255',
    '192.0.0.8',
    '192.0.2.1',
    '192.168.1.1',
    '198.19.0.1',
    '198.51.100.1',
    '203.0.113.1',
    '224.0.0.1',
    '255.255.255.255',
    '::',
    '::1',
    'fd00::1',
    'fe80::1',
    'ff02::1',
    '2001:db8::1',
  ]) {
    assert.ok(isBogon(parseIp(text) ?? assert.fail()), text)
  }
  for (const text of ['8.8.8.8', '172.32.0.1', '100.128.0.1', '2a00:1450::1', '198.20.0.1']) {
    assert.ok(!isBogon(parseIp(text) ?? assert.fail()), text)
  }
  const inLaboratory = createBogonCheck(['127.0.0.0/8', '::1/128'])
  assert.ok(!inLaboratory(parseIp('127.9.9.9') ?? assert.fail()) && !inLaboratory(parseIp('::1') ?? assert.fail()))
  assert.ok(inLaboratory(parseIp('10.0.0.1') ?? assert.fail()))
  assert.throws(() => createBogonCheck(['everything']), RangeError)
})
