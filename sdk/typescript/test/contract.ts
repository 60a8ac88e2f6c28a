/** Makes answers from the contract, with what it does not know: values outside of enums, and fields that are not listed. */

export const newValue = 'of_a_newer_server'
export const newField = 'field_of_a_newer_server'

export interface Schema {
  $ref?: string
  allOf?: Schema[]
  oneOf?: Schema[]
  anyOf?: Schema[]
  enum?: string[]
  type?: string
  format?: string
  items?: Schema
  properties?: Record<string, Schema>
  additionalProperties?: boolean | Schema
}

interface Content {
  content?: Record<string, { schema: Schema }>
}

interface Parameter {
  name: string
  in: string
  required?: boolean
  schema: Schema
}

interface Operation {
  operationId: string
  parameters?: (Parameter | { $ref: string })[]
  requestBody?: Content
  responses: Record<string, Content | { $ref: string }>
}

const texts: Record<string, string> = { 'date-time': '2026-06-18T12:00:00Z', uuid: '0197841c-2a00-7aaa-8000-000000000001' }

export class Contract {
  constructor(readonly document: { paths: Record<string, Record<string, unknown>> }) {}

  resolve<T extends object>(node: T | { $ref: string }): T {
    let found: unknown = node
    while (typeof found === 'object' && found !== null && '$ref' in found) {
      let at: unknown = this.document
      for (const part of (found as { $ref: string }).$ref.slice(2).split('/')) at = (at as Record<string, unknown>)[part]
      found = at
    }
    return found as T
  }

  /** Every operation, with all its parameters. */
  *operations(): Generator<{ method: string; path: string; operation: Operation; parameters: Parameter[] }> {
    for (const [path, item] of Object.entries(this.document.paths)) {
      for (const method of ['get', 'post', 'put', 'patch', 'delete']) {
        const operation = item[method] as Operation | undefined
        if (!operation) continue
        const both = [...((item.parameters as Parameter[] | undefined) ?? []), ...(operation.parameters ?? [])]
        yield { method, path, operation, parameters: both.map((p) => this.resolve<Parameter>(p)) }
      }
    }
  }

  /** Every answer of an operation that is JSON. */
  *answers(operation: Operation): Generator<{ status: number; media: string; schema: Schema }> {
    for (const [status, answer] of Object.entries(operation.responses)) {
      for (const [media, { schema }] of Object.entries(this.resolve<Content>(answer).content ?? {})) {
        if (media === 'application/json' || media === 'application/problem+json') {
          yield { status: status === 'default' ? 500 : Number(status), media, schema }
        }
      }
    }
  }

  /** A value that has everything, and what the contract does not know. */
  sample(schema: Schema): unknown {
    const node = this.resolve<Schema>(schema as { $ref: string })
    if (node.allOf) return Object.assign({}, ...node.allOf.map((part) => this.sample(part))) as unknown
    if (node.oneOf || node.anyOf) throw new Error('this test does not know alternatives yet')
    if (node.enum) return newValue
    switch (node.type) {
      case 'array':
        return [this.sample(node.items!), this.sample(node.items!)]
      case 'string':
        return texts[node.format ?? ''] ?? 'text'
      case 'integer':
        return 7
      case 'number':
        return 0.5
      case 'boolean':
        return true
    }
    const made: Record<string, unknown> = {}
    for (const [name, of] of Object.entries(node.properties ?? {})) made[name] = this.sample(of)
    if (typeof node.additionalProperties === 'object') made.key = this.sample(node.additionalProperties)
    else made[newField] = { deep: [1, null, { more: true }] }
    return made
  }
}

/** How often a text is in a value. */
export function count(value: unknown, text: string): number {
  return JSON.stringify(value).split(`"${text}"`).length - 1
}
