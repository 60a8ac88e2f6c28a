import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useEffect } from 'react'
import { useTranslation } from 'react-i18next'

import { billQuery } from '../app/queries'
import { BillProgress } from '../features/bill-status'
import { languageOf, lastOf, nameOf, progressOf, statusWords } from '../lib/bill-words'
import { Loaded } from '../ui/loaded'

/** A bill in a frame on a page of another site: where it stands, and a link to its whole page. */
export function BillEmbed() {
  const { t, i18n } = useTranslation()
  const { session, number } = useParams({ from: '/embed/bills/$session/$number' })
  const language = languageOf(i18n.language)
  const query = useQuery(billQuery(session, number))
  const name = query.data ? `${query.data.number} · ${nameOf(query.data, language)}` : number
  useEffect(() => {
    document.title = name
  }, [name])
  return (
    <main className="embed stack">
      <h1>{name}</h1>
      <Loaded query={query} lines={4}>
        {(bill) => {
          const status = statusWords(bill, language)
          const last = lastOf(bill, language)
          return (
            <>
              <p>
                <strong>{status.headline}.</strong> {last?.text}
              </p>
              <BillProgress lanes={progressOf(bill, language)} heading={false} />
              <p className="small">
                <Link to="/bills/$session/$number" params={{ session, number }} target="_blank" rel="noopener">
                  {t('readers.full')}
                </Link>{' '}
                <span className="muted">{t('readers.sourcesNote')}</span>
              </p>
            </>
          )
        }}
      </Loaded>
    </main>
  )
}
