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

/** From this distance on, in seconds, a time is said as its date: nobody counts 9,939 days. */
const farAway = 60 * 86_400

// A formatter takes longer to make than to use, and pages format hundreds of times.
const made = new Map<string, unknown>()

function once<T>(key: string, language: string, make: (locale: string) => T): T {
  const locale = regional(language)
  const name = `${key} ${locale}`
  if (!made.has(name)) made.set(name, make(locale))
  return made.get(name) as T
}

/** "5 minutes ago", "in 2 hours", and the date of what is more than 60 days away. */
export function relative(at: number, now: number, language: string): string {
  const seconds = (at - now) / 1000
  if (Math.abs(seconds) >= farAway) return date(new Date(at), language)
  const format = once('age', language, (l) => new Intl.RelativeTimeFormat(l, { numeric: 'auto', style: 'short' }))
  for (const [unit, size] of units) {
    if (Math.abs(seconds) >= size || unit === 'second') return format.format(Math.trunc(seconds / size), unit)
  }
  return ''
}

/** "3.2 s", "5 s", "4 min 05 s", "26 h", "2 h 10 min", "4 days". */
export function duration(ms: number, language: string): string {
  const seconds = Math.max(0, ms) / 1000
  if (seconds < 1) return `${Math.round(seconds * 1000)} ms`
  if (Math.round(seconds * 10) < 600) {
    const tenths = once('tenths', language, (l) => new Intl.NumberFormat(l, { maximumFractionDigits: 1 }))
    return `${tenths.format(seconds)} s`
  }
  const total = Math.round(seconds)
  if (total < 3600) return twoUnits(total, 'min', 's')
  const minutes = Math.round(total / 60)
  if (minutes < 48 * 60) return twoUnits(minutes, 'h', 'min')
  const days = once(
    'days',
    language,
    (l) => new Intl.NumberFormat(l, { style: 'unit', unit: 'day', unitDisplay: 'long', maximumFractionDigits: 0 }),
  )
  return days.format(minutes / 1440)
}

/** "4 min 05 s", and "4 min" if there is nothing else. */
function twoUnits(smaller: number, large: string, small: string): string {
  const rest = smaller % 60
  return `${Math.floor(smaller / 60)} ${large}` + (rest > 0 ? ` ${String(rest).padStart(2, '0')} ${small}` : '')
}

export function dateTime(at: Date, language: string): string {
  const options = { dateStyle: 'medium', timeStyle: 'medium' } as const
  return once('time', language, (l) => new Intl.DateTimeFormat(l, options)).format(at)
}

/** The day of a time, in the user's time zone. */
function date(at: Date, language: string): string {
  return once('date', language, (l) => new Intl.DateTimeFormat(l, { dateStyle: 'medium' })).format(at)
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
