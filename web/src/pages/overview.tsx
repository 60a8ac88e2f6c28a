import type { Run, Tick } from '@parliament-explorer/sdk'
import { keepPreviousData, useQueries, useQuery, type UseQueryResult } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { useCallback, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import {
  anyBillQuery,
  assetsQuery,
  recentRunsQuery,
  schedulesQuery,
  timelineLimits,
  timelineRunsQuery,
  timelineTicksQuery,
} from '../app/queries'
import { type TimelinePeriod, timelinePeriods } from '../app/search'
import { AssetHealth } from '../ui/asset-state'
import { Card, Duration, PageHead, StatusBadge, Time } from '../ui/basics'
import { FirstArrival } from '../ui/fetch-latest'
import { AssetLink, RunLink, RunSubject, TriggerText } from '../ui/links'
import { Loaded } from '../ui/loaded'
import { failedRunsQuery, Pending, Problems, Quiet } from '../ui/problems'
import { StepProgress } from '../ui/step-progress'
import { Timeline, type TimelineTick } from '../ui/timeline'

export function Overview() {
  const { t } = useTranslation()
  const anyBill = useQuery(anyBillQuery)
  const lastDay = useQuery(timelineRunsQuery(24))
  const failed = useQuery(failedRunsQuery)
  const running = useQuery(recentRunsQuery({ status: 'started' }, 100))
  const status = useSystemStatus()
  const waiting = status?.queues.reduce((sum, q) => sum + q.available, 0)
  const alive = status?.workers.filter((w) => w.alive).length
  return (
    <div className="page">
      <PageHead title={t('overview.title')} />
      {anyBill.isPending && <Pending />}
      {anyBill.data === false && <FirstArrival />}
      <Problems recent={lastDay.data?.items ?? none} />
      <div className="grid stats">
        <Stat label={t('overview.runningNow')} value={count(running.data)} to="/runs" search={{ status: 'started' }} />
        <Stat
          label={t('overview.failed24')}
          value={count(failed.data)}
          tone={failed.data?.items.length ? 'bad' : undefined}
          to="/runs"
          search={{ status: 'failure', period: '24h' }}
        />
        <Stat label={t('overview.waiting')} value={waiting} to="/system" />
        <Stat label={t('overview.workers')} value={alive} tone={alive === 0 ? 'bad' : undefined} to="/system" />
      </div>
      <TimelineCard />
      <div className="grid two start">
        <Loaded query={running}>
          {({ items }) =>
            items.length === 0 ? (
              <Quiet title={t('overview.runningNow')}>
                {t('overview.nothingRuns')} <Link to="/assets">{t('overview.materializeSomething')}</Link>
              </Quiet>
            ) : (
              <Card title={t('overview.runningNow')}>
                <ul className="list">
                  {items.slice(0, 12).map((run) => (
                    <RunningRun key={run.id} run={run} />
                  ))}
                </ul>
              </Card>
            )
          }
        </Loaded>
        <NextTicks />
      </div>
      <AssetAges />
    </div>
  )
}

const none: never[] = []

/** The hours of each period of the timeline. */
const hoursOf = { '1h': 1, '6h': 6, '24h': 24, '7d': 168, '30d': 720 } as const satisfies Record<TimelinePeriod, number>

/** The runs and ticks of a period. The period is in the address. */
function TimelineCard() {
  const { t } = useTranslation()
  const { period = '24h', skipped } = useSearch({ strict: false }) as {
    period?: TimelinePeriod
    skipped?: 'hidden'
  }
  const navigate = useNavigate()
  const set = (search: { period?: TimelinePeriod; skipped?: 'hidden' }) =>
    void navigate({ to: '.', search, resetScroll: false })
  const hours = hoursOf[period]
  const recent = useQuery({ ...timelineRunsQuery(hours), placeholderData: keepPreviousData })
  const { ticks, more } = useTicks(hours, skipped === 'hidden')
  return (
    <Card
      title={t('overview.timeline')}
      padded
      actions={
        <div className="row wrap">
          <label className="row small" style={{ gap: '0.4rem' }}>
            <input
              type="checkbox"
              role="switch"
              checked={skipped === 'hidden'}
              onChange={(e) => set({ period, skipped: e.target.checked ? 'hidden' : undefined })}
            />
            {t('overview.hideSkipped')}
          </label>
          <div className="segmented" role="group" aria-label={t('overview.period')}>
            {timelinePeriods.map((p) => (
              <button key={p} type="button" aria-pressed={p === period} onClick={() => set({ period: p, skipped })}>
                {t(`overview.period_${p}`)}
              </button>
            ))}
          </div>
        </div>
      }
    >
      <Loaded query={recent} lines={3} height="10rem">
        {({ items, next_cursor }) => (
          <>
            <Timeline
              runs={items}
              ticks={ticks}
              hours={hours}
              label={t('overview.timelineLabel', {
                period: t(`overview.period_${period}`),
                total: items.length,
                failed: items.filter((r) => r.status === 'failure').length,
              })}
            />
            {items.length === 0 && <p className="muted small">{t('overview.noRuns')}</p>}
            {next_cursor && <p className="muted small">{t('overview.timelineMore', { count: timelineLimits.runs })}</p>}
            {more && <p className="muted small">{t('overview.ticksMore', { count: timelineLimits.ticks })}</p>}
          </>
        )}
      </Loaded>
    </Card>
  )
}

/**
 * The ticks of the last hours, and whether there are more of them. Schedules without a tick in this time are not asked
 * for theirs.
 */
function useTicks(hours: number, withoutSkipped: boolean): { ticks: TimelineTick[]; more: boolean } {
  const schedules = useQuery(schedulesQuery).data ?? none
  const [opened] = useState(() => Date.now())
  const since = opened - hours * 3_600_000
  const due = schedules.filter((s) => s.last_tick && isDue(s.last_tick, since))
  // Its result stays the same object while no tick has changed.
  const combine = useCallback(
    (lists: UseQueryResult<Tick[]>[]) => {
      const jobs = new Map(schedules.map((s) => [s.name, s.job]))
      const loaded = lists.map((list) => list.data ?? none)
      return {
        ticks: loaded
          .flat()
          .filter((tick) => !(withoutSkipped && tick.status === 'skipped'))
          .map((tick) => ({ ...tick, job: jobs.get(tick.schedule) ?? tick.schedule })),
        more: loaded.some((list) => list.length >= timelineLimits.ticks && isDue(list.at(-1)!, since)),
      }
    },
    [schedules, withoutSkipped, since],
  )
  return useQueries({ queries: due.map((s) => timelineTicksQuery(s.name)), combine })
}

const isDue = (tick: Pick<Tick, 'scheduled_for'>, since: number) => Date.parse(tick.scheduled_for) > since

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
    <Loaded query={schedules}>
      {() =>
        ticks.length === 0 ? (
          <Quiet title={t('overview.nextTicks')}>
            {t('overview.noTicks')} <Link to="/automation">{t('overview.startSchedule')}</Link>
          </Quiet>
        ) : (
          <Card title={t('overview.nextTicks')} actions={<Link to="/automation">{t('nav.automation')}</Link>}>
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
          </Card>
        )
      }
    </Loaded>
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
