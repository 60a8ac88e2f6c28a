/** The maximum length of a path that the browser is redirected to. */
const maxPathLength = 2000

/**
 * Whether a text is a path of this server that cannot lead to another host. All redirects of the browser use it.
 * `SamePath` in server/access is the same check in Go. Both are tested with the same table.
 *
 * Before browsers look for a host, they remove tabs and line ends, treat a backslash as a slash and resolve dots. So a
 * path must not contain tabs, line ends, other control characters or backslashes. It must not contain an empty segment,
 * which could become the start of a host, however many times the path is decoded. The query cannot change the host.
 */
export function isSamePath(given: string): boolean {
  if (given.length > maxPathLength || !/^\/[!-[\]-~]*$/.test(given)) return false
  const here = 'https://here.invalid'
  try {
    if (new URL(given, here).origin !== here) return false
    let path = given.replace(/[?#].*$/, '')
    for (let first = true; ; first = false) {
      if (path.includes('//') || /[\u0000-\u001f\u007f\\]/.test(path)) return false
      let decoded: string
      try {
        decoded = decodeURIComponent(path)
      } catch {
        return !first // after the first round, a percent sign is a plain character
      }
      if (decoded === path) return true
      path = decoded
    }
  } catch {
    return false
  }
}

/** The path if it is a path of this server, otherwise the fallback. */
export function samePath(given: string | undefined, fallback: string): string {
  return given !== undefined && isSamePath(given) ? given : fallback
}

/** The address if it is http or https. Addresses in data must not run as scripts. */
export function webAddress(given: string | null | undefined): string | undefined {
  if (!given) return undefined
  try {
    return /^https?:$/.test(new URL(given).protocol) ? given : undefined
  } catch {
    return undefined
  }
}
