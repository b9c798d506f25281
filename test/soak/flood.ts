// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { join } from 'node:path'
import { createLoadInC, createLoadInJavaScript, type Load } from '../../bench/load.ts'
import { buildLoadProgram } from '../../bench/load-program.ts'
import { FLOOD } from './ledger.ts'
import { type Actor, pause } from './stage.ts'

const BURST = 20_000 // three times what a receive buffer of 4 MiB holds
const RATE = 400_000 // a second: no node takes that, and it is over before the others of the machine notice
const SOURCES = 2_000
const FIRST_AFTER_MS = 4_000
const LEAST_PAUSE_MS = 15_000
const MORE_PAUSE_MS = 20_000

/** Bursts of probes beyond what the node can take, from many sources, by the C program of the benchmarks if it can be built. */
export const floods: Actor = async (stage) => {
  const random = stage.random(6)
  const flow = stage.ledger.flow(FLOOD)
  const load = await openLoad(join(stage.folder, 'load'))
  stage.note(`floods come from ${load.generator}`)
  let first = 0 // of the numbers that the load gives its messages, each run behind the one before
  let waitMs = FIRST_AFTER_MS
  while (await pause(stage, waitMs)) {
    const { sent } = await load.send({
      port: stage.ports.udp,
      rate: RATE,
      count: BURST,
      sources: SOURCES,
      replies: false,
    })
    for (let number = 0; number < BURST; number++) flow.next()
    for (let number = first; number < first + sent; number++) flow.datagramLeft(number)
    if (sent < BURST) stage.complain(`a flood sent ${sent} of ${BURST} datagrams: which ones is not known`)
    first += BURST
    stage.note('flood datagrams', sent)
    waitMs = LEAST_PAUSE_MS + random.below(MORE_PAUSE_MS)
  }
}

async function openLoad(folder: string): Promise<Load> {
  const program = await buildLoadProgram(folder)
  return typeof program === 'string' ? createLoadInJavaScript(program) : createLoadInC(program)
}
