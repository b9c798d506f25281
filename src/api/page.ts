// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'

/** True for a browser that asks for a page: text/html is named, and not less wanted than JSON. */
export function wantsHtml(request: FastifyRequest): boolean {
  const wanted = new Map<string, number>()
  for (const item of (request.headers.accept ?? '').toLowerCase().split(',')) {
    const [range = '', ...parameters] = item.split(';').map((part) => part.trim())
    const quality = parameters.find((parameter) => parameter.startsWith('q='))?.slice(2) ?? '1'
    wanted.set(range, Number(quality) || 0)
  }
  const html = wanted.get('text/html') ?? 0
  return html > 0 && html >= (wanted.get('application/json') ?? 0)
}

/** Sends a page of a heading and paragraphs of plain text, with links where a paragraph has one. */
export function sendPage(
  reply: FastifyReply,
  heading: string,
  paragraphs: readonly { readonly text: string; readonly link?: string }[],
): undefined {
  const body = paragraphs.map(({ text, link }) =>
    link === undefined ? `<p>${html(text)}</p>` : `<p><a href="${html(link)}">${html(text)}</a></p>`,
  )
  reply
    .header('content-type', 'text/html; charset=utf-8')
    .header(
      'content-security-policy',
      "default-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
    )
    .send(
      `<!doctype html>\n<html lang="en">\n<head><meta charset="utf-8"><title>${html(heading)}</title></head>\n` +
        `<body>\n<h1>${html(heading)}</h1>\n${body.join('\n')}\n</body>\n</html>\n`,
    )
}

function html(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
}
