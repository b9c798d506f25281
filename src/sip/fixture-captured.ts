// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/*
 * What sipvicious 0.3.3, sipsak 0.9.8.1 and sipp 3.6.1 sent to a socket on loopback, byte for byte but for the line
 * breaks; one list for each fingerprint that they are to have. Line breaks are CRLF again in `CAPTURED`.
 */

const MESSAGES = {
  svmap: [
    `OPTIONS sip:100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5061;branch=z9hG4bK-3482542822;rport
Max-Forwards: 70
To: "sipvicious"<sip:100@1.1.1.1>
From: "sipvicious"<sip:100@1.1.1.1>;tag=3766303030303031376436350131333533363630353335
User-Agent: friendly-scanner
Call-ID: 686595665189145768155613
Contact: sip:100@127.0.0.1:5061
CSeq: 1 OPTIONS
Accept: application/sdp
Content-Length: 0

`,
    `OPTIONS sip:100@[::1] SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-449482134;rport
Max-Forwards: 70
To: "sipvicious"<sip:100@[::1]>
From: "sipvicious"<sip:100@[::1]>;tag=313766326201353637323334373034
User-Agent: friendly-scanner
Call-ID: 954451521689114219205359
Contact: sip:100@127.0.0.1:5060
CSeq: 1 OPTIONS
Accept: application/sdp
Content-Length: 0

`,
    `INVITE sip:100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-2513104564;rport
Max-Forwards: 70
To: "sipvicious"<sip:100@1.1.1.1>
From: "sipvicious"<sip:100@1.1.1.1>;tag=3766303030303031376436360133303335353333383235
User-Agent: friendly-scanner
Call-ID: 488706000071411073682838
Contact: sip:100@127.0.0.1:5062
CSeq: 1 INVITE
Accept: application/sdp
Content-Length: 0

`,
  ],
  svmapRegister: [
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-3294169440;rport
Max-Forwards: 70
To: "sipvicious"<sip:100@1.1.1.1>
From: "sipvicious"<sip:100@1.1.1.1>;tag=3766303030303031376436610133313932363635313030
User-Agent: friendly-scanner
Call-ID: 786793493993393275803508
Contact: None
CSeq: 1 REGISTER
Accept: application/sdp
Content-Length: 0

`,
  ],
  svwar: [
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1228305000;rport
Max-Forwards: 70
To: "3134224940"<sip:3134224940@127.0.0.1>
From: "3134224940"<sip:3134224940@127.0.0.1>;tag=333133343232343934300133303530323638393234
User-Agent: friendly-scanner
Call-ID: 2025008555
Contact: sip:3134224940@127.0.0.1
CSeq: 1 REGISTER
Accept: application/sdp
Content-Length: 0

`,
    `INVITE sip:100@127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1554598803;rport
Max-Forwards: 70
To: "100"<sip:100@127.0.0.1>
From: "100"<sip:100@127.0.0.1>;tag=31303001353134313738343739
User-Agent: friendly-scanner
Call-ID: 1990017805
Contact: sip:100@127.0.0.1
CSeq: 1 INVITE
Accept: application/sdp
Content-Length: 0

`,
    `ACK sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-372507059;rport
Max-Forwards: 70
To: "100"<sip:100@127.0.0.1>;tag=abc
From: "100"<sip:100@127.0.0.1>;tag=31303001353134313738343739
User-Agent: friendly-scanner
Call-ID: 1990017805
Contact: sip:None@127.0.0.1
CSeq: 1  ACK
Accept: application/sdp
Content-Length: 0

`,
  ],
  svcrackFirst: [
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5063;branch=z9hG4bK-1828712587;rport
Max-Forwards: 70
To: "100" <sip:100@127.0.0.1>
From: "100" <sip:100@127.0.0.1>;tag=3206210844
User-Agent: friendly-scanner
Call-ID: 2962284151
Contact: sip:123@1.1.1.1
CSeq: 1 REGISTER
Accept: application/sdp
Content-Length: 0

`,
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-1472075955;rport
Max-Forwards: 70
To: "5551" <sip:5551@127.0.0.1>
From: "5551" <sip:5551@127.0.0.1>;tag=3206210844
User-Agent: friendly-scanner
Call-ID: 1361855286
Contact: sip:123@1.1.1.1
CSeq: 1 REGISTER
Accept: application/sdp
Content-Length: 0

`,
  ],
  svcrackGuess: [
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5063;branch=z9hG4bK-189911253;rport
Max-Forwards: 70
To: "100" <sip:100@127.0.0.1>
From: "100" <sip:100@127.0.0.1>;tag=3130303a3130300132383534333031393934
User-Agent: friendly-scanner
Call-ID: 2962284151
Contact: sip:123@1.1.1.1
CSeq: 2 REGISTER
Accept: application/sdp
Content-Length: 0
Authorization: Digest username="100",realm="asterisk",nonce="4f1c3b2a",uri="sip:127.0.0.1",algorithm=MD5,qop=auth,response="1a13649d3198878a35916185bb155326"

`,
    `REGISTER sip:127.0.0.1 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-2654181812;rport
Max-Forwards: 70
To: "5551" <sip:5551@127.0.0.1>
From: "5551" <sip:5551@127.0.0.1>;tag=353535313a310131323136383733333835
User-Agent: friendly-scanner
Call-ID: 3794440916
Contact: sip:123@1.1.1.1
CSeq: 2 REGISTER
Accept: application/sdp
Content-Length: 0
Authorization: Digest username="5551",realm="asterisk",nonce="4f1c3b2a",uri="sip:127.0.0.1",algorithm=MD5,qop=auth,response="df77a570482028c574c816a546426fbc"

`,
  ],
  sipsak: [
    `OPTIONS sip:100@127.0.0.1:3212 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:47030;branch=z9hG4bK.09a072b2;rport;alias
From: sip:sipsak@127.0.0.1:47030;tag=5e97a2b5
To: sip:100@127.0.0.1:3212
Call-ID: 1586995893@127.0.0.1
CSeq: 1 OPTIONS
Contact: sip:sipsak@127.0.0.1:47030
Content-Length: 0
Max-Forwards: 70
User-Agent: sipsak 0.9.8.1
Accept: text/plain

`,
    `OPTIONS sip:100@127.0.0.1:3211 SIP/2.0
Via: SIP/2.0/TCP 127.0.0.1:53879;branch=z9hG4bK.0a2ab9cb;rport;alias
From: sip:sipsak@127.0.0.1:53879;tag=b283d0e
To: sip:100@127.0.0.1:3211
Call-ID: 187186446@127.0.0.1
CSeq: 1 OPTIONS
Contact: sip:sipsak@127.0.0.1:53879
Content-Length: 0
Max-Forwards: 70
User-Agent: sipsak 0.9.8.1
Accept: text/plain

`,
  ],
  sipsakRegister: [
    `REGISTER sip:127.0.0.1:3211 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:41758;branch=z9hG4bK.06e05e4e;rport;alias
From: sip:100@127.0.0.1:3211;tag=19524f6
To: sip:100@127.0.0.1:3211
Call-ID: 26551542@127.0.0.1
CSeq: 1 REGISTER
Content-Length: 0
Max-Forwards: 70
User-Agent: sipsak 0.9.8.1
Expires: 60
Contact: sip:me@127.0.0.1

`,
  ],
  sipsakFlood: [
    `OPTIONS sip:100@127.0.0.1:3211 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:9;branch=z9hG4bK.49598b9a
From: sip:sipsak@127.0.0.1:9;tag=28bc27bd
To: sip:100@127.0.0.1:3211
Call-ID: 683419581@127.0.0.1
CSeq: 2 OPTIONS
Contact: sip:sipsak@127.0.0.1:9
Content-Length: 0
Max-Forwards: 70
User-Agent: sipsak 0.9.8.1

`,
  ],
  sippInvite: [
    `INVITE sip:service@127.0.0.1:31220 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-17391-1-0
From: sipp <sip:sipp@127.0.0.1:5060>;tag=17391SIPpTag001
To: service <sip:service@127.0.0.1:31220>
Call-ID: 1-17391@127.0.0.1
CSeq: 1 INVITE
Contact: sip:sipp@127.0.0.1:5060
Max-Forwards: 70
Subject: Performance Test
Content-Type: application/sdp
Content-Length:   129

v=0
o=user1 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
`,
    `INVITE sip:service@127.0.0.1:32111 SIP/2.0
Via: SIP/2.0/TCP 127.0.0.1:5060;branch=z9hG4bK-19145-1-0
From: sipp <sip:sipp@127.0.0.1:5060>;tag=19145SIPpTag001
To: service <sip:service@127.0.0.1:32111>
Call-ID: 1-19145@127.0.0.1
CSeq: 1 INVITE
Contact: sip:sipp@127.0.0.1:5060
Max-Forwards: 70
Subject: Performance Test
Content-Type: application/sdp
Content-Length:   129

v=0
o=user1 53655765 2353687637 IN IP4 127.0.0.1
s=-
c=IN IP4 127.0.0.1
t=0 0
m=audio 6000 RTP/AVP 0
a=rtpmap:0 PCMU/8000
`,
  ],
  sipp: [
    `ACK sip:service@127.0.0.1:31220 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-17391-1-5
From: sipp <sip:sipp@127.0.0.1:5060>;tag=17391SIPpTag001
To: service <sip:service@127.0.0.1:31220>;tag=abc
Call-ID: 1-17391@127.0.0.1
CSeq: 1 ACK
Contact: sip:sipp@127.0.0.1:5060
Max-Forwards: 70
Subject: Performance Test
Content-Length: 0

`,
    `BYE sip:service@127.0.0.1:31220 SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5060;branch=z9hG4bK-17391-1-7
From: sipp <sip:sipp@127.0.0.1:5060>;tag=17391SIPpTag001
To: service <sip:service@127.0.0.1:31220>;tag=abc
Call-ID: 1-17391@127.0.0.1
CSeq: 2 BYE
Contact: sip:sipp@127.0.0.1:5060
Max-Forwards: 70
Subject: Performance Test
Content-Length: 0

`,
    `ACK sip:ua2@CA.cym.com SIP/2.0
Via: SIP/2.0/UDP 127.0.0.1:5062;branch=z9hG4bK-17423-1-9
From: ua1 <sip:ua1@nnl.cym:5062>;tag=17423SIPpTag07b1
To: ua2 <sip:ua2@nnl.cym:31260>;tag=abc
Call-ID: 1-17423@127.0.0.1
CSeq: 1 ACK
Contact: sip:ua1@127.0.0.1:5062
Max-Forwards: 70
Subject: Performance Test
Content-Length: 0

`,
  ],
} as const

function withLineBreaks(messages: readonly string[]): readonly string[] {
  return messages.map((text) => text.replaceAll('\n', '\r\n'))
}

/** The messages of each list, with the line breaks that they had. */
export const CAPTURED = {
  svmap: withLineBreaks(MESSAGES.svmap),
  svmapRegister: withLineBreaks(MESSAGES.svmapRegister),
  svwar: withLineBreaks(MESSAGES.svwar),
  svcrackFirst: withLineBreaks(MESSAGES.svcrackFirst),
  svcrackGuess: withLineBreaks(MESSAGES.svcrackGuess),
  sipsak: withLineBreaks(MESSAGES.sipsak),
  sipsakRegister: withLineBreaks(MESSAGES.sipsakRegister),
  sipsakFlood: withLineBreaks(MESSAGES.sipsakFlood),
  sippInvite: withLineBreaks(MESSAGES.sippInvite),
  sipp: withLineBreaks(MESSAGES.sipp),
} as const
