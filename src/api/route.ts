// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

import type { FastifyReply, FastifyRequest } from 'fastify'
import type { ParameterSchemas } from './parameters.ts'

/** A JSON Schema (2020-12) or a part of one. */
export type JsonSchema = Readonly<Record<string, unknown>>

/** One answer a route may give: what it means and, by media type, the schema of its body (null: not JSON). */
export interface Answer {
  readonly description: string
  readonly content: Readonly<Record<string, JsonSchema | null>>
}

/** One path of the API with everything that the server, the checks and the OpenAPI document need to know of it. */
export interface Route {
  /** In OpenAPI's spelling: `/numbers/{number}`. */
  readonly path: string
  readonly operationId: string
  readonly summary: string
  readonly description: string
  /** False for the two routes that say no more than that we are here. */
  readonly needsKey: boolean
  readonly pathParameter?: { readonly name: string; readonly description: string; readonly schema: JsonSchema }
  /** Absent: the route has no parameters and ignores a query. */
  readonly query?: ParameterSchemas
  /** By status. The answers that any route may give (`SHARED_ANSWERS`) are left out. */
  readonly answers: Readonly<Record<string, Answer>>
  /** Answers GET, and HEAD the same way: Node leaves the body of a HEAD out. A rejection becomes a 500. */
  handle(request: FastifyRequest, reply: FastifyReply): undefined | Promise<undefined>
}

/** `/numbers/{number}` as the router spells it: `/numbers/:number`. */
export function routerPath(path: string): string {
  return path.replace(/\{(\w+)\}/g, ':$1')
}

/**
 * Tells, from a request target alone, whether it has one of these paths, whatever the method. So has `*`, which OPTIONS
 * may ask about (RFC 9110 §9.3.7).
 */
export function createPathCheck(paths: readonly string[]): (url: string) => boolean {
  const patterns = paths.map((path) => new RegExp(`^${path.replaceAll('.', '\\.').replace(/\{\w+\}/g, '[^/]+')}$`))
  return (url) => {
    const path = url.replace(/[?#].*$/s, '')
    return path === '*' || patterns.some((pattern) => pattern.test(path))
  }
}

/** The path parameter of a request, percent-decoded by the router. */
export function pathParameter(request: FastifyRequest, name: string): string {
  const params = request.params as Readonly<Record<string, string>> // the router's shape: strings by name
  return params[name] ?? ''
}
