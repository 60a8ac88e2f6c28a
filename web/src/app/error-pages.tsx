import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { Empty, PageHead } from '../ui/basics'
import { Problem } from '../ui/problem'

export function NotFound() {
  const { t } = useTranslation()
  return (
    <div className="page">
      <PageHead title={t('app.notFound')} />
      <div className="card">
        <Empty
          title={t('app.notFoundText')}
          action={
            <Link to="/" className="btn">
              {t('app.home')}
            </Link>
          }
        />
      </div>
    </div>
  )
}

export function Crashed({ error, reset }: { error: unknown; reset: () => void }) {
  const { t } = useTranslation()
  return (
    <div className="page">
      <Problem error={error} title={t('app.crashed')} retry={reset} />
    </div>
  )
}
