import type { RunDetail } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Link } from '@tanstack/react-router'
import { Ban, ChevronLeft, ChevronRight, Pencil, RotateCcw, RotateCw } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { runQuery } from '../app/queries'
import { RunLog } from '../features/run-log'
import { RunSteps } from '../features/run-steps'
import { attemptsOf, attemptsOfSteps } from '../lib/attempts'
import { shortId } from '../lib/format'
import { type LogFilter, useLog } from '../lib/log'
import { named } from '../lib/named'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { hasEnded, isActive, useCancel, useRetry } from '../ui/actions'
import { Card, CopyButton, Duration, Empty, Json, PageHead, Skeleton, StatusBadge, Time } from '../ui/basics'
import { Confirm } from '../ui/confirm'
import { AssetLink, RunLink, RunSubject, TriggerText } from '../ui/links'
import { MetadataList } from '../ui/metadata'
import { Problem } from '../ui/problem'

export function RunPage() {
  const { t } = useTranslation()
  const { runId } = useParams({ from: '/runs/$runId' })
  const run = useQuery(runQuery(runId))
  if (run.error && !run.data) {
    return (
      <div className="page">
        <PageHead
          title={t('run.title', { id: shortId(runId) })}
          crumbs={[<Link to="/runs">{t('nav.runs')}</Link>, shortId(runId)]}
        />
        <Problem error={run.error} retry={() => void run.refetch()} />
      </div>
    )
  }
  return <Detail key={runId} runId={runId} run={run.data} />
}

function Detail({ runId, run }: { runId: string; run: RunDetail | undefined }) {
  const { t } = useTranslation()
  const search = useSearch({ from: '/runs/$runId' })
  const navigate = useNavigate({ from: '/runs/$runId' })
  const log = useLog(runId)
  const attempts = useMemo(() => attemptsOf(log.milestones), [log.milestones])
  const tab = search.tab ?? 'log'
  const filter = useMemo<LogFilter>(
    () => ({ level: search.level, step: search.step, text: search.q }),
    [search.level, search.step, search.q],
  )
  return (
    <div className="page">
      <PageHead
        title={t('run.title', { id: shortId(runId) })}
        crumbs={[<Link to="/runs">{t('nav.runs')}</Link>, <Here runId={runId} run={run} />]}
        actions={run && <Actions run={run} />}
      >
        {run && <StatusBadge status={run.status} />}
      </PageHead>
      <p className="sr-only" role="status">
        {run && t('run.announce', { status: t(`status.${run.status}`) })}
      </p>
      {!run ? (
        <div className="grid two run-head">
          <Card>
            <Skeleton lines={5} />
          </Card>
          <Card>
            <Skeleton lines={3} />
          </Card>
        </div>
      ) : (
        <>
          <Failure run={run} />
          <div className="grid two run-head">
            <About run={run} />
            <RunSteps
              run={run}
              attempts={attempts.length > 0 ? attempts : attemptsOfSteps(run.steps)}
              view={search.steps ?? 'time'}
            />
          </div>
        </>
      )}
      <Tabs.Root
        id="run-log"
        value={tab}
        onValueChange={(next) =>
          void navigate({
            search: (old) => ({ ...old, tab: next === 'log' ? undefined : (next as typeof tab) }),
            replace: true,
          })
        }
        className="page"
      >
        <Tabs.List className="tabs" aria-label={t('run.title', { id: shortId(runId) })}>
          <Tabs.Trigger value="log">{t('run.log')}</Tabs.Trigger>
          <Tabs.Trigger value="materializations">{t('run.materializations')}</Tabs.Trigger>
          <Tabs.Trigger value="config">{t('run.config')}</Tabs.Trigger>
        </Tabs.List>
        <Tabs.Content value="log">
          <RunLog
            runId={runId}
            log={log}
            steps={run?.assets ?? []}
            filter={filter}
            target={search.event}
            running={run !== undefined && !hasEnded(run)}
            onFilter={(f) =>
              void navigate({ search: (old) => ({ ...old, level: f.level, step: f.step, q: f.text }), replace: true })
            }
          />
        </Tabs.Content>
        <Tabs.Content value="materializations">{run && <Materializations run={run} />}</Tabs.Content>
        <Tabs.Content value="config">
          <Card title={t('run.config')} padded>
            {run && <Json value={run.config} label={t('run.config')} />}
          </Card>
        </Tabs.Content>
      </Tabs.Root>
    </div>
  )
}

function Actions({ run }: { run: RunDetail }) {
  const { t } = useTranslation()
  const cancel = useCancel()
  const retry = useRetry({ open: true })
  if (!hasEnded(run)) {
    return (
      <Confirm
        trigger={
          <Act className="btn danger" disabled={!isActive(run) || cancel.isPending}>
            <Ban size={16} aria-hidden />
            {t('runs.cancel')}
          </Act>
        }
        title={t('run.cancelAsk')}
        text={t('run.cancelText')}
        yes={t('run.cancelYes')}
        no={t('run.keep')}
        onYes={() => cancel.mutate(run.id)}
      />
    )
  }
  return (
    <>
      {run.status !== 'success' && (
        <Act
          className="btn primary"
          disabled={retry.isPending}
          onClick={() => retry.mutate({ id: run.id, fromFailure: true })}
        >
          <RotateCw size={16} aria-hidden />
          {t('runs.retryFromFailure')}
        </Act>
      )}
      <Act className="btn" disabled={retry.isPending} onClick={() => retry.mutate({ id: run.id, fromFailure: false })}>
        <RotateCcw size={16} aria-hidden />
        {t('runs.retry')}
      </Act>
      <Link to="/launch" search={{ run: run.id }} className="btn">
        <Pencil size={16} aria-hidden />
        {t('run.edit')}
      </Link>
    </>
  )
}

/** The run's id, and the way to the runs before and after it, of the same job or assets. */
function Here({ runId, run }: { runId: string; run: RunDetail | undefined }) {
  const { t } = useTranslation()
  const links = [
    [run?.previous_run_id, 'run.previous', ChevronLeft],
    [run?.next_run_id, 'run.next', ChevronRight],
  ] as const
  return (
    <>
      <span className="mono">{shortId(runId)}</span>
      <span className="neighbors">
        {links.map(([id, words, Icon]) =>
          id ? (
            <Link
              key={words}
              to="/runs/$runId"
              params={{ runId: id }}
              search={{}}
              aria-label={t(words)}
              title={t(words)}
            >
              <Icon size={15} aria-hidden />
            </Link>
          ) : (
            <span key={words} aria-hidden>
              <Icon size={15} />
            </span>
          ),
        )}
      </span>
    </>
  )
}

/** The runs of the chain of retries, with this one marked. */
function Chain({ run }: { run: RunDetail }) {
  const { t } = useTranslation()
  return (
    <ol className="row wrap chain">
      {run.chain.map((r, i) => (
        <li key={r.id}>
          <Link
            to="/runs/$runId"
            params={{ runId: r.id }}
            search={{}}
            className="row"
            aria-current={r.id === run.id ? 'page' : undefined}
            title={r.id}
          >
            {t('run.tryNumber', { n: i + 1 })} <StatusBadge status={r.status} />
          </Link>
        </li>
      ))}
    </ol>
  )
}

function Failure({ run }: { run: RunDetail }) {
  const said = useSaid()
  const { t } = useTranslation()
  const failed = run.steps.filter((s) => s.error && s.status === 'failure')
  const errors =
    failed.length > 0
      ? failed.map((s) => ({ asset: s.asset as string | null, error: s.error! }))
      : run.error && run.status === 'failure'
        ? [{ asset: null, error: run.error }]
        : []
  if (errors.length === 0) return null
  return (
    <div className="notice bad stack tight" role="group" aria-label={t('run.error')}>
      {errors.map(({ asset, error }) => (
        <div key={asset}>
          <p className="break">
            <strong>{asset ?? t('run.error')}</strong>{' '}
            <span className="tag">{named(t, 'errorClass', error.class)}</span> {said(error.message, error.message_i18n)}
          </p>
          {error.stack && (
            <details>
              <summary>{t('run.stack')}</summary>
              {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
              <pre className="json small" tabIndex={0}>
                {error.stack}
              </pre>
            </details>
          )}
        </div>
      ))}
    </div>
  )
}

function About({ run }: { run: RunDetail }) {
  const { t } = useTranslation()
  return (
    <Card title={t('run.about')} padded>
      <dl className="facts">
        <dt>{run.job ? t('runs.job') : t('runs.assets')}</dt>
        <dd>
          <RunSubject run={run} />
        </dd>
        <dt>{t('runs.trigger')}</dt>
        <dd>
          <TriggerText run={run} />
        </dd>
        {run.parent_run_id && run.trigger.kind !== 'retry' && (
          <>
            <dt>{t('run.parent')}</dt>
            <dd>
              <RunLink id={run.parent_run_id} />
            </dd>
          </>
        )}
        {run.chain.length > 1 && (
          <>
            <dt>{t('run.chain')}</dt>
            <dd>
              <Chain run={run} />
            </dd>
          </>
        )}
        {run.partition && (
          <>
            <dt>{t('run.partition')}</dt>
            <dd className="mono break">{run.partition}</dd>
          </>
        )}
        {run.queue.length > 0 && (
          <>
            <dt>{t('run.queue')}</dt>
            <dd>
              {run.queue.map((place) => (
                <p key={place.asset}>
                  {run.assets.length > 1 && <AssetLink name={place.asset} />}{' '}
                  {t(place.waits_for.length > 0 ? 'run.placeUnder' : 'run.place', {
                    position: place.position,
                    limits: place.waits_for.join(', '),
                  })}
                </p>
              ))}
            </dd>
          </>
        )}
        <dt>{t('run.priority')}</dt>
        <dd>{t(`priority.p${run.priority as 1 | 2 | 3 | 4}`)}</dd>
        <dt>{t('runs.created')}</dt>
        <dd>
          <Time at={run.created_at} absolute />
        </dd>
        <dt>{t('runs.duration')}</dt>
        <dd>
          <Duration from={run.started_at} to={run.ended_at} />
        </dd>
        {run.canceled_by && (
          <>
            <dt>{t('run.canceledBy')}</dt>
            <dd>{run.canceled_by}</dd>
          </>
        )}
        {Object.keys(run.tags).length > 0 && (
          <>
            <dt>{t('launch.tags')}</dt>
            <dd className="row wrap" style={{ gap: '0.3rem' }}>
              {Object.entries(run.tags).map(([key, value]) => (
                <Link key={key} to="/runs" search={{ tag: `${key}:${value}` }} className="tag">
                  {key}:{value}
                </Link>
              ))}
            </dd>
          </>
        )}
        <dt>{t('nav.fetchLogs')}</dt>
        <dd>
          <Link to="/fetch-logs" search={{ run: run.id }}>
            {t('run.fetchLogs')}
          </Link>
        </dd>
        <dt>{t('run.id')}</dt>
        <dd className="row" style={{ gap: '0.2rem' }}>
          <code className="break">{run.id}</code>
          <CopyButton text={run.id} />
        </dd>
      </dl>
    </Card>
  )
}

function Materializations({ run }: { run: RunDetail }) {
  const { t } = useTranslation()
  if (run.materializations.length === 0) {
    return (
      <Card label={t('run.materializations')}>
        <Empty title={hasEnded(run) ? t('run.nothingMaterialized') : t('run.nothingYet')} />
      </Card>
    )
  }
  return (
    <div className="grid two">
      {run.materializations.map((m) => (
        <Card
          key={m.id}
          title={<AssetLink name={m.asset} />}
          label={m.asset}
          actions={
            <span className="muted small">
              <Time at={m.created_at} />
            </span>
          }
          padded
        >
          <MetadataList metadata={m.metadata} />
        </Card>
      ))}
    </div>
  )
}
