// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

// Child process of the lookup benchmark where there is no C compiler: keep-alive connections, each asking again as soon
// as it has its answer. Arguments: port, seconds, path with %d for a number or %a for an address, how many of these,
// connections.

import { connect } from 'node:net'
import { numberOf } from './messages.ts'

const [port = '', seconds = '', path = '', numbers = '', connections = ''] = process.argv.slice(2)
const latencies: number[] = []
const until = performance.now() + Number(seconds) * 1000
let asked = 0
let bytes = 0

function ask(): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host: '127.0.0.1', port: Number(port), noDelay: true })
    let startedAt = 0
    let answer = ''
    const next = () => {
      if (performance.now() >= until) {
        socket.destroy()
        return resolve()
      }
      startedAt = performance.now()
      answer = ''
      const index = asked++ % Number(numbers)
      const target = path.replace('%d', numberOf(index)).replace('%a', `198.18.${index >> 8}.${index & 255}`)
      socket.write(`GET ${target} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n`)
    }
    socket.on('connect', next)
    socket.on('error', reject)
    socket.on('data', (chunk) => {
      bytes += chunk.length
      answer += chunk.toString('latin1')
      const head = answer.indexOf('\r\n\r\n')
      const length = /\r\ncontent-length: *(\d+)/i.exec(answer)?.[1]
      if (head === -1 || length === undefined || answer.length < head + 4 + Number(length)) return
      if (!answer.startsWith('HTTP/1.1 200')) return reject(new Error(answer.slice(0, 200)))
      latencies.push(performance.now() - startedAt)
      next()
    })
  })
}

await Promise.all(Array.from({ length: Number(connections) }, ask))
latencies.sort((one, other) => one - other)
const at = (share: number) => latencies[Math.floor(latencies.length * share)] ?? Number.NaN
process.stdout.write(
  JSON.stringify({
    requests: latencies.length,
    failed: 0,
    bytes,
    elapsedS: Number(seconds),
    firstP50Ms: null,
    firstP99Ms: null,
    p50Ms: at(0.5),
    p99Ms: at(0.99),
  }),
)
