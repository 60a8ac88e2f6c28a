import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { type BillFilters, billsQuery } from '../app/queries'
import { serverFlag } from '../lib/base'
import { billParams, billStatuses, inLanguage, sessionPattern } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { Card, Empty, Field, LoadMore, PageHead } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { itemsOf, Loaded } from '../ui/loaded'

export function Bills() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/bills' })
  const navigate = useNavigate({ from: '/bills' })
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const [q, setQ] = useDraft(search.q ?? '', (value) => set({ q: value.trim() || undefined }))
  const [session, setSession] = useDraft(search.session ?? '', (value) => set({ session: value.trim() || undefined }))
  const wrongSession = session.trim() !== '' && !sessionPattern.test(session.trim())
  const filters = useMemo<BillFilters>(
    () => ({
      q: search.q,
      session: search.session && sessionPattern.test(search.session) ? search.session : undefined,
      status: search.status,
      law: search.law === undefined ? undefined : search.law === 'true',
    }),
    [search.q, search.session, search.status, search.law],
  )
  const query = useInfiniteQuery({ ...billsQuery(filters), placeholderData: (old) => old })
  const bills = itemsOf(query)
  const sessions = [...new Set((bills.data ?? []).map((b) => `${b.parliament}-${b.session}`))]
  const filtered = Object.values(search).some((v) => v !== undefined)
  const language = i18n.language === 'fr' ? 'fr' : 'en'
  return (
    <div className="page">
      <PageHead title={t('bills.title')} />
      <div className="filters" role="search">
        <Field label={t('bills.search')} id="q">
          <input
            id="q"
            type="search"
            value={q}
            maxLength={200}
            placeholder={t('bills.searchPlaceholder')}
            style={{ width: '16rem' }}
            onChange={(e) => setQ(e.target.value)}
          />
        </Field>
        <Field label={t('bills.session')} id="session">
          <input
            id="session"
            type="text"
            list="sessions"
            value={session}
            placeholder={t('bills.sessionPlaceholder')}
            style={{ width: '8rem' }}
            aria-invalid={wrongSession}
            aria-describedby={wrongSession ? 'session-wrong' : undefined}
            onChange={(e) => setSession(e.target.value)}
          />
          <datalist id="sessions">
            {sessions.map((s) => (
              <option key={s} value={s} />
            ))}
          </datalist>
        </Field>
        <Choice
          id="bill-status"
          label={t('bills.status')}
          value={search.status}
          options={Object.entries(billStatuses).map(([code, words]) => [code, words[language]])}
          onChange={(status) => set({ status })}
        />
        <Choice
          id="law"
          label={t('bills.law')}
          value={search.law}
          options={[
            ['true', t('bills.isLaw')],
            ['false', t('bills.notLaw')],
          ]}
          onChange={(law) => set({ law })}
        />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </div>
      {wrongSession && (
        <p id="session-wrong" role="status" className="notice warn">
          {t('bills.badSession', { value: session })}
        </p>
      )}
      <Card label={t('bills.title')}>
        <Loaded query={bills} lines={10} height="30rem">
          {(items) =>
            items.length > 0 ? (
              <div className="table-wrap" style={query.isPlaceholderData ? { opacity: 0.6 } : undefined}>
                <table className="blocks">
                  <thead>
                    <tr>
                      <th>{t('bills.bill')}</th>
                      <th>{t('bills.session')}</th>
                      <th>{t('bills.name')}</th>
                      <th>{t('bills.status')}</th>
                      <th>{t('bills.introduced')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((bill) => (
                      <tr key={bill.id}>
                        <td>
                          <Link
                            to="/bills/$session/$number"
                            params={billParams(bill.id)}
                            className="nowrap"
                            style={{ fontWeight: 600 }}
                          >
                            {bill.number}
                          </Link>
                        </td>
                        <td className="num" data-label={t('bills.session')}>
                          {bill.parliament}-{bill.session}
                        </td>
                        <td style={{ width: '52%' }}>
                          {inLanguage(bill.short_title, language) ?? inLanguage(bill.title, language)}
                          {inLanguage(bill.short_title, language) &&
                            inLanguage(bill.short_title, language) !== inLanguage(bill.title, language) && (
                              <p className="muted small">{inLanguage(bill.title, language)}</p>
                            )}
                        </td>
                        <td className="small">
                          {bill.law ? (
                            <span className="badge good" style={{ paddingLeft: '0.55rem' }}>
                              {inLanguage(bill.status, language)}
                            </span>
                          ) : (
                            inLanguage(bill.status, language)
                          )}
                        </td>
                        <td className="nowrap num small" data-label={t('bills.introduced')}>
                          {bill.introduced_on ?? <span className="muted">–</span>}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            ) : filtered ? (
              <Empty title={t('bills.empty')}>{t('bills.emptyText')}</Empty>
            ) : (
              <Empty
                title={t('bills.none')}
                command={'explorer materialize fetch_latest_bills' + serverFlag}
                action={
                  <Link to="/assets" className="btn">
                    {t('nav.assets')}
                  </Link>
                }
              >
                {t('bills.noneText')}
              </Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
    </div>
  )
}
