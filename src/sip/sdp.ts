// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { isIP } from 'node:net'

/** How we describe ourselves in an answer. */
export interface AnswerOptions {
  readonly address: string
  readonly audioPort: number
  readonly sessionId: number
  /** The version in the `o=` line; the session id by default. */
  readonly sessionVersion?: number
  /** The user name in the `o=` line, without white space. */
  readonly owner?: string
  /** The `s=` line. */
  readonly sessionName?: string
  /** Says the packet time and names the direction even where it is the one that goes without saying. */
  readonly withPtime?: boolean
  /** Keeps comfort noise (payload type 13) beside G.711 where it is offered. */
  readonly withComfortNoise?: boolean
}

/** Where an offerer wants the audio of the stream that `answerTo` accepts. */
export interface RemoteAudio {
  /** As the offer spells it; null when there is no `c=` line for the stream or it has no unicast address. */
  readonly ip: string | null
  /** 1 to 65535 */
  readonly port: number
  /** All that were offered for the stream, in order; the first of 0 and 8 is the one answered. */
  readonly payloadTypes: readonly number[]
  readonly offersComfortNoise: boolean
  /** False where the offerer only sends, or is on hold (RFC 3264 §5.1). */
  readonly receives: boolean
}

interface OfferedMedia {
  readonly media: string
  readonly port: number
  readonly protocol: string
  readonly formats: readonly string[]
  /** The `a=rtpmap` lines of the formats. */
  readonly maps: ReadonlyMap<string, string>
  readonly direction: Direction
  /** The address of the stream's `c=` line, of the session's where it has none. */
  readonly ip: string | null
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
const COMFORT_NOISE = '13' // RFC 3389 §4, of the clock rate of G.711
const PACKET_MS = 20 // RFC 3551 §4.2
const TELEPHONE_EVENT = /telephone-event\/8000/i
const MAX_MEDIA = 16 // chosen: an answer must have a line for each line of the offer, and has to stay small

/**
 * The SDP answer to an offer (RFC 3264 §6): the first audio stream accepted with one codec and its telephone events,
 * every other stream refused with port 0. Null when the body is no offer that can be answered. One character a byte.
 */
export function answerTo(
  offerText: string,
  {
    address,
    audioPort,
    sessionId,
    sessionVersion = sessionId,
    owner = '-',
    sessionName = '-',
    withPtime = false,
    withComfortNoise = false,
  }: AnswerOptions,
): string | null {
  const offer = readOffer(offerText)
  if (offer === null) return null
  const family = address.includes(':') ? 'IP6' : 'IP4'
  const lines = [
    'v=0',
    `o=${owner} ${sessionId} ${sessionVersion} IN ${family} ${address}`,
    `s=${sessionName}`,
    `c=IN ${family} ${address}`,
    `t=${offer.time}`, // RFC 3264 §6: equal to the offer's
  ]
  let accepted = false
  for (const stream of offer.streams) {
    const formats = accepted ? [] : acceptedFormats(stream, withComfortNoise)
    if (formats.length === 0) {
      lines.push(`m=${stream.media} 0 ${stream.protocol} ${stream.formats[0] ?? '0'}`)
      continue
    }
    accepted = true
    lines.push(...acceptedLines(stream, formats, audioPort, withPtime))
  }
  return `${lines.join('\r\n')}\r\n`
}

/** Where the audio of an accepted offer goes, or null when `answerTo` accepts no stream of it. One character a byte. */
export function remoteAudio(offerText: string): RemoteAudio | null {
  const stream = readOffer(offerText)?.streams.find((offered) => acceptedFormats(offered, false).length > 0)
  if (stream === undefined || stream.port > 65_535) return null
  return {
    ip: stream.ip,
    port: stream.port,
    payloadTypes: stream.formats.filter((format) => /^\d{1,3}$/.test(format)).map(Number),
    offersComfortNoise: stream.formats.includes(COMFORT_NOISE),
    receives: stream.direction === 'sendrecv' || stream.direction === 'recvonly',
  }
}

function acceptedLines(
  { protocol, maps, direction }: OfferedMedia,
  formats: readonly string[],
  audioPort: number,
  withPtime: boolean,
): string[] {
  const lines = [`m=audio ${audioPort} ${protocol} ${formats.join(' ')}`]
  for (const format of formats) {
    const map = maps.get(format)
    if (map !== undefined) lines.push(`a=rtpmap:${format} ${map}`)
  }
  if (withPtime) lines.push(`a=ptime:${PACKET_MS}`)
  if (withPtime || direction !== 'sendrecv') lines.push(`a=${ANSWERED_DIRECTION[direction]}`)
  return lines
}

/** Null when there is no stream, there are too many, or one cannot be read: an answer has a line for each. */
function readOffer(text: string): Offer | null {
  const streams: (OfferedMedia & { maps: Map<string, string>; direction: Direction; ip: string | null })[] = []
  const connected = new Set<OfferedMedia>() // streams with a c= line of their own, of which the first counts
  let direction: Direction = 'sendrecv' // of the session, for streams that do not name their own
  let ip: string | null = null // of the session too
  let time = '0 0'
  for (const line of text.split(/\r?\n/)) {
    const stream = streams.at(-1)
    if (line.startsWith('m=')) {
      const media = mediaLine(line)
      if (media === null || streams.length === MAX_MEDIA) return null
      streams.push({ ...media, maps: new Map(), direction, ip })
    } else if (line.startsWith('a=')) {
      const map = /^a=rtpmap:(\d{1,3}) ([\x21-\x7e]{1,64})$/.exec(line)
      if (map?.[1] !== undefined && map[2] !== undefined) stream?.maps.set(map[1], map[2])
      const named = directionNamed(line.slice(2))
      if (named !== null && stream !== undefined) stream.direction = named
      else if (named !== null) direction = named
    } else if (line.startsWith('c=')) {
      if (stream === undefined) ip = connectionIp(line)
      else if (!connected.has(stream)) stream.ip = connectionIp(line)
      if (stream !== undefined) connected.add(stream)
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

/** The address of `c=IN IP4 192.0.2.1`; null for a name, and for a group, which has its TTL behind a slash. */
function connectionIp(line: string): string | null {
  const [, family, address] = /^c=IN IP([46]) ([0-9a-fA-F:.]{2,45})[ \t]*$/.exec(line) ?? []
  return address !== undefined && isIP(address) === Number(family) ? address : null // RFC 8866 §5.7
}

function directionNamed(attribute: string): Direction | null {
  return Object.hasOwn(ANSWERED_DIRECTION, attribute) ? (attribute as Direction) : null
}

/** One codec, G.711 where it is offered, the telephone events (RFC 4733) and the comfort noise that go with it. */
function acceptedFormats({ media, port, protocol, formats, maps }: OfferedMedia, withComfortNoise: boolean): string[] {
  // RFC 3264 §5.1: a stream that is offered with port 0 must not be used.
  if (media !== 'audio' || port === 0 || !PLAIN_RTP.includes(protocol)) return []
  const isEvent = (format: string) => TELEPHONE_EVENT.test(maps.get(format) ?? '')
  const codec = formats.find((format) => PREFERRED.includes(format)) ?? formats.find((format) => !isEvent(format))
  if (codec === undefined) return []
  const event = formats.find(isEvent)
  const accepted = event === undefined ? [codec] : [codec, event]
  // RFC 3389 §4: it has to be of the codec's clock rate.
  const keepsNoise = withComfortNoise && PREFERRED.includes(codec) && formats.includes(COMFORT_NOISE)
  return keepsNoise ? [...accepted, COMFORT_NOISE] : accepted
}
