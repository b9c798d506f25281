// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { type IpAddress, isNoHost } from '../net/ip.ts'
import type { ReturnPath } from '../net/packet.ts'
import type { ReplyBudget, Verdict } from './budget.ts'

/** Services that answer anything: a forged packet from there would start a loop or a flood. */
const REFLECTING_PORTS = new Set([0, 7, 19, 53, 123, 161, 1900, 11211])

// What a long reply leaves of a source's bytes while there is a shorter one: enough for ten bare answers that are some
// bytes longer than their request.
const KEPT_FOR_SHORT_BYTES = 200

// What is repeated from a request (Via, Record-Route) makes an answer as long as its sender likes, and each is kept for
// half a minute: 16,384 of these are 64 MB. Chosen: twice the longest answer to a real client.
const MAX_REPLY_BYTES = 4_096

export interface SenderOptions {
  readonly budget: ReplyBudget
  /** Has this source shown that it is there? Nothing sent to it is held back then. */
  readonly isProven: (path: ReturnPath) => boolean
  /** Is this address and port one of our own SIP sockets? */
  readonly isOwnSocket: (address: IpAddress, port: number) => boolean
  /** Does the operator want no answer to go there? */
  readonly isNeverAnswered: (address: IpAddress) => boolean
  readonly onSent: (wasTaken: boolean) => void
  /** Told of every reply that was not made, for the counters. */
  readonly onSuppressed: (why: Exclude<Verdict, 'send'> | 'forbidden-source') => void
}

export interface Sender {
  /** Whether anything may go to where this packet came from; counts it when not. */
  mayAnswer(path: ReturnPath): boolean
  /**
   * The first of the candidates, longest first, that the source may be sent as the answer to a request of that length;
   * null and counted when there is none. Nothing is charged yet. `lengthOf` says how many bytes a candidate has, so that
   * it is written when it is the one.
   */
  choose<Candidate>(
    path: ReturnPath,
    requestBytes: number,
    candidates: readonly Candidate[],
    lengthOf: (one: Candidate) => number,
  ): Candidate | null
  /**
   * Sends to where the packet came from, and charges it: as the answer to a request of `ofRequestBytes` that has just
   * come in, or as bytes that nobody asked for. False when it did not go out.
   */
  send(path: ReturnPath, bytes: Buffer, why: 'asked' | 'unasked', ofRequestBytes: number): boolean
}

/** The one way out for SIP answers: to the source of the packet and nowhere else, whatever Via, maddr or Contact say. */
export function createSender(options: SenderOptions): Sender {
  const { budget, isProven, isOwnSocket, isNeverAnswered, onSent, onSuppressed } = options

  function isForbidden({ transport, sourceIp, sourcePort }: ReturnPath): boolean {
    if (isNeverAnswered(sourceIp)) return true
    if (transport !== 'UDP') return false
    return REFLECTING_PORTS.has(sourcePort) || isNoHost(sourceIp) || isOwnSocket(sourceIp, sourcePort)
  }

  return {
    mayAnswer(path) {
      const forbidden = isForbidden(path)
      if (forbidden) onSuppressed('forbidden-source')
      return !forbidden
    },
    choose(path, requestBytes, candidates, lengthOf) {
      const isFree = isProven(path)
      const verdictOn = (bytes: number, kept: number): Verdict => {
        if (bytes > MAX_REPLY_BYTES) return 'too-many-bytes'
        return isFree ? 'send' : budget.verdict(path.sourceIp, requestBytes, bytes, kept)
      }
      let verdict = verdictOn(0, 0) // in a flood most sources get nothing, and no answer is looked at for them
      if (verdict === 'send') {
        let left = candidates.length
        for (const candidate of candidates) {
          left--
          verdict = verdictOn(lengthOf(candidate), left > 0 ? KEPT_FOR_SHORT_BYTES : 0)
          if (verdict === 'send') return candidate
        }
      }
      if (verdict !== 'send') onSuppressed(verdict)
      return null
    },
    send(path, bytes, why, ofRequestBytes) {
      if (!isProven(path)) {
        const verdict = budget.charge(path.sourceIp, why === 'asked' ? ofRequestBytes : 0, bytes.length)
        if (verdict !== 'send') {
          onSuppressed(verdict)
          return false
        }
      }
      const taken = path.reply(bytes)
      onSent(taken)
      return taken
    },
  }
}
