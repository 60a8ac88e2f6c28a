/** A JSON Schema as the server gives it: a field has its French description in `x-description-fr`. */
interface Schema {
  description?: string
  properties?: Record<string, unknown>
}

/** The schema with the descriptions of its fields in a language, in English if there is no other. */
export function schemaIn<T extends object>(schema: T, language: string): T {
  const { properties } = schema as Schema
  if (language !== 'fr' || !properties) return schema
  const french = Object.entries(properties).map(([name, field]) => {
    const text: unknown = (field as Record<string, unknown>)['x-description-fr']
    return [name, typeof text === 'string' ? { ...(field as object), description: text } : field]
  })
  return { ...schema, properties: Object.fromEntries(french) as Record<string, unknown> }
}
