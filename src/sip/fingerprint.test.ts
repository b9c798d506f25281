// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { test } from 'node:test'
import fc from 'fast-check'
import { createFingerprinter, type Fingerprint } from './fingerprint.ts'
import { CAPTURED } from './fixture-captured.ts'
import { parseMessage } from './parse.ts'

const fingerprintOf = createFingerprinter()
const FORM = /^[A-Za-z0-9._-]{1,64}$/

/** What is read of these bytes; null where there is no message. */
function fingerprintOfBytes(bytes: Buffer): Fingerprint | null {
  const parsed = parseMessage(bytes)
  const message = parsed.kind === 'fault' ? parsed.message : parsed
  if (message === null || message.kind === 'keep-alive') return null
  return fingerprintOf(message, bytes)
}

const fingerprint = (text: string): string => fingerprintOfBytes(Buffer.from(text, 'latin1'))?.fingerprint ?? ''

for (const [list, expected, tool] of [
  ['svmap', 's1.vmtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'sipvicious-svmap'],
  ['svmapRegister', 's1.vmtfuikcl.z-x1.pbr.q.v.d3.s70.o', 'sipvicious-svmap'],
  ['svwar', 's1.vmtfuikcl.z-x1.pbr.q.v.x1.s70.u', 'sipvicious-svwar'],
  ['svcrackFirst', 's1.vmtfuikcl.z-x1.pbr.Q.x1.x1.s70.u', 'sipvicious-svcrack'],
  ['svcrackGuess', 's1.vmtfuikcl.z-x1.pbr.Q.v.x1.s70.u', 'sipvicious-svcrack'],
  ['sipsak', 's1.vfticklmu.z_x1.pbra.u.x1.x1h.s70.u', 'sipsak'],
  ['sipsakRegister', 's1.vfticlmuk.z_x1.pbra.u.x1.x1h.s70.u', 'sipsak'],
  ['sipsakFlood', 's1.vfticklmu.z_x1.pb.u.x1.x1h.s70.u', 'sipsak'],
  ['sippInvite', 's1.vftickml.z-x-x-x.pb.T.a2.x-xh.s70.u.udh', 'sipp'],
  ['sipp', 's1.vftickml.z-x-x-x.pb.T.a2.x-xh.s70.u', 'sipp'],
] as const) {
  for (const [index, text] of CAPTURED[list].entries()) {
    test(`the captured ${list} message ${index + 1} has the fingerprint of all of them`, () => {
      assert.deepEqual(fingerprintOfBytes(Buffer.from(text, 'latin1')), { fingerprint: expected, tool })
    })
  }
}

test('an INVITE with a body and the BYE behind it differ in what the body says only', () => {
  const [invite = '', bye = ''] = [CAPTURED.sippInvite[0], CAPTURED.sipp[1]].map((text) => fingerprint(text ?? ''))
  assert.equal(invite, `${bye}.udh`)
})

const address = fc.oneof(
  fc.ipV4(),
  fc.ipV6().map((ip) => `[${ip}]`),
)
const port = fc.integer({ min: 1, max: 65_535 }).map(String)
const bits31 = fc.nat(0x7fffffff).map(String)
const bits32 = fc.nat(0xffffffff).map(String)
const bits80 = fc.bigInt({ min: 10n ** 21n, max: 2n ** 80n - 1n }).map(String) // 999 of a thousand draws
const extension = fc.stringMatching(/^[0-9]{1,12}$/)
/** The tag of sipvicious: what it wants back, 01 and a number, in hexadecimal. */
const echoed = fc
  .tuple(fc.stringMatching(/^[0-9a-f]{8,12}$/), fc.integer({ min: 100_000, max: 0xffffffff }))
  .map(([wanted, number]) => Buffer.from(`${wanted}\x01${number}`).toString('hex'))

/** What of a captured message stands for the target, the source, the time or chance, and what may stand there instead. */
const VARIED: readonly (readonly [
  list: keyof typeof CAPTURED,
  varied: readonly (readonly [RegExp, fc.Arbitrary<string>])[],
])[] = [
  [
    'svmap',
    [
      [/(?<=bK-)\d+/g, bits32],
      [/(?<=tag=)\w+/g, echoed],
      [/(?<=Call-ID: )\d+/g, bits80],
    ],
  ],
  [
    'svwar',
    [
      [/(?<=bK-)\d+/g, bits32],
      [/(?<=From.*tag=)\w+/g, echoed],
      [/(?<=Call-ID: )\d+/g, bits32],
      [/\b100\b/g, extension],
    ],
  ],
  [
    'svcrackGuess',
    [
      [/(?<=bK-)\d+/g, bits32],
      [/(?<=tag=)\w+/g, echoed],
      [/(?<=Call-ID: )\d+/g, bits32],
    ],
  ],
  [
    'sipsak',
    [
      [/(?<=bK\.)\w+/g, fc.nat(0xffffffff).map((number) => number.toString(16).padStart(8, '0'))],
      [/(?<=tag=)\w+/g, fc.nat(0x7fffffff).map((number) => number.toString(16))],
      [/(?<=Call-ID: )\d+/g, bits31],
      [/(?<=[: ]sip:)100\b/g, extension],
    ],
  ],
  [
    'sipp',
    [
      [/17\d{3}(?=SIPp|-1-|@)/g, fc.integer({ min: 100, max: 4_194_304 }).map(String)],
      [/(?<=-)\d+(?=\r)/g, fc.nat(40).map(String)],
    ],
  ],
]

for (const [list, varied] of VARIED) {
  test(`another target, source and other random numbers leave the fingerprint of ${list} as it is`, () => {
    fc.assert(
      fc.property(
        fc.constantFrom(...CAPTURED[list]),
        address,
        address,
        port,
        port,
        fc.tuple(...varied.map(([, drawn]) => drawn)),
        (text, target, source, targetPort, sourcePort, drawn) => {
          const other = varied
            .reduce((before, [pattern], index) => before.replace(pattern, drawn[index] ?? ''), text)
            .replace(/(?<=(?:UDP|TCP|Contact: sip:\w+@|From: sip:\w+@) ?)(?:127\.0\.0\.1|\[::1\])/g, source)
            .replace(/127\.0\.0\.1(?=:3|[ >])|\[::1\]/g, target)
            .replace(/:3\d{3,4}\b/g, `:${targetPort}`)
            .replace(/:[45]\d{3,4}\b/g, `:${sourcePort}`)
          assert.equal(fingerprint(other), fingerprint(text))
        },
      ),
    )
  })
}

const [options = ''] = CAPTURED.svmap
const changed = (pattern: string | RegExp, by: string) => fingerprint(options.replace(pattern, by))

for (const [pattern, by, expected, why] of [
  ['friendly-scanner', 'Somebody Else 1.0', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'a changed User-Agent changes nothing'],
  ['OPTIONS', 'options', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'nor does the case of the method'],
  ['Accept: application/sdp\r\n', '', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'nor a header that only some methods have'],
  ['UDP', 'TCP', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'nor the transport'],
  [/Max-Forwards.*\r\n/, '', 'vtfuikcl.z-x1.pbr.q.v.d3.sn.u', 'a missing header shows'],
  ['Max-Forwards: 70', 'Max-Forwards: many', 'vmtfuikcl.z-x1.pbr.q.v.d3.so.u', 'so does a Max-Forwards of no number'],
  ['Via:', 'v:', 'v1mtfuikcl.z-x1.pbr.q.v.d3.s70.u', 'so does a compact name'],
  ['Call-ID:', 'call-id:', 'vmtfui2kcl.z-x1.pbr.q.v.d3.s70.u', 'so does a name in small letters'],
  ['CSeq:', 'CSEQ:', 'vmtfuikc3l.z-x1.pbr.q.v.d3.s70.u', 'so does a name in capitals'],
  ['Call-ID:', 'Call-Id:', 'vmtfui4kcl.z-x1.pbr.q.v.d3.s70.u', 'so does any other spelling'],
  ['To: ', 'To:', 'vmt0fuikcl.z-x1.pbr.q.v.d3.s70.u', 'so does a colon without a space'],
  ['To: ', 'To :  ', 'vmt-fuikcl.z-x1.pbr.q.v.d3.s70.u', 'so does white space before the colon'],
  ['To: ', 'To:\t', 'vmt_fuikcl.z-x1.pbr.q.v.d3.s70.u', 'so does other white space behind it'],
  [
    'Content-Length: 0',
    'Content-Length:   0',
    'vmtfuikcl.z-x1.pbr.q.v.d3.s70.u',
    'but not before a length, which is padded',
  ],
  [/;branch=.*/, '', 'vmtfuikcl.-.p.q.v.d3.s70.u', 'a Via without a branch shows'],
  [
    /;branch=.*/,
    ';rport=5;Branch=foo',
    'vmtfuikcl.-.pRo.q.v.d3.s70.u',
    'so does the order and spelling of its parameters',
  ],
  [/127\.0\.0\.1:\d+;/, '[::1];', 'vmtfuikcl.z-x1.nbr.q.v.d3.s70.u', 'so does a sent-by without a port'],
  ['z9hG4bK-', '', 'vmtfuikcl.ox1.pbr.q.v.d3.s70.u', 'so does a branch without the cookie'],
  [/;tag=\w+/, '', 'vmtfuikcl.z-x1.pbr.q.-.d3.s70.u', 'so does a From without a tag'],
  [';tag=', '; tag=', 'vmtfuikcl.z-x1.pbr.q._v.d3.s70.u', 'so does a space before the tag'],
  ['CSeq: 1 ', 'CSeq: 26838 ', 'vmtfuikcl.z-x1.pbr.q.v.d3.l70.u', 'so does a CSeq that was drawn'],
  ['CSeq: 1 ', 'CSeq: one ', 'vmtfuikcl.z-x1.pbr.q.v.d3.o70.u', 'so does a CSeq of no number'],
  [/Contact: (.*)\r/, 'Contact: <$1>\r', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.b', 'so do brackets around Contact'],
  [/Contact: .*\r/, 'Contact: *\r', 'vmtfuikcl.z-x1.pbr.q.v.d3.s70.s', 'so does a star'],
  [/From: "sipvicious"/, 'From: 1001', 'vmtfuikcl.z-x1.pbr.t.v.d3.s70.u', 'so does a name without quotes'],
  [/From: "sipvicious"/, 'From: sipp ', 'vmtfuikcl.z-x1.pbr.T.v.d3.s70.u', 'and whether a space follows it'],
] as const) {
  test(`${why} (${JSON.stringify(by)})`, () => assert.equal(changed(pattern, by), `s1.${expected}`))
}

for (const [body, expected, why] of [
  ['v=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\n', '.hzh', 'dashes and zeros'],
  ['v=0\r\no=Z 0 0 IN IP4 192.0.2.1\r\ns=Z\r\n', '.uzo', 'the session called after its origin'],
  ['v=0\r\no=- 17 17 IN IP4 192.0.2.1\r\ns= \r\n', '.hes', 'one number twice, and no name'],
  ['v=0\no=sipcli-Session 1 2 IN IP4 192.0.2.1\ns=sipcli\n', '.udt', 'two numbers and a name, with bare line feeds'],
  ['hello', '.x', 'no session description'],
  ['', '', 'no body'],
] as const) {
  test(`a body shows as ${JSON.stringify(expected)}: ${why}`, () => {
    const request = options.replace('Content-Length: 0', `Content-Length: ${body.length}`)
    assert.equal(fingerprint(request + body), `${fingerprint(options)}${expected}`)
  })
}

test('headers too oddly spelt for their letters are summed up, and still compared', () => {
  const odd = (text: string) => text.replace(/^([\w-]+): /gm, (_, name: string) => `${name.toLowerCase()}:  `)
  assert.match(fingerprint(odd(options)), /^s1\.h[0-9a-f]{8}\.z-x1\./)
  assert.notEqual(fingerprint(odd(options)), fingerprint(odd(CAPTURED.sipp[0] ?? '')).slice(0, 12))
  assert.equal(fingerprint(odd(options)), fingerprint(odd(CAPTURED.svmap[1] ?? '')))
})

test('a response shows its headers, its Contact and its body, and names no tool', () => {
  const response = options.replace(/^.*/, 'SIP/2.0 200 OK').replace('friendly-scanner', 'sipsak')
  assert.deepEqual(fingerprintOfBytes(Buffer.from(response)), { fingerprint: 's1r.vmtfuikcl.u', tool: null })
})

test('a message without a single header has a fingerprint', () => {
  assert.equal(fingerprint('OPTIONS sip:100@192.0.2.1 SIP/2.0\r\n\r\n'), 's1.-.-.n.-.-.-.-n.-')
})

test('headers behind the sixty-fourth are not looked at', () => {
  const filled = (count: number) => options.replace('Contact:', `${'X-Filler: 1\r\n'.repeat(count)}Contact:`)
  assert.equal(fingerprint(filled(56)), fingerprint(options).replace('cl.', 'c.'))
  assert.equal(fingerprint(filled(5_000)), 's1.vmtfui.z-x1.pbr.q.v.d3.-70.-')
})

test('what is kept of shapes that came before changes no answer, however many were made up', () => {
  const word = (number: number) => [0, 2, 4, 6].map((bit) => ['z-', 'z.', '1-', '1.'][(number >> bit) & 3]).join('')
  const tools = Object.values(CAPTURED).map(([text = '']) => text)
  const shapes = new Set<string>()
  for (let number = 0; number < 4_000; number++) {
    const text = tools[number % tools.length] ?? ''
    const branch = number % 3 === 0 ? '$&' : `branch=z9hG4bK${word(number)}`
    const callId = number % 3 === 0 ? '$&' : `Call-ID: ${word(number >> 4)}`
    const varied = text.replace(/branch=[^;\r]*/, branch).replace(/Call-ID: [^\r]*/, callId)
    const bytes = Buffer.from(varied, 'latin1')
    const message = parseMessage(bytes)
    assert.ok(message.kind === 'request')
    const before = fingerprintOf(message, bytes)
    shapes.add(before.fingerprint)
    assert.deepEqual(fingerprintOf(message, bytes), before)
    assert.deepEqual(createFingerprinter()(message, bytes), before)
  }
  assert.ok(shapes.size > 2_000, String(shapes.size)) // twice as many as are kept
})

test('whatever comes has a fingerprint of at most 64 safe characters', () => {
  const header = fc.tuple(
    fc.constantFrom(
      'Via',
      'v',
      'FROM',
      'to',
      'Call-Id',
      'CSeq',
      'Contact',
      'm',
      'Max-Forwards',
      'User-agent',
      'l',
      'X',
    ),
    fc.constantFrom(': ', ':', ' : ', ':\t\t', ':\r\n '),
    fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.string({
        unit: fc.constantFrom(
          ';',
          '"',
          '<',
          '>',
          '=',
          '@',
          ',',
          ':',
          '-',
          '.',
          'branch=',
          'tag=',
          'z9hG4bK',
          'sip:',
          'a',
          '0',
          'F',
        ),
      }),
    ),
  )
  fc.assert(
    fc.property(fc.array(header, { maxLength: 20 }), fc.string({ unit: 'binary' }), (headers, body) => {
      const lines = headers.map(([name, colon, value]) => `${name}${colon}${value}\r\n`)
      const found = fingerprintOfBytes(Buffer.from(`OPTIONS sip:a@b SIP/2.0\r\n${lines.join('')}\r\n${body}`, 'latin1'))
      assert.match(found?.fingerprint ?? '', FORM)
    }),
    { numRuns: 1_000 },
  )
})

test('the longest that a fingerprint can get is 64 characters', () => {
  const longest = fingerprint(
    'INVITE sip:1@192.0.2.1 SIP/2.0\r\nv:  SIP/2.0/UDP a:1;branch=z9hG4bK-1-2-3-4-5;rport;alias;x;y\r\n' +
      'm: <sip:a>\r\nMax-Forwards: 255\r\nTo: <sip:a>\r\nFrom: <sip:a>; tag=-1-2-3-4-5\r\nUser-Agent: x\r\n' +
      'Call-ID: 1-2-3-4-5@host\r\nCSeq: 1 INVITE\r\nContent-Length: 40\r\n\r\nv=0\r\no=- 0 0 IN IP4 192.0.2.1\r\ns=-\r\nabcdefg',
  )
  assert.match(longest, FORM)
  assert.ok(longest.length >= 60, longest)
})

for (const [why, text] of [
  ['5,000 headers', `OPTIONS sip:1@x SIP/2.0\r\n${'Via: x\r\n'.repeat(5_000)}\r\n`],
  ['a Via of semicolons', `OPTIONS sip:1@x SIP/2.0\r\nVia: SIP/2.0/UDP x${';'.repeat(60_000)}\r\n\r\n`],
  ['a From of quotes', `OPTIONS sip:1@x SIP/2.0\r\nFrom: ${'"\\'.repeat(30_000)}\r\n\r\n`],
  ['a Call-ID of dashes', `OPTIONS sip:1@x SIP/2.0\r\nCall-ID: ${'-'.repeat(60_000)}\r\n\r\n`],
  ['a body of o=', `OPTIONS sip:1@x SIP/2.0\r\n\r\n${'\no='.repeat(20_000)}`],
] as const) {
  test(`${why} cost no more than a message of that size usually does`, () => {
    const bytes = Buffer.from(text, 'latin1')
    const parsed = parseMessage(bytes)
    const message = parsed.kind === 'fault' ? parsed.message : parsed
    assert.ok(message !== null && message.kind === 'request')
    const startMs = performance.now()
    for (let round = 0; round < 200; round++) fingerprintOf(message, bytes)
    const elapsedMs = performance.now() - startMs
    assert.ok(elapsedMs < 200, `${elapsedMs} ms for 200`) // 1 ms each: some 60 times what it takes, less than squares would
  })
}
