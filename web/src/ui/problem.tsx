import type { ProblemError } from '@parliament-explorer/sdk'
import { useTranslation } from 'react-i18next'

import { onlyLists } from '../lib/faults'

/** The message of an error. For an error from the server, it is the server's text. */
export function errorMessage(error: unknown): string {
  return error instanceof Error ? error.message : String(error)
}

export function fieldErrors(error: unknown): ProblemError['errors'] {
  return error instanceof Error && error.name === 'ProblemError' ? (error as ProblemError).errors : []
}

/** Whether what was asked for does not exist. Asking again does not help. */
function isMissing(error: unknown): boolean {
  return error instanceof Error && error.name === 'ProblemError' && (error as ProblemError).status === 404
}

/** An error message in place of the data. */
export function Problem({ error, retry, title }: { error: unknown; retry?: () => void; title?: string }) {
  const { t } = useTranslation()
  const fields = fieldErrors(error)
  return (
    <div className="notice bad" role="alert">
      {title && <strong>{title}</strong>}
      {!onlyLists(errorMessage(error), fields.length) && <p className="break">{errorMessage(error)}</p>}
      {fields.length > 0 && (
        <ul>
          {fields.map((f) => (
            <li key={f.pointer + f.detail} className="break">
              <code>{f.pointer}</code> {f.detail}
            </li>
          ))}
        </ul>
      )}
      {retry && !isMissing(error) && (
        <p style={{ marginTop: '0.6rem' }}>
          <button type="button" className="btn small" onClick={retry}>
            {t('app.retry')}
          </button>
        </p>
      )}
    </div>
  )
}
