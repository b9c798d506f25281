// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import {
  type ChallengeStyle,
  challengeValue,
  createPasswordCheck,
  type DigestChallenge,
  type DigestCredentials,
  parseDigestCredentials,
} from './digest.ts'

const matchesPassword = (credentials: DigestCredentials, password: string, method: string, body: Buffer): boolean =>
  createPasswordCheck(credentials, method, body)(password)

const EMPTY = Buffer.alloc(0)
const BODY = Buffer.from('v=0\r\n')

const parsed = (value: string): DigestCredentials => parseDigestCredentials(value) ?? assert.fail(value)

const PLAIN: DigestCredentials = {
  username: '100',
  realm: 'asterisk',
  nonce: '4f1c3b2a',
  uri: 'sip:192.0.2.1',
  response: '3c316ff2465225a84f0d8d7f7e0c66c8',
  algorithm: 'MD5',
  qop: null,
  cnonce: null,
  nc: null,
  opaque: null,
}
const PLAIN_VALUE =
  'Digest username="100",realm="asterisk",nonce="4f1c3b2a",uri="sip:192.0.2.1",response="3c316ff2465225a84f0d8d7f7e0c66c8"'

for (const [value, expected, why] of [
  [PLAIN_VALUE, PLAIN, 'are read without blanks'],
  [PLAIN_VALUE.replaceAll(',', ' ,\t'), PLAIN, 'are read with blanks'],
  [PLAIN_VALUE.replaceAll('"', ''), PLAIN, 'need no quotes'],
  [PLAIN_VALUE.replaceAll('",', '" '), PLAIN, 'need no commas behind quotes'],
  [PLAIN_VALUE.replaceAll('=', ' = '), PLAIN, 'may have blanks around the equals sign'],
  [`  dIgEsT\t${PLAIN_VALUE.slice(7).replace('username', 'USERNAME')}`, PLAIN, 'are read in any case'],
  [`${PLAIN_VALUE},username="200",__proto__=x,,`, PLAIN, 'count once, the first time'],
  [`${PLAIN_VALUE},junk,="x",auth-param="a,b=c"`, PLAIN, 'stand among what is none of them'],
  [PLAIN_VALUE.replace('"100"', '"1\\"0\\\\0,realm=x"'), { ...PLAIN, username: '1"0\\0,realm=x' }, 'may have escapes'],
  [PLAIN_VALUE.slice(0, -1), PLAIN, 'may end before their last quote'],
  [PLAIN_VALUE.replace('"100"', '""'), { ...PLAIN, username: '' }, 'may be empty'],
  [PLAIN_VALUE.replace('"100"', '"j\xc3\xbc"'), { ...PLAIN, username: 'j\xc3\xbc' }, 'have one character a byte'],
  [
    PLAIN_VALUE.replace('username="100"', "username*=UTF-8''j%c3%BC%"),
    { ...PLAIN, username: 'j\xc3\xbc%' },
    'may have an encoded user name (RFC 7616 §3.4)',
  ],
  [PLAIN_VALUE.replace('username="100"', 'username*=1%300'), PLAIN, 'may have an encoded user name without a charset'],
  [
    `${PLAIN_VALUE},algorithm=md5,qop=auth,cnonce="",nc=00000001,opaque="x"`,
    { ...PLAIN, algorithm: 'md5', qop: 'auth', cnonce: '', nc: '00000001', opaque: 'x' },
    'are kept as sent',
  ],
  [
    'Digest username=a,nonce=b,response=c',
    { ...PLAIN, username: 'a', realm: '', nonce: 'b', uri: '', response: 'c' },
    'may be few',
  ],
] as const) {
  test(`parameters of credentials ${why}`, () => assert.deepEqual(parseDigestCredentials(value), expected))
}

for (const [value, why] of [
  ['Basic MTAwOjEyMzQ=', 'of another scheme'],
  ['Digests username=a,nonce=b,response=c', 'of a scheme that begins alike'],
  ['Digest', 'that are empty'],
  ['Digest realm="a",nonce="b",response="c"', 'without a user name'],
  ['Digest username="a",realm="b",response="c"', 'without a nonce'],
  ['Digest username="a",realm="b",nonce="c"', 'without a response'],
  ['Digest username="a,nonce=b,response=c', 'in which everything stands in one quoted string'],
] as const) {
  test(`credentials ${why} are none`, () => assert.equal(parseDigestCredentials(value), null))
}

test('any value is read without an exception, and what was written comes back', () => {
  fc.assert(
    fc.property(fc.string({ unit: 'binary', maxLength: 200 }), (junk) => {
      parseDigestCredentials(`Digest ${junk}`)
    }),
  )
  const latin1 = fc
    .array(fc.integer({ min: 0x20, max: 0xff }), { maxLength: 40 })
    .map((codes) => String.fromCharCode(...codes))
  fc.assert(
    fc.property(latin1, latin1, latin1, (username, nonce, response) => {
      const quoted = (text: string) => `"${text.replace(/["\\]/g, '\\$&')}"`
      const value = `Digest username=${quoted(username)}, nonce=${quoted(nonce)}, response=${quoted(response)}`
      const credentials = parsed(value)
      assert.deepEqual([credentials.username, credentials.nonce, credentials.response], [username, nonce, response])
    }),
  )
})

test('reading takes a time that is linear in the length', () => {
  for (const piece of [',', '=', '"', '\\', 'a=",', 'a=b ', '"\\', "'"]) {
    const value = `Digest username=a,nonce=b,response=c,username*=${piece.repeat(500_000)}`
    const startedAtMs = performance.now()
    const credentials = parseDigestCredentials(value)
    assert.equal(credentials?.username, 'a')
    assert.ok(performance.now() - startedAtMs < 1_000, JSON.stringify(piece))
  }
})

const RFC_7616 =
  'Digest username="Mufasa", realm="http-auth@example.org", uri="/dir/index.html", ' +
  'nonce="7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v", nc=00000001, ' +
  'cnonce="f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ", qop=auth, opaque="FQhe/qaU925kfnzjCev0ciny7QMkPqMAFRtzCUYo5tdS", '

for (const [value, password, why] of [
  [
    'Digest username="Mufasa", realm="testrealm@host.com", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093", ' +
      'uri="/dir/index.html", qop=auth, nc=00000001, cnonce="0a4f113b", response="6629fae49393a05397450978507c4ef1", ' +
      'opaque="5ccc069c403ebaf9f0171e9517f40e41"',
    'Circle Of Life',
    'RFC 2617 §3.5',
  ],
  [`${RFC_7616}algorithm=MD5, response="8ca523f5e9506fed4657c9700eebdbec"`, 'Circle of Life', 'RFC 7616 §3.9.1, MD5'],
  [
    `${RFC_7616}algorithm=SHA-256, response="753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"`,
    'Circle of Life',
    'RFC 7616 §3.9.1, SHA-256',
  ],
] as const) {
  test(`the password of ${why} is found`, () => {
    assert.equal(matchesPassword(parsed(value), password, 'GET', EMPTY), true)
    assert.equal(matchesPassword(parsed(value), password, 'POST', EMPTY), false)
    assert.equal(matchesPassword(parsed(value), `${password}!`, 'GET', EMPTY), false)
  })
}

const AUTH = { qop: 'auth', nc: '00000001', cnonce: '0a4f113b' }
const AUTH_INT = { ...AUTH, qop: 'auth-int' }

// The responses were computed with Python's hashlib.
for (const [changes, why] of [
  [{}, 'MD5 without qop'],
  [{ response: '3C316FF2465225A84F0D8D7F7E0C66C8' }, 'MD5 in capital letters'],
  [{ qop: 'auth' }, 'MD5 of svcrack, which names a qop that it does not use'],
  [{ ...AUTH }, 'MD5 that names a qop and a cnonce but uses neither'],
  [{ ...AUTH, response: '5f7c5de35e21cd2d0753de902d75583c' }, 'MD5 with qop auth'],
  [{ ...AUTH_INT, response: '7313e59fb3d06873e3d3d3b60e188a30' }, 'MD5 with qop auth-int'],
  [{ ...AUTH, algorithm: 'MD5-sess', response: '1240d6313a7d548b5c3eff7be7e41132' }, 'MD5-sess'],
  [
    { algorithm: 'sha-256', response: 'c825a94c77c993192f405ac2a1d264718cce668777bb6c714762001e55417de7' },
    'SHA-256 without qop',
  ],
  [
    { ...AUTH_INT, algorithm: 'SHA-256', response: '7cb2c3cba004a4266b36f660e310f3ba225f855a011962aa42e7ab658c0967ca' },
    'SHA-256 with qop auth-int',
  ],
  [
    {
      ...AUTH,
      algorithm: 'SHA-256-Sess',
      response: '48e524241632935b758637f8b6ad32dd3f75ce05f31bbbd96d47ae001540fa24',
    },
    'SHA-256-sess',
  ],
  [
    { ...AUTH, algorithm: 'SHA-512-256', response: 'a79a15b35f7ba9d5b78be02b483c13f5f19534dc4008f7775d7a40215db47b62' },
    'SHA-512-256',
  ],
  [
    {
      ...AUTH,
      algorithm: 'SHA-512-256-sess',
      response: '9ae756a8b11df7ee97e2a2a203d4f2edbeeacc2d0d7bce421d1df67c79e72243',
    },
    'SHA-512-256-sess',
  ],
] as const) {
  test(`a response of ${why} gives its password away`, () => {
    const isRight = createPasswordCheck({ ...PLAIN, ...changes }, 'REGISTER', BODY)
    assert.deepEqual(['1233', '', '1234', '12345'].filter(isRight), ['1234'])
  })
}

test('an auth-int response is only right for the body that it was made for', () => {
  const credentials = { ...PLAIN, ...AUTH_INT, response: '7313e59fb3d06873e3d3d3b60e188a30' }
  assert.equal(matchesPassword(credentials, '1234', 'REGISTER', EMPTY), false)
})

test('names and passwords beyond ASCII are hashed as the bytes that they came as', () => {
  const bytes = (text: string) => Buffer.from(text).toString('latin1')
  const credentials = { ...PLAIN, username: bytes('jürgen'), response: 'e755dc0cfe6681d13f0b657c8d4c7800' }
  assert.equal(matchesPassword(credentials, bytes('größe'), 'REGISTER', EMPTY), true)
})

for (const [changes, why] of [
  [{ algorithm: 'AKAv1-MD5' }, 'an unknown algorithm'],
  [{ algorithm: '' }, 'an empty algorithm'],
  [{ algorithm: '-sess' }, 'an algorithm that is only a suffix'],
  [{ algorithm: 'sha1' }, 'a hash that no RFC names'],
  [{ response: '3c316ff2465225a84f0d8d7f7e0c66' }, 'a response that is too short'],
  [{ algorithm: 'SHA-256' }, 'a response of another hash'],
] as const) {
  test(`with ${why} no password is right`, () => {
    assert.equal(matchesPassword({ ...PLAIN, ...changes }, '1234', 'REGISTER', EMPTY), false)
  })
}

const STYLE: ChallengeStyle = { separator: ', ', order: ['realm', 'nonce', 'algorithm', 'qop', 'stale', 'opaque'] }
const CHALLENGE: DigestChallenge = {
  realm: 'asterisk',
  nonce: '4f1c3b2a',
  algorithm: 'MD5',
  qop: false,
  opaque: null,
  stale: false,
  style: STYLE,
}

for (const [changes, expected, why] of [
  [{}, 'Digest realm="asterisk", nonce="4f1c3b2a", algorithm=MD5', 'leaves out what there is not'],
  [
    { qop: true, opaque: 'x', stale: true },
    'Digest realm="asterisk", nonce="4f1c3b2a", algorithm=MD5, qop="auth", stale=true, opaque="x"',
    'keeps to the order',
  ],
  [
    { qop: true, opaque: 'x', stale: true, style: { separator: ',', order: ['nonce', 'realm'] } },
    'Digest nonce="4f1c3b2a",realm="asterisk"',
    'leaves out what is not in the order',
  ],
  [
    { algorithm: 'SHA-256', style: { separator: ',', order: ['realm', 'nonce'] } },
    'Digest realm="asterisk",nonce="4f1c3b2a",algorithm=SHA-256',
    'never hides an algorithm that a client would not guess',
  ],
  [
    { style: { separator: ',', order: ['realm', 'nonce', 'algorithm'], gap: '  ', md5: 'md5' } },
    'Digest  realm="asterisk",nonce="4f1c3b2a",algorithm=md5',
    'can look like that of PJSIP',
  ],
  [{ realm: 'a"b\\c\r\nX: y' }, 'Digest realm="a\\"b\\\\cX: y", nonce="4f1c3b2a", algorithm=MD5', 'stays one header'],
] as const) {
  test(`a challenge ${why}`, () => assert.equal(challengeValue({ ...CHALLENGE, ...changes }), expected))
}
