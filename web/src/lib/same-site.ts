/** How long a path may be that the browser is sent to. */
const maxLength = 2000

/**
 * Whether a text is a path of this server, and can lead nowhere else: the one place that decides where the browser may be
 * sent. `SamePath` in server/access decides the same, and its table of tests is the test of both.
 *
 * Browsers drop tabs and line ends, take a backslash for a slash and resolve dots before they look for a host. So a path
 * has none of the former, and no empty segment that could become the beginning of a host, however often it is decoded on
 * its way. What follows the question mark leads nowhere.
 */
export function isSamePath(given: string): boolean {
  if (given.length > maxLength || !/^\/[!-[\]-~]*$/.test(given)) return false
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
        return !first // a percent sign of an earlier round is a character
      }
      if (decoded === path) return true
      path = decoded
    }
  } catch {
    return false
  }
}

/** The path, if it is one of this server; what is given instead otherwise. */
export function samePath(given: string | undefined, instead: string): string {
  return given !== undefined && isSamePath(given) ? given : instead
}

/** The address, if it is one of the web: what data says is not to run as a script. */
export function webAddress(given: string | null | undefined): string | undefined {
  if (!given) return undefined
  try {
    return /^https?:$/.test(new URL(given).protocol) ? given : undefined
  } catch {
    return undefined
  }
}
