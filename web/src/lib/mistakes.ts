import i18next from 'i18next'

import { type ConfigError, isObject, validateConfig } from './config'

type Schema = Record<string, unknown>

/** The mistakes of a config in plain words, one for each field: what is wanted there. */
export function mistakesOf(schema: object, config: unknown): ConfigError[] {
  const found = new Map<string, ConfigError>()
  for (const e of validateConfig(schema, config)) {
    if (!found.has(e.pointer))
      found.set(e.pointer, { pointer: e.pointer, detail: wordsOf(schema as Schema, config, e) })
  }
  return [...found.values()]
}

function wordsOf(schema: Schema, config: unknown, error: ConfigError): string {
  const { t } = i18next
  if (error.detail === 'is required') return t('launch.wantValue')
  if (error.detail === 'is not a field of this config') return t('launch.wantNothing')
  const path = error.pointer.split('/').slice(1)
  const field = fieldOf(schema, path)
  const value = path.reduce<unknown>((v, name) => (v as Schema | undefined)?.[name], config)
  return (field && wantedOf(field, value)) ?? error.detail
}

function wantedOf(field: Schema, value: unknown): string | undefined {
  const { t } = i18next
  if (Array.isArray(field.enum)) return t('launch.wantOneOf', { values: field.enum.join(', ') })
  switch (field.type) {
    case 'integer':
    case 'number':
      return wantedNumber(field, value)
    case 'string':
      if (typeof value !== 'string') return t('launch.wantText')
      if (field.pattern !== undefined) return t('launch.wantPattern', { pattern: field.pattern })
      if (field.maxLength !== undefined)
        return t('launch.wantLength', { min: field.minLength ?? 0, max: field.maxLength })
      return t('launch.wantValue')
    case 'boolean':
      return t('launch.wantBoolean')
    case 'array':
      return Array.isArray(value) ? undefined : t('launch.wantArray')
    case 'object':
      return isObject(value) ? undefined : t('launch.wantObject')
  }
  return undefined
}

function wantedNumber({ type, minimum: min, maximum: max }: Schema, value: unknown): string {
  const { t } = i18next
  if (type === 'integer' && typeof value === 'number' && !Number.isInteger(value)) return t('launch.wantInteger')
  if (min !== undefined && max !== undefined) return t('launch.wantBetween', { min, max })
  if (min !== undefined) return t('launch.wantAtLeast', { min })
  if (max !== undefined) return t('launch.wantAtMost', { max })
  return t(type === 'integer' ? 'launch.wantInteger' : 'launch.wantNumber')
}

/** The schema of a field, by the path of its value. */
export function fieldOf(schema: object, path: readonly string[]): Schema | undefined {
  let at: Schema | undefined = schema as Schema
  for (const name of path) {
    const next: unknown = /^\d+$/.test(name) && at?.items ? at.items : (at?.properties as Schema | undefined)?.[name]
    at = isObject(next) ? next : undefined
  }
  return at
}
