// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { createServer } from 'node:net'
import { createSecureContext, TLSSocket } from 'node:tls'
import type { CertificatePair } from './certificate.ts'
import type { Listener } from './listener.ts'
import { listenForStreams, type StreamOptions } from './tcp.ts'

/** SIP over TLS 1.2 and 1.3 on one address (RFC 3261 §26.2.1); clients are not asked for a certificate. */
export async function listenTls(options: StreamOptions & { readonly pair: CertificatePair }): Promise<Listener> {
  const { pair, limits, counters } = options
  const secureContext = createSecureContext({ cert: pair.cert, key: pair.key, minVersion: 'TLSv1.2' })
  const server = createServer({ allowHalfOpen: true, noDelay: true })
  return listenForStreams(server, 'TLS', '--tls-listen', options, (raw, serve) => {
    const socket = new TLSSocket(raw, { isServer: true, secureContext })
    const fail = () => {
      if (raw.destroyed) return
      counters.add('tlsHandshakesFailed')
      raw.destroy()
    }
    const deadline = setTimeout(fail, limits.tlsHandshakeMs)
    socket.once('error', fail)
    socket.once('end', fail) // half-closed before the handshake is over: it will never be
    raw.once('close', () => clearTimeout(deadline))
    socket.once('secure', () => {
      clearTimeout(deadline)
      socket.removeListener('error', fail)
      socket.removeListener('end', fail)
      serve(socket)
    })
  })
}
