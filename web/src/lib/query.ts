export type Query = Record<string, string | string[]>

/** Parses a query string. All values are texts. A parameter that is repeated is a list. */
export function parseQuery(text: string): Query {
  const query: Query = {}
  for (const [name, value] of new URLSearchParams(text)) {
    const before = query[name]
    query[name] = before === undefined ? value : Array.isArray(before) ? [...before, value] : [before, value]
  }
  return query
}

/** Formats search parameters as a query string, with its question mark. Undefined parameters are left out. */
export function formatQuery(search: Readonly<Record<string, unknown>>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(search)) {
    for (const one of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (one !== undefined && one !== null) query.append(name, String(one))
    }
  }
  const text = query.toString()
  return text && '?' + text
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/**
 * Reads the query of an old link. Old links had JSON in texts that are valid JSON themselves: 2024 was "2024", and
 * "water" in quotes was "\"water\"". A number in quotes is a search text of its own, so `q` is read that way only if
 * its text has quotes inside too.
 */
export function upgradeQuery(text: string): string {
  const query = new URLSearchParams(text)
  let old = false
  for (const [name, value] of [...query]) {
    const inner = fromJson(value)
    if (typeof inner !== 'string' || fromJson(inner) === undefined || (name === 'q' && !inner.startsWith('"'))) continue
    old = true
    query.set(name, inner)
  }
  return old ? '?' + query.toString() : text
}
