import { useTranslation } from 'react-i18next'

import { number } from '../lib/format'
import { Time } from './basics'

const timestamp = /^\d{4}-\d\d-\d\dT\d\d:\d\d/

/** The metadata of a materialization. */
export function MetadataList({ metadata, compact }: { metadata: Record<string, unknown>; compact?: boolean }) {
  const entries = Object.entries(metadata).sort(([a], [b]) => a.localeCompare(b))
  if (compact) {
    return (
      <div className="row wrap" style={{ gap: '0.25rem 0.4rem' }}>
        {entries.map(([name, value]) => (
          <span key={name} className="tag">
            <span className="muted">{name}</span> <Value value={value} depth={2} />
          </span>
        ))}
      </div>
    )
  }
  return (
    <dl className="facts">
      {entries.map(([name, value]) => (
        <div key={name} style={{ display: 'contents' }}>
          <dt className="mono">{name}</dt>
          <dd className="num">
            <Value value={value} />
          </dd>
        </div>
      ))}
    </dl>
  )
}

function Value({ value, depth = 0 }: { value: unknown; depth?: number }) {
  const { t, i18n } = useTranslation()
  if (typeof value === 'number') return <>{number(value, i18n.language)}</>
  if (typeof value === 'string') {
    if (timestamp.test(value)) return <Time at={value} absolute />
    return /^https?:\/\/[^\s]+$/.test(value) ? (
      <a href={value} rel="noreferrer" className="break">
        {value}
      </a>
    ) : (
      <>{value}</>
    )
  }
  if (typeof value === 'boolean') return <>{t(value ? 'app.yes' : 'app.no')}</>
  const table = depth < 2 ? tableOf(value) : undefined
  if (table) return <ValueTable {...table} depth={depth + 1} />
  return <code className="break">{JSON.stringify(value)}</code>
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** A list of records as rows with a column for each key; an object as rows of key and value; otherwise undefined. */
function tableOf(value: unknown): { columns?: string[]; rows: unknown[][] } | undefined {
  if (Array.isArray(value) && value.length > 0 && value.every(isObject)) {
    const columns = [...new Set(value.flatMap((v) => Object.keys(v)))]
    return { columns, rows: value.map((v) => columns.map((c) => v[c])) }
  }
  if (isObject(value) && Object.keys(value).length > 0) return { rows: Object.entries(value) }
  return undefined
}

function ValueTable({ columns, rows, depth }: { columns?: string[]; rows: unknown[][]; depth: number }) {
  const { t } = useTranslation()
  const most = 50
  return (
    <div className="table-wrap">
      <table className="small">
        {columns && (
          <thead>
            <tr>
              {columns.map((c) => (
                <th key={c}>{c}</th>
              ))}
            </tr>
          </thead>
        )}
        <tbody>
          {rows.slice(0, most).map((row, i) => (
            <tr key={i}>
              {row.map((v, j) =>
                !columns && j === 0 ? (
                  <th key={j} scope="row">
                    {String(v)}
                  </th>
                ) : (
                  <td key={j}>{v === undefined || v === null ? '–' : <Value value={v} depth={depth} />}</td>
                ),
              )}
            </tr>
          ))}
        </tbody>
      </table>
      {rows.length > most && <p className="muted small">{t('assets.more', { count: rows.length - most })}</p>}
    </div>
  )
}
