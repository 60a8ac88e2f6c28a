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
            <span className="muted">{name}</span> <Value value={value} />
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

function Value({ value }: { value: unknown }) {
  const { i18n } = useTranslation()
  if (typeof value === 'number') return <>{number(value, i18n.language)}</>
  if (typeof value === 'string') return timestamp.test(value) ? <Time at={value} absolute /> : <>{value}</>
  return <code className="break">{JSON.stringify(value)}</code>
}
