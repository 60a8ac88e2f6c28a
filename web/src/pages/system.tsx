import type { SystemStatus } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { readinessQuery, versionQuery } from '../app/queries'
import { serverUrl } from '../lib/base'
import { number } from '../lib/format'
import { named } from '../lib/named'
import { useSaid } from '../lib/said'
import { Card, Empty, PageHead, Skeleton, Time } from '../ui/basics'
import { Loaded } from '../ui/loaded'

export function System() {
  const { t } = useTranslation()
  const status = useSystemStatus()
  return (
    <div className="page">
      <PageHead title={t('system.title')} />
      <Queues status={status} />
      {status && status.limits.length > 0 && <Limits limits={status.limits} />}
      <Sources status={status} />
      <Workers status={status} />
      <div className="grid two">
        <Readiness />
        <BuildVersion />
      </div>
    </div>
  )
}

/** The queues, with the number of jobs by state. */
function Queues({ status }: { status: SystemStatus | undefined }) {
  const { t, i18n } = useTranslation()
  return (
    <Card title={t('system.queues')}>
      {!status ? (
        <Skeleton lines={3} height="8rem" />
      ) : (
        <div className="table-wrap">
          <table className="blocks">
            <thead>
              <tr>
                <th>{t('system.queue')}</th>
                <th className="right">{t('system.available')}</th>
                <th className="right">{t('system.running')}</th>
                <th className="right">{t('system.retryable')}</th>
                <th className="right">{t('system.scheduled')}</th>
                <th>{t('system.oldest')}</th>
              </tr>
            </thead>
            <tbody className="num">
              {status.queues.map((q) => (
                <tr key={q.name}>
                  <td>{q.name}</td>
                  <td className="right" data-label={t('system.available')}>
                    {number(q.available, i18n.language)}
                  </td>
                  <td className="right" data-label={t('system.running')}>
                    {number(q.running, i18n.language)}
                  </td>
                  <td className="right" data-label={t('system.retryable')}>
                    {number(q.retryable, i18n.language)}
                  </td>
                  <td className="right" data-label={t('system.scheduled')}>
                    {number(q.scheduled, i18n.language)}
                  </td>
                  <td data-label={t('system.oldest')}>
                    {q.oldest_available_at ? <Time at={q.oldest_available_at} /> : <span className="muted">–</span>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

/** The concurrency limits. */
function Limits({ limits }: { limits: SystemStatus['limits'] }) {
  const { t, i18n } = useTranslation()
  return (
    <Card title={t('system.limits')}>
      <div className="table-wrap">
        <table className="blocks">
          <thead>
            <tr>
              <th>{t('system.limit')}</th>
              <th className="right">{t('system.inUse')}</th>
              <th className="right">{t('system.available')}</th>
            </tr>
          </thead>
          <tbody className="num">
            {limits.map((l) => (
              <tr key={l.key}>
                <td className="break">{l.key}</td>
                <td className="right" data-label={t('system.inUse')}>
                  {t('system.inFlightText', { n: l.in_use, max: l.max })}
                </td>
                <td className="right" data-label={t('system.available')}>
                  {number(l.waiting, i18n.language)}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Card>
  )
}

/** The sources, with their limits and their circuit breakers. */
function Sources({ status }: { status: SystemStatus | undefined }) {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  return (
    <Card title={t('system.sources')}>
      {!status ? (
        <Skeleton lines={3} height="9rem" />
      ) : (
        <div className="table-wrap">
          <table className="blocks">
            <thead>
              <tr>
                <th>{t('system.source')}</th>
                <th>{t('system.breaker')}</th>
                <th>{t('system.rate')}</th>
                <th>{t('system.inFlight')}</th>
                <th>{t('system.lastSuccess')}</th>
                <th>{t('system.lastFailure')}</th>
              </tr>
            </thead>
            <tbody>
              {status.sources.map((s) => (
                <tr key={s.name}>
                  <td>
                    {s.name}
                    <p className="muted small break">{s.url}</p>
                  </td>
                  <td data-label={t('system.breaker')}>
                    <span
                      className={`badge ${s.breaker === 'open' ? 'bad' : 'good'}`}
                      style={{ paddingLeft: '0.55rem' }}
                    >
                      {s.breaker === 'open' ? t('system.breakerOpen') : t('system.breakerClosed')}
                    </span>
                    {s.held_until && (
                      <p className="small" style={{ color: 'var(--warn)' }}>
                        {t('system.held')} <Time at={s.held_until} absolute />
                      </p>
                    )}
                  </td>
                  <td className="small" data-label={t('system.rate')}>
                    {s.requests_per_second > 0
                      ? t('system.rateText', { rate: number(s.requests_per_second, i18n.language) })
                      : t('system.noLimit')}
                  </td>
                  <td className="small num" data-label={t('system.inFlight')}>
                    {t('system.inFlightText', { n: s.in_flight, max: s.max_in_flight })}
                  </td>
                  <td className="small" data-label={t('system.lastSuccess')}>
                    {s.last_success_at ? (
                      <Time at={s.last_success_at} />
                    ) : (
                      <span className="muted">{t('app.never')}</span>
                    )}
                  </td>
                  <td className="small" data-label={t('system.lastFailure')}>
                    {s.last_failure_at ? (
                      <>
                        <Time at={s.last_failure_at} />
                        <p className="break muted">{said(s.last_error, s.last_error_i18n)}</p>
                      </>
                    ) : (
                      <span className="muted">{t('app.never')}</span>
                    )}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

/** The workers, active ones first. */
function Workers({ status }: { status: SystemStatus | undefined }) {
  const { t } = useTranslation()
  return (
    <Card title={t('system.workers')}>
      {!status ? (
        <Skeleton lines={2} height="6rem" />
      ) : status.workers.length === 0 ? (
        <Empty title={t('system.noWorkers')} command="explorer worker">
          {t('system.noWorkersText')}
        </Empty>
      ) : (
        <div className="table-wrap">
          <table className="blocks">
            <thead>
              <tr>
                <th>{t('system.worker')}</th>
                <th>{t('system.host')}</th>
                <th className="right">{t('system.pid')}</th>
                <th>{t('system.since')}</th>
                <th>{t('system.beat')}</th>
              </tr>
            </thead>
            <tbody>
              {[...status.workers]
                .sort((a, b) => Number(b.alive) - Number(a.alive))
                .map((w) => (
                  <tr key={w.id}>
                    <td>
                      <span className="row wrap">
                        <span className={`badge ${w.alive ? 'good' : 'idle'}`} style={{ paddingLeft: '0.55rem' }}>
                          {w.alive ? t('system.alive') : t('system.dead')}
                        </span>
                        <code className="break">{w.id}</code>
                      </span>
                    </td>
                    <td data-label={t('system.host')}>{w.host}</td>
                    <td className="right num" data-label={t('system.pid')}>
                      {w.pid}
                    </td>
                    <td className="small" data-label={t('system.since')}>
                      <Time at={w.started_at} />
                    </td>
                    <td className="small" data-label={t('system.beat')}>
                      <Time at={w.beat_at} />
                    </td>
                  </tr>
                ))}
            </tbody>
          </table>
        </div>
      )}
    </Card>
  )
}

/** The readiness checks of the server. */
function Readiness() {
  const said = useSaid()
  const { t } = useTranslation()
  const ready = useQuery(readinessQuery)
  return (
    <Card title={t('system.checks')}>
      <Loaded query={ready}>
        {(data) => (
          <ul className="list">
            {data.checks.map((c) => (
              <li key={c.name} className="row between wrap">
                <span className="row">
                  <span className={`badge ${c.ok ? 'good' : 'bad'}`} style={{ paddingLeft: '0.55rem' }}>
                    {c.ok ? t('system.ok') : t('system.notOk')}
                  </span>
                  {named(t, 'checks', c.name)}
                </span>
                <span className="muted small">{said(c.detail, c.detail_i18n)}</span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}

/** The version of the server, and links to its other pages. */
function BuildVersion() {
  const { t } = useTranslation()
  const version = useQuery(versionQuery)
  return (
    <Card title={t('system.version')} padded>
      <dl className="facts">
        <dt>{t('system.version')}</dt>
        <dd>{version.data?.version ?? '…'}</dd>
        <dt>{t('system.revision')}</dt>
        <dd className="mono">{version.data?.revision || '–'}</dd>
        <dt>{t('system.contract')}</dt>
        <dd>{version.data?.contract ?? '…'}</dd>
        <dt>{t('system.go')}</dt>
        <dd>{version.data?.go ?? '…'}</dd>
        <dt>{t('system.links')}</dt>
        <dd className="row wrap" style={{ gap: '0.2rem 1rem' }}>
          <a href={serverUrl('riverui/')}>{t('system.riverUi')}</a>
          <a href={serverUrl('docs/')}>{t('system.apiDocs')}</a>
          <a href={serverUrl('metrics')}>{t('system.metrics')}</a>
          <a href={serverUrl('openapi.json')}>openapi.json</a>
        </dd>
      </dl>
    </Card>
  )
}
