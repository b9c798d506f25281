// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { hash } from 'node:crypto'
import { test } from 'node:test'
import fc from 'fast-check'
import { type IpAddress, parseIp } from '../net/ip.ts'
import type { SipRequest } from '../sip/message.ts'
import { parseMessage } from '../sip/parse.ts'
import { type CapturedCredentials, createCredentialCapture, createLoginAttempts } from './credentials.ts'
import { DERIVED_COUNT, WEAK_PASSWORDS } from './weak-passwords.ts'

const EMPTY = Buffer.alloc(0)
const ip = (text: string): IpAddress => parseIp(text) ?? assert.fail(text)
const md5 = (text: string): string => hash('md5', text)

function request(...headers: string[]): SipRequest {
  const lines = [
    'REGISTER sip:192.0.2.1 SIP/2.0',
    'Via: SIP/2.0/UDP 198.51.100.1:5060;branch=z9hG4bK1',
    'From: <sip:100@192.0.2.1>;tag=1',
    'To: <sip:100@192.0.2.1>',
    'Call-ID: 1',
    'CSeq: 1 REGISTER',
    ...headers,
  ]
  const message = parseMessage(Buffer.from(`${lines.join('\r\n')}\r\n\r\n`))
  return message.kind === 'request' ? message : assert.fail(message.kind)
}

/** As a client writes it that knows this password. */
function digest(user: string, password: string, nonce = '4f1c3b2a'): string {
  const response = md5(`${md5(`${user}:asterisk:${password}`)}:${nonce}:${md5('REGISTER:sip:192.0.2.1')}`)
  return `Digest username="${user}",realm="asterisk",nonce="${nonce}",uri="sip:192.0.2.1",response="${response}"`
}

/** A capture whose clock is at `clock.nowMs`. */
function capturing(passwordsPerS = 100_000, weakPasswords: readonly string[] = WEAK_PASSWORDS) {
  const clock = { nowMs: 5_000 }
  const skips = { count: 0 }
  const capture = createCredentialCapture({
    realm: 'ours',
    weakPasswords,
    passwordsPerS,
    steadyMs: () => clock.nowMs,
    onSkipped: () => skips.count++,
  })
  const passwordOf = (value: string) => capture(request(`Authorization: ${value}`), EMPTY)?.password
  return { capture, passwordOf, clock, skips }
}

test('a request with credentials gives all of them, and the password if it is a weak one', () => {
  const { capture, skips } = capturing()
  assert.deepEqual(capture(request(`Authorization: ${digest('100', 'asterisk')}`), EMPTY), {
    user: '100',
    realm: 'asterisk',
    nonce: '4f1c3b2a',
    response: '90c76110ba7b8b94df398f9142726588',
    algorithm: 'MD5',
    password: 'asterisk',
  })
  assert.equal(skips.count, 0)
})

for (const [user, password, found, why] of [
  ['100', '', '', 'is empty'],
  ['8101', '8101', '8101', 'is the extension'],
  ['8101', '1018', '1018', 'is the extension backwards'],
  ['8101', 'sip8101', 'sip8101', 'is made of the extension'],
  ['100', 'x7!kQ2_ww', null, 'is a good one'],
  ['größe', 'größe123', 'größe123', 'is made of a name beyond ASCII'],
] as const) {
  test(`the password "${password}" of ${user}, which ${why}, is ${found === null ? 'not ' : ''}found`, () => {
    assert.equal(capturing().passwordOf(digest(user, password)), found)
  })
}

test("an operator's own words beyond ASCII are found", () => {
  assert.equal(capturing(100_000, ['señal']).passwordOf(digest('100', 'señal')), 'señal')
})

for (const [headers, user, why] of [
  [[], null, 'no header'],
  [['Authorization: Basic MTAwOjEyMzQ='], null, 'another scheme'],
  [[`Proxy-Authorization: ${digest('100', '1')}`], '100', 'those for a proxy'],
  [[`Proxy-Authorization: ${digest('100', '1')}`, `Authorization: ${digest('200', '1')}`], '200', 'both kinds'],
  [['Authorization: Basic x', `Authorization: ${digest('200', '1')}`], '200', 'a Digest behind another scheme'],
  [[`Authorization: ${digest('200', '1')}`, `Authorization: ${digest('300', '1')}`], '200', 'two of them'],
] as const) {
  test(`a request with ${why} gives ${user === null ? 'no credentials' : `those of ${user}`}`, () => {
    assert.equal(capturing().capture(request(...headers), EMPTY)?.user ?? null, user)
  })
}

test('bytes that are no text come out as text that can be stored', () => {
  const { capture } = capturing()
  const head = `REGISTER sip:192.0.2.1 SIP/2.0\r\nAuthorization: ${digest('1\xff0', '1234')}\r\n\r\n`
  const parsed = parseMessage(Buffer.from(head, 'latin1'))
  const message = parsed.kind === 'fault' ? parsed.message : null
  assert.ok(message?.kind === 'request', 'even of a request that lacks everything else')
  assert.equal(capture(message, EMPTY)?.user, '1\u{efff}0')
})

test('when the tries of a second are nearly used up only the likeliest passwords are tried, then none', () => {
  const whole = DERIVED_COUNT + WEAK_PASSWORDS.length
  const { passwordOf, clock, skips } = capturing(whole)
  assert.equal(passwordOf(digest('100', 'unknown')), null)
  assert.equal(skips.count, 0)
  assert.equal(passwordOf(digest('100', '100')), null, 'none at all is left')
  assert.equal(skips.count, 1)
  clock.nowMs += 500
  assert.equal(passwordOf(digest('100', 'voip')), null, 'not among the first ten')
  assert.equal(skips.count, 2)
  clock.nowMs += 500
  assert.equal(passwordOf(digest('100', '1234')), '1234')
  assert.equal(skips.count, 3)
  clock.nowMs += 10_000
  assert.equal(passwordOf(digest('100', 'voip')), 'voip')
  assert.equal(skips.count, 3)
})

test('a password that is found early leaves tries for others', () => {
  const { passwordOf, skips } = capturing(DERIVED_COUNT + WEAK_PASSWORDS.length + 9)
  for (let request = 0; request < 10; request++) assert.equal(passwordOf(digest('100', '100')), '100')
  assert.equal(skips.count, 0)
})

test('credentials that are long on purpose use up more tries', () => {
  const { passwordOf, skips } = capturing(1_000)
  assert.equal(passwordOf(digest('1'.repeat(10_000), 'voip')), null)
  assert.equal(skips.count, 1)
  assert.equal(passwordOf(digest('100', 'voip')), 'voip')
})

const tried = (response: string, password: string | null = null, user = '100', nonce = 'n1'): CapturedCredentials => ({
  user,
  realm: 'asterisk',
  nonce,
  response,
  algorithm: 'MD5',
  password,
})

function attempting(acceptAfter: number, maxEntries?: number) {
  const clock = { nowMs: 5_000 }
  const steadyMs = () => clock.nowMs
  const attempts = createLoginAttempts(
    maxEntries === undefined ? { acceptAfter, steadyMs } : { acceptAfter, steadyMs, maxEntries },
  )
  const from = ip('192.0.2.1')
  return {
    clock,
    tryIt: (captured: CapturedCredentials, source = from) => attempts.tryLogin(source, captured),
  }
}

test('the third different try is accepted when that is the rule', () => {
  const { tryIt } = attempting(3)
  assert.equal(tryIt(tried('a')), 'rejected')
  assert.equal(tryIt(tried('b')), 'rejected')
  assert.equal(tryIt(tried('c')), 'accepted')
})

test('the first try is accepted with 1, and none ever with 0', () => {
  assert.equal(attempting(1).tryIt(tried('a')), 'accepted')
  const { tryIt } = attempting(0)
  for (let response = 0; response < 100; response++) assert.equal(tryIt(tried(`${response}`)), 'rejected')
})

test('the same response again is no other try and gets the same verdict', () => {
  const { tryIt } = attempting(2)
  for (let time = 0; time < 5; time++) assert.equal(tryIt(tried('a')), 'rejected')
  assert.equal(tryIt(tried('a', null, '100', 'n2')), 'accepted', 'it is another one for another nonce')
  assert.equal(tryIt(tried('a')), 'rejected')
})

test('the same known password again is no other try, whatever the nonce', () => {
  const { tryIt } = attempting(2)
  for (const nonce of ['n1', 'n2', 'n3']) assert.equal(tryIt(tried(`of ${nonce}`, '1234', '100', nonce)), 'rejected')
  assert.equal(tryIt(tried('a', '12345')), 'accepted')
})

test('from the login on the known password is right and every other is wrong', () => {
  const { tryIt } = attempting(2)
  tryIt(tried('a', '1234'))
  assert.equal(tryIt(tried('b', 'asterisk')), 'accepted')
  assert.equal(tryIt(tried('c', 'asterisk', '100', 'n2')), 'accepted')
  assert.equal(tryIt(tried('d', '1234', '100', 'n2')), 'rejected')
  assert.equal(tryIt(tried('e', 'admin')), 'rejected')
  assert.equal(tryIt(tried('f')), 'rejected')
})

test('from a login with an unknown password on everything new is right, and what was wrong stays wrong', () => {
  const { tryIt } = attempting(3)
  tryIt(tried('a', '1234'))
  tryIt(tried('b'))
  assert.equal(tryIt(tried('c')), 'accepted')
  assert.equal(tryIt(tried('d', null, '100', 'n2')), 'accepted')
  assert.equal(tryIt(tried('b')), 'rejected')
  assert.equal(tryIt(tried('e', '1234', '100', 'n2')), 'rejected')
})

test('users and sources have tries of their own, and addresses of one IPv6 /64 share them', () => {
  const { tryIt } = attempting(2)
  assert.equal(tryIt(tried('a'), ip('2001:db8:1:2::1')), 'rejected')
  assert.equal(tryIt(tried('b'), ip('2001:db8:1:3::1')), 'rejected')
  assert.equal(tryIt(tried('c', null, '200'), ip('2001:db8:1:2::1')), 'rejected')
  assert.equal(tryIt(tried('d'), ip('2001:db8:1:2::2')), 'accepted')
})

test('a login ends an hour after the last try', () => {
  const { clock, tryIt } = attempting(2)
  tryIt(tried('a'))
  tryIt(tried('b'))
  clock.nowMs += 3_599_999
  assert.equal(tryIt(tried('c')), 'accepted')
  clock.nowMs += 3_600_000
  assert.equal(tryIt(tried('d')), 'rejected', 'it begins again')
})

test('when there are too many pairs the one that was idle for longest is forgotten', () => {
  const { tryIt } = attempting(2, 3)
  for (const user of ['100', '101', '102', '100', '103']) tryIt(tried('a', null, user))
  assert.equal(tryIt(tried('b', null, '100')), 'accepted', 'its first try is remembered')
  assert.equal(tryIt(tried('b', null, '101')), 'rejected', 'its first try is not')
})

test('in any order of tries those before the nth different one are refused, and repeats change nothing', () => {
  const responses = fc.array(fc.integer({ min: 0, max: 12 }), { maxLength: 60 })
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 10 }), responses, (acceptAfter, numbers) => {
      const { tryIt } = attempting(acceptAfter)
      const order = new Set<number>()
      for (const number of numbers) {
        order.add(number)
        const place = [...order].indexOf(number) + 1
        assert.equal(tryIt(tried(`${number}`)), place < acceptAfter ? 'rejected' : 'accepted')
      }
    }),
  )
})

test('a source that tries endlessly costs no more memory than 32 verdicts', () => {
  const { tryIt } = attempting(1_000)
  let accepted = 0
  for (let round = 0; round < 20; round++) {
    for (let response = 0; response < 50; response++) if (tryIt(tried(`${response}`)) === 'accepted') accepted++
  }
  assert.equal(accepted, 1, 'the 50 are forgotten before they come round again')
})
