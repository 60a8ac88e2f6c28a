import type { FetchLog } from '@parliament-explorer/sdk'
import { useInfiniteQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { fetchLogsQuery } from '../app/queries'
import { fetchStatuses } from '../app/search'
import { serverFlag } from '../lib/base'
import { useFilterHistory } from '../lib/filter-history'
import { duration, number } from '../lib/format'
import { useSaid } from '../lib/said'
import { Card, Empty, LoadMore, PageHead, StatusBadge, Time } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { AssetLink, RunLink } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'

export function FetchLogs() {
  const { t } = useTranslation()
  const search = useSearch({ from: '/fetch-logs' })
  const navigate = useNavigate({ from: '/fetch-logs' })
  const record = useFilterHistory()
  const set = (change: Partial<typeof search>) =>
    void navigate({ search: (old) => ({ ...old, ...change }), ...record() })
  const query = useInfiniteQuery(fetchLogsQuery({ status: search.status, source: search.source, run_id: search.run }))
  const logs = itemsOf(query)
  const filtered = Object.values(search).some((v) => v !== undefined)
  const sources = [...new Set(['legisinfo', 'openparliament+legisinfo', ...(logs.data ?? []).map((l) => l.source)])]
  return (
    <div className="page">
      <PageHead title={t('fetch.title')} />
      <div className="filters" role="search">
        <Choice
          id="fetch-status"
          label={t('fetch.status')}
          value={search.status}
          options={fetchStatuses.map((v) => [v, t(`status.${v}`)])}
          onChange={(status) => set({ status })}
        />
        <Choice
          id="fetch-source"
          label={t('fetch.source')}
          value={search.source}
          options={sources.map((v) => [v, v])}
          onChange={(source) => set({ source })}
        />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </div>
      <Card label={t('fetch.title')}>
        <Loaded query={logs} lines={8} height="24rem">
          {(items) =>
            items.length > 0 ? (
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
                    {items.map((log) => (
                      <Row key={log.id} log={log} />
                    ))}
                  </tbody>
                </table>
              </div>
            ) : filtered ? (
              <Empty title={t('fetch.empty')}>{t('fetch.emptyText')}</Empty>
            ) : (
              <Empty
                title={t('fetch.none')}
                command={'explorer materialize fetch_latest_bills' + serverFlag}
                action={
                  <Link to="/assets" className="btn">
                    {t('nav.assets')}
                  </Link>
                }
              >
                {t('fetch.noneText')}
              </Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
    </div>
  )
}

function Row({ log }: { log: FetchLog }) {
  const said = useSaid()
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
            <summary>
              {log.errors.length > 0 ? t('fetch.errors', { count: log.errors.length }) : t('fetch.params')}
            </summary>
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
                  {said(e.message, e.message_i18n)} {e.url && <span className="muted">{e.url}</span>}
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
        {log.records_failed > 0 && (
          <span style={{ color: 'var(--bad)' }}> · {t('fetch.failed', { count: log.records_failed })}</span>
        )}
        <span className="muted"> / {number(log.records_attempted, i18n.language)}</span>
      </td>
      <td className="right small num" data-label={t('fetch.duration')}>
        {duration(log.duration_seconds * 1000, i18n.language)}
      </td>
      <td data-label={t('fetch.run')}>{log.run_id ? <RunLink id={log.run_id} /> : <span className="muted">–</span>}</td>
    </tr>
  )
}
