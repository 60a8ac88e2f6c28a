import { diffWords } from 'diff'
import { useTranslation } from 'react-i18next'

/** A change of a value: word by word for texts, field by field for objects, before and after for anything else. */
export function Change({ from, to }: { from: unknown; to: unknown }) {
  if (isObject(from) && isObject(to)) {
    const names = [...new Set([...Object.keys(from), ...Object.keys(to)])].filter(
      (name) => JSON.stringify(from[name]) !== JSON.stringify(to[name]),
    )
    return (
      <dl className="facts">
        {names.map((name) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt className="mono">{name}</dt>
            <dd>
              <Change from={from[name]} to={to[name]} />
            </dd>
          </div>
        ))}
      </dl>
    )
  }
  if (typeof from === 'string' && typeof to === 'string' && from.includes(' ') && to.includes(' ')) {
    const parts = diffWords(from, to)
    const same = parts.filter((p) => !p.added && !p.removed).reduce((n, p) => n + p.value.length, 0)
    // Two texts with little in common are easier to read one after the other.
    if (same > Math.max(from.length, to.length) / 3) {
      return (
        <span className="diff break">
          {parts.map((p, i) =>
            p.added ? (
              <ins key={i}>{p.value}</ins>
            ) : p.removed ? (
              <del key={i}>{p.value}</del>
            ) : (
              <span key={i}>{p.value}</span>
            ),
          )}
        </span>
      )
    }
  }
  return (
    <span className="diff break">
      <del>
        <PlainValue value={from} />
      </del>{' '}
      <span aria-hidden>→</span>{' '}
      <ins>
        <PlainValue value={to} />
      </ins>
    </span>
  )
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function PlainValue({ value }: { value: unknown }) {
  const { t, i18n } = useTranslation()
  if (typeof value === 'boolean') return <>{value ? t('app.yes') : t('app.no')}</>
  return <>{readableValue(value, i18n.language) || t('bills.empty_value')}</>
}

/** A readable form of a value: texts in the page's language, objects by their fields. */
function readableValue(value: unknown, language: string): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map((v) => readableValue(v, language)).join(', ')
  if (!isObject(value)) return String(value)
  if ('en' in value && 'fr' in value)
    return readableValue(language === 'fr' ? (value.fr ?? value.en) : (value.en ?? value.fr), language)
  return Object.values(value)
    .map((v) => readableValue(v, language))
    .filter(Boolean)
    .join(' · ')
}
