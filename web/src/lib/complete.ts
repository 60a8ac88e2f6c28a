import { type Format, isObject } from './config'
import { fieldOf } from './mistakes'

/** What can be written at a place of a config. */
interface Suggestion {
  label: string
  /** The text that replaces what is typed so far. */
  insert: string
  kind: 'field' | 'value'
  detail?: string
  info?: string
}

/** A place in a config: the keys that lead to it, what is typed there so far, and the keys that are there already. */
interface Place {
  path: string[]
  kind: 'field' | 'value'
  /** Where that which is typed so far begins. */
  from: number
  present: ReadonlySet<string>
}

interface AssetSchema {
  name: string
  schema: object
}

/**
 * What can be written at a position of a config, from the JSON Schemas of the assets: fields, and the values of a
 * field. `from` is where the text begins that a suggestion replaces.
 */
export function suggest(
  text: string,
  at: number,
  format: Format,
  assets: readonly AssetSchema[],
): { from: number; suggestions: Suggestion[] } | undefined {
  const place = format === 'json' ? placeInJson(text, at) : placeInYaml(text, at)
  if (!place) return undefined
  const suggestions =
    place.kind === 'field'
      ? fieldsAt(place.path, assets)
          .filter((f) => !place.present.has(f.name))
          .map((f) => ({
            label: f.name,
            insert: keyText(f, format),
            kind: 'field' as const,
            detail: f.detail,
            info: f.info,
          }))
      : valuesOf(schemaAt(place.path, assets)).map((value) => ({
          label: String(value),
          insert: format === 'json' ? JSON.stringify(value) : yamlText(value),
          kind: 'value' as const,
        }))
  return suggestions.length > 0 ? { from: place.from, suggestions } : undefined
}

interface FieldName {
  name: string
  detail?: string
  info?: string
  value?: unknown
}

function fieldsAt(path: readonly string[], assets: readonly AssetSchema[]): FieldName[] {
  const inOps = path[0] === 'ops'
  if (inOps && path.length === 1) return assets.map(({ name }) => ({ name, value: { config: {} } }))
  if (inOps && path.length === 2) return [{ name: 'config', value: {} }]
  if (path.length === 0) {
    const own = assets.length === 1 ? propertiesOf(assets[0]!.schema) : []
    return own.length > 0 ? own : [{ name: 'ops', value: {} }]
  }
  return propertiesOf(schemaAt(path, assets))
}

function schemaAt(path: readonly string[], assets: readonly AssetSchema[]): object | undefined {
  if (path[0] !== 'ops') return assets.length === 1 ? fieldOf(assets[0]!.schema, path) : undefined
  const schema = assets.find((a) => a.name === path[1])?.schema
  return schema && path[2] === 'config' ? fieldOf(schema, path.slice(3)) : undefined
}

function propertiesOf(schema: object | undefined): FieldName[] {
  const properties = (schema as { properties?: unknown } | undefined)?.properties
  if (!isObject(properties)) return []
  return Object.entries(properties).map(([name, field]) => {
    const of = isObject(field) ? field : {}
    return {
      name,
      detail: typeof of.type === 'string' ? rangeOf(of) : undefined,
      info: typeof of.description === 'string' ? of.description : undefined,
      value: of.default,
    }
  })
}

/** The type of a field, with its bounds: "integer 1–500". */
function rangeOf({ type, minimum, maximum }: Record<string, unknown>): string {
  if (minimum === undefined && maximum === undefined) return String(type)
  if (maximum === undefined) return `${String(type)} ≥ ${String(minimum)}`
  if (minimum === undefined) return `${String(type)} ≤ ${String(maximum)}`
  return `${String(type)} ${String(minimum)}–${String(maximum)}`
}

function valuesOf(schema: object | undefined): unknown[] {
  const field = (schema ?? {}) as Record<string, unknown>
  if (Array.isArray(field.enum)) return field.enum
  if (field.type === 'boolean') return [true, false]
  const bounds = [field.default, field.minimum, field.maximum]
  return [...new Set(bounds.filter((v) => v !== undefined && !isObject(v) && !Array.isArray(v)))]
}

function keyText({ name, value }: FieldName, format: Format): string {
  if (format === 'json') return `${JSON.stringify(name)}: ${value === undefined ? '' : JSON.stringify(value)}`
  const key = yamlText(name)
  return value === undefined ? `${key}: ` : isObject(value) ? `${key}:` : `${key}: ${yamlText(value)}`
}

/** A value as YAML. A text that YAML would read as something else is quoted. */
function yamlText(value: unknown): string {
  return typeof value === 'string' &&
    /^[A-Za-z_][\w.-]*$/.test(value) &&
    !/^(true|false|null|yes|no|on|off)$/i.test(value)
    ? value
    : JSON.stringify(value)
}

interface Frame {
  object: boolean
  key?: string
  /** Whether the next text in an object is a value. */
  value: boolean
  keys: Set<string>
}

/** The place of a position in JSON, which may be unfinished. */
function placeInJson(text: string, at: number): Place | undefined {
  const frames: Frame[] = []
  let token = at // where the text at the position begins
  for (let i = 0; i < at;) {
    const frame = frames.at(-1)
    const c = text[i]!
    if (c === '"') {
      const end = endOfString(text, i)
      if (end > at || end === -1) return place(frames, i)
      if (frame?.object && !frame.value) frame.keys.add((frame.key = unquote(text.slice(i, end))))
      i = end
      token = at
      continue
    }
    if (c === '{' || c === '[') frames.push({ object: c === '{', value: c === '[', keys: new Set() })
    else if (c === '}' || c === ']') frames.pop()
    else if (c === ':' && frame) frame.value = true
    else if (c === ',' && frame?.object) frame.value = false
    if (/[\w.+-]/.test(c)) {
      if (token === at) token = i
    } else token = at
    i++
  }
  return place(frames, token)
}

function place(frames: readonly Frame[], from: number): Place | undefined {
  const last = frames.at(-1)
  if (!last?.object) return undefined
  // The keys of the objects around, and that of the value.
  const path = frames.slice(0, -1).flatMap((f) => (f.object && f.key !== undefined ? [f.key] : []))
  if (last.value && last.key !== undefined) path.push(last.key)
  return { path, kind: last.value ? 'value' : 'field', from, present: last.keys }
}

/** The position after a string that begins at i; -1 if it does not end. */
function endOfString(text: string, i: number): number {
  for (let j = i + 1; j < text.length; j++) {
    if (text[j] === '\\') j++
    else if (text[j] === '"') return j + 1
    else if (text[j] === '\n') return -1
  }
  return -1
}

function unquote(text: string): string {
  try {
    return JSON.parse(text) as string
  } catch {
    return text.slice(1, -1)
  }
}

const yamlKey = /^(\s*)(?:"([^"]*)"|'([^']*)'|([\w.-]+))\s*:(?:\s|$)/

/** The place of a position in YAML of the block style, by the indentation of the lines. */
function placeInYaml(text: string, at: number): Place | undefined {
  const lines = text.split('\n')
  const row = text.slice(0, at).split('\n').length - 1
  const column = at - (text.slice(0, at).lastIndexOf('\n') + 1)
  const before = lines[row]!.slice(0, column)
  if (/^\s*(#|- )|[{[]/.test(before)) return undefined
  const own = yamlKey.exec(before + (before.endsWith(':') ? '\n' : ''))
  const indent = /^\s*/.exec(before)![0].length
  const path: string[] = []
  const present = new Set<string>()
  let level = indent
  for (let i = row - 1; i >= 0; i--) {
    const key = yamlKey.exec(lines[i]!)
    if (!key) continue
    const name = key[2] ?? key[3] ?? key[4]!
    if (key[1]!.length < level) {
      path.unshift(name)
      level = key[1]!.length
    } else if (key[1]!.length === indent && path.length === 0) present.add(name)
  }
  for (const line of lines.slice(row + 1)) {
    const key = yamlKey.exec(line)
    if (key && key[1]!.length < indent) break
    if (key && key[1]!.length === indent) present.add(key[2] ?? key[3] ?? key[4]!)
  }
  if (own) {
    const value = /:\s+(\S*)$/.exec(before)
    if (!value) return undefined
    return { path: [...path, own[2] ?? own[3] ?? own[4]!], kind: 'value', from: at - value[1]!.length, present }
  }
  return { path, kind: 'field', from: at - (column - indent), present }
}
