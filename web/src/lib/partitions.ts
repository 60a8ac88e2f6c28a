import { type Language, sessionWords } from './bill-words'
import { regional } from './format'

const session = /^(\d+)-(\d+)$/
const day = /^(\d{4}-\d\d)-(\d\d)$/
const hour = /^(\d{4}-\d\d-\d\d)T(\d\d)/

const formatters = new Map<string, Intl.DateTimeFormat>()

/** A formatter of days. It is kept: making one takes longer than using it for a thousand days. */
function formatter(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = language + JSON.stringify(options)
  const kept = formatters.get(id) ?? new Intl.DateTimeFormat(regional(language), { ...options, timeZone: 'UTC' })
  formatters.set(id, kept)
  return kept
}

/** The group of a partition: its Parliament, its month, or the day of its hour; undefined for other keys. */
export function groupOf(key: string): string | undefined {
  return session.exec(key)?.[1] ?? day.exec(key)?.[1] ?? hour.exec(key)?.[1]
}

/** "43rd Parliament, 2nd session (43-2)", "March 7, 2026 (2026-03-07)", or the key. */
export function partitionWords(key: string, language: Language): string {
  const s = session.exec(key)
  if (s) return `${sessionWords(Number(s[1]), Number(s[2]), language)} (${key})`
  if (/^\d{4}-\d\d-\d\d$/.test(key)) {
    return `${formatter(language, { dateStyle: 'long' }).format(new Date(key + 'T12:00:00Z'))} (${key})`
  }
  return key
}

/** "43rd Parliament", "March 2026" or "March 7, 2026". */
export function groupWords(group: string, language: Language): string {
  if (/^\d+$/.test(group)) return sessionWords(Number(group), 1, language).split(',')[0]!
  if (day.test(group)) return formatter(language, { dateStyle: 'long' }).format(new Date(group + 'T12:00:00Z'))
  return formatter(language, { month: 'long', year: 'numeric' }).format(new Date(group + '-15T12:00:00Z'))
}

/** What a cell of the map shows: the session, the day of the month, or the hour. */
export function cellText(key: string): string {
  if (session.test(key)) return key
  return day.exec(key)?.[2] ?? hour.exec(key)?.[2] ?? ''
}

/** A row of the map: partitions from..to-1, or nothing but a heading. */
export interface MapRow {
  /** The group that begins here; undefined in a row that goes on with the group before, and for keys without groups. */
  group?: string
  from: number
  to: number
}

/**
 * The rows of the map, at most `perRow` partitions each. A group begins a row: beside its name, or below it if
 * `headed`.
 */
export function mapRows(keys: readonly string[], perRow: number, headed: boolean): MapRow[] {
  const rows: MapRow[] = []
  let group: string | undefined
  keys.forEach((key, i) => {
    const row = rows.at(-1)
    const own = groupOf(key)
    if (own !== group) {
      group = own
      if (headed) rows.push({ group, from: i, to: i }, { from: i, to: i + 1 })
      else rows.push({ group, from: i, to: i + 1 })
    } else if (!row || row.to - row.from === perRow) {
      rows.push({ from: i, to: i + 1 })
    } else {
      row.to = i + 1
    }
  })
  return rows
}

/** The partition above (-1) or below (1) another, in the same place of its row, or the last of a shorter row. */
export function neighbour(rows: readonly MapRow[], index: number, way: -1 | 1): number {
  const full = rows.filter((row) => row.to > row.from)
  const at = full.findIndex((row) => index < row.to)
  const next = full[at + way]
  return next === undefined ? index : Math.min(next.from + index - full[at]!.from, next.to - 1)
}

/**
 * The keys that a text selects, in the order of the set: a key, a group ("43", "2026-03", "2026", "all of the 43rd")
 * or a range "first..last" of keys or groups.
 */
export function keysOf(text: string, keys: readonly string[]): string[] {
  const one = (part: string): string[] => {
    const wanted = part.trim()
    if (keys.includes(wanted)) return [wanted]
    if (!keys.some((k) => session.test(k)))
      return /^\d{4}(-\d\d){0,2}$/.test(wanted) ? keys.filter((k) => k.startsWith(wanted)) : []
    const group = /^\D*(\d+)(?!.*\d)/.exec(wanted)?.[1]
    return keys.filter((k) => group !== undefined && groupOf(k) === group)
  }
  const ends = text.split('..')
  if (ends.length !== 2) return one(text)
  const from = ends[0]!.trim() === '' ? keys[0] : one(ends[0]!)[0]
  const to = ends[1]!.trim() === '' ? keys.at(-1) : one(ends[1]!).at(-1)
  if (from === undefined || to === undefined) return []
  return keys.slice(keys.indexOf(from), keys.indexOf(to) + 1)
}
