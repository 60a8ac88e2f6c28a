import { type OutputUnit, type Schema, Validator } from '@cfworker/json-schema'
import { parse as parseYaml, stringify as toYaml } from 'yaml'

export type Config = Record<string, unknown>
export type Format = 'json' | 'yaml'

/** What is wrong with a value, and where: a JSON pointer. */
export interface Fault {
  pointer: string
  detail: string
}

export function isObject(value: unknown): value is Config {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A config as it is sent: of the run's only asset, or by asset in Dagster's shape. */
export function joined(assets: readonly string[], configs: Readonly<Record<string, Config>>): Config {
  if (assets.length === 1) return configs[assets[0]!] ?? {}
  return { ops: Object.fromEntries(assets.map((a) => [a, { config: configs[a] ?? {} }])) }
}

/** The configs by asset of one that was written in either shape, each with the pointer to where it stood. */
export function parted(assets: readonly string[], config: Config): { asset: string; config: Config; at: string }[] {
  if (isObject(config.ops)) {
    return Object.entries(config.ops).flatMap(([asset, op]) =>
      isObject(op) && isObject(op.config) ? [{ asset, config: op.config, at: `/ops/${asset}/config` }] : [],
    )
  }
  return assets.length === 1 ? [{ asset: assets[0]!, config, at: '' }] : []
}

export function written(config: Config, format: Format): string {
  return format === 'json'
    ? JSON.stringify(config, null, 2)
    : Object.keys(config).length === 0
      ? '{}\n'
      : toYaml(config)
}

/** Reads a config; throws an Error that says what is wrong. An empty text is an empty config. */
export function read(text: string, format: Format): unknown {
  if (text.trim() === '') return {}
  return format === 'json' ? JSON.parse(text) : parseYaml(text)
}

// Keywords that only pass on what is wrong further down.
const wrappers = new Set([
  'properties',
  'items',
  'prefixItems',
  'allOf',
  '$ref',
  'additionalProperties',
  'patternProperties',
])

/** Checks a config against its JSON Schema. */
export function faults(schema: object, config: unknown): Fault[] {
  const { errors } = new Validator(schema as Schema, '2020-12', false).validate(config)
  const leaf = (e: OutputUnit) =>
    !wrappers.has(e.keyword) ||
    !errors.some((o) => o !== e && o.instanceLocation.startsWith(e.instanceLocation) && !wrappers.has(o.keyword))
  return errors.filter(leaf).map((e) => {
    const pointer = e.instanceLocation.replace(/^#/, '')
    const missing = e.keyword === 'required' ? /"([^"]+)"/.exec(e.error)?.[1] : undefined
    if (missing !== undefined) return { pointer: `${pointer}/${missing}`, detail: 'is required' }
    return { pointer, detail: e.keyword === 'false' ? 'is not a field of this config' : e.error }
  })
}

/** A config as one word of a shell's command. */
export function quoted(config: unknown): string {
  return `'${JSON.stringify(config).replaceAll("'", `'\\''`)}'`
}

/** Reads "key:value, other:value"; throws an Error with the text that is no tag. */
export function readTags(text: string): Record<string, string> {
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
