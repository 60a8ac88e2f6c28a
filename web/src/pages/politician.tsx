import type { Membership } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { politicianQuery } from '../app/queries'
import { day, languageOf, statusWords } from '../lib/bill-words'
import { billParams, inLanguage, partyIn } from '../lib/bills'
import { webAddress } from '../lib/same-site'
import { Card, PageHead } from '../ui/basics'
import { Loaded } from '../ui/loaded'

export function PoliticianPage() {
  const { t, i18n } = useTranslation()
  const { slug } = useParams({ from: '/politicians/$slug' })
  const query = useQuery(politicianQuery(slug))
  const name = query.data?.name ?? slug
  return (
    <div className="page">
      <PageHead title={name} crumbs={[<Link to="/politicians">{t('nav.politicians')}</Link>, name]} />
      <Loaded query={query} lines={8} height="24rem">
        {(p) => {
          const facts: [string, ReactNode][] = [
            [t('politicians.party'), partyIn(p.party, i18n.language)],
            [
              t('politicians.riding'),
              inLanguage(p.riding, i18n.language) &&
                [inLanguage(p.riding, i18n.language), p.province].filter(Boolean).join(', '),
            ],
            [t('politicians.member'), p.current ? t('politicians.now') : t('politicians.before')],
            [
              t('politicians.memberships'),
              p.memberships.length > 0 && (
                <ul className="stack tight">
                  {p.memberships.map((m, i) => (
                    <li key={i}>
                      {membership(m, i18n.language)}{' '}
                      {m.started_on && (
                        <span className="muted small num">
                          {[m.started_on, m.ended_on]
                            .map((d) => day(d, languageOf(i18n.language)))
                            .filter(Boolean)
                            .join(' – ')}
                        </span>
                      )}
                    </li>
                  ))}
                </ul>
              ),
            ],
            [
              t('bills.links'),
              <a key="op" href={webAddress(p.openparliament_url)} rel="noreferrer">
                openparliament.ca
              </a>,
            ],
          ]
          return (
            <>
              <Card title={t('bills.about')} padded>
                <dl className="facts">
                  {facts
                    .filter(([, value]) => value)
                    .map(([title, value]) => (
                      <div key={title} style={{ display: 'contents' }}>
                        <dt>{title}</dt>
                        <dd>{value}</dd>
                      </div>
                    ))}
                </dl>
              </Card>
              <Card
                title={t('politicians.bills', { count: p.sponsored_bills.length })}
                actions={
                  p.person_id !== null && (
                    <Link to="/feeds" search={{ feed: `sponsor-${p.slug}` }} className="btn small">
                      {t('feeds.subscribe')}
                    </Link>
                  )
                }
              >
                {p.sponsored_bills.length === 0 ? (
                  <p className="muted" style={{ padding: '1rem' }}>
                    {t('politicians.noBills')}
                  </p>
                ) : (
                  <ol className="list">
                    {p.sponsored_bills.map((b) => (
                      <li key={b.id} className="row wrap between">
                        <Link to="/bills/$session/$number" params={billParams(b.id)}>
                          {b.number}{' '}
                          <span className="muted">
                            ({b.parliament}-{b.session})
                          </span>{' '}
                          {inLanguage(b.short_title, i18n.language) ?? inLanguage(b.title, i18n.language)}
                        </Link>
                        <span className="muted small">{statusWords(b, languageOf(i18n.language)).headline}</span>
                      </li>
                    ))}
                  </ol>
                )}
              </Card>
            </>
          )
        }}
      </Loaded>
    </div>
  )
}

/** What somebody was in a term. Where there are no such words in French, the party and the riding say it. */
function membership(m: Membership, language: string): string {
  const own = language === 'fr' ? m.label.fr : m.label.en
  const parts = [partyIn(m.party, language), inLanguage(m.riding, language)].filter(Boolean)
  return own ?? (parts.length > 0 ? parts.join(', ') : (inLanguage(m.label, language) ?? '–'))
}
