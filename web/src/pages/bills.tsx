import type { Bill } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { type BillFilters, billsQuery, feedsQuery } from '../app/queries'
import { day, languageOf, nameOf, sessionWords, statusWords } from '../lib/bill-words'
import { billParams, billStatuses, inLanguage, sessionPattern } from '../lib/bills'
import { useDraft } from '../lib/draft'
import { useFilterHistory } from '../lib/filter-history'
import { number } from '../lib/format'
import { Card, Empty, Field, LoadMore, PageHead } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { FilterDrawer } from '../ui/filter-drawer'
import { itemsOf, Loaded } from '../ui/loaded'

const types = {
  government: 'type_government',
  "private member's": 'type_private',
  'senate public': 'type_senate',
} as const
const sorts = ['introduced', 'latest_activity', 'updated'] as const

/** The filters in the address, as the API takes them. Values that the API would refuse are left out. */
function useFilters(): BillFilters {
  const search = useSearch({ from: '/bills' })
  return useMemo(() => {
    const year = /^\d{4}$/.test(search.year ?? '') ? Number(search.year) : undefined
    return {
      q: search.q,
      session: search.session && sessionPattern.test(search.session) ? search.session : undefined,
      status: search.status,
      law: search.law === undefined ? undefined : search.law === 'true',
      type: search.type,
      chamber: search.chamber,
      year: year !== undefined && year >= 1800 && year <= 2200 ? year : undefined,
      committee: search.committee,
      sponsor: search.sponsor,
      sort: search.sort,
      count: true,
    }
  }, [search])
}

export function Bills() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/bills' })
  const query = useInfiniteQuery({ ...billsQuery(useFilters()), placeholderData: (old) => old })
  const first = query.data?.pages[0]
  const filtered = Object.entries(search).some(([name, v]) => v !== undefined && name !== 'sort')
  return (
    <div className="page">
      <PageHead title={t('bills.title')} />
      <Filters bills={itemsOf(query).data ?? []} />
      {search.session && !sessionPattern.test(search.session) && (
        <p role="status" className="notice warn">
          {t('bills.badSession', { value: search.session })}
        </p>
      )}
      <p className="muted small" role="status">
        {first?.total !== undefined &&
          (first.total_capped
            ? t('filters.countCapped', { count: first.total })
            : t('filters.count', { count: first.total, formatted: number(first.total, i18n.language) }))}
      </p>
      <Card label={t('bills.title')}>
        <Loaded query={itemsOf(query)} lines={10} height="30rem">
          {(items) =>
            items.length > 0 ? (
              <div style={query.isPlaceholderData ? { opacity: 0.6 } : undefined}>
                <BillTable bills={items} />
              </div>
            ) : filtered ? (
              <Empty title={t('bills.empty')}>{t('bills.emptyText')}</Empty>
            ) : (
              <Empty title={t('home.empty')}>{t('home.emptyText')}</Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
    </div>
  )
}

/** The sessions that can be chosen: those with a feed, those on the page, and the one in the address. */
function useSessions(bills: Bill[], chosen: string | undefined): [string, string][] {
  const { i18n } = useTranslation()
  const feeds = useQuery(feedsQuery)
  const known = new Set(bills.map((b) => `${b.parliament}-${b.session}`))
  for (const f of feeds.data ?? []) {
    const session = /^session-(\d+-\d+)$/.exec(f.name)?.[1]
    if (session) known.add(session)
  }
  if (chosen && sessionPattern.test(chosen)) known.add(chosen)
  const numbers = (s: string) => s.split('-').map(Number) as [number, number]
  const rank = (s: string) => numbers(s)[0] * 100 + numbers(s)[1]
  return [...known]
    .sort((a, b) => rank(b) - rank(a))
    .map((s) => [s, `${s} (${sessionWords(...numbers(s), languageOf(i18n.language))})`])
}

function Filters({ bills }: { bills: Bill[] }) {
  const { t } = useTranslation()
  const search = useSearch({ from: '/bills' })
  const navigate = useNavigate({ from: '/bills' })
  const record = useFilterHistory()
  const set = (change: Partial<typeof search>, field?: string) =>
    void navigate({ search: (old) => ({ ...old, ...change }), ...record(field) })
  const [q, setQ] = useDraft(search.q ?? '', (value) => set({ q: value.trim() || undefined }, 'q'))
  const narrowed = Object.entries(search).filter(([name, v]) => v !== undefined && name !== 'q' && name !== 'sort')
  return (
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
      <Choice
        id="sort"
        label={t('filters.sort')}
        value={search.sort ?? 'introduced'}
        options={sorts.map((s) => [s, t(`filters.sort_${s}`)])}
        onChange={(sort) => set({ sort: sort === 'introduced' ? undefined : sort })}
      />
      <FilterDrawer count={narrowed.length} className="filters">
        <FilterFields bills={bills} search={search} set={set} />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </FilterDrawer>
    </div>
  )
}

interface Chosen {
  session?: string
  status?: string
  law?: 'true' | 'false'
  type?: string
  chamber?: 'house' | 'senate'
  year?: string
  committee?: string
  sponsor?: string
}

function FilterFields({
  bills,
  search,
  set,
}: {
  bills: Bill[]
  search: Chosen
  set: (change: Chosen, field?: string) => void
}) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const sessions = useSessions(bills, search.session)
  const thisYear = new Date().getFullYear()
  const years = Array.from({ length: thisYear - 1993 }, (_, i) => String(thisYear - i))
  return (
    <>
      <Choice
        id="session"
        label={t('bills.session')}
        value={search.session}
        options={sessions}
        onChange={(session) => set({ session })}
      />
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
      <Choice
        id="type"
        label={t('filters.type')}
        value={search.type}
        options={Object.entries(types).map(([type, name]) => [type, t(`filters.${name}`)])}
        onChange={(type) => set({ type })}
      />
      <Choice
        id="chamber"
        label={t('filters.chamber')}
        value={search.chamber}
        options={[
          ['house', t('bills.house')],
          ['senate', t('bills.senate')],
        ]}
        onChange={(chamber) => set({ chamber })}
      />
      <Choice
        id="year"
        label={t('filters.year')}
        value={search.year}
        options={years.map((y) => [y, y])}
        onChange={(year) => set({ year })}
      />
      <TextFilter id="committee" name="committee" value={search.committee} set={set} />
      <TextFilter id="sponsor" name="sponsor" value={search.sponsor} set={set} />
    </>
  )
}

/** A filter by a text. It applies when the reader stops typing. */
function TextFilter({
  id,
  name,
  value,
  set,
}: {
  id: string
  name: 'committee' | 'sponsor'
  value: string | undefined
  set: (change: Chosen, field: string) => void
}) {
  const { t } = useTranslation()
  const [text, setText] = useDraft(value ?? '', (v) => {
    const wanted = v.trim() || undefined
    set(name === 'committee' ? { committee: wanted } : { sponsor: wanted }, name)
  })
  return (
    <Field label={t(`filters.${name}`)} id={id}>
      <input
        id={id}
        type="text"
        value={text}
        maxLength={200}
        placeholder={t(`filters.${name}Hint`)}
        style={{ width: '9rem' }}
        onChange={(e) => setText(e.target.value)}
      />
    </Field>
  )
}

function BillTable({ bills }: { bills: Bill[] }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  return (
    <div className="table-wrap">
      <table className="blocks">
        <thead>
          <tr>
            <th>{t('bills.bill')}</th>
            <th>{t('bills.session')}</th>
            <th>{t('bills.sponsor')}</th>
            <th>{t('bills.status')}</th>
            <th>{t('filters.lastEvent')}</th>
            <th>{t('bills.introduced')}</th>
          </tr>
        </thead>
        <tbody>
          {bills.map((bill) => (
            <tr key={bill.id}>
              <td style={{ width: '40%' }}>
                <Link to="/bills/$session/$number" params={billParams(bill.id)}>
                  <strong className="nowrap">{bill.number}</strong> {nameOf(bill, language)}
                </Link>
              </td>
              <td className="num nowrap small" data-label={t('bills.session')}>
                {bill.parliament}-{bill.session}
              </td>
              <td className="small" data-label={t('bills.sponsor')}>
                <Sponsor bill={bill} />
              </td>
              <td className="small">
                <span className={bill.law ? 'is-law' : undefined}>{statusWords(bill, language).headline}</span>
              </td>
              <td className="nowrap num small" data-label={t('filters.lastEvent')}>
                {day(bill.latest_activity_at, language) ?? <span className="muted">–</span>}
              </td>
              <td className="nowrap num small" data-label={t('bills.introduced')}>
                {day(bill.introduced_on, language) ?? <span className="muted">–</span>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function Sponsor({ bill }: { bill: Bill }) {
  const { i18n } = useTranslation()
  const { sponsor } = bill
  if (!sponsor?.name) return <span className="muted">–</span>
  if (!sponsor.politician)
    return <span title={inLanguage(sponsor.office, i18n.language) ?? undefined}>{sponsor.name}</span>
  return (
    <Link to="/politicians/$slug" params={{ slug: sponsor.politician }}>
      {sponsor.name}
    </Link>
  )
}
