// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createBogonCheck, type IpAddress, parseIp } from '../net/ip.ts'
import type { BadActor } from '../store/store.ts'
import { BLOCKLIST_FORMATS, type BlocklistFormat, blockable, blocklistText } from './blocklist.ts'
import { startFixtureApi } from './fixture-api.ts'
import { createFixtureReader } from './fixture-reader.ts'

const ADDRESSES = ['8.8.8.8', '2a00::1', '8.8.4.4'].map((text) => parseIp(text)).filter((ip) => ip !== null)

const textOf = (format: BlocklistFormat, addresses: readonly IpAddress[]) =>
  [...blocklistText(format, addresses)].join('')

test('the plain form is one address a line', () => {
  assert.equal(textOf('plain', ADDRESSES), '8.8.8.8\n2a00::1\n8.8.4.4\n')
})

test('the restore form fills sets of their own and swaps them in last', () => {
  assert.equal(
    textOf('restore', ADDRESSES),
    `create sentrypeer4 hash:ip family inet maxelem 1048576 -exist
create sentrypeer4-next hash:ip family inet maxelem 1048576 -exist
flush sentrypeer4-next
create sentrypeer6 hash:ip family inet6 maxelem 1048576 -exist
create sentrypeer6-next hash:ip family inet6 maxelem 1048576 -exist
flush sentrypeer6-next
add sentrypeer4-next 8.8.8.8 -exist
add sentrypeer6-next 2a00::1 -exist
add sentrypeer4-next 8.8.4.4 -exist
swap sentrypeer4-next sentrypeer4
destroy sentrypeer4-next
swap sentrypeer6-next sentrypeer6
destroy sentrypeer6-next
`,
  )
})

test('the nft form empties its sets and fills them, families apart', () => {
  assert.equal(
    textOf('nft', ADDRESSES),
    `add table inet sentrypeer_blocklist
add set inet sentrypeer_blocklist bad_actors4 { type ipv4_addr; }
add set inet sentrypeer_blocklist bad_actors6 { type ipv6_addr; }
flush set inet sentrypeer_blocklist bad_actors4
flush set inet sentrypeer_blocklist bad_actors6
add element inet sentrypeer_blocklist bad_actors4 { 8.8.8.8, 8.8.4.4 }
add element inet sentrypeer_blocklist bad_actors6 { 2a00::1 }
`,
  )
})

test('the nft form has no empty element list, which nft refuses, and no endless line', () => {
  assert.doesNotMatch(textOf('nft', []), /add element/)
  const many = Array.from({ length: 1_000 }, (_, index) => `8.8.${index >> 8}.${index & 255}` as IpAddress)
  const lines = textOf('nft', many).split('\n')
  assert.equal(lines.filter((line) => line.startsWith('add element')).length, 4)
  assert.ok(lines.every((line) => line.length < 8_192))
})

test('the mikrotik form replaces both address lists', () => {
  assert.equal(
    textOf('mikrotik', ADDRESSES),
    `/ip firewall address-list remove [find list=sentrypeer]
/ipv6 firewall address-list remove [find list=sentrypeer]
/ip firewall address-list add list=sentrypeer address=8.8.8.8
/ipv6 firewall address-list add list=sentrypeer address=2a00::1/128
/ip firewall address-list add list=sentrypeer address=8.8.4.4
`,
  )
})

test('the json form is an object with the addresses', () => {
  assert.deepEqual(JSON.parse(textOf('json', ADDRESSES)), { ip_addresses: ADDRESSES })
  assert.deepEqual(JSON.parse(textOf('json', [])), { ip_addresses: [] })
})

test('whatever a row has for an address, only real, public and foreign ones are let through, written afresh', () => {
  const isBogon = createBogonCheck()
  const own = new Set(['9.9.9.9', '2a00::9'])
  const hostile = fc.constantFrom(
    '8.8.8.8 }; flush ruleset',
    '8.8.8.8\nadd x',
    '$(reboot)',
    '8.8.8.8/8',
    '2A00::9',
    '::ffff:9.9.9.9',
  )
  fc.assert(
    fc.property(fc.array(fc.oneof(fc.ipV4(), fc.ipV6(), hostile, fc.string())), (texts) => {
      const actors = texts.map(
        (ipAddress): BadActor => ({
          ipAddress,
          seenFirst: '',
          seenLast: '',
          seenCount: 1,
          bestProof: 'echo',
          proofAt: '',
          proofBy: null,
        }),
      )
      for (const address of blockable(actors, { isBogon, ownAddresses: own })) {
        assert.equal(parseIp(address), address)
        assert.ok(!isBogon(address) && !own.has(address))
      }
    }),
  )
})

const BAD_ACTORS = [
  { sourceIp: '8.8.8.1', proof: 'none', timestamp: '2026-01-01 00:00:00.000000000' },
  { sourceIp: '8.8.8.2', proof: 'echo', timestamp: '2026-01-02 00:00:00.000000000' },
  { sourceIp: '8.8.8.3', proof: 'handshake', timestamp: '2026-01-03 00:00:00.000000000' },
  { sourceIp: '10.0.0.1', proof: 'handshake', timestamp: '2026-01-04 00:00:00.000000000' },
  { sourceIp: '9.9.9.9', proof: 'handshake', timestamp: '2026-01-05 00:00:00.000000000' },
] as const

for (const [query, lines, why] of [
  ['', ['8.8.8.3', '8.8.8.2'], 'has proven, public, foreign addresses'],
  ['?min_proof=none', ['8.8.8.3', '8.8.8.2', '8.8.8.1'], 'has unproven ones when told so'],
  ['?min_proof=handshake', ['8.8.8.3'], 'has only the best proven ones when told so'],
  ['?since=2026-01-03', ['8.8.8.3'], 'has only the recent ones when told so'],
] as const) {
  test(`/ip-addresses/ipset${query} ${why}`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...BAD_ACTORS), {
      ownAddresses: () => new Set(['9.9.9.9']),
    })
    const answer = await api.get(`/ip-addresses/ipset${query}`)
    assert.equal(answer.headers.get('content-type'), 'text/plain; charset=utf-8')
    assert.equal(await answer.text(), lines.map((line) => `${line}\n`).join(''))
  })
}

for (const format of BLOCKLIST_FORMATS) {
  test(`/ip-addresses/ipset?format=${format} is the ${format} form`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader(...BAD_ACTORS))
    const answer = await api.get(`/ip-addresses/ipset?format=${format}&min_proof=handshake&since=2026-01-03T00:00:00Z`)
    const expected = ['9.9.9.9', '8.8.8.3'].map((text) => text as IpAddress)
    assert.equal(await answer.text(), textOf(format, expected))
    assert.equal(answer.headers.get('content-type')?.startsWith('application/json'), format === 'json')
  })
}

for (const query of ['format=csv', 'format=', 'min_proof=sure', 'minproof=none', 'limit=1']) {
  test(`/ip-addresses/ipset?${query} is answered 400, not with another list than meant`, async (t) => {
    const api = await startFixtureApi(t, createFixtureReader())
    assert.equal((await api.get(`/ip-addresses/ipset?${query}`)).status, 400)
  })
}
