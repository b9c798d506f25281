// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createServer, type Socket } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { CertificatePair } from './certificate.ts'
import type { Listener } from './listener.ts'
import { listenForStreams, type StreamOptions } from './tcp.ts'

const HANDSHAKE_RECORD = 0x16 // RFC 8446 §5.1: what every TLS client begins with

/**
 * SIP over TLS 1.2 and 1.3 on one address (RFC 3261 §26.2.1); clients are not asked for a certificate. Who speaks in
 * the clear is listened to all the same and gets no answer: a server that knows TLS only has none to give.
 */
export async function listenTls(options: StreamOptions & { readonly pair: CertificatePair }): Promise<Listener> {
  const { pair, limits, counters } = options
  const secureContext = createSecureContext({ cert: pair.cert, key: pair.key, minVersion: 'TLSv1.2' })
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  return listenForStreams(server, 'TLS', '--tls-listen', options, (raw, serve) => {
    const fail = () => {
      if (raw.destroyed) return
      counters.add('tlsHandshakesFailed')
      raw.destroy()
    }
    const deadline = setTimeout(fail, limits.tlsHandshakeMs)
    raw.once('close', () => clearTimeout(deadline))
    raw.once('end', fail) // it was closed without a byte
    raw.once('data', (first: Buffer) => {
      raw.removeListener('end', fail)
      raw.pause()
      raw.unshift(first) // for whoever reads it now
      if (first[0] === HANDSHAKE_RECORD) return shakeHands(raw)
      clearTimeout(deadline)
      counters.add('connectionsNotTls')
      serve(raw, true)
      raw.resume()
    })

    function shakeHands(raw: Socket): void {
      const socket = new TLSSocket(raw, { isServer: true, secureContext })
      socket.once('error', fail)
      socket.once('end', fail) // half-closed before the handshake is over: it will never be
      socket.once('secure', () => {
        clearTimeout(deadline)
        socket.removeListener('error', fail)
        socket.removeListener('end', fail)
        serve(socket, false)
      })
    }
  })
}
