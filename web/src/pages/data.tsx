import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { exportsQuery, feedsQuery, recentMaterializationsQuery } from '../app/queries'
import { useRole } from '../app/session'
import { serverFlag, serverUrl } from '../lib/base'
import { billParams, inLanguage } from '../lib/bills'
import { useSaid } from '../lib/said'
import { webAddress } from '../lib/same-site'
import { Card, Empty, PageHead, Time } from '../ui/basics'
import { Name } from '../ui/links'
import { Loaded } from '../ui/loaded'

/** Feeds, downloads and the data quality report. */
export function Data() {
  const { t } = useTranslation()
  const role = useRole()
  return (
    <div className="page">
      <PageHead title={t('data.title')} />
      <div className="grid two">
        <Exports />
        <Feeds />
      </div>
      {role !== 'reader' && <Quality />}
    </div>
  )
}

function Feeds() {
  const { t, i18n } = useTranslation()
  const query = useQuery(feedsQuery)
  return (
    <Card title={t('feeds.title')}>
      <p className="muted small" style={{ padding: '0.8rem 1rem 0' }}>
        {t('feeds.help')}
      </p>
      <Loaded query={query} lines={6}>
        {(feeds) => (
          <ul className="list feeds">
            {feeds.map((f) => (
              <li key={f.name} className="row wrap between">
                <span>
                  {inLanguage(f.title, i18n.language)}{' '}
                  {f.updated_at && (
                    <span className="muted small">
                      <Time at={f.updated_at} />
                    </span>
                  )}
                </span>
                <span className="row">
                  <Link
                    to="/feeds"
                    search={{ feed: f.name }}
                    className="btn small"
                    aria-label={t('app.pair', {
                      name: t('feeds.subscribe'),
                      value: inLanguage(f.title, i18n.language),
                    })}
                  >
                    {t('feeds.subscribe')}
                  </Link>
                  {(['rss', 'atom', 'json'] as const).map((form) => (
                    <a
                      key={form}
                      className="btn small ghost"
                      href={serverUrl(`feeds/${f.name}.${form}?lang=${i18n.language}`)}
                      aria-label={t('feeds.of', {
                        form: form.toUpperCase(),
                        title: inLanguage(f.title, i18n.language),
                      })}
                    >
                      {form.toUpperCase()}
                    </a>
                  ))}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

function Exports() {
  const said = useSaid()
  const { t } = useTranslation()
  const query = useQuery(exportsQuery)
  return (
    <Card title={t('exports.title')} padded>
      <Loaded query={query} lines={6}>
        {(exports) => (
          <div className="stack">
            {exports.map((e) => (
              <div key={e.name} className="stack">
                <p>{t('exports.rows', { count: e.rows })}</p>
                <div className="row wrap">
                  {e.formats.map((form) => (
                    <a key={form} className="btn" href={serverUrl(`exports/${e.name}.${form}`)} download>
                      {form.toUpperCase()}
                    </a>
                  ))}
                </div>
                <details>
                  <summary>{t('exports.fields')}</summary>
                  <dl className="facts">
                    {e.fields.map((f) => (
                      <div key={f.name} style={{ display: 'contents' }}>
                        <dt className="mono">{f.name}</dt>
                        <dd className="small">{said(f.description, f.description_i18n)}</dd>
                      </div>
                    ))}
                  </dl>
                </details>
                <h3>{t('exports.terms')}</h3>
                <ul className="stack tight small">
                  {e.terms.map((term) => (
                    <li key={term.source}>
                      <a href={webAddress(term.url)} rel="noreferrer">
                        {term.source}
                      </a>
                      : {said(term.terms, term.terms_i18n)}
                    </li>
                  ))}
                </ul>
              </div>
            ))}
          </div>
        )}
      </Loaded>
    </Card>
  )
}

interface Report {
  bills_total: number
  bills_missing: number
  differences: number
  sponsors_linked: number
  sponsors_with_person_id: number
  coverage: { session: string; bills: number; missing: number; fields: Record<string, number> }[]
  first_differences: { bill: string; field: string; openparliament: string; legisinfo: string }[]
  missing: { bill: string; since: string }[]
  // Reports made by versions before 0.3 lack these fields.
  bills_lagging?: number
  longest_lag_seconds?: number
  lagging?: { bill: string; session: string; reason: string; since: string }[]
}

const isReport = (metadata: unknown): metadata is Report =>
  typeof metadata === 'object' && metadata !== null && Array.isArray((metadata as Report).coverage)

function Quality() {
  const { t } = useTranslation()
  const query = useQuery(recentMaterializationsQuery('data_quality', 1))
  return (
    <Card
      title={t('quality.title')}
      actions={
        <Link to="/assets/$asset" params={{ asset: 'data_quality' }} search={{ tab: 'checks' }} className="btn small">
          {t('quality.checks')}
        </Link>
      }
    >
      <Loaded query={query} lines={6}>
        {(latest) => {
          const report: unknown = latest[0]?.metadata
          if (!latest[0] || !isReport(report))
            return <Empty title={t('quality.none')} command={'explorer materialize data_quality' + serverFlag} />
          const fields = Object.keys(report.coverage[0]?.fields ?? {}).sort()
          return (
            <div className="stack" style={{ padding: '1rem 0' }}>
              <p style={{ padding: '0 1rem' }}>
                {t('quality.summary', {
                  bills: report.bills_total,
                  differences: report.differences,
                  missing: report.bills_missing,
                  linked: report.sponsors_linked,
                  sponsors: report.sponsors_with_person_id,
                })}{' '}
                <span className="muted small">
                  <Time at={latest[0].created_at} />
                </span>
              </p>
              {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
              <div className="table-wrap" role="region" aria-label={t('quality.coverage')} tabIndex={0}>
                <table>
                  <thead>
                    <tr>
                      <th>{t('bills.session')}</th>
                      <th>{t('bills.title')}</th>
                      {fields.map((f) => (
                        <th key={f} className="mono small">
                          <Name>{f}</Name>
                        </th>
                      ))}
                    </tr>
                  </thead>
                  <tbody>
                    {report.coverage.map((c) => (
                      <tr key={c.session}>
                        <th scope="row">{c.session}</th>
                        <td className="num">{c.bills}</td>
                        {fields.map((f) => (
                          <td key={f} className="num nowrap">
                            {Math.round((100 * (c.fields[f] ?? 0)) / Math.max(1, c.bills))} %
                          </td>
                        ))}
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
              {report.first_differences.length > 0 && (
                <ul className="list">
                  {report.first_differences.map((d) => (
                    <li key={d.bill + d.field} className="small">
                      <Link to="/bills/$session/$number" params={billParams(d.bill)}>
                        {d.bill}
                      </Link>{' '}
                      <span className="mono">{d.field}</span>: “{d.openparliament}” / “{d.legisinfo}”
                    </li>
                  ))}
                </ul>
              )}
              {report.bills_lagging !== undefined && (
                <p style={{ padding: '0 1rem' }}>
                  {report.bills_lagging === 0
                    ? t('quality.noneLags')
                    : t('quality.lags', { count: report.bills_lagging })}
                  {(report.lagging ?? []).map((l, i) => (
                    <span key={l.bill} className="small">
                      {i > 0 ? ', ' : ' '}
                      {l.bill} (<Time at={l.since} />)
                    </span>
                  ))}
                </p>
              )}
              {report.missing.length > 0 && (
                <p style={{ padding: '0 1rem' }}>
                  {t('app.pair', { name: t('quality.missing'), value: report.missing.map((m) => m.bill).join(', ') })}
                </p>
              )}
            </div>
          )
        }}
      </Loaded>
    </Card>
  )
}
