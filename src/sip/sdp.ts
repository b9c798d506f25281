// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

interface OfferedMedia {
  readonly media: string
  readonly port: number
  readonly protocol: string
  readonly formats: readonly string[]
  /** The `a=rtpmap` lines of the formats. */
  readonly maps: ReadonlyMap<string, string>
  readonly direction: Direction
}

interface Offer {
  /** The value of the `t=` line. */
  readonly time: string
  readonly streams: readonly OfferedMedia[]
}

type Direction = keyof typeof ANSWERED_DIRECTION

// RFC 3264 §6.1: who only sends is only received from.
const ANSWERED_DIRECTION = {
  sendrecv: 'sendrecv',
  sendonly: 'recvonly',
  recvonly: 'sendonly',
  inactive: 'inactive',
} as const

const PREFERRED = ['0', '8'] // PCMU, PCMA: RFC 3551 §6
const PLAIN_RTP = ['RTP/AVP', 'RTP/AVPF'] // the secure profiles need a key in the answer, and we have none
const TELEPHONE_EVENT = /telephone-event\/8000/i
const MAX_MEDIA = 16 // chosen: an answer must have a line for each line of the offer, and has to stay small

/**
 * The SDP answer to an offer (RFC 3264 §6): the first audio stream accepted with one codec and its telephone events,
 * every other stream refused with port 0. Null when the body is no offer that can be answered. One character a byte.
 */
export function answerTo(
  offerText: string,
  { address, audioPort, sessionId }: { address: string; audioPort: number; sessionId: number },
): string | null {
  const offer = readOffer(offerText)
  if (offer === null) return null
  const family = address.includes(':') ? 'IP6' : 'IP4'
  const lines = [
    'v=0',
    `o=- ${sessionId} ${sessionId} IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    `t=${offer.time}`, // RFC 3264 §6: equal to the offer's
  ]
  let accepted = false
  for (const stream of offer.streams) {
    const formats = accepted ? [] : acceptedFormats(stream)
    if (formats.length === 0) {
      lines.push(`m=${stream.media} 0 ${stream.protocol} ${stream.formats[0] ?? '0'}`)
      continue
    }
    accepted = true
    lines.push(`m=audio ${audioPort} ${stream.protocol} ${formats.join(' ')}`)
    for (const format of formats) {
      const map = stream.maps.get(format)
      if (map !== undefined) lines.push(`a=rtpmap:${format} ${map}`)
    }
    if (stream.direction !== 'sendrecv') lines.push(`a=${ANSWERED_DIRECTION[stream.direction]}`)
  }
  return `${lines.join('\r\n')}\r\n`
}

/** Null when there is no stream, there are too many, or one cannot be read: an answer has a line for each. */
function readOffer(text: string): Offer | null {
  const streams: (OfferedMedia & { maps: Map<string, string>; direction: Direction })[] = []
  let direction: Direction = 'sendrecv' // of the session, for streams that do not name their own
  let time = '0 0'
  for (const line of text.split(/\r?\n/)) {
    const stream = streams.at(-1)
    if (line.startsWith('m=')) {
      const media = mediaLine(line)
      if (media === null || streams.length === MAX_MEDIA) return null
      streams.push({ ...media, maps: new Map(), direction })
    } else if (line.startsWith('a=')) {
      const map = /^a=rtpmap:(\d{1,3}) ([\x21-\x7e]{1,64})$/.exec(line)
      if (map?.[1] !== undefined && map[2] !== undefined) stream?.maps.set(map[1], map[2])
      const named = directionNamed(line.slice(2))
      if (named !== null && stream !== undefined) stream.direction = named
      else if (named !== null) direction = named
    } else if (stream === undefined) time = /^t=(\d{1,20} \d{1,20})$/.exec(line)?.[1] ?? time
  }
  return streams.length === 0 ? null : { time, streams }
}

function mediaLine(line: string): Pick<OfferedMedia, 'media' | 'port' | 'protocol' | 'formats'> | null {
  const match = /^m=([\x21-\x7e]+) (\d{1,5})(?:\/\d{1,5})? ([\x21-\x7e]+) ([\x21-\x7e]+(?: [\x21-\x7e]+)*)[ \t]*$/.exec(
    line,
  )
  const [, media, port, protocol, formats] = match ?? []
  if (media === undefined || protocol === undefined || formats === undefined) return null
  return { media, port: Number(port), protocol, formats: formats.split(' ') }
}

function directionNamed(attribute: string): Direction | null {
  return Object.hasOwn(ANSWERED_DIRECTION, attribute) ? (attribute as Direction) : null
}

/** One codec, G.711 where it is offered, and the telephone events that go with it (RFC 4733). */
function acceptedFormats({ media, port, protocol, formats, maps }: OfferedMedia): string[] {
  // RFC 3264 §5.1: a stream that is offered with port 0 must not be used.
  if (media !== 'audio' || port === 0 || !PLAIN_RTP.includes(protocol)) return []
  const isEvent = (format: string) => TELEPHONE_EVENT.test(maps.get(format) ?? '')
  const codec = formats.find((format) => PREFERRED.includes(format)) ?? formats.find((format) => !isEvent(format))
  if (codec === undefined) return []
  const event = formats.find(isEvent)
  return event === undefined ? [codec] : [codec, event]
}
