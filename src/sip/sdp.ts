// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

interface OfferedMedia {
  readonly media: string
  readonly protocol: string
  readonly formats: readonly string[]
  /** The `a=rtpmap` lines of the formats. */
  readonly maps: ReadonlyMap<string, string>
}

const PREFERRED = ['0', '8'] // PCMU, PCMA: RFC 3551 §6
const TELEPHONE_EVENT = /telephone-event\/8000/i
const MAX_MEDIA = 16 // chosen: an answer must have a line for each line of the offer, and has to stay small

/**
 * The SDP answer to an offer (RFC 3264 §6): the first audio stream accepted with one codec and its telephone events,
 * every other stream refused with port 0. Null when the body is no offer that can be answered. One character a byte.
 */
export function answerTo(
  offer: string,
  { address, audioPort, sessionId }: { address: string; audioPort: number; sessionId: number },
): string | null {
  const streams = offeredMedia(offer)
  if (streams.length === 0 || streams.length > MAX_MEDIA) return null
  const family = address.includes(':') ? 'IP6' : 'IP4'
  const lines = [
    'v=0',
    `o=- ${sessionId} ${sessionId} IN ${family} ${address}`,
    's=-',
    `c=IN ${family} ${address}`,
    't=0 0',
  ]
  let accepted = false
  for (const stream of streams) {
    const formats = accepted || stream.media !== 'audio' ? [] : acceptedFormats(stream)
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
  }
  return `${lines.join('\r\n')}\r\n`
}

function offeredMedia(offer: string): OfferedMedia[] {
  const streams: (OfferedMedia & { maps: Map<string, string> })[] = []
  for (const line of offer.split(/\r?\n/)) {
    const media =
      /^m=([A-Za-z0-9]+) \d{1,5}(?:\/\d{1,5})? ([A-Za-z0-9/]+) ([\x21-\x7e]+(?: [\x21-\x7e]+)*)[ \t]*$/.exec(line)
    if (media?.[1] !== undefined && media[2] !== undefined && media[3] !== undefined) {
      streams.push({ media: media[1], protocol: media[2], formats: media[3].split(' '), maps: new Map() })
    }
    const map = /^a=rtpmap:(\d{1,3}) ([\x21-\x7e]{1,64})$/.exec(line)
    if (map?.[1] !== undefined && map[2] !== undefined) streams.at(-1)?.maps.set(map[1], map[2])
  }
  return streams
}

/** One codec, G.711 where it is offered, and the telephone events that go with it (RFC 4733). */
function acceptedFormats({ formats, maps }: OfferedMedia): string[] {
  const isEvent = (format: string) => TELEPHONE_EVENT.test(maps.get(format) ?? '')
  const codec = formats.find((format) => PREFERRED.includes(format)) ?? formats.find((format) => !isEvent(format))
  if (codec === undefined) return []
  const event = formats.find(isEvent)
  return event === undefined ? [codec] : [codec, event]
}
