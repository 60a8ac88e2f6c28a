import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { type BillFilters, billsQuery } from '../app/queries'
import { billParams, billStatuses, inLanguage, sessionPattern } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { Card, Empty, Field, LoadMore, PageHead, Skeleton } from '../ui/basics'
import { Problem } from '../ui/problem'

export function Bills() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/bills' })
  const navigate = useNavigate({ from: '/bills' })
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const [q, setQ] = useDraft(search.q ?? '', (value) => set({ q: value.trim() || undefined }))
  const [session, setSession] = useDraft(search.session ?? '', (value) => set({ session: value.trim() || undefined }))
  const wrongSession = session.trim() !== '' && !sessionPattern.test(session.trim())
  const filters = useMemo<BillFilters>(
    () => ({ q: search.q, session: search.session && sessionPattern.test(search.session) ? search.session : undefined, status: search.status, law: search.law === undefined ? undefined : search.law === 'true' }),
    [search.q, search.session, search.status, search.law],
  )
  const query = useInfiniteQuery({ ...billsQuery(filters), placeholderData: (old) => old })
  const bills = query.data?.pages.flatMap((p) => p.items)
  const sessions = [...new Set((bills ?? []).map((b) => `${b.parliament}-${b.session}`))]
  const filtered = Object.values(search).some((v) => v !== undefined)
  const language = i18n.language === 'fr' ? 'fr' : 'en'
  return (
    <div className="page">
      <PageHead title={t('bills.title')} />
      <div className="filters" role="search">
        <Field label={t('bills.search')} id="q">
          <input id="q" type="search" value={q} maxLength={200} placeholder={t('bills.searchPlaceholder')} style={{ width: '16rem' }} onChange={(e) => setQ(e.target.value)} />
        </Field>
        <Field label={t('bills.session')} id="session">
          <input id="session" type="text" list="sessions" value={session} placeholder={t('bills.sessionPlaceholder')} style={{ width: '8rem' }} aria-invalid={wrongSession} aria-describedby={wrongSession ? 'session-wrong' : undefined} onChange={(e) => setSession(e.target.value)} />
          <datalist id="sessions">
            {sessions.map((s) => (
              <option key={s} value={s} />
            ))}
          </datalist>
        </Field>
        <Field label={t('bills.status')} id="bill-status">
          <select id="bill-status" value={search.status ?? ''} style={{ width: '18rem' }} onChange={(e) => set({ status: e.target.value || undefined })}>
            <option value="">{t('app.all')}</option>
            {Object.entries(billStatuses).map(([code, words]) => (
              <option key={code} value={code}>
                {words[language]}
              </option>
            ))}
          </select>
        </Field>
        <Field label={t('bills.law')} id="law">
          <select id="law" value={search.law ?? ''} onChange={(e) => set({ law: (e.target.value || undefined) as typeof search.law })}>
            <option value="">{t('app.all')}</option>
            <option value="true">{t('bills.isLaw')}</option>
            <option value="false">{t('bills.notLaw')}</option>
          </select>
        </Field>
        {filtered && (
          <button type="button" className="btn ghost" onClick={() => void navigate({ search: {} })}>
            {t('app.reset')}
          </button>
        )}
      </div>
      {wrongSession && (
        <p id="session-wrong" role="status" className="notice warn">
          {t('bills.badSession', { value: session })}
        </p>
      )}
      {query.error && <Problem error={query.error} retry={() => void query.refetch()} />}
      <Card label={t('bills.title')}>
        {!bills ? (
          !query.error && <Skeleton lines={10} height="30rem" />
        ) : bills.length === 0 ? (
          filtered ? (
            <Empty title={t('bills.empty')}>{t('bills.emptyText')}</Empty>
          ) : (
            <Empty
              title={t('bills.none')}
              command="explorer materialize fetch_latest_bills"
              action={
                <Link to="/assets" className="btn">
                  {t('nav.assets')}
                </Link>
              }
            >
              {t('bills.noneText')}
            </Empty>
          )
        ) : (
          <div className="table-wrap" style={query.isPlaceholderData ? { opacity: 0.6 } : undefined}>
            <table className="blocks">
              <thead>
                <tr>
                  <th>{t('bills.bill')}</th>
                  <th>{t('bills.session')}</th>
                  <th>{t('bills.title')}</th>
                  <th>{t('bills.status')}</th>
                  <th>{t('bills.introduced')}</th>
                </tr>
              </thead>
              <tbody>
                {bills.map((bill) => (
                  <tr key={bill.id}>
                    <td>
                      <Link to="/bills/$session/$number" params={billParams(bill.id)} className="nowrap" style={{ fontWeight: 600 }}>
                        {bill.number}
                      </Link>
                    </td>
                    <td className="num" data-label={t('bills.session')}>
                      {bill.parliament}-{bill.session}
                    </td>
                    <td style={{ width: '52%' }}>
                      {inLanguage(bill.short_title, language) ?? inLanguage(bill.title, language)}
                      {inLanguage(bill.short_title, language) && <p className="muted small">{inLanguage(bill.title, language)}</p>}
                    </td>
                    <td className="small">
                      {bill.law ? <span className="badge good" style={{ paddingLeft: '0.55rem' }}>{inLanguage(bill.status, language)}</span> : inLanguage(bill.status, language)}
                    </td>
                    <td className="nowrap num small" data-label={t('bills.introduced')}>
                      {bill.introduced_on ?? <span className="muted">–</span>}
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
        <LoadMore query={query} />
      </Card>
    </div>
  )
}
