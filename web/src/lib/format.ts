/** The locale for numbers and dates: the user's region if it has the page's language, otherwise Canada. */
export function regional(language: string): string {
  return navigator.languages.find((l) => l.startsWith(language + '-')) ?? (language === 'fr' ? 'fr-CA' : 'en-CA')
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
  ['second', 1],
]

/** "5 minutes ago", "in 2 hours". */
export function relative(at: number, now: number, language: string): string {
  const seconds = (at - now) / 1000
  const format = new Intl.RelativeTimeFormat(regional(language), { numeric: 'auto', style: 'short' })
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size || unit === 'second') return format.format(Math.trunc(seconds / size), unit)
  }
  return ''
}

/** "3.2 s", "4 min 05 s", "2 h 10 min". */
export function duration(ms: number, language: string): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (seconds < 60)
    return `${seconds.toLocaleString(regional(language), { maximumFractionDigits: 1, minimumFractionDigits: 1 })} s`
  const total = Math.round(seconds)
  if (total < 3600) return `${Math.floor(total / 60)} min ${String(total % 60).padStart(2, '0')} s`
  const minutes = Math.round(total / 60)
  if (minutes < 48 * 60) return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, '0')} min`
  return `${Math.round(minutes / 1440)} d`
}

export function dateTime(at: Date, language: string): string {
  return at.toLocaleString(regional(language), { dateStyle: 'medium', timeStyle: 'medium' })
}

/** The time of day in the user's time zone, to the millisecond. */
export function clock(at: Date): string {
  const padded = (n: number, digits = 2) => String(n).padStart(digits, '0')
  const seconds = `${padded(at.getSeconds())}.${padded(at.getMilliseconds(), 3)}`
  return `${padded(at.getHours())}:${padded(at.getMinutes())}:${seconds}`
}

/** A time in UTC, for tooltips. */
export function utc(at: Date): string {
  return at.toISOString().replace('T', ' ').replace('Z', ' UTC')
}

export function shortId(id: string): string {
  return id.slice(-8)
}

export function number(value: number, language: string): string {
  return value.toLocaleString(regional(language), { maximumFractionDigits: 3 })
}
