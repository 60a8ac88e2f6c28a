import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'

export type Config = Record<string, unknown>
export type Format = 'json' | 'yaml'

let yaml: typeof import('yaml') | undefined

/** Loads what configs in YAML need. It is large, and most users never write YAML. */
export async function loadYaml(): Promise<void> {
  yaml = await import('yaml')
}

function loadedYaml(): typeof import('yaml') {
  if (!yaml) throw new Error('YAML is not loaded')
  return yaml
}

/** An error in a config, with the JSON pointer to the value. */
export interface ConfigError {
  pointer: string
  detail: string
}

export function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** Builds the config of a request: the config of the only asset, or configs by asset in Dagster's shape. */
export function joinConfigs(assets: readonly string[], configs: Readonly<Record<string, Config>>): Config {
  if (assets.length === 1) return configs[assets[0]!] ?? {}
  return { ops: Object.fromEntries(assets.map((a) => [a, { config: configs[a] ?? {} }])) }
}

/** Splits a config of either shape into the configs by asset, each with its JSON pointer. */
export function splitConfig(
  assets: readonly string[],
  config: Config,
): { asset: string; config: Config; pointer: string }[] {
  if (isObject(config.ops)) {
    return Object.entries(config.ops).flatMap(([asset, op]) =>
      isObject(op) && isObject(op.config) ? [{ asset, config: op.config, pointer: `/ops/${asset}/config` }] : [],
    )
  }
  return assets.length === 1 ? [{ asset: assets[0]!, config, pointer: '' }] : []
}

/** A config as text. YAML needs loadYaml before. */
export function formatConfig(config: Config, format: Format): string {
  return format === 'json'
    ? JSON.stringify(config, null, 2)
    : Object.keys(config).length === 0
      ? '{}\n'
      : loadedYaml().stringify(config)
}

/**
 * A value as the server receives it: without the fields that are not set, such as an emptied number. It throws an Error
 * if the value refers to itself, which YAML allows.
 */
export function asJson(value: unknown): unknown {
  return value === undefined ? undefined : JSON.parse(JSON.stringify(value))
}

/** Parses a config; YAML needs loadYaml before. It throws an Error if the text is invalid. An empty text is {}. */
export function parseConfig(text: string, format: Format): unknown {
  if (text.trim() === '') return {}
  return asJson(format === 'json' ? JSON.parse(text) : loadedYaml().parse(text))
}

// Keywords that only report an error of a nested value.
const wrapperKeywords = new Set([
  'properties',
  'items',
  'prefixItems',
  'allOf',
  '$ref',
  'additionalProperties',
  'patternProperties',
])

/** Validates a config against its JSON Schema. */
export function validateConfig(schema: object, config: unknown): ConfigError[] {
  const { errors } = new Validator(schema as Schema, '2020-12', false).validate(asJson(config ?? {}))
  const leaf = (e: OutputUnit) =>
    !wrapperKeywords.has(e.keyword) ||
    !errors.some((o) => o !== e && o.instanceLocation.startsWith(e.instanceLocation) && !wrapperKeywords.has(o.keyword))
  return errors.filter(leaf).map((e) => {
    const pointer = e.instanceLocation.replace(/^#/, '')
    const missing = e.keyword === 'required' ? /"([^"]+)"/.exec(e.error)?.[1] : undefined
    if (missing !== undefined) return { pointer: `${pointer}/${missing}`, detail: 'is required' }
    return { pointer, detail: e.keyword === 'false' ? 'is not a field of this config' : e.error }
  })
}

/** A config as one quoted argument of a shell command. */
export function shellQuote(config: unknown): string {
  return quoted(JSON.stringify(config))
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`
}

/** The options of the command that starts a run, each with a space before it. The command has tags as key=value. */
export function runFlags(request: {
  config: Config
  partition?: string
  priority?: number
  tags?: Record<string, string>
}): string {
  const { config, partition, priority, tags = {} } = request
  const word = (text: string) => (/^[\w.:@/=-]+$/.test(text) ? text : quoted(text))
  return [
    partition !== undefined && ` --partition ${word(partition)}`,
    // The command reads several tags from one option, with a semicolon between them.
    ...Object.entries(tags).map(([key, value]) => ` --tag ${word(`${key}=${value}`.replaceAll(';', '\\;'))}`),
    priority !== undefined && ` --priority ${priority}`,
    Object.keys(config).length > 0 && ` --config ${shellQuote(config)}`,
  ]
    .filter(Boolean)
    .join('')
}

/** Parses "key:value, other:value". It throws an Error whose message is the invalid tag. */
export function parseTags(text: string): Record<string, string> {
  const tags: Record<string, string> = {}
  for (const part of text
    .split(',')
    .map((p) => p.trim())
    .filter(Boolean)) {
    const [, key, value] = /^([^:]+):(.*)$/.exec(part) ?? []
    if (key === undefined || value === undefined) throw new Error(part)
    tags[key.trim()] = value.trim()
  }
  return tags
}
