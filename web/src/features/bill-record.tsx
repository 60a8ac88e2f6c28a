import type { BillDetail, Bilingual } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { billParams, inLanguage } from '../lib/bills'
import { webAddress } from '../lib/same-site'
import { Card } from '../ui/basics'

/** The outcome of a bill. */
export function Outcome({ bill }: { bill: BillDetail }) {
  const { t } = useTranslation()
  const outcome = bill.outcome
  if (!outcome || outcome.code === 'in_progress') return null
  // A code that this version does not know is not shown. The page still shows the status.
  if (!(outcome.code in tones)) return null
  return (
    <p className={`notice ${tones[outcome.code]}`}>
      {t(`bills.outcome_${outcome.code}`)}
      {outcome.on && ` (${outcome.on})`}
      {bill.reinstated_as && (
        <>
          {' → '}
          <OtherSession bill={bill.reinstated_as} />
        </>
      )}
    </p>
  )
}

const tones = {
  became_law: 'good',
  defeated: 'bad',
  not_proceeded_with: 'bad',
  dropped_from_order_paper: 'bad',
  reinstated: 'good',
  died_on_order_paper: 'warn',
  pro_forma: '',
  in_progress: '',
} as const

/** The same bill in another session: a link to its page, or to LEGISinfo if it is not stored. */
export function OtherSession({ bill }: { bill: NonNullable<BillDetail['reinstated_as']> }) {
  const { i18n } = useTranslation()
  const name = bill.bill ?? bill.number ?? String(bill.legisinfo_id)
  const status = inLanguage(bill.status, i18n.language)
  return (
    <span>
      {bill.bill && bill.held ? (
        <Link to="/bills/$session/$number" params={billParams(bill.bill)} className="nowrap">
          {name}
        </Link>
      ) : (
        <ExternalLink url={bill.legisinfo_url}>{name}</ExternalLink>
      )}
      {status && <span className="muted small"> ({status})</span>}
    </span>
  )
}

/** A link to another site, or the bare text if there is no address. */
export function ExternalLink({ url, children }: { url: string | null | undefined; children: ReactNode }) {
  const to = webAddress(url)
  return to ? (
    <a href={to} rel="noreferrer">
      {children}
    </a>
  ) : (
    <>{children}</>
  )
}

/** A list that shows its first entries, and the others on demand. */
function ExpandableList<T>({
  items,
  first = 8,
  name,
  children,
}: {
  items: T[]
  first?: number
  name: string
  children: (item: T, i: number) => ReactNode
}) {
  const { t } = useTranslation()
  const [all, setAll] = useState(false)
  return (
    <>
      <ol className="list">{(all ? items : items.slice(0, first)).map(children)}</ol>
      {items.length > first && (
        <div style={{ padding: '0.6rem 1rem' }}>
          <button
            className="btn small"
            aria-expanded={all}
            aria-label={`${name}: ${all ? t('bills.showFewer') : t('bills.showAll', { count: items.length })}`}
            onClick={() => setAll(!all)}
          >
            {all ? t('bills.showFewer') : t('bills.showAll', { count: items.length })}
          </button>
        </div>
      )}
    </>
  )
}

function VoteResult({ result }: { result: BillDetail['votes'][number]['result'] }) {
  const { t } = useTranslation()
  return (
    <span
      className={`badge ${result === 'agreed_to' ? 'good' : result === 'negatived' ? 'bad' : 'idle'}`}
      style={{ paddingLeft: '0.55rem' }}
    >
      {t(`bills.result_${result}`)}
    </span>
  )
}

/** The first Parliament for which LEGISinfo's records have divisions. */
const firstParliamentWithVotes = 37

/** Recorded divisions, and decisions without one. */
export function Votes({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const uncounted = bill.decisions.filter((d) => d.division === null)
  return (
    <Card title={bill.votes.length > 0 ? `${t('bills.votes')} (${bill.votes.length})` : t('bills.votes')}>
      {bill.votes.length === 0 ? (
        <p className="muted" style={{ padding: '1rem' }}>
          {!bill.record.complete
            ? t('bills.votesUnknown')
            : bill.parliament < firstParliamentWithVotes
              ? t('bills.votesNotKept')
              : t('bills.noVotes')}
        </p>
      ) : (
        <ExpandableList items={bill.votes} name={t('bills.votes')}>
          {(v) => (
            <li key={`${v.chamber}-${v.number}-${v.date}`} className="stack tight">
              <div className="row between" style={{ alignItems: 'baseline', gap: '0.8rem' }}>
                <a href={webAddress(v.url)} rel="noreferrer">
                  {inLanguage(v.subject, i18n.language) ??
                    inLanguage(v.motion, i18n.language) ??
                    inLanguage(v.stage, i18n.language) ??
                    t('bills.vote', { n: v.number })}
                </a>
                <VoteResult result={v.result} />
              </div>
              <p className="muted small num">
                {[
                  t('bills.tally', { yeas: v.yeas, nays: v.nays, paired: v.paired, n: v.number, date: v.date ?? '–' }),
                  v.chamber === 'senate' && t('bills.senate'),
                  inLanguage(v.stage, i18n.language),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </p>
            </li>
          )}
        </ExpandableList>
      )}
      {uncounted.length > 0 && (
        <>
          <h3 style={{ padding: '0.8rem 1rem 0' }}>{t('bills.uncounted')}</h3>
          <ExpandableList items={uncounted} first={4} name={t('bills.uncounted')}>
            {(d, i) => (
              <li key={i} className="stack tight">
                <div className="row between" style={{ alignItems: 'baseline', gap: '0.8rem' }}>
                  <span>{inLanguage(d.motion, i18n.language) ?? inLanguage(d.stage, i18n.language)}</span>
                  <VoteResult result={d.result} />
                </div>
                <p className="muted small num">
                  {[d.date, inLanguage(d.method, i18n.language), inLanguage(d.stage, i18n.language)]
                    .filter(Boolean)
                    .join(' · ')}
                </p>
              </li>
            )}
          </ExpandableList>
        </>
      )}
    </Card>
  )
}

interface Entry {
  date: string | null
  where: string | null
  what: string | null
  url: string | null
  note: string | null
}

/** The bill's sittings, committee meetings and reports, messages and rulings, by day. */
export function BillEvents({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const say = (b: Bilingual) => inLanguage(b, i18n.language)
  const chamber = (c: string | null) => (c === 'house' || c === 'senate' ? t(`bills.${c}`) : null)
  const at = (c: string | null, sitting: string | null) =>
    [chamber(c), sitting && t('bills.sitting', { n: sitting })].filter(Boolean).join(', ')
  const sittings = bill.sittings.map((s): Entry => ({
    date: s.date,
    where: at(s.chamber, s.number),
    what: say(s.name),
    url: say(s.url),
    note: say(s.note),
  }))
  const known = new Set(sittings.map((s) => `${s.date} ${s.what}`))
  const entries = [
    ...sittings,
    // An event without further details only repeats its sitting.
    ...bill.events
      .filter((e) => e.report !== null || say(e.note) !== null || !known.has(`${e.date} ${say(e.name)}`))
      .map((e): Entry => ({
        date: e.date,
        where: [chamber(e.chamber), e.committee, e.report !== null && t('bills.report', { n: e.report })]
          .filter(Boolean)
          .join(', '),
        what: say(e.name),
        url: say(e.report_url),
        note: say(e.note),
      })),
    ...bill.committee_meetings.map((m): Entry => ({
      date: m.date,
      where: [m.acronym, m.number && t('bills.meeting', { n: m.number })].filter(Boolean).join(', '),
      what: say(m.committee),
      url: m.url,
      note: null,
    })),
    ...bill.messages.map((m): Entry => ({
      date: m.date,
      where: at(m.chamber, m.sitting),
      what: say(m.name),
      url: say(m.url),
      note: null,
    })),
    ...bill.rulings.map((r): Entry => ({
      date: r.date,
      where: at(r.chamber, r.sitting),
      what: t('bills.ruling'),
      url: say(r.url),
      note: null,
    })),
  ]
    .map((entry, i) => ({ entry, i }))
    .sort((a, b) => (a.entry.date ?? '9').localeCompare(b.entry.date ?? '9') || a.i - b.i)
    .map(({ entry }) => entry)
  if (entries.length === 0) return null
  return (
    <Card title={t('bills.course')}>
      <ExpandableList items={entries} first={12} name={t('bills.course')}>
        {(e, i) => (
          <li key={i} className="row" style={{ alignItems: 'baseline', gap: '1rem' }}>
            <span className="num muted small nowrap" style={{ minWidth: '5.5rem' }}>
              {e.date ?? '–'}
            </span>
            <span className="stack tight" style={{ minWidth: 0 }}>
              <ExternalLink url={e.url}>{e.what}</ExternalLink>
              {(e.where || e.note) && (
                <span className="muted small">{[e.where, e.note].filter(Boolean).join(' · ')}</span>
              )}
            </span>
          </li>
        )}
      </ExpandableList>
    </Card>
  )
}

/** The sponsor's speeches and the first replies to them. */
export function Speeches({ speeches }: { speeches: BillDetail['speeches'] }) {
  const { t, i18n } = useTranslation()
  if (speeches.length === 0) return null
  return (
    <Card title={t('bills.speeches')}>
      <ExpandableList items={speeches} name={t('bills.speeches')}>
        {(s, i) => (
          <li key={i} className="stack tight">
            <div className="row wrap between" style={{ alignItems: 'baseline' }}>
              <span>
                {s.politician ? (
                  <Link to="/politicians/$slug" params={{ slug: s.politician }}>
                    {s.name}
                  </Link>
                ) : (
                  s.name
                )}
                {inLanguage(s.caucus, i18n.language) && (
                  <span className="muted small"> ({inLanguage(s.caucus, i18n.language)})</span>
                )}
              </span>
              <span className="muted small">
                <ExternalLink url={inLanguage(s.url, i18n.language)}>{inLanguage(s.kind, i18n.language)}</ExternalLink>
              </span>
            </div>
            <p className="muted small num">
              {[s.date, t(`bills.${s.chamber}`), inLanguage(s.stage, i18n.language)].filter(Boolean).join(' · ')}
            </p>
          </li>
        )}
      </ExpandableList>
    </Card>
  )
}

/** Pages, articles and books about the bill. */
export function References({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const pages = [
    ...(bill.legislative_summary_url
      ? [
          {
            kind: t('bills.library'),
            title: t('bills.legislativeSummary'),
            url: inLanguage(bill.legislative_summary_url, i18n.language),
          },
        ]
      : []),
    ...bill.references.map((r) => ({
      kind: inLanguage(r.kind, i18n.language),
      title: inLanguage(r.title, i18n.language),
      url: inLanguage(r.url, i18n.language),
    })),
  ]
  return (
    <>
      {pages.length > 0 && (
        <Card title={t('bills.references')}>
          <ExpandableList items={pages} name={t('bills.references')}>
            {(r, i) => (
              <li key={i} className="stack tight">
                <ExternalLink url={r.url}>{r.title ?? r.url}</ExternalLink>
                {r.kind && <span className="muted small">{r.kind}</span>}
              </li>
            )}
          </ExpandableList>
        </Card>
      )}
      {bill.bibliography.length > 0 && (
        <Card title={t('bills.bibliography')}>
          <ExpandableList items={bill.bibliography} first={5} name={t('bills.bibliography')}>
            {(n, i) => (
              <li key={i} className="stack tight">
                <span lang={n.language ?? undefined}>{n.title}</span>
                <span className="muted small">
                  {[n.author, n.publication, n.volume, n.date].filter(Boolean).join(' · ')}
                </span>
              </li>
            )}
          </ExpandableList>
        </Card>
      )}
    </>
  )
}
