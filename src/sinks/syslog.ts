// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type BadActorEvent, NOT_FOUND } from '../event/event.ts'
import { openUnixDatagram } from '../net/unix-dgram.ts'
import { shown } from '../ops/escape.ts'
import { createRepeatedNotice } from '../ops/log.ts'
import { defineSink } from './sink.ts'

const PRIORITY = 13 // user.notice, RFC 3164 §4.1.1
const MAX_METHOD_CHARACTERS = 64 // chosen: longer than any registered method, short enough for a line
const MAX_AGENT_CHARACTERS = 256

/** The line Fail2ban reads. Its words and their order are an interface: our address first, attackers' text last. */
export function syslogLine(event: BadActorEvent): string {
  const method = shown(event.method ?? NOT_FOUND, MAX_METHOD_CHARACTERS)
  return `Source IP: ${event.sourceIp}, Method: ${method}, Agent: ${shown(event.userAgent ?? NOT_FOUND, MAX_AGENT_CHARACTERS)}`
}

export const syslog = defineSink({
  name: 'syslog',
  options: {
    enabled: {
      kind: 'switch',
      long: 'syslog',
      short: 's',
      default: false,
      help: 'Write a line per event to syslog',
    },
    socket: {
      kind: 'file',
      long: 'syslog-socket',
      placeholder: 'PATH',
      default: '/dev/log',
      help: 'The syslog socket',
    },
  },
  async start({ enabled, socket: path }, { log }) {
    if (!enabled) return null
    const warn = createRepeatedNotice(log.warn, 60_000, () => performance.now())
    const socket = await openUnixDatagram(path, {
      tag: 'sentrypeer',
      onTrouble: (text) => warn(`syslog: ${text}`),
      onRecovered: () => log.notice(`syslog: ${path} takes lines again`),
      onLost: (lines) => log.warn(`syslog: ${lines} lines that ${path} did not take in time are lost`),
    })
    return {
      name: 'syslog',
      async deliver(batch) {
        for (const event of batch) socket.send(`<${PRIORITY}>sentrypeer[${process.pid}]: ${syslogLine(event)}`)
      },
      delivered: () => socket.sent(),
      waiting: () => socket.waiting(),
      trouble: () => socket.trouble(),
      drops: () => new Map([['not_taken', socket.dropped()]]),
      stop: () => socket.close(),
    }
  },
})
