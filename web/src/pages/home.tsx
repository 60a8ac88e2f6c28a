import type { Bill } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQueries } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { type BillFilters, billsQuery, billsWithStatusQuery } from '../app/queries'
import { day, languageOf, nameOf, sentence, statusWords } from '../lib/bill-words'
import { billParams } from '../lib/bills'
import { useFeedLink } from '../lib/feeds'
import { today } from '../lib/today'
import { Card, Empty, PageHead } from '../ui/basics'
import { itemsOf, Loaded } from '../ui/loaded'

const weekAgo = () => today(new Date(Date.now() - 7 * 86_400_000))

/** The codes of bills that are near the end of their way, the nearest first. */
const nearTheEnd = [
  'RoyalAssentAwaiting',
  'HouseConsideringSenAmendments',
  'SenConsideringHouseAmendments',
  'SenateAt3rdReading',
  'HouseAt3rdReading',
]

/** What Parliament does with its bills: this week, introduced, became law, comes next. */
export function Home() {
  const { t } = useTranslation()
  useFeedLink('bills', t('follow.name_bills'))
  const active = useBills({ sort: 'latest_activity' })
  return (
    <div className="page">
      <PageHead
        title={t('home.title')}
        actions={
          <Link to="/feeds" search={{ feed: 'bills' }} className="btn">
            {t('home.follow')}
          </Link>
        }
      />
      <p className="muted">{t('home.intro')}</p>
      <SearchBox />
      <Loaded query={active} lines={10} height="60rem">
        {(bills) =>
          bills.length === 0 ? (
            <Empty title={t('home.empty')}>{t('home.emptyText')}</Empty>
          ) : (
            <>
              <Week bills={bills} />
              <div className="grid two">
                <Introduced />
                <Became />
              </div>
              <Next bills={bills} />
            </>
          )
        }
      </Loaded>
      <p className="row wrap">
        <Link to="/bills">{t('home.all')}</Link>
        <Link to="/glossary">{t('readers.glossary')}</Link>
      </p>
    </div>
  )
}

function useBills(filters: BillFilters) {
  return itemsOf(useInfiniteQuery(billsQuery(filters)))
}

function SearchBox() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const [q, setQ] = useState('')
  return (
    <form
      role="search"
      className="row home-search"
      onSubmit={(e) => {
        e.preventDefault()
        void navigate({ to: '/search', search: { q: q.trim() || undefined } })
      }}
    >
      <input
        type="search"
        aria-label={t('home.search')}
        placeholder={t('search.placeholder')}
        maxLength={500}
        value={q}
        onChange={(e) => setQ(e.target.value)}
      />
      <button type="submit" className="btn primary">
        {t('home.searchButton')}
      </button>
    </form>
  )
}

function BillLine({ bill, children }: { bill: Bill; children: ReactNode }) {
  const { i18n } = useTranslation()
  return (
    <li className="stack tight">
      <Link to="/bills/$session/$number" params={billParams(bill.id)}>
        {bill.number} · {nameOf(bill, languageOf(i18n.language))}
      </Link>
      <span className="small">{children}</span>
    </li>
  )
}

/** The bills with activity in the last seven days. If there are none, the latest ones, and the page says so. */
function Week({ bills }: { bills: Bill[] }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const since = weekAgo()
  const dated = bills.filter((b) => b.latest_activity_at !== null)
  const week = dated.filter((b) => b.latest_activity_at! >= since)
  const shown = week.length > 0 ? week.slice(0, 15) : dated.slice(0, 8)
  return (
    <Card title={week.length > 0 ? t('home.week') : t('home.latest')}>
      {week.length === 0 && <p className="muted small padded">{t('home.weekNone')}</p>}
      <ul className="list">
        {shown.map((b) => (
          <BillLine key={b.id} bill={b}>
            {day(b.latest_activity_at, language)}: {sentence(statusWords(b, language).headline)}
          </BillLine>
        ))}
      </ul>
    </Card>
  )
}

function Introduced() {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  return (
    <Card title={t('home.introduced')}>
      <Loaded query={useBills({ sort: 'introduced' })} lines={6} height="20rem">
        {(bills) => (
          <ul className="list">
            {bills
              .filter((b) => b.introduced_on)
              .slice(0, 8)
              .map((b) => (
                <BillLine key={b.id} bill={b}>
                  {b.sponsor?.name
                    ? t('home.introducedBy', { date: day(b.introduced_on, language), name: b.sponsor.name })
                    : t('home.introducedOn', { date: day(b.introduced_on, language) })}
                </BillLine>
              ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

function Became() {
  const { t, i18n } = useTranslation()
  return (
    <Card title={t('home.became')}>
      <Loaded query={useBills({ law: true, sort: 'latest_activity' })} lines={6} height="20rem">
        {(bills) =>
          bills.length === 0 ? (
            <p className="muted padded">{t('home.none')}</p>
          ) : (
            <ul className="list">
              {bills.slice(0, 8).map((b) => (
                <BillLine key={b.id} bill={b}>
                  {b.royal_assent_on && t('home.becameOn', { date: day(b.royal_assent_on, languageOf(i18n.language)) })}
                </BillLine>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

/** Bills of the newest session that are near the end of their way, and what each waits for. */
function Next({ bills }: { bills: Bill[] }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const newest = bills.reduce<Bill | null>(
    (a, b) => (a && a.parliament * 100 + a.session >= b.parliament * 100 + b.session ? a : b),
    null,
  )
  const session = newest ? `${newest.parliament}-${newest.session}` : ''
  const lists = useQueries({ queries: nearTheEnd.map((status) => billsWithStatusQuery(session, status)) })
  const near = lists.flatMap((list) => list.data ?? [])
  if (near.length === 0) return null
  return (
    <Card title={t('home.next')}>
      <p className="muted small padded">{t('home.nextHelp')}</p>
      <ul className="list">
        {near.slice(0, 12).map((b) => {
          const words = statusWords(b, language)
          return (
            <BillLine key={b.id} bill={b}>
              {sentence(words.headline)} {words.next}
            </BillLine>
          )
        })}
      </ul>
    </Card>
  )
}
