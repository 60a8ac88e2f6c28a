import type { Bill, BillDetail } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { billQuery, versionsQuery } from '../app/queries'
import { serverUrl } from '../lib/base'
import { billParams, inLanguage } from '../lib/bills'
import { webAddress } from '../lib/same-site'
import { Card, LoadMore, PageHead, Time } from '../ui/basics'
import { Change } from '../ui/diff'
import { RunLink } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'
import { BillEvents, OtherSession, Outcome, References, Speeches, Votes } from '../features/bill-record'

export function BillPage() {
  const { t, i18n } = useTranslation()
  const { session, number } = useParams({ from: '/bills/$session/$number' })
  const bill = useQuery(billQuery(session, number))
  const b = bill.data
  const name = b ? (inLanguage(b.short_title, i18n.language) ?? inLanguage(b.title, i18n.language) ?? b.number) : number
  return (
    <div className="page">
      <PageHead
        title={b ? `${b.number} ${name}` : number}
        heading={b ? `${b.number} · ${name}` : number}
        crumbs={[
          <Link to="/bills">{t('nav.bills')}</Link>,
          <Link to="/bills" search={{ session }}>
            {session}
          </Link>,
          number,
        ]}
      >
        {b && (
          <span className={`badge ${b.law ? 'good' : 'busy'}`} style={{ paddingLeft: '0.55rem', whiteSpace: 'normal' }}>
            {inLanguage(b.status, i18n.language)}
          </span>
        )}
      </PageHead>
      <Loaded query={bill} lines={8} height="30rem">
        {(b) => (
          <>
            <Outcome bill={b} />
            {!b.record.complete && b.sources.legisinfo && <p className="notice warn">{t('bills.incomplete')}</p>}
            <Card label={t('bills.title')} padded>
              <div className="bilingual">
                <Titles bill={b} language="en" name={t('bills.english')} />
                <Titles bill={b} language="fr" name={t('bills.french')} />
              </div>
            </Card>
            <div className="grid two">
              <Card title={t('bills.about')} padded>
                <Facts bill={b} />
              </Card>
              <div className="stack">
                <Stages bill={b} />
                <Publications bill={b} />
              </div>
            </div>
            <div className="grid two">
              <Votes bill={b} />
              <div className="stack">
                <BillEvents bill={b} />
                <Speeches speeches={b.speeches} />
              </div>
            </div>
            <Card title={t('bills.summary')} padded>
              {b.summary.en || b.summary.fr ? (
                <div className="bilingual">
                  <Summary html={b.summary.en} language="en" />
                  <Summary html={b.summary.fr} language="fr" />
                </div>
              ) : (
                <p className="muted">{t('bills.noSummary')}</p>
              )}
            </Card>
            {(b.notes.en || b.notes.fr) && (
              <Card title={t('bills.notes')} padded>
                <div className="bilingual">
                  <Summary html={b.notes.en} language="en" />
                  <Summary html={b.notes.fr} language="fr" />
                </div>
              </Card>
            )}
            <References bill={b} />
            <History session={session} number={number} />
          </>
        )}
      </Loaded>
    </div>
  )
}

function Titles({ bill, language, name }: { bill: Bill; language: 'en' | 'fr'; name: string }) {
  return (
    <div className="stack tight">
      <span className="muted small">{name}</span>
      <div lang={language} className="stack tight">
        {bill.short_title[language] && <strong>{bill.short_title[language]}</strong>}
        <p>{bill.title[language] ?? '–'}</p>
        <p className="muted small">{[bill.bill_type[language], bill.status[language]].filter(Boolean).join(' · ')}</p>
      </div>
    </div>
  )
}

function Summary({ html, language }: { html: string | null; language: 'en' | 'fr' }) {
  // The server sanitises the HTML of summaries and notes.
  return html ? (
    <div className="prose" lang={language} dangerouslySetInnerHTML={{ __html: html }} />
  ) : (
    <p className="muted">–</p>
  )
}

/** The sponsor, with the office held at that time. */
function SponsorName({ sponsor }: { sponsor: NonNullable<Bill['sponsor']> }) {
  const { i18n } = useTranslation()
  const what = [inLanguage(sponsor.office, i18n.language), inLanguage(sponsor.riding, i18n.language)]
    .filter(Boolean)
    .join(', ')
  return (
    <span className="stack tight">
      <span>
        {inLanguage(sponsor.honorific, i18n.language)}{' '}
        {sponsor.politician ? (
          <Link to="/politicians/$slug" params={{ slug: sponsor.politician }}>
            {sponsor.name}
          </Link>
        ) : (
          sponsor.name
        )}
      </span>
      {what && <span className="muted small">{what}</span>}
    </span>
  )
}

function Facts({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const rows: [string, ReactNode][] = [
    [
      t('bills.type'),
      inLanguage(bill.bill_type, i18n.language) ??
        (bill.government_bill ? t('bills.government') : bill.private_member_bill ? t('bills.privateMember') : null),
    ],
    [t('bills.sponsor'), bill.sponsor && <SponsorName key="sponsor" sponsor={bill.sponsor} />],
    [t('bills.form'), inLanguage(bill.form, i18n.language)],
    [t('bills.chamber'), t(`bills.${bill.home_chamber}`)],
    [t('bills.reinstatedFrom'), bill.reinstated_from && <OtherSession key="from" bill={bill.reinstated_from} />],
    [t('bills.reinstatedAs'), bill.reinstated_as && <OtherSession key="as" bill={bill.reinstated_as} />],
    [t('bills.introduced'), bill.introduced_on],
    [t('bills.activity'), bill.latest_activity_at && <Time at={bill.latest_activity_at} absolute />],
    [t('bills.royalAssent'), bill.royal_assent_on],
    [t('bills.statute'), bill.statute && t('bills.statuteText', bill.statute)],
    [
      t('bills.committees'),
      bill.committees.length > 0 && (
        <ul className="stack tight">
          {bill.committees.map((c) => (
            <li key={c.chamber + c.acronym}>
              {inLanguage(c.name, i18n.language)}{' '}
              <span className="muted small">({[c.acronym, t(`bills.${c.chamber}`)].filter(Boolean).join(', ')})</span>
            </li>
          ))}
        </ul>
      ),
    ],
    [
      t('bills.preStudy'),
      bill.senate_pre_study &&
        [
          inLanguage(bill.senate_pre_study.name, i18n.language) ?? bill.senate_pre_study.committee,
          bill.senate_pre_study.in_progress && t('bills.underWay'),
        ]
          .filter(Boolean)
          .join(' · '),
    ],
    [
      t('bills.related'),
      bill.related_bills.length > 0 && (
        <span className="row wrap" style={{ gap: '0.1rem 0.8rem' }}>
          {bill.related_bills.map((id) => (
            <Link key={id} to="/bills/$session/$number" params={billParams(id)} className="nowrap">
              {id}
            </Link>
          ))}
        </span>
      ),
    ],
    [
      t('bills.links'),
      <span key="links" className="row wrap" style={{ gap: '0.1rem 0.8rem' }}>
        {bill.legisinfo_url && (
          <a href={webAddress(bill.legisinfo_url)} rel="noreferrer">
            LEGISinfo
          </a>
        )}
        {bill.openparliament_url && (
          <a href={webAddress(bill.openparliament_url)} rel="noreferrer">
            openparliament.ca
          </a>
        )}
        {bill.text_url && (
          <a href={webAddress(bill.text_url)} rel="noreferrer">
            {t('bills.text')}
          </a>
        )}
      </span>,
    ],
    [
      t('bills.sources'),
      <span key="sources" className="stack tight small">
        {(['openparliament', 'legisinfo'] as const).map((source) => (
          <span key={source}>
            {source}: {bill.sources[source] ? <Time at={bill.sources[source]} /> : t('bills.notFetched')}
          </span>
        ))}
      </span>,
    ],
    [t('bills.missing'), bill.missing_since && <Time key="missing" at={bill.missing_since} absolute />],
    [t('bills.firstSeen'), <Time key="first" at={bill.first_seen_at} absolute />],
  ]
  return (
    <dl className="facts">
      {rows
        .filter(([, value]) => value)
        .map(([name, value]) => (
          <div key={name} style={{ display: 'contents' }}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
    </dl>
  )
}

function Stages({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const stages = bill.stages
  let chamber = ''
  return (
    <Card title={t('bills.stages')} padded>
      {stages.length === 0 && bill.readings.length === 0 ? (
        <p className="muted">{t('bills.noStages')}</p>
      ) : stages.length === 0 ? (
        <ol className="stages">
          {bill.readings.map((r) => (
            <li key={r.chamber + r.reading} className="completed">
              <span className="mark" />
              <span>
                <span className="muted small">{t(`bills.${r.chamber}`)}: </span>
                {t(`bills.reading_${r.reading}`)}
              </span>
              <span className="muted small nowrap num">{r.passed_on}</span>
            </li>
          ))}
        </ol>
      ) : (
        <ol className="stages">
          {stages.map((stage, i) => {
            const header =
              stage.chamber !== chamber && stage.name.en !== 'Royal assent' ? (chamber = stage.chamber) : ''
            return (
              <li key={i} className={stage.state}>
                <span className="mark" />
                <span>
                  {header && <span className="muted small">{t(`bills.${stage.chamber}`)}: </span>}
                  {inLanguage(stage.name, i18n.language)}
                  {stage.committee && <span className="muted small"> ({stage.committee})</span>}
                </span>
                <span className="muted small nowrap num">
                  {t(`bills.stage_${stage.state}`)}{' '}
                  {stage.completed_on && stage.started_on && stage.started_on < stage.completed_on
                    ? `${stage.started_on} – ${stage.completed_on}`
                    : (stage.state_since ?? stage.started_on)}
                </span>
              </li>
            )
          })}
        </ol>
      )}
    </Card>
  )
}

/** The published versions of the text. */
function Publications({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  return (
    <Card
      title={t('bills.publications')}
      actions={
        <a className="btn small" href={serverUrl(`feeds/bill-${bill.id.replace('/', '-')}.rss?lang=${i18n.language}`)}>
          {t('feeds.subscribe')}
        </a>
      }
    >
      {bill.publications.length === 0 ? (
        <p className="muted" style={{ padding: '1rem' }}>
          {t('bills.noPublications')}
        </p>
      ) : (
        <ol className="list">
          {bill.publications.map((p) => (
            <li key={p.id}>
              <a href={webAddress(p.url)} rel="noreferrer">
                {inLanguage(p.name, i18n.language) ?? p.id}
              </a>
            </li>
          ))}
        </ol>
      )}
    </Card>
  )
}

function History({ session, number }: { session: string; number: string }) {
  const { t } = useTranslation()
  const query = useInfiniteQuery(versionsQuery(session, number))
  return (
    <Card title={t('bills.history')}>
      <Loaded query={itemsOf(query)} lines={4}>
        {(versions) => (
          <ol className="list">
            {versions.map((v) => (
              <li key={v.version} className="stack" data-version={v.version}>
                <div className="row wrap between">
                  <h3>{t('bills.version', { n: v.version })}</h3>
                  <span className="muted small">
                    <Time at={v.created_at} absolute />
                    {v.run_id && (
                      <>
                        {' '}
                        {t('bills.changedBy', { id: '' })}
                        <RunLink id={v.run_id} />
                      </>
                    )}
                  </span>
                </div>
                {v.changes.length === 0 ? (
                  <p className="muted small">{t('bills.noChanges')}</p>
                ) : (
                  <dl className="facts">
                    {v.changes.map((c) => (
                      <div key={c.field} style={{ display: 'contents' }}>
                        <dt className="mono">{c.field}</dt>
                        <dd>
                          <Change from={c.from} to={c.to} />
                        </dd>
                      </div>
                    ))}
                  </dl>
                )}
              </li>
            ))}
          </ol>
        )}
      </Loaded>
      <LoadMore query={query} />
    </Card>
  )
}
