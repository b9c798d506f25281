// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

export const NUMBERS = 100_000
const FIRST_NUMBER = 46_500_000_000

/** The called number of a message; load.c has the same ones. */
export function numberOf(sequence: number): string {
  return `00${FIRST_NUMBER + (sequence % NUMBERS)}`
}

/** A scanner's OPTIONS of about 450 bytes; number, branch, tag and Call-ID vary as in a sweep. */
export function probe(sequence: number): Buffer {
  const number = numberOf(sequence)
  const digits = String(sequence).padStart(10, '0')
  return Buffer.from(
    `OPTIONS sip:${number}@127.0.0.1 SIP/2.0\r\nVia: SIP/2.0/UDP 127.0.1.1:5061;branch=z9hG4bK-${digits};rport\r\n` +
      `Content-Length: 0\r\nFrom: "sipvicious"<sip:100@1.1.1.1>;tag=37663030303030313133633401${digits}\r\n` +
      'Accept: application/sdp\r\nUser-Agent: friendly-scanner\r\n' +
      `To: "sipvicious"<sip:${number}@1.1.1.1>\r\nContact: sip:100@127.0.1.1:5061\r\n` +
      `CSeq: 1 OPTIONS\r\nCall-ID: 937216578490216473${digits}\r\nMax-Forwards: 70\r\n\r\n`,
  )
}
