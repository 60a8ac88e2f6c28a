import type { SearchHit } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { searchQuery } from '../app/queries'
import { languageOf, statusWords } from '../lib/bill-words'
import { billParams, billStatuses, billType, inLanguage } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { useFilterHistory } from '../lib/filter-history'
import { Card, Empty, Field, PageHead } from '../ui/basics'
import { ResetFilters } from '../ui/choice'
import { FilterDrawer } from '../ui/filter-drawer'
import { Loaded } from '../ui/loaded'

const facets = ['session', 'status', 'type', 'chamber', 'year'] as const
const pageSize = 20

export function Search() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/search' })
  const navigate = useNavigate({ from: '/search' })
  const record = useFilterHistory()
  const set = (change: Partial<typeof search>, field?: string) =>
    void navigate({
      search: (old) => ({ ...old, page: undefined, ...change }),
      ...record(field),
      resetScroll: 'page' in change,
    })
  const [q, setQ] = useDraft(search.q ?? '', (value) => set({ q: value.trim() || undefined }, 'q'))
  const page = Number(search.page ?? 1)
  const result = useQuery(
    searchQuery({
      q: search.q ?? '',
      session: search.session,
      status: search.status,
      type: search.type,
      chamber: search.chamber,
      year: search.year ? Number(search.year) : undefined,
      limit: pageSize,
      offset: (page - 1) * pageSize,
    }),
  )
  const words = (facet: (typeof facets)[number], value: string) =>
    facet === 'status'
      ? (billStatuses[value]?.[i18n.language === 'fr' ? 'fr' : 'en'] ?? value)
      : facet === 'chamber'
        ? t(`bills.${value === 'senate' ? 'senate' : 'house'}`)
        : facet === 'type'
          ? billType(value, i18n.language)
          : value
  return (
    <div className="page">
      <PageHead title={t('search.title')} />
      <div className="filters" role="search">
        <Field label={t('search.query')} id="search-q">
          <input
            id="search-q"
            type="search"
            value={q}
            maxLength={500}
            placeholder={t('search.placeholder')}
            style={{ width: '24rem', maxWidth: '100%' }}
            onChange={(e) => setQ(e.target.value)}
          />
        </Field>
        <ResetFilters
          search={{ ...search, q: undefined, page: undefined }}
          onReset={() => void navigate({ search: { q: search.q } })}
        />
      </div>
      {!search.q ? (
        <Card label={t('search.title')}>
          <Empty title={t('search.ask')}>{t('search.askText')}</Empty>
        </Card>
      ) : (
        <Loaded query={result} lines={10} height="30rem">
          {(r) => (
            <div className="search-page" style={result.isPlaceholderData ? { opacity: 0.6 } : undefined}>
              <FilterDrawer count={facets.filter((f) => search[f] !== undefined).length} className="card body facets">
                <h2>{t('search.narrow')}</h2>
                {facets.every((f) => r.facets[f].length === 0) && <p className="muted small">–</p>}
                {facets.map(
                  (facet) =>
                    r.facets[facet].length > 0 && (
                      <fieldset key={facet} className="facet">
                        <legend>{t(`search.${facet}`)}</legend>
                        {r.facets[facet].slice(0, 8).map((v) => {
                          const on = String(search[facet] ?? '') === v.value
                          return (
                            <button
                              key={v.value}
                              type="button"
                              className="facet-value"
                              aria-pressed={on}
                              onClick={() => set({ [facet]: on ? undefined : v.value })}
                            >
                              <span className="break">{words(facet, v.value)}</span>
                              <span className="num">{v.count}</span>
                            </button>
                          )
                        })}
                      </fieldset>
                    ),
                )}
              </FilterDrawer>
              <Card
                title={t('search.found', { count: r.total })}
                actions={
                  <Link to="/feeds" search={{ feed: 'search', q: search.q }} className="btn small">
                    {t('feeds.subscribe')}
                  </Link>
                }
              >
                <p className="muted small" style={{ padding: '0.6rem 1rem 0' }} role="status">
                  {r.fuzzy && <>{t('search.fuzzy')} </>}
                  {r.semantic.used && t('search.semantic')}
                </p>
                {r.items.length === 0 ? (
                  <Empty title={t('search.nothing')}>{t('search.nothingText')}</Empty>
                ) : (
                  <ol className="list">
                    {r.items.map((hit) => (
                      <Hit key={hit.bill.id} hit={hit} />
                    ))}
                  </ol>
                )}
                {r.total > pageSize && (
                  <div className="row between" style={{ padding: '0.8rem 1rem' }}>
                    <button
                      type="button"
                      className="btn small"
                      disabled={page <= 1}
                      onClick={() => set({ page: page > 2 ? String(page - 1) : undefined })}
                    >
                      {t('search.previous')}
                    </button>
                    <span className="muted small">
                      {t('search.page', { page, pages: Math.ceil(r.total / pageSize) })}
                    </span>
                    <button
                      type="button"
                      className="btn small"
                      disabled={page * pageSize >= r.total}
                      onClick={() => set({ page: String(page + 1) })}
                    >
                      {t('search.next')}
                    </button>
                  </div>
                )}
              </Card>
            </div>
          )}
        </Loaded>
      )}
    </div>
  )
}

function Hit({ hit }: { hit: SearchHit }) {
  const { t, i18n } = useTranslation()
  const b = hit.bill
  const best = hit.highlights
    .filter((h) => h.language === i18n.language || hit.highlights.every((o) => o.language !== i18n.language))
    .slice(0, 3)
  return (
    <li className="stack tight">
      <div className="row wrap between">
        <Link to="/bills/$session/$number" params={billParams(b.id)} style={{ fontWeight: 600 }}>
          {b.number} · {inLanguage(b.short_title, i18n.language) ?? inLanguage(b.title, i18n.language)}
        </Link>
        <span className="muted small nowrap">
          {b.parliament}-{b.session} · {hit.found_by.map((f) => t(`search.by_${f}`)).join(', ')}
        </span>
      </div>
      {best.map((h) => (
        // The server escapes everything except <mark>.
        <p
          key={h.field + h.language}
          lang={h.language}
          className="small"
          dangerouslySetInnerHTML={{ __html: h.html }}
        />
      ))}
      <p className="muted small">{statusWords(b, languageOf(i18n.language)).headline}</p>
    </li>
  )
}
