import { diffWords } from 'diff'
import { useTranslation } from 'react-i18next'

/** What changed in a value: texts word by word, anything else before and after, objects field by field. */
export function Change({ from, to }: { from: unknown; to: unknown }) {
  if (isPlain(from) && isPlain(to)) {
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
    // Two texts with little in common are easier read one after the other.
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
        <Plain value={from} />
      </del>{' '}
      <span aria-hidden>→</span>{' '}
      <ins>
        <Plain value={to} />
      </ins>
    </span>
  )
}

function isPlain(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function Plain({ value }: { value: unknown }) {
  const { t, i18n } = useTranslation()
  if (typeof value === 'boolean') return <>{value ? t('app.yes') : t('app.no')}</>
  return <>{words(value, i18n.language) || t('bills.empty_value')}</>
}

/** A value as a person would say it: texts in the page's language, things by what they hold. */
function words(value: unknown, language: string): string {
  if (value === null || value === undefined) return ''
  if (Array.isArray(value)) return value.map((v) => words(v, language)).join(', ')
  if (!isPlain(value)) return String(value)
  if ('en' in value && 'fr' in value)
    return words(language === 'fr' ? (value.fr ?? value.en) : (value.en ?? value.fr), language)
  return Object.values(value)
    .map((v) => words(v, language))
    .filter(Boolean)
    .join(' · ')
}
