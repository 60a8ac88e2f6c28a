import type { BillDetail } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { day, debatesOf, historyOf, languageOf } from '../lib/bill-words'
import { billParams, inLanguage } from '../lib/bills'
import { webAddress } from '../lib/same-site'
import { Card } from '../ui/basics'

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
        <>
          <p className="muted small padded">{t('bills.votesHelp')}</p>
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
                    t('bills.tally', {
                      yeas: v.yeas,
                      nays: v.nays,
                      paired: v.paired,
                      n: v.number,
                      date: day(v.date, languageOf(i18n.language)) ?? '–',
                    }),
                    v.chamber === 'senate' && t('bills.senate'),
                    inLanguage(v.stage, i18n.language),
                  ]
                    .filter(Boolean)
                    .join(' · ')}
                </p>
              </li>
            )}
          </ExpandableList>
        </>
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
                  {[
                    day(d.date, languageOf(i18n.language)),
                    inLanguage(d.method, i18n.language),
                    inLanguage(d.stage, i18n.language),
                  ]
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

/** What happened to the bill, in sentences. */
export function BillHistory({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const told = historyOf(bill, languageOf(i18n.language))
  const rulings = bill.rulings.length > 0 && t('bills.ruling')
  return (
    <Card title={t('readers.history')}>
      {told.length === 0 ? (
        <p className="muted padded">{t('readers.noHistory')}</p>
      ) : (
        <ol className="list story">
          {told.map((h, i) => (
            <li key={i} className="stack tight">
              <span>
                {h.text}
                {h.url && (
                  <span className="no-print">
                    {' '}
                    <a
                      href={webAddress(h.url)}
                      rel="noreferrer"
                      aria-label={t('app.pair', { name: t('readers.report'), value: h.text })}
                    >
                      {t('readers.report')}
                    </a>
                  </span>
                )}
              </span>
              {h.note && <span className="muted small">{h.note}</span>}
            </li>
          ))}
        </ol>
      )}
      {rulings && (
        <p className="small padded">
          {t('app.pair', { name: rulings, value: '' }).trim()}{' '}
          {bill.rulings.map((r, i) => (
            <span key={i}>
              {i > 0 && ', '}
              <ExternalLink url={inLanguage(r.url, i18n.language)}>
                {day(r.date, languageOf(i18n.language)) ?? t(`bills.${r.chamber}`)}
              </ExternalLink>
            </span>
          ))}
        </p>
      )}
    </Card>
  )
}

/** The debates of the bill by stage, with a link to each sitting. */
export function Debates({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const debates = debatesOf(bill.sittings, language)
  if (debates.length === 0) return null
  return (
    <Card title={t('readers.debates')}>
      <ul className="list">
        {debates.map((d) => (
          <li key={d.chamber + d.stage}>
            <details>
              <summary>
                {t(`bills.${d.chamber}`)}, {d.stage}{' '}
                <span className="muted small">({t('readers.sittings', { count: d.sittings.length })})</span>
              </summary>
              <ul className="days">
                {d.sittings.map((s, i) => (
                  <li key={i}>
                    <ExternalLink url={s.url}>
                      {s.number
                        ? t('readers.sittingOn', { date: day(s.date, language) ?? '–', n: s.number })
                        : (day(s.date, language) ?? '–')}
                    </ExternalLink>
                  </li>
                ))}
              </ul>
            </details>
          </li>
        ))}
      </ul>
    </Card>
  )
}

/** The committees that studied the bill, each with its meetings. */
export function Committees({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  if (bill.committees.length === 0) return null
  return (
    <Card title={t('readers.committees')}>
      <ul className="list">
        {bill.committees.map((c) => {
          const meetings = bill.committee_meetings.filter((m) => m.acronym === c.acronym && m.chamber === c.chamber)
          return (
            <li key={c.chamber + c.acronym} className="stack tight">
              <span>
                <Link to="/bills" search={{ committee: c.acronym }}>
                  {inLanguage(c.name, language) ?? c.acronym}
                </Link>{' '}
                <span className="muted small">({t(`bills.${c.chamber}`)})</span>
              </span>
              {meetings.length === 0 ? (
                <span className="muted small">{t('readers.noMeetings')}</span>
              ) : (
                <details>
                  <summary>{t('readers.meetings', { count: meetings.length })}</summary>
                  <ul className="days">
                    {meetings.map((m, i) => (
                      <li key={i}>
                        <ExternalLink url={m.url}>
                          {m.number
                            ? t('readers.meetingOn', { date: day(m.date, language) ?? '–', n: m.number })
                            : (day(m.date, language) ?? '–')}
                        </ExternalLink>
                      </li>
                    ))}
                  </ul>
                </details>
              )}
            </li>
          )
        })}
      </ul>
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
              {[day(s.date, languageOf(i18n.language)), t(`bills.${s.chamber}`), inLanguage(s.stage, i18n.language)]
                .filter(Boolean)
                .join(' · ')}
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
