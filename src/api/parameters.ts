// SPDX-License-Identifier: GPL-2.0-only OR GPL-3.0-only

/**
 * The words of JSON Schema that query parameters are written in. The same objects are checked against here and
 * published in /openapi.json; a test holds the two readings together with ajv. Ajv itself stays a tool of the tests:
 * it and fast-json-stringify cost 6 MB of memory, measured in the bundle, to check six parameters.
 */
export type ParameterSchema = { readonly description: string } & (
  | { readonly type: 'integer'; readonly minimum: number; readonly maximum: number; readonly default?: number }
  | { readonly type: 'string'; readonly enum: readonly string[]; readonly default?: string }
  | { readonly type: 'string'; readonly pattern: string; readonly maxLength: number }
)

export type ParameterSchemas = Readonly<Record<string, ParameterSchema>>

type ParameterValue<Schema> = Schema extends { readonly enum: readonly (infer Choice)[] }
  ? Choice
  : Schema extends { readonly type: 'integer' }
    ? number
    : string

/** What a handler finds in `request.query` once it has been checked: absent ones are their default or undefined. */
export type ParameterValues<Schemas extends ParameterSchemas> = {
  readonly [Name in keyof Schemas]:
    | ParameterValue<Schemas[Name]>
    | (Schemas[Name] extends { readonly default: unknown } ? never : undefined)
}

/** A query as it arrived: each name once, percent-decoded; or why it cannot be read. */
export type ParsedQuery =
  | { readonly kind: 'query'; readonly values: ReadonlyMap<string, string> }
  | { readonly kind: 'fault'; readonly detail: string }

/** A parameter that is not what its schema says. Its message is the `detail` of the 400. */
export class ParameterError extends Error {
  readonly statusCode = 400
}

const NO_QUERY: ParsedQuery = { kind: 'query', values: new Map() }

/**
 * Reads `a=1&b=2`. A plus sign stays a plus sign: numbers begin with one. A name that comes twice is a fault, since
 * two readers would disagree on which one counts.
 */
export function parseQuery(text: string): ParsedQuery {
  if (text === '') return NO_QUERY
  const values = new Map<string, string>()
  for (const part of text.split('&')) {
    if (part === '') continue
    const equals = part.indexOf('=')
    const name = decoded(equals === -1 ? part : part.slice(0, equals))
    const value = decoded(equals === -1 ? '' : part.slice(equals + 1))
    if (name === null || value === null) return { kind: 'fault', detail: 'the query is not valid percent-encoding' }
    if (values.has(name)) return { kind: 'fault', detail: 'a query parameter is given twice' }
    values.set(name, value)
  }
  return { kind: 'query', values }
}

function decoded(text: string): string | null {
  try {
    return decodeURIComponent(text)
  } catch {
    return null
  }
}

/** Fastify's validator compiler for the query strings of our routes. */
export function compileParameters({ schema }: { schema: { readonly properties: ParameterSchemas } }) {
  return (query: ParsedQuery) => {
    const checked = checkParameters(schema.properties, query)
    return typeof checked === 'string' ? { error: new ParameterError(checked) } : { value: checked }
  }
}

/** The values of a query, or what is wrong with it in words for its sender. */
export function checkParameters(
  schemas: ParameterSchemas,
  query: ParsedQuery,
): Readonly<Record<string, string | number | undefined>> | string {
  if (query.kind === 'fault') return query.detail
  for (const name of query.values.keys()) {
    if (!Object.hasOwn(schemas, name)) return `only these parameters are known here: ${Object.keys(schemas).join(', ')}`
  }
  const values: Record<string, string | number | undefined> = {}
  for (const [name, schema] of Object.entries(schemas)) {
    const text = query.values.get(name)
    const value = text === undefined ? defaultOf(schema) : readValue(schema, text)
    if (value === null) return `${name} must be ${expectation(schema)}`
    values[name] = value
  }
  return values
}

function defaultOf(schema: ParameterSchema): string | number | undefined {
  return 'default' in schema ? schema.default : undefined
}

function readValue(schema: ParameterSchema, text: string): string | number | null {
  if (schema.type === 'integer') {
    if (!/^\d{1,15}$/.test(text)) return null
    const value = Number(text)
    return value >= schema.minimum && value <= schema.maximum ? value : null
  }
  if ('enum' in schema) return schema.enum.includes(text) ? text : null
  // JSON Schema counts code points, so a text is at most as long there as it is here: this is the stricter reading.
  return text.length <= schema.maxLength && new RegExp(schema.pattern, 'u').test(text) ? text : null
}

function expectation(schema: ParameterSchema): string {
  if (schema.type === 'integer') return `a whole number from ${schema.minimum} to ${schema.maximum}`
  return 'enum' in schema ? `one of ${schema.enum.join(', ')}` : schema.description
}
