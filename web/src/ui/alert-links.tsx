import type { Alert } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { subjectsOf } from '../lib/alert-subjects'
import { Name, RunLink } from './links'

/** Links to what an alert is about: its runs, job, assets, check, fetch logs and source. */
export function AlertLinks({ alert }: { alert: Pick<Alert, 'cause' | 'data' | 'occurrences'> }) {
  const { t } = useTranslation()
  const { runs, fetchLogsOf, job, assets, check, source } = subjectsOf(alert)
  // The alert names the run of its latest occurrence only.
  const filter = job ? { job } : assets.length === 1 ? { asset: assets[0] } : undefined
  const links = [
    ...runs.map((id) => (
      <span key={id}>
        {t('alerts.run')} <RunLink id={id} />
      </span>
    )),
    runs.length > 0 && filter && alert.occurrences > 1 && (
      <Link key="all" to="/runs" search={{ ...filter, status: 'failure' }}>
        {t('alerts.failedRuns')}
      </Link>
    ),
    job && (
      <Link key={job} to="/jobs/$job" params={{ job }} className="break">
        <Name>{job}</Name>
      </Link>
    ),
    ...assets.map((asset) => (
      <Link key={asset} to="/assets/$asset" params={{ asset }} className="break">
        <Name>{asset}</Name>
      </Link>
    )),
    check && (
      <Link key="check" to="/assets/$asset" params={{ asset: assets[0]! }} search={{ tab: 'checks' }} className="break">
        {t('alerts.check', { check })}
      </Link>
    ),
    fetchLogsOf && (
      <Link key="fetch" to="/fetch-logs" search={{ run: fetchLogsOf }}>
        {t('alerts.fetchLogs')}
      </Link>
    ),
    source && (
      <Link key="source" to="/system">
        {t('alerts.source', { source })}
      </Link>
    ),
  ].filter(Boolean)
  if (links.length === 0) return null
  return (
    <p className="row wrap small" style={{ gap: '0.15rem 0.9rem' }}>
      {links}
    </p>
  )
}
