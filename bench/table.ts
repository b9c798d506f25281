// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FigureLine, Spread } from './figure.ts'

/**
 * The lines as a Markdown table: goal, measured as min / median / max, floor, ratio, command; above it when, with what and
 * in how many rounds they were measured.
 */
export function tableOf(lines: readonly FigureLine[]): string {
  const head = ['figure', 'unit', 'goal', 'ours', 'floor', 'ratio', 'command']
  const rows = [head, head.map(() => '---'), ...lines.flatMap(rowsOf)]
  return `${captionOf(lines)}\n\n${rows.map((cells) => `| ${cells.join(' | ')} |\n`).join('')}`
}

/** Lines of several runs name each of them. */
function captionOf(lines: readonly FigureLine[]): string {
  const runs = lines.map(
    ({ date, node, commit, generator }) => `${date}, Node.js ${node}, commit ${commit}, ${generator}`,
  )
  const rounds = [...new Set(lines.map((line) => line.rounds))].toSorted((one, other) => one - other)
  return `${[...new Set(runs)].join('; ')}. Rounds of a figure: ${rounds.join(' or ')}; min / median / max where there are several.`
}

function rowsOf(line: FigureLine): string[][] {
  const { name, unit, goal, floor, ratio, p99, ratioP99, command } = line
  const shown = `\`${command.replace(/^npm run bench -- /, '')}\``
  const row = (label: string, ours: Spread, under: Spread | null, over: Spread | null, wanted: string | null) => [
    label,
    unit,
    wanted ?? '',
    spreadText(ours),
    under === null || floor === null ? '' : `${floor.name}: ${spreadText(under)}`,
    over === null ? '' : spreadText(over),
    shown,
  ]
  if (p99 === null) return [row(name, line, floor, ratio, goal)]
  const isOfTail = goal?.startsWith('p99') ?? false
  return [
    row(`${name}: p50`, line, floor, ratio, isOfTail ? null : goal),
    row(`${name}: p99`, p99, floor?.p99 ?? null, ratioP99, isOfTail ? goal : null),
  ]
}

function spreadText({ min, median, max }: Spread): string {
  const texts = [min, median, max].map((value) => value.toLocaleString('en', { maximumSignificantDigits: 7 }))
  return min === max ? `${texts[0]}` : texts.join(' / ')
}
