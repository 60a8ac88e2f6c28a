import type { Bill, BillDetail } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Languages } from 'lucide-react'
import { type ReactNode, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { billQuery, politicianQuery, versionsQuery } from '../app/queries'
import { BillHistory, Committees, Debates, OtherSession, References, Speeches, Votes } from '../features/bill-record'
import { ShareBill } from '../features/bill-share'
import { BillStatus, ProgressOf } from '../features/bill-status'
import { setLanguage } from '../i18n'
import { changeSentences, day, fieldName, languageOf, nameOf, sessionWords } from '../lib/bill-words'
import { statuteWords } from '../lib/bill-words/cite'
import { billParams, inLanguage, publicationName } from '../lib/bills'
import { useFeedLink } from '../lib/feeds'
import { webAddress } from '../lib/same-site'
import { Card, LoadMore, PageHead } from '../ui/basics'
import { Change } from '../ui/diff'
import { itemsOf, Loaded } from '../ui/loaded'

export function BillPage() {
  const { t, i18n } = useTranslation()
  const { session, number } = useParams({ from: '/bills/$session/$number' })
  const bill = useQuery(billQuery(session, number))
  const b = bill.data
  const name = b ? nameOf(b, languageOf(i18n.language)) : number
  useFeedLink(`bill-${session}-${number}`, b ? `${b.number} ${name}` : undefined)
  return (
    <div className="page bill-page">
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
        actions={<LanguageButton />}
      />
      <Loaded query={bill} lines={8} height="60rem">
        {(b) => <BillBody bill={b} />}
      </Loaded>
    </div>
  )
}

/** Changes the language of the page from its head, where a reader looks for it. */
function LanguageButton() {
  const { t, i18n } = useTranslation()
  const other = i18n.language === 'fr' ? 'en' : 'fr'
  return (
    <button type="button" className="btn small no-print" lang={other} onClick={() => void setLanguage(other)}>
      <Languages size={15} aria-hidden />
      {t('readers.otherLanguage')}
    </button>
  )
}

function BillBody({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const { session, number } = billParams(bill.id)
  return (
    <>
      <LongTitle bill={bill} />
      <BillStatus bill={bill} />
      {!bill.record.complete && bill.sources.legisinfo && (
        <p className="notice warn no-print">{t('readers.incomplete')}</p>
      )}
      <ProgressOf bill={bill} />
      <div className="grid two">
        <Card title={t('bills.about')} padded>
          <Facts bill={bill} />
        </Card>
        <div className="stack loose">
          <Texts bill={bill} />
          <div className="no-print">
            <ShareBill bill={bill} />
          </div>
        </div>
      </div>
      <Card title={t('bills.summary')} padded>
        <Html html={inLanguage(bill.summary, i18n.language)} none={t('bills.noSummary')} />
      </Card>
      <div className="grid two">
        <BillHistory bill={bill} />
        <div className="stack loose">
          <Votes bill={bill} />
          <Committees bill={bill} />
          <div className="no-print stack loose">
            <Debates bill={bill} />
            <Speeches speeches={bill.speeches} />
          </div>
        </div>
      </div>
      <Related bill={bill} />
      {inLanguage(bill.notes, i18n.language) && (
        <Card title={t('bills.notes')} padded>
          <Html html={inLanguage(bill.notes, i18n.language)} none="–" />
        </Card>
      )}
      <div className="no-print stack loose">
        <References bill={bill} />
        <Changes session={session} number={number} />
      </div>
      <p className="muted small">{t('readers.sourcesNote')}</p>
    </>
  )
}

/** The long title, if the heading has the short one. */
function LongTitle({ bill }: { bill: Bill }) {
  const { i18n } = useTranslation()
  const long = inLanguage(bill.title, i18n.language)
  if (!long || long === nameOf(bill, languageOf(i18n.language))) return null
  return <p className="prose muted">{long}</p>
}

/** A text longer than this is cut on paper. */
const longText = 1500

function Html({ html, none }: { html: string | null; none: string }) {
  const { t } = useTranslation()
  if (!html) return <p className="muted">{none}</p>
  const long = html.length > longText
  return (
    <>
      {/* The server sanitises the HTML of summaries and notes. */}
      <div className={long ? 'prose long' : 'prose'} dangerouslySetInnerHTML={{ __html: html }} />
      {long && (
        <p className="print-only muted small">
          {t('readers.rest')} {location.href}
        </p>
      )}
    </>
  )
}

/** The sponsor with the office held at that time. */
function SponsorName({ sponsor }: { sponsor: NonNullable<Bill['sponsor']> }) {
  const { i18n } = useTranslation()
  const office = inLanguage(sponsor.office, i18n.language)
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
      {office && <span className="muted small">{office}</span>}
    </span>
  )
}

/** The sponsor's party: of the time, if a speech of the sponsor names it, otherwise today's. */
function useParty(bill: BillDetail): string | null {
  const { t, i18n } = useTranslation()
  const speech = bill.speeches.find((s) => s.sponsor && inLanguage(s.caucus, i18n.language))
  const slug = bill.sponsor?.politician ?? ''
  const politician = useQuery({ ...politicianQuery(slug), enabled: !speech && slug !== '' })
  if (speech) return inLanguage(speech.caucus, i18n.language)
  const party = politician.data ? inLanguage(politician.data.party, i18n.language) : null
  return party && t('readers.partyNow', { party })
}

function Facts({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const party = useParty(bill)
  const type =
    inLanguage(bill.bill_type, language) ??
    (bill.government_bill ? t('bills.government') : bill.private_member_bill ? t('bills.privateMember') : null)
  const study = bill.senate_pre_study
  const rows: [string, ReactNode][] = [
    [t('bills.sponsor'), bill.sponsor && <SponsorName key="sponsor" sponsor={bill.sponsor} />],
    [t('readers.riding'), bill.sponsor && inLanguage(bill.sponsor.riding, language)],
    [t('readers.party'), party],
    [t('bills.type'), type],
    [t('bills.chamber'), t(`bills.${bill.home_chamber}`)],
    [t('bills.session'), sessionWords(bill.parliament, bill.session, language)],
    [t('bills.introduced'), day(bill.introduced_on, language)],
    [t('bills.royalAssent'), day(bill.royal_assent_on, language)],
    [t('bills.statute'), statuteWords(bill, language)],
    [t('bills.preStudy'), study && (inLanguage(study.name, language) ?? study.committee)],
    [t('bills.missing'), day(bill.missing_since, language)],
    [t('bills.links'), <Sources key="links" bill={bill} />],
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

function Sources({ bill }: { bill: Bill }) {
  return (
    <span className="row wrap" style={{ gap: '0.1rem 0.8rem' }}>
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
    </span>
  )
}

/** The published versions of the text. */
function Texts({ bill }: { bill: BillDetail }) {
  const { t, i18n } = useTranslation()
  return (
    <Card title={t('readers.texts')}>
      {bill.publications.length === 0 && !bill.text_url && <p className="muted padded">{t('bills.noPublications')}</p>}
      <ol className="list">
        {bill.publications.length === 0 && bill.text_url && (
          <li>
            <a href={webAddress(bill.text_url)} rel="noreferrer">
              {t('bills.text')}
            </a>
          </li>
        )}
        {bill.publications.map((p) => (
          <li key={p.id}>
            <a href={webAddress(p.url)} rel="noreferrer">
              {publicationName(p.name, i18n.language) ?? p.id}
            </a>
          </li>
        ))}
      </ol>
    </Card>
  )
}

/** Bills of other sessions that are the same, and similar bills. Those that are not stored lead to LEGISinfo. */
function Related({ bill }: { bill: BillDetail }) {
  const { t } = useTranslation()
  if (!bill.reinstated_from && !bill.reinstated_as && bill.related_bills.length === 0) return null
  return (
    <Card title={t('readers.related')} padded>
      <div className="stack tight">
        {bill.reinstated_from && (
          <p>
            {t('readers.reinstatedFrom')} <OtherSession bill={bill.reinstated_from} />
          </p>
        )}
        {bill.reinstated_as && (
          <p>
            {t('readers.reinstatedAs')} <OtherSession bill={bill.reinstated_as} />
          </p>
        )}
        {bill.related_bills.length > 0 && (
          <>
            <h3>{t('readers.similar')}</h3>
            <ul className="stack tight">
              {bill.related_bills.map((id) => (
                <li key={id}>
                  <RelatedBill id={id} />
                </li>
              ))}
            </ul>
          </>
        )}
      </div>
    </Card>
  )
}

function RelatedBill({ id }: { id: string }) {
  const { t, i18n } = useTranslation()
  const { session, number } = billParams(id)
  const query = useQuery({ ...billQuery(session, number), retry: false })
  const language = languageOf(i18n.language)
  if (query.data) {
    return (
      <Link to="/bills/$session/$number" params={{ session, number }}>
        {id} · {nameOf(query.data, language)}
      </Link>
    )
  }
  return (
    <a href={`https://www.parl.ca/legisinfo/${language}/bill/${session}/${number.toLowerCase()}`} rel="noreferrer">
      {id} ({t('readers.otherSite')})
    </a>
  )
}

/** The changes of the stored data: a sentence for each version, and every field on demand. */
function Changes({ session, number }: { session: string; number: string }) {
  const { t } = useTranslation()
  const [open, setOpen] = useState(false)
  return (
    <Card label={t('readers.fields')} padded>
      <details onToggle={(e) => setOpen(e.currentTarget.open)}>
        <summary>{t('readers.fields')}</summary>
        {open && <Versions session={session} number={number} />}
      </details>
    </Card>
  )
}

function Versions({ session, number }: { session: string; number: string }) {
  const { i18n } = useTranslation()
  const language = languageOf(i18n.language)
  const query = useInfiniteQuery(versionsQuery(session, number))
  return (
    <>
      <Loaded query={itemsOf(query)} lines={4}>
        {(versions) => (
          <ol className="list">
            {versions.map((v) => (
              <li key={v.version} className="stack" data-version={v.version}>
                <div>
                  <h3>{day(v.created_at, language)}</h3>
                  <p>{changeSentences(v.changes, v.version, language).join(' ')}</p>
                </div>
                {v.changes.length > 0 && (
                  <dl className="facts">
                    {v.changes.map((c) => (
                      <div key={c.field} style={{ display: 'contents' }}>
                        <dt>{fieldName(c.field, language)}</dt>
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
    </>
  )
}
