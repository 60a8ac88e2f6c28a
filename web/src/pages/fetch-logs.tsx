import type { FetchLog } from '@parliament-explorer/sdk'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { fetchLogsQuery } from '../app/queries'
import { fetchStatuses } from '../app/search'
import { duration, number } from '../lib/format'
import { Card, Empty, Field, LoadMore, PageHead, Skeleton, StatusBadge, Time } from '../ui/basics'
import { AssetLink, RunLink } from '../ui/links'
import { Problem } from '../ui/problem'

export function FetchLogs() {
  const { t } = useTranslation()
  const search = useSearch({ from: '/fetch-logs' })
  const navigate = useNavigate({ from: '/fetch-logs' })
  const set = (change: Partial<typeof search>) => void navigate({ search: (old) => ({ ...old, ...change }), replace: true })
  const query = useInfiniteQuery(fetchLogsQuery({ status: search.status, source: search.source, run_id: search.run }))
  const logs = query.data?.pages.flatMap((p) => p.items)
  const filtered = Object.values(search).some((v) => v !== undefined)
  const sources = [...new Set(['legisinfo', 'openparliament+legisinfo', ...(logs ?? []).map((l) => l.source), ...(search.source ? [search.source] : [])])]
  return (
    <div className="page">
      <PageHead title={t('fetch.title')} />
      <div className="filters" role="search">
        <Field label={t('fetch.status')} id="fetch-status">
          <select id="fetch-status" value={search.status ?? ''} onChange={(e) => set({ status: (e.target.value || undefined) as typeof search.status })}>
            <option value="">{t('app.all')}</option>
            {fetchStatuses.map((s) => (
              <option key={s} value={s}>
                {t(`status.${s}`)}
              </option>
            ))}
          </select>
        </Field>
        <Field label={t('fetch.source')} id="fetch-source">
          <select id="fetch-source" value={search.source ?? ''} onChange={(e) => set({ source: e.target.value || undefined })}>
            <option value="">{t('app.all')}</option>
            {sources.map((s) => (
              <option key={s}>{s}</option>
            ))}
          </select>
        </Field>
        {filtered && (
          <button type="button" className="btn ghost" onClick={() => void navigate({ search: {} })}>
            {t('app.reset')}
          </button>
        )}
      </div>
      {query.error && <Problem error={query.error} retry={() => void query.refetch()} />}
      <Card label={t('fetch.title')}>
        {!logs ? (
          !query.error && <Skeleton lines={8} height="24rem" />
        ) : logs.length === 0 ? (
          filtered ? (
            <Empty title={t('fetch.empty')}>{t('fetch.emptyText')}</Empty>
          ) : (
            <Empty
              title={t('fetch.none')}
              command="explorer materialize fetch_latest_bills"
              action={
                <Link to="/assets" className="btn">
                  {t('nav.assets')}
                </Link>
              }
            >
              {t('fetch.noneText')}
            </Empty>
          )
        ) : (
          <div className="table-wrap">
            <table className="blocks">
              <thead>
                <tr>
                  <th>{t('fetch.when')}</th>
                  <th>{t('fetch.status')}</th>
                  <th>{t('fetch.asset')}</th>
                  <th>{t('fetch.source')}</th>
                  <th>{t('fetch.records')}</th>
                  <th className="right">{t('fetch.duration')}</th>
                  <th>{t('fetch.run')}</th>
                </tr>
              </thead>
              <tbody>
                {logs.map((log) => (
                  <Row key={log.id} log={log} />
                ))}
              </tbody>
            </table>
          </div>
        )}
        <LoadMore query={query} />
      </Card>
    </div>
  )
}

function Row({ log }: { log: FetchLog }) {
  const { t, i18n } = useTranslation()
  const details = log.errors.length > 0 || Object.keys(log.params).length > 0
  return (
    <tr>
      <td>
        <Time at={log.created_at} />
      </td>
      <td>
        <StatusBadge status={log.status} />
      </td>
      <td>
        <AssetLink name={log.asset} />
        {details && (
          <details className="small">
            <summary>{log.errors.length > 0 ? t('fetch.errors', { count: log.errors.length }) : t('fetch.params')}</summary>
            <p className="row wrap" style={{ gap: '0.25rem', margin: '0.3rem 0' }}>
              {Object.entries(log.params).map(([key, value]) => (
                <span key={key} className="tag">
                  {key}: {typeof value === 'string' ? value : JSON.stringify(value)}
                </span>
              ))}
            </p>
            <ul className="stack tight">
              {log.errors.map((e, i) => (
                <li key={i} className="break">
                  {e.message} {e.url && <span className="muted">{e.url}</span>}
                </li>
              ))}
            </ul>
          </details>
        )}
      </td>
      <td className="small break" data-label={t('fetch.source')}>
        {log.source}
      </td>
      <td className="small num" data-label={t('fetch.records')}>
        {t('fetch.succeeded', { count: log.records_succeeded })}
        {log.records_failed > 0 && <span style={{ color: 'var(--bad)' }}> · {t('fetch.failed', { count: log.records_failed })}</span>}
        <span className="muted"> / {number(log.records_attempted, i18n.language)}</span>
      </td>
      <td className="right small num" data-label={t('fetch.duration')}>
        {duration(log.duration_seconds * 1000, i18n.language)}
      </td>
      <td data-label={t('fetch.run')}>{log.run_id ? <RunLink id={log.run_id} /> : <span className="muted">–</span>}</td>
    </tr>
  )
}
