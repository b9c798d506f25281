// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IpAddress, parseIp } from './ip.ts'
import { addressBytes, createAddressBook, layoutOf, readPort, readScope, socketAddressBytes } from './socket-address.ts'

for (const [ip, port, hex, why] of [
  ['192.0.2.1', 5060, '020013c4c00002010000000000000000', 'IPv4: family, port, address, padding'],
  ['2001:db8::1', 65535, `0a00ffff0000000020010db8${'0'.repeat(23)}100000000`, 'IPv6: flow before it, scope after it'],
] as const) {
  test(`the socket address of ${ip} is as the kernel has it (${why})`, () => {
    assert.equal(Buffer.from(socketAddressBytes(ip as IpAddress, port)).toString('hex'), hex)
  })
}

const anyIp = fc
  .oneof(fc.ipV4(), fc.ipV6())
  .map(parseIp)
  .filter((ip) => ip !== null)

test('an address comes back from its bytes in its one spelling, and as the same object', () => {
  fc.assert(
    fc.property(anyIp, fc.integer({ min: 0, max: 65_535 }), (ip, port) => {
      const layout = layoutOf(ip)
      const book = createAddressBook(layout, 10)
      const bytes = Buffer.concat([Buffer.alloc(3), socketAddressBytes(ip, port)]) // anywhere in a buffer
      const found = book.find(bytes, 3 + layout.addressAt)
      assert.equal(found.ip, ip)
      assert.deepEqual(found.raw, socketAddressBytes(ip, 0))
      assert.equal(book.find(bytes, 3 + layout.addressAt), found)
      assert.equal(readPort(bytes, 3), port)
    }),
  )
})

test('an IPv4 address that is mapped into IPv6 is written as IPv4', () => {
  const bytes = Buffer.from('00000000000000000000ffffc0000201', 'hex')
  assert.equal(createAddressBook(layoutOf('::1' as IpAddress), 10).find(bytes, 0).ip, '192.0.2.1')
})

test('the same address of two links is two addresses, and each is answered on its link', () => {
  const layout = layoutOf('fe80::1' as IpAddress)
  const book = createAddressBook(layout, 10)
  const bytes = Buffer.from(socketAddressBytes('fe80::1' as IpAddress, 0))
  const found = [0, 2, 3].map((scope) => book.find(bytes, layout.addressAt, scope))
  assert.deepEqual(
    found.map(({ ip }) => ip),
    ['fe80::1', 'fe80::1', 'fe80::1'],
  )
  assert.deepEqual(
    found.map(({ raw }) => readScope(layout, Buffer.from(raw), 0)),
    [0, 2, 3],
  )
})

test('a book of many addresses forgets instead of growing, and is right all the same', () => {
  const book = createAddressBook(layoutOf('::' as IpAddress), 4)
  for (let round = 0; round < 3; round++) {
    for (let last = 0; last < 20; last++) {
      const ip = parseIp(`2001:db8::${last.toString(16)}`) ?? assert.fail()
      assert.equal(book.find(Buffer.from(addressBytes(ip)), 0).ip, ip)
    }
  }
})
