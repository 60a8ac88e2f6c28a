import type { Alert, Asset, Run, Source, SystemStatus } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { RotateCw } from 'lucide-react'
import type { ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { assetsQuery, openAlertsQuery, recentRunsQuery } from '../app/queries'
import { usePlaceholder } from '../lib/settling'
import { useSaid } from '../lib/said'
import { Act } from './act'
import { useRetry } from './actions'
import { AlertLinks } from './alert-links'
import { FreshnessBadge } from './asset-state'
import { Card, StatusBadge, Time, type Tone } from './basics'
import { AssetLink, RunLink, RunSubject } from './links'
import { Loaded } from './loaded'

/** The failed runs of the last day. */
export const failedRunsQuery = recentRunsQuery({ status: 'failure' }, 100, 24)

/** The number of problems of each kind that are shown. The rest is one link away. */
const most = 5

/** What needs a person: alerts, runs that failed or were blocked, late assets, failed checks and failing sources. */
export function Problems({ recent }: { recent: Run[] }) {
  const { t } = useTranslation()
  const alerts = useQuery(openAlertsQuery)
  const failed = useQuery(failedRunsQuery)
  const assets = useQuery(assetsQuery)
  const status = useSystemStatus()
  return (
    <Loaded query={together(alerts, failed, assets)} lines={2}>
      {([open, { items }, all]) => {
        const problems = [
          ...systemProblems(status),
          ...shorten(open.items, t('overview.problemsMore', { count: open.items.length }), '/alerts', alertLine),
          ...shorten(items, t('overview.problemsMore', { count: items.length }), '/runs', (r) => (
            <FailedRun key={r.id} run={r} />
          )),
          ...recent
            .filter(isBlocked)
            .slice(0, most)
            .map((r) => <BlockedRun key={`blocked ${r.id}`} run={r} />),
          ...all.flatMap(assetProblems),
        ]
        return (
          <>
            {!status && <Pending />}
            {problems.length === 0 ? (
              <Quiet title={t('overview.problems')}>{t('overview.noProblems')}</Quiet>
            ) : (
              <Card title={t('overview.problems')}>
                <ul className="list">{problems}</ul>
              </Card>
            )}
          </>
        )
      }}
    </Loaded>
  )
}

/** A card that has nothing to show, on one line. */
export function Quiet({ title, children }: { title: string; children: ReactNode }) {
  return (
    <section className="card line" aria-label={title}>
      <h2>{title}</h2>
      <p className="muted">{children}</p>
    </section>
  )
}

/** Keeps the page from showing before the state of the system is known, which would move it. */
export function Pending() {
  usePlaceholder()
  return null
}

interface Query<T> {
  data: T | undefined
  error: unknown
  refetch: () => unknown
}

/** Three queries as one, which has data when all have. */
function together<A, B, C>(a: Query<A>, b: Query<B>, c: Query<C>): Query<[A, B, C]> {
  const whole = a.data !== undefined && b.data !== undefined && c.data !== undefined
  return {
    data: whole ? [a.data!, b.data!, c.data!] : undefined,
    error: a.error ?? b.error ?? c.error,
    refetch: () => [a, b, c].forEach((q) => void q.refetch()),
  }
}

function shorten<T>(items: T[], words: string, to: '/alerts' | '/runs', line: (item: T) => ReactNode): ReactNode[] {
  const lines = items.slice(0, most).map(line)
  if (items.length <= most) return lines
  const search = to === '/runs' ? ({ status: 'failure', period: '24h' } as const) : {}
  return [
    ...lines,
    <li key={`more ${to}`} className="small">
      <Link to={to} search={search}>
        {words}
      </Link>
    </li>,
  ]
}

function Line({
  badge,
  at,
  action,
  children,
}: {
  badge: ReactNode
  at?: string
  action?: ReactNode
  children: ReactNode
}) {
  return (
    <li className="hover">
      <div className="row between top">
        <div className="row wrap grow">
          {badge}
          {children}
        </div>
        <span className="row" style={{ flex: 'none' }}>
          {at && (
            <span className="muted small">
              <Time at={at} />
            </span>
          )}
          {action}
        </span>
      </div>
    </li>
  )
}

function Badge({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={`badge ${tone}`} style={{ paddingLeft: '0.55rem' }}>
      {children}
    </span>
  )
}

function systemProblems(status: SystemStatus | undefined): ReactNode[] {
  if (!status) return []
  const idle = !status.workers.some((w) => w.alive)
  return [
    idle && <NoWorkers key="workers" />,
    ...status.sources.filter((s) => s.breaker === 'open').map((s) => <OpenBreaker key={s.name} source={s} />),
  ].filter(Boolean)
}

function NoWorkers() {
  const { t } = useTranslation()
  return (
    <Line badge={<Badge tone="bad">{t('overview.noWorkersBadge')}</Badge>}>
      <Link to="/system">{t('overview.noWorkersAlive')}</Link>
    </Line>
  )
}

function OpenBreaker({ source }: { source: Source }) {
  const { t } = useTranslation()
  const said = useSaid()
  return (
    <Line
      badge={<Badge tone="bad">{t('overview.sourceOpen')}</Badge>}
      at={source.breaker_changed_at ?? source.last_failure_at ?? undefined}
    >
      <Link to="/system" className="break">
        {t('overview.sourceOpenText', { source: source.name })}
      </Link>
      <p className="small break bad-text">{said(source.last_error, source.last_error_i18n)}</p>
    </Line>
  )
}

const alertLine = (alert: Alert) => <OpenAlert key={alert.id} alert={alert} />

function OpenAlert({ alert }: { alert: Alert }) {
  const { t } = useTranslation()
  const said = useSaid()
  const badge = (
    <Badge tone={alert.severity === 'error' ? 'bad' : 'warn'}>{t(`alerts.severity_${alert.severity}`)}</Badge>
  )
  return (
    <Line badge={badge} at={alert.last_at}>
      <Link to="/alerts" className="break">
        {said(alert.title, alert.title_i18n)}
      </Link>
      <AlertLinks alert={alert} />
    </Line>
  )
}

function FailedRun({ run }: { run: Run }) {
  const { t } = useTranslation()
  const said = useSaid()
  const retry = useRetry({ open: true })
  const error = run.steps.find((s) => s.status === 'failure')?.error ?? run.error
  return (
    <Line
      badge={<StatusBadge status={run.status} />}
      at={run.ended_at ?? run.created_at}
      action={
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
      }
    >
      <RunLink id={run.id} />
      <RunSubject run={run} />
      <p className="small break bad-text">{said(error?.message, error?.message_i18n)}</p>
    </Line>
  )
}

const blockingCheck = (run: Run) => run.steps.find((s) => s.blocked_by)?.blocked_by

/** Whether a check kept a part of the run from happening. A failed run is shown as such. */
const isBlocked = (run: Run) => run.status !== 'failure' && blockingCheck(run) != null

function BlockedRun({ run }: { run: Run }) {
  const { t } = useTranslation()
  return (
    <Line badge={<Badge tone="warn">{t('overview.blocked')}</Badge>} at={run.ended_at ?? run.created_at}>
      <RunLink id={run.id} />
      <RunSubject run={run} />
      <p className="small break">{t('overview.blockedBy', { check: blockingCheck(run) })}</p>
    </Line>
  )
}

function assetProblems(asset: Asset): ReactNode[] {
  const late = asset.freshness?.state === 'late'
  return [
    late && <LateAsset key={`late ${asset.name}`} asset={asset} />,
    ...asset.checks
      .filter((c) => c.last_result && !c.last_result.passed)
      .map((c) => <FailedCheck key={`${asset.name} ${c.name}`} asset={asset} check={c} />),
  ].filter(Boolean)
}

function LateAsset({ asset }: { asset: Asset }) {
  return (
    <Line badge={<FreshnessBadge freshness={asset.freshness!} />} at={asset.freshness!.late_at ?? undefined}>
      <AssetLink name={asset.name} />
    </Line>
  )
}

function FailedCheck({ asset, check }: { asset: Asset; check: Asset['checks'][number] }) {
  const { t } = useTranslation()
  const said = useSaid()
  const badge = <Badge tone={check.severity === 'error' ? 'bad' : 'warn'}>{t('assets.checksFail', { count: 1 })}</Badge>
  return (
    <Line badge={badge} at={check.last_result!.created_at}>
      <Link to="/assets/$asset" params={{ asset: asset.name }} search={{ tab: 'checks' }} className="break">
        {asset.name}: {check.name}
      </Link>
      <p className="small break">{said(check.last_result!.message, check.last_result!.message_i18n)}</p>
    </Line>
  )
}
