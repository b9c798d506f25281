// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import { eventJson } from '../event/json.ts'
import { createRepeatedNotice } from '../ops/log.ts'
import { openLogFile } from './log-file.ts'
import { defineSink } from './sink.ts'

export const jsonlog = defineSink({
  name: 'jsonlog',
  options: {
    enabled: {
      kind: 'switch',
      long: 'json-log',
      short: 'j',
      default: false,
      help: 'Write a JSON object per event to a file',
    },
    file: {
      kind: 'file',
      long: 'json-log-file',
      short: 'l',
      placeholder: 'FILE',
      default: './sentrypeer_json.log',
      help: 'That file; switches -j on',
    },
    profile: {
      kind: 'choice',
      long: 'json-profile',
      placeholder: 'seed|tpot',
      default: 'seed',
      choices: ['seed', 'tpot'],
      help: 'Shape of addresses in the JSON log; tpot has them with ports, as the T-Pot platform parses them',
    },
  },
  async start({ enabled, file: path, profile }, { log, application }) {
    if (!enabled) return null
    const warn = createRepeatedNotice(log.warn, 60_000, () => performance.now())
    const file = await openLogFile(path, {
      onTrouble: (text) => warn(`JSON log: ${text}`),
      onRecovered: () => log.notice(`JSON log: ${path} takes lines again`),
      onLost: (lines) => log.warn(`JSON log: ${lines} lines that ${path} did not take are lost`),
    })
    return {
      name: 'jsonlog',
      async deliver(batch) {
        let lines = ''
        for (const event of batch) lines += `${eventJson(event, application, profile)}\n`
        await file.append(lines, batch.length)
      },
      reopen: () => file.reopen(),
      delivered: () => file.writtenLines(),
      waiting: () => file.waitingLines(),
      trouble: () => file.trouble(),
      drops: () => new Map([['file_not_writable', file.droppedLines()]]),
      stop: () => file.close(),
    }
  },
})
