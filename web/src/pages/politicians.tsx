import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { politiciansQuery } from '../app/queries'
import { inLanguage, partyIn } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { useFilterHistory } from '../lib/filter-history'
import { Card, Empty, Field, LoadMore, PageHead } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { itemsOf, Loaded } from '../ui/loaded'

export function Politicians() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/politicians' })
  const navigate = useNavigate({ from: '/politicians' })
  const record = useFilterHistory()
  const set = (change: Partial<typeof search>, field?: string) =>
    void navigate({ search: (old) => ({ ...old, ...change }), ...record(field) })
  const [q, setQ] = useDraft(search.q ?? '', (value) => set({ q: value.trim() || undefined }, 'q'))
  const query = useInfiniteQuery({
    ...politiciansQuery({ q: search.q, current: search.current === undefined ? undefined : search.current === 'true' }),
    placeholderData: (old) => old,
  })
  const filtered = Object.values(search).some((v) => v !== undefined)
  return (
    <div className="page">
      <PageHead title={t('politicians.title')} />
      <div className="filters" role="search">
        <Field label={t('politicians.search')} id="who">
          <input
            id="who"
            type="search"
            value={q}
            maxLength={200}
            style={{ width: '16rem' }}
            onChange={(e) => setQ(e.target.value)}
          />
        </Field>
        <Choice
          id="current"
          label={t('politicians.member')}
          value={search.current}
          options={[
            ['true', t('politicians.now')],
            ['false', t('politicians.before')],
          ]}
          onChange={(current) => set({ current })}
        />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </div>
      <Card label={t('politicians.title')}>
        <Loaded query={itemsOf(query)} lines={10} height="30rem">
          {(items) =>
            items.length > 0 ? (
              <div className="table-wrap" style={query.isPlaceholderData ? { opacity: 0.6 } : undefined}>
                <table className="blocks">
                  <thead>
                    <tr>
                      <th>{t('politicians.name')}</th>
                      <th>{t('politicians.party')}</th>
                      <th>{t('politicians.riding')}</th>
                      <th>{t('politicians.member')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((p) => (
                      <tr key={p.slug}>
                        <td>
                          <Link to="/politicians/$slug" params={{ slug: p.slug }} style={{ fontWeight: 600 }}>
                            {p.name}
                          </Link>
                        </td>
                        <td data-label={t('politicians.party')}>
                          {partyIn(p.party, i18n.language) ?? <span className="muted">–</span>}
                        </td>
                        <td data-label={t('politicians.riding')}>
                          {inLanguage(p.riding, i18n.language) ?? <span className="muted">–</span>}{' '}
                          {p.province && <span className="muted small">{p.province}</span>}
                        </td>
                        <td data-label={t('politicians.member')}>
                          {p.current ? t('politicians.now') : t('politicians.before')}
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            ) : filtered ? (
              <Empty title={t('politicians.empty')}>{t('politicians.emptyText')}</Empty>
            ) : (
              <Empty title={t('politicians.none')}>{t('politicians.noneText')}</Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
    </div>
  )
}
