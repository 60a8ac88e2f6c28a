import type { ProblemError } from '@parliament-explorer/sdk'
import { useTranslation } from 'react-i18next'

/** What an error says to a person: the server's own words where it has spoken. */
export function describe(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function fieldErrors(error: unknown): ProblemError['errors'] {
  return error instanceof Error && error.name === 'ProblemError' ? (error as ProblemError).errors : []
}

/** An error where the data would be. */
export function Problem({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const { t } = useTranslation()
  const fields = fieldErrors(error)
  return (
    <div className="notice bad" role="alert">
      {title && <strong>{title}</strong>}
      <p className="break">{describe(error)}</p>
      {fields.length > 0 && (
        <ul>
          {fields.map((f) => (
            <li key={f.pointer + f.detail} className="break">
              <code>{f.pointer}</code> {f.detail}
            </li>
          ))}
        </ul>
      )}
      {retry && (
        <p style={{ marginTop: '0.6rem' }}>
          <button type="button" className="btn small" onClick={retry}>
            {t('app.retry')}
          </button>
        </p>
      )}
    </div>
  )
}
