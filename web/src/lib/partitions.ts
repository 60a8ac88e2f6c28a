import { type Language, sessionWords } from './bill-words'
import { regional } from './format'

const session = /^(\d+)-(\d+)$/
const day = /^(\d{4}-\d\d)-(\d\d)/

const formatters = new Map<string, Intl.DateTimeFormat>()

/** A formatter of days. It is kept: making one takes longer than using it for a thousand days. */
function formatter(language: Language, options: Intl.DateTimeFormatOptions): Intl.DateTimeFormat {
  const id = language + JSON.stringify(options)
  const kept = formatters.get(id) ?? new Intl.DateTimeFormat(regional(language), { ...options, timeZone: 'UTC' })
  formatters.set(id, kept)
  return kept
}

/** The group of a partition: its Parliament, or its month; undefined if the key is neither a session nor a date. */
export function groupOf(key: string): string | undefined {
  return session.exec(key)?.[1] ?? day.exec(key)?.[1]
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

/** "43rd Parliament" or "March 2026". */
export function groupWords(group: string, language: Language): string {
  if (/^\d+$/.test(group)) return sessionWords(Number(group), 1, language).split(',')[0]!
  return formatter(language, { month: 'long', year: 'numeric' }).format(new Date(group + '-15T12:00:00Z'))
}

/** What a cell of the map shows: the session, or the day of the month. */
export function cellText(key: string): string {
  if (session.test(key)) return key
  return key.length === 10 ? (day.exec(key)?.[2] ?? '') : ''
}

/**
 * The keys that a text selects, in the order of the set: a key, a group ("43", "2026-03", "all of the 43rd"), or a
 * range "first..last" of keys or groups.
 */
export function keysOf(text: string, keys: readonly string[]): string[] {
  const one = (part: string): string[] => {
    const wanted = part.trim()
    if (keys.includes(wanted)) return [wanted]
    const group = keys.some((k) => session.test(k)) ? /^\D*(\d+)(?!.*\d)/.exec(wanted)?.[1] : wanted
    return keys.filter((k) => group !== undefined && groupOf(k) === group)
  }
  const ends = text.split('..')
  if (ends.length !== 2) return one(text)
  const from = ends[0]!.trim() === '' ? keys[0] : one(ends[0]!)[0]
  const to = ends[1]!.trim() === '' ? keys.at(-1) : one(ends[1]!).at(-1)
  if (from === undefined || to === undefined) return []
  return keys.slice(keys.indexOf(from), keys.indexOf(to) + 1)
}
