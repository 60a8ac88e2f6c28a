import type { Run } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { assetsQuery, recentRunsQuery, schedulesQuery } from '../app/queries'
import { serverFlag } from '../lib/base'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { useRetry } from '../ui/actions'
import { Card, Duration, Empty, PageHead, StatusBadge, Time } from '../ui/basics'
import { AssetLink, RunLink, RunSubject, TriggerText } from '../ui/links'
import { AssetHealth } from '../ui/asset-state'
import { Loaded } from '../ui/loaded'
import { StepProgress } from '../ui/step-progress'
import { Timeline } from '../ui/timeline'

/** The maximum number of runs in the timeline. */
const timelineLimit = 500

export function Overview() {
  const { t } = useTranslation()
  const recent = useQuery(recentRunsQuery({}, timelineLimit, 24))
  const failed = useQuery(recentRunsQuery({ status: 'failure' }, 100, 24))
  const running = useQuery(recentRunsQuery({ status: 'started' }, 100))
  const status = useSystemStatus()
  const waiting = status?.queues.reduce((sum, q) => sum + q.available, 0)
  const alive = status?.workers.filter((w) => w.alive).length
  const failures = failed.data?.items ?? []
  return (
    <div className="page">
      <PageHead title={t('overview.title')} />
      <div className="grid stats">
        <Stat label={t('overview.runningNow')} value={count(running.data)} to="/runs" search={{ status: 'started' }} />
        <Stat
          label={t('overview.failed24')}
          value={count(failed.data)}
          tone={failures.length > 0 ? 'bad' : undefined}
          to="/runs"
          search={{ status: 'failure', period: '24h' }}
        />
        <Stat label={t('overview.waiting')} value={waiting} to="/system" />
        <Stat label={t('overview.workers')} value={alive} tone={alive === 0 ? 'bad' : undefined} to="/system" />
      </div>
      <div className="grid two">
        <Card title={t('overview.failures')}>
          <Loaded query={failed}>
            {({ items }) =>
              items.length === 0 ? (
                <QuietNote>{t('overview.noFailures')}</QuietNote>
              ) : (
                <ul className="list">
                  {items.slice(0, 8).map((run) => (
                    <Failure key={run.id} run={run} />
                  ))}
                </ul>
              )
            }
          </Loaded>
        </Card>
        <Card title={t('overview.runningNow')}>
          <Loaded query={running}>
            {({ items }) =>
              items.length === 0 ? (
                <QuietNote>
                  {t('overview.nothingRuns')} <MaterializeSomething small />
                </QuietNote>
              ) : (
                <ul className="list">
                  {items.slice(0, 12).map((run) => (
                    <RunningRun key={run.id} run={run} />
                  ))}
                </ul>
              )
            }
          </Loaded>
        </Card>
      </div>
      <Card title={t('overview.timeline')} padded>
        <Loaded query={recent} lines={3} height="9rem">
          {({ items, next_cursor }) =>
            items.length === 0 ? (
              <Empty
                title={t('overview.noRuns')}
                command={'explorer materialize fetch_latest_bills' + serverFlag}
                action={<MaterializeSomething />}
              >
                {t('overview.noRunsText')}
              </Empty>
            ) : (
              <>
                <Timeline
                  runs={items}
                  hours={24}
                  label={t('overview.timelineLabel', {
                    total: items.length,
                    failed: items.filter((r) => r.status === 'failure').length,
                  })}
                />
                {next_cursor && <p className="muted small">{t('overview.timelineMore', { count: timelineLimit })}</p>}
              </>
            )
          }
        </Loaded>
      </Card>
      <div className="grid two">
        <NextTicks />
        <AssetAges />
      </div>
    </div>
  )
}

function count(page: { items: unknown[]; next_cursor: string | null } | undefined): number | string | undefined {
  return page && (page.next_cursor ? `${page.items.length}+` : page.items.length)
}

function Stat({
  label,
  value,
  tone,
  ...link
}: { label: string; value: number | string | undefined; tone?: 'bad' } & (
  { to: '/runs'; search: { status?: 'started' | 'failure'; period?: '24h' } } | { to: '/system' }
)) {
  return (
    <Link {...link} className="card stat">
      <span className="value" style={tone === 'bad' ? { color: 'var(--bad)' } : undefined}>
        {value ?? '–'}
      </span>
      <span className="muted small">{label}</span>
    </Link>
  )
}

function QuietNote({ children }: { children: ReactNode }) {
  return (
    <p className="muted" style={{ padding: '1rem' }}>
      {children}
    </p>
  )
}

function MaterializeSomething({ small }: { small?: boolean }) {
  const { t } = useTranslation()
  return (
    <Link to="/assets" className={small ? undefined : 'btn primary'}>
      {t('overview.materializeSomething')}
    </Link>
  )
}

function Failure({ run }: { run: Run }) {
  const said = useSaid()
  const { t } = useTranslation()
  const retry = useRetry({ open: true })
  const step = run.steps.find((s) => s.status === 'failure')
  return (
    <li className="hover">
      <div className="row between top">
        <span className="row wrap grow">
          <StatusBadge status={run.status} />
          <RunLink id={run.id} />
          <RunSubject run={run} />
        </span>
        <span className="row" style={{ flex: 'none' }}>
          <span className="muted small">
            <Time at={run.ended_at ?? run.created_at} />
          </span>
          <Act
            className="btn small"
            disabled={retry.isPending}
            onClick={() => retry.mutate({ id: run.id, fromFailure: true })}
            aria-label={t('app.pair', { name: t('runs.retryFromFailure'), value: run.id })}
            title={t('runs.retryFromFailure')}
          >
            <RotateCw size={14} aria-hidden />
            {t('runs.retry')}
          </Act>
        </span>
      </div>
      <p className="small break" style={{ color: 'var(--bad)' }}>
        {said((step?.error ?? run.error)?.message, (step?.error ?? run.error)?.message_i18n)}
      </p>
    </li>
  )
}

function RunningRun({ run }: { run: Run }) {
  return (
    <li className="hover stack tight">
      <div className="row between wrap">
        <span className="row wrap">
          <StatusBadge status={run.status} />
          <RunLink id={run.id} />
          <RunSubject run={run} />
        </span>
        <span className="muted small">
          <Duration from={run.started_at} to={null} /> · <TriggerText run={run} />
        </span>
      </div>
      {run.steps
        .filter((s) => s.status === 'started')
        .map((s) => (
          <StepProgress key={s.asset} run={run.id} asset={s.asset} placeholder />
        ))}
    </li>
  )
}

function NextTicks() {
  const { t } = useTranslation()
  const schedules = useQuery(schedulesQuery)
  const ticks = (schedules.data ?? [])
    .filter((s) => s.running)
    .flatMap((s) => s.next_ticks.slice(0, 3).map((at) => ({ at, schedule: s })))
    .sort((a, b) => Date.parse(a.at) - Date.parse(b.at))
    .slice(0, 6)
  return (
    <Card title={t('overview.nextTicks')} actions={<Link to="/automation">{t('nav.automation')}</Link>}>
      <Loaded query={schedules}>
        {() =>
          ticks.length === 0 ? (
            <QuietNote>
              {t('overview.noTicks')} <Link to="/automation">{t('overview.startSchedule')}</Link>
            </QuietNote>
          ) : (
            <ul className="list">
              {ticks.map(({ at, schedule }) => (
                <li key={schedule.name + at} className="row between wrap">
                  <Link to="/automation/schedules/$schedule" params={{ schedule: schedule.name }} className="break">
                    {schedule.name}
                  </Link>
                  <span className="muted small">
                    <Time at={at} />
                  </span>
                </li>
              ))}
            </ul>
          )
        }
      </Loaded>
    </Card>
  )
}

function AssetAges() {
  const { t } = useTranslation()
  const assets = useQuery(assetsQuery)
  return (
    <Card title={t('overview.assets')} actions={<Link to="/assets">{t('overview.allAssets')}</Link>}>
      <Loaded query={assets}>
        {(list) => (
          <ul className="list">
            {list.map((asset) => (
              <li key={asset.name} className="row between wrap">
                <AssetLink name={asset.name} />
                <AssetHealth asset={asset} />
                <span className="muted small">
                  {asset.last_materialization ? (
                    <Time at={asset.last_materialization.created_at} />
                  ) : (
                    t('assets.neverMaterialized')
                  )}
                </span>
              </li>
            ))}
          </ul>
        )}
      </Loaded>
    </Card>
  )
}
