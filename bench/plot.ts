// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { Curve, FigureLine } from './figure.ts'

const WIDTH = 760
const HEIGHT = 440
const LEFT = 70
const RIGHT = 45
const TOP = 30
const BOTTOM = 120
const PERCENTS = [0, 20, 40, 60, 80, 100]
const STEPS = [1, 2, 2.5, 5, 10]
const MOST_MARKS = 8
const GROUPS = 24 // along the axis: a line goes through the medians of the steps in each
// Middle tones that are read on white and on black alike, told apart by dashes too.
const STYLES = [
  { colour: '#2f7ed8', dash: '' },
  { colour: '#2f7ed8', dash: '6 4' },
  { colour: '#d9742b', dash: '' },
  { colour: '#d9742b', dash: '6 4' },
  { colour: '#4c9f50', dash: '' },
  { colour: '#9b59b6', dash: '' },
]

/** An SVG of what was lost against what was offered, of all lines that have curves. No fonts from elsewhere. */
export function lossPlot(lines: readonly FigureLine[]): string {
  const curves = lines.flatMap((line) => line.curves).filter(({ points }) => points.length > 0)
  const most = Math.max(1, ...curves.flatMap(({ points }) => points.map(({ perSecond }) => perSecond)))
  const step = markStep(most)
  const x = (perSecond: number) => LEFT + (perSecond / (Math.ceil(most / step) * step)) * (WIDTH - LEFT - RIGHT)
  const y = (percent: number) => TOP + (1 - percent / 100) * (HEIGHT - TOP - BOTTOM)
  const marks = Array.from({ length: Math.ceil(most / step) + 1 }, (_, index) => index * step)
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" role="img" aria-labelledby="title">`,
    '<title id="title">Share of SIP messages lost against messages offered a second</title>',
    '<style>',
    'text { font: 13px system-ui, sans-serif; fill: #24292f } .grid { stroke: #d0d7de } .page { fill: #ffffff }',
    '@media (prefers-color-scheme: dark) { text { fill: #e6edf3 } .grid { stroke: #444c56 } .page { fill: #0d1117 } }',
    '</style>',
    `<rect class="page" width="${WIDTH}" height="${HEIGHT}"/>`,
    ...PERCENTS.flatMap((percent) => [
      `<line class="grid" x1="${LEFT}" x2="${WIDTH - RIGHT}" y1="${y(percent)}" y2="${y(percent)}"/>`,
      `<text x="${LEFT - 8}" y="${y(percent) + 4}" text-anchor="end">${percent} %</text>`,
    ]),
    ...marks.flatMap((mark) => [
      `<line class="grid" x1="${near(x(mark))}" x2="${near(x(mark))}" y1="${TOP}" y2="${y(0)}"/>`,
      `<text x="${near(x(mark))}" y="${y(0) + 20}" text-anchor="middle">${mark.toLocaleString('en')}</text>`,
    ]),
    `<text x="${(LEFT + WIDTH - RIGHT) / 2}" y="${y(0) + 42}" text-anchor="middle">messages offered a second</text>`,
    `<text x="${LEFT}" y="${TOP - 12}">lost, or on an answering node not answered</text>`,
    ...curves.flatMap((curve, index) => curveLines(curve, index, x, y)),
    '</svg>\n',
  ].join('\n')
}

function curveLines(
  { label, points }: Curve,
  index: number,
  x: (perSecond: number) => number,
  y: (percent: number) => number,
): string[] {
  const { colour, dash } = STYLES[index % STYLES.length] ?? { colour: '#888888', dash: '' }
  const stroke = `stroke="${colour}" stroke-width="2" fill="none"${dash === '' ? '' : ` stroke-dasharray="${dash}"`}`
  const path = medians(points, x).map(({ perSecond, lostPercent }) => `${near(x(perSecond))},${near(y(lostPercent))}`)
  const keyX = LEFT + (index % 2) * 340
  const keyY = HEIGHT - 50 + Math.floor(index / 2) * 20
  return [
    `<polyline ${stroke} points="${path.join(' ')}"/>`,
    ...points.map(
      ({ perSecond, lostPercent }) =>
        `<circle cx="${near(x(perSecond))}" cy="${near(y(lostPercent))}" r="2.5" fill="${colour}" fill-opacity="0.5"/>`,
    ),
    `<line ${stroke} x1="${keyX}" x2="${keyX + 28}" y1="${keyY - 4}" y2="${keyY - 4}"/>`,
    `<text x="${keyX + 36}" y="${keyY}">${label.replace(/[<&]/g, ' ')}</text>`,
  ]
}

/** Steps close to each other as one: near the limit some lose and some do not. */
function medians(points: Curve['points'], x: (perSecond: number) => number): Curve['points'] {
  const groups = Map.groupBy(points, ({ perSecond }) => Math.floor((x(perSecond) / WIDTH) * GROUPS))
  return [...groups.values()].map((group) => ({
    perSecond: group.reduce((sum, { perSecond }) => sum + perSecond, 0) / group.length,
    lostPercent:
      group.map(({ lostPercent }) => lostPercent).toSorted((one, other) => one - other)[group.length >> 1] ?? 0,
  }))
}

/** A round number of messages between marks, so that there are not too many. */
function markStep(most: number): number {
  const power = 10 ** Math.floor(Math.log10(most / MOST_MARKS))
  return (STEPS.find((step) => most / (step * power) <= MOST_MARKS) ?? 10) * power
}

function near(value: number): number {
  return Math.round(value * 10) / 10
}
