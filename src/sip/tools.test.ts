// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { test } from 'node:test'
import { createFingerprinter } from './fingerprint.ts'
import { CAPTURED } from './fixture-captured.ts'
import { parseMessage } from './parse.ts'
import { TOOL_RULES, type ToolRule } from './tools.ts'

const fingerprintOf = createFingerprinter()
const DOCS = readFileSync(new URL('../../docs/fingerprints.md', import.meta.url), 'utf8')

function toolOfText(text: string): string | null {
  const bytes = Buffer.from(text, 'latin1')
  const message = parseMessage(bytes)
  assert.ok(message.kind === 'request', 'the message has to be sound')
  return fingerprintOf(message, bytes).tool
}

function request(method: string, ...lines: readonly string[]): string {
  return `${method} sip:100@203.0.113.5 SIP/2.0\r\n${lines.join('\r\n')}\r\n\r\n`
}

/** A session description behind a message whose Content-Length is left out. */
function withSession(text: string, session: string): string {
  return `${text}v=0\r\no=x 1 2 IN IP4 198.51.100.7\r\ns=${session}\r\n`
}

const [svmap = ''] = CAPTURED.svmap
const [svwar = ''] = CAPTURED.svwar
const [svcrack = ''] = CAPTURED.svcrackGuess
const [sipsak = ''] = CAPTURED.sipsak
const [sipp = ''] = CAPTURED.sipp

// The other tools are not run here: these follow what is published of them, with names and numbers of our own.
const oldSvmap = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-1387712345;rport',
  'Content-Length: 0',
  'From: "someone"<sip:100@1.1.1.1>; tag=6362303037313035313363340132',
  'Accept: application/sdp',
  'User-Agent: renamed',
  'To: "someone"<sip:100@1.1.1.1>',
  'Contact: sip:100@198.51.100.7:5060',
  'CSeq: 1 OPTIONS',
  'Call-ID: 640288541913379013248842',
  'Max-Forwards: 70',
)
const metasploit = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK.0b3c1d2e;rport;alias',
  'From: sip:Kq3@198.51.100.7:5060;tag=70c00e8c',
  'To: sip:nobody@203.0.113.5',
  'Call-ID: 3120447712@198.51.100.7',
  'CSeq: 1 OPTIONS',
  'Contact:  sip:Kq3@198.51.100.7:5060',
  'Max-Forwards: 20',
  'User-Agent: Kq3',
  'Content-Length: 0',
)
const ownScenario = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-4711-1-0',
  'Call-ID: 1-4711@198.51.100.7',
  'From: <sip:a@198.51.100.7>;tag=mine',
  'To: <sip:100@203.0.113.5>',
  'CSeq: 1 OPTIONS',
)
const nmapProbe = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP nm;branch=foo;rport',
  'From: <sip:nm@nm>;tag=root',
  'To: <sip:nm2@nm2>',
  'Call-ID: 50000',
  'CSeq: 42 OPTIONS',
  'Max-Forwards: 70',
  'Content-Length: 0',
  'Contact: <sip:nm@nm>',
  'Accept: application/sdp',
)
const nmapScript = request(
  'OPTIONS',
  'Via: SIP/2.0/TCP 198.51.100.7:39338;rport;branch=z9hG4bKq7TzWm3rKd0aYb_5sPcXe2v',
  'Max-Forwards: 70',
  'From: "renamed" <sip:user@203.0.113.5>;tag=aB3dE6gH9jK2mN5pQ8sT',
  'To: "renamed" <sip:user@203.0.113.5>',
  `Call-ID: ${'q7TzWm3rKd'.repeat(6)}`,
  'CSeq: 1234 OPTIONS',
  'User-Agent: renamed',
  'Contact: "renamed" <sip:user@198.51.100.7:39338>',
  'Expires: 300',
  'Content-Length:  0',
)
const sippts = request(
  'OPTIONS',
  `Via: SIP/2.0/UDP 198.51.100.7:5060;branch=${'w4kz9'.repeat(14)}q;rport`,
  'From:  <sip:100@203.0.113.5>;tag=0a1b2c3d',
  'To:  <sip:100@203.0.113.5>',
  'Contact: <sip:100@198.51.100.7:5060;transport=udp>;expires=120',
  'Call-ID: 0123456789abcdef0123456789abcdef',
  'CSeq: 1 OPTIONS',
  'Max-Forwards: 70',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const pplsip = request(
  'INVITE',
  'Via: SIP/2.0/UDP 0.0.0.0:61234;branch=z9hG4bK851337159',
  'Max-Forwards: 70',
  'From: <sip:100@203.0.113.5>;tag=314151617',
  'To: <sip:00441@203.0.113.5>',
  'Call-ID: 1392863831-465500234-336000036',
  'CSeq: 1 INVITE',
  'Contact: <sip:100@198.51.100.7:61234>',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const sipcli = request(
  'INVITE',
  'To: 00441<sip:00441@203.0.113.5>',
  'From: 100<sip:100@203.0.113.5>;tag=1fd7b702',
  'Via: SIP/2.0/UDP 198.51.100.7:5071;branch=z9hG4bK-0123456789abcdef0123456789abcdef;rport',
  'Call-ID: fedcba9876543210fedcba9876543210',
  'CSeq: 1 INVITE',
  'Contact: <sip:100@198.51.100.7:5071>',
  'Max-Forwards: 70',
  'Allow: INVITE, ACK, CANCEL, BYE',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const voip = request(
  'REGISTER',
  'To: <sip:100@203.0.113.5>',
  'From: <sip:100@203.0.113.5>;tag=e5f4a9860666e4f70',
  'Via: SIP/2.0/UDP 198.51.100.7:49618;branch=z9hG4bK-d87543-887333410-1--d87543-;rport',
  'Call-ID: e5f4a986066756e4f70',
  'CSeq: 1 REGISTER',
  'Contact: <sip:100@198.51.100.7:49618>',
  'Expires: 3600',
  'Max-Forwards: 70',
  'User-Agent: VOIP',
  'Content-Length: 0',
)
const mrSip = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP 198.51.100.7:41234;branch=z9hG4bK-3819204756;rport',
  'From: <sip:200@198.51.100.7>;tag=314151',
  'To: <sip:100@203.0.113.5>',
  'Call-ID: q7zw4m3rkd0ayb5spcxe2v6tfgh12345',
  'CSeq: 1 OPTIONS',
  'Contact: <sip:200@198.51.100.7:41234>',
  'Accept: application/sdp',
  'Max-Forwards: 70',
  'Content-Length: 0',
)
const resiprocate = request(
  'REGISTER',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bK-524287-1---30f41463c500d630;rport',
  'Max-Forwards: 70',
  'Contact: <sip:100@198.51.100.7:5060>',
  'To: <sip:100@203.0.113.5>',
  'From: <sip:100@203.0.113.5>;tag=f74a2d60',
  'Call-ID: 8Am0BZ7UvumCS5kZxE3UAA..',
  'CSeq: 1 REGISTER',
  'Expires: 45',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const baresip = request(
  'REGISTER',
  'Via: SIP/2.0/UDP 198.51.100.7:5071;branch=z9hG4bK9f528f3ed5284440;rport',
  'Contact: <sip:100-0x563dc2f1bbe0@198.51.100.7:5071>;expires=300',
  'Max-Forwards: 70',
  'To: <sip:100@203.0.113.5>',
  'From: <sip:100@203.0.113.5>;tag=dec9efa8195d3420',
  'Call-ID: 5a0f44882f7fab20',
  'CSeq: 57689 REGISTER',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const linphone = request(
  'REGISTER',
  'Via: SIP/2.0/UDP 198.51.100.7:50405;branch=z9hG4bK.~4J3SLRhQ;rport',
  'From: <sip:100@203.0.113.5>;tag=8Lq7OgaDX',
  'To: sip:100@203.0.113.5',
  'CSeq: 20 REGISTER',
  'Call-ID: fRebdDPcxz',
  'Max-Forwards: 70',
  'Contact: <sip:100@198.51.100.7:50405>',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const exosip = request(
  'REGISTER',
  'Via: SIP/2.0/UDP 198.51.100.7:5069;rport;branch=z9hG4bK662351430',
  'From: <sip:100@203.0.113.5>;tag=1923738050',
  'To: <sip:100@203.0.113.5>',
  'Call-ID: 123641860',
  'CSeq: 1 REGISTER',
  'Contact: <sip:100@198.51.100.7:5069>',
  'Max-Forwards: 70',
  'User-Agent: renamed',
  'Content-Length: 0',
)
const unknown = request(
  'OPTIONS',
  'Via: SIP/2.0/UDP 198.51.100.7:5060;branch=z9hG4bKhome-made;rport',
  'CSeq: 1 OPTIONS',
  'Call-ID: home-made',
  'From: <sip:100@203.0.113.5>;tag=home',
  'To: <sip:100@203.0.113.5>',
  'Max-Forwards: 70',
)
const pjsip = unknown.replace('z9hG4bKhome-made', 'z9hG4bKPj3af08dca64e04cf2a6a224467467b5b0')
const asterisk = unknown.replace('tag=home', 'tag=as58f42010')
const called = (userAgent: string) => unknown.replace('Max-Forwards', `User-Agent: ${userAgent}\r\nMax-Forwards`)

/** A message for each rule, in their order, and one that misses it by little. */
const CASES: readonly (readonly [name: string, positive: string, nearMiss: string])[] = [
  ['sipvicious-svmap', svmap, svmap.replace(/Call-ID: \d+/, 'Call-ID: 640288541')],
  ['sipvicious-svwar', svwar, svwar.replace('"<', '" <').replace('"<', '" <')],
  ['sipvicious-svcrack', svcrack, svcrack.replaceAll('" <', '"<')],
  ['sipvicious', oldSvmap.replace(/Call-ID: \d+/, 'Call-ID: 914203370'), oldSvmap.replace('K-', 'K.')],
  ['metasploit', metasploit, metasploit.replace('70c00e8c', '70c00e8d')],
  [
    'sipp',
    sipp.replace(/Call-ID: .*/, 'Call-ID: mine'),
    sipp.replace(/Call-ID: .*/, 'Call-ID: mine').replace('SIPp', 'sipq'),
  ],
  ['sipp', ownScenario, ownScenario.replace('4711-1-0', '4711-1')],
  [
    'sipsak',
    sipsak.replace(/sipsak 0.*/, 'renamed'),
    sipsak.replace(/sipsak 0.*/, 'renamed').replace(/: (sip:sipsak.*);tag/, ': <$1>;tag'),
  ],
  ['nmap', nmapProbe, nmapProbe.replace('root', 'boot')],
  ['nmap', nmapScript, nmapScript.replace('rport;', '')],
  ['sippts', withSession(unknown, 'SIPPTS'), withSession(unknown, 'SIPPTS2')],
  ['sippts', sippts, sippts.replace('branch=', 'branch=z9hG4bK')],
  ['pplsip', pplsip, pplsip.replace('-336000036', '')],
  ['sipcli', sipcli, sipcli.replace('From: 100<', 'From: 100 <')],
  ['voip-extension-scanner', voip, voip.replace('From: <', 'From: "100" <').replace('e5f4a986066756e4f70', '1')],
  ['mr-sip', mrSip, mrSip.replace('q7zw4m3rkd0ayb5spcxe2v6tfgh12345', '12345')],
  ['portsip', resiprocate.replace('renamed', 'PortSIP UC 16'), resiprocate.replace('renamed', 'Another PortSIP')],
  ['resiprocate', resiprocate, resiprocate.replace('---', '--')],
  ['baresip', baresip, baresip.replace('5a0f44882f7fab20', '5a0f4488')],
  ['linphone', linphone, linphone.replace('K.~', 'K~')],
  ['exosip', exosip, exosip.replace('rport;', '')],
  ['pjsip', pjsip, pjsip.replace('bKPj', 'bKpj')],
  ['asterisk-chan-sip', asterisk, asterisk.replace('as58f42010', 'as58f4201')],
  ['sipvicious', called('friendly-scanner'), called('a friendly-scanner')],
  ['sipcli', called('sipcli/v1.8'), called('gossipcli')],
  ['vaxsip', called('VaxSIPUserAgent/3.1'), called('VaxSIP')],
  ['pplsip', called('pplsip'), called('applsip')],
  ['mr-sip', called('Mr.SIP'), called('Mrs.SIP')],
  ['portsip', called('PortSIP UC'), called('NoPortSIP')],
  ['sipsak', called('sipsak 0.9.7'), called('not sipsak')],
  ['sipp', called('SIPp'), called('SIPphone')],
  ['nmap', called('Nmap NSE'), called('Nmap')],
  ['baresip', called('baresip v1.1.0'), called('rebaresip')],
  ['linphone', called('Linphone/3.9.0 (belle-sip/1.4.2)'), called('Blinphone')],
]

test('each rule has its messages, in the order of the rules', () => {
  assert.deepEqual(
    CASES.map(([name]) => name),
    TOOL_RULES.map(({ name }) => name),
  )
})

for (const [index, [name, positive, nearMiss]] of CASES.entries()) {
  test(`rule ${index + 1} finds ${name}, and not in what only resembles it`, () => {
    assert.equal(toolOfText(positive), name)
    assert.notEqual(toolOfText(nearMiss), name)
  })
}

test('the shape tells more than the User-Agent', () => {
  assert.equal(toolOfText(svmap.replace('friendly-scanner', 'Linphone/3.9.0')), 'sipvicious-svmap')
  assert.equal(toolOfText(baresip.replace('renamed', 'friendly-scanner')), 'baresip')
})

test('a message of no known tool has no tool', () => assert.equal(toolOfText(unknown), null))

for (const [list, name] of [
  ['svmapRegister', 'sipvicious-svmap'],
  ['svcrackFirst', 'sipvicious-svcrack'],
  ['sipsakRegister', 'sipsak'],
  ['sipsakFlood', 'sipsak'],
  ['sippInvite', 'sipp'],
] as const) {
  test(`the captured ${list} messages are of ${name} under any User-Agent`, () => {
    for (const text of CAPTURED[list]) assert.equal(toolOfText(text.replace(/User-Agent: .*/, 'User-Agent: x')), name)
  })
}

test('a name is fit for a label, and a sentence says how we know', () => {
  for (const { name, evidence } of TOOL_RULES) {
    assert.match(name, /^[a-z0-9-]{1,32}$/)
    assert.match(evidence, /^[A-Z].*\.$/)
  }
})

/** The line that docs/fingerprints.md has for a rule. */
function documented({ name, shape, texts, evidence }: ToolRule, index: number): string {
  const code = (text: string) => `\`${text.replaceAll('|', '\\|')}\``
  const parts = Object.entries(shape ?? {}).map(([part, oneOf]) => `${part} ${oneOf.map(code).join(' or ')}`)
  const words = Object.entries(texts ?? {}).map(([text, pattern]) => `the text of ${text} ${code(String(pattern))}`)
  return `| ${index + 1} | ${code(name)} | ${[...parts, ...words].join('; ')} | ${evidence} |`
}

test('docs/fingerprints.md has the rules to the letter, in their order, and no other', () => {
  assert.deepEqual(
    DOCS.split('\n').filter((line) => /^\| \d+ \|/.test(line)),
    TOOL_RULES.map(documented),
  )
})

test('docs/fingerprints.md explains its example as it is', () => {
  const [, first = ''] = CAPTURED.svmap
  const bytes = Buffer.from(first, 'latin1')
  const message = parseMessage(bytes)
  assert.ok(message.kind === 'request')
  assert.ok(DOCS.includes(`\n${fingerprintOf(message, bytes).fingerprint}\n`))
})
