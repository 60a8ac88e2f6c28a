import type { RunDetail, Step } from '@parliament-explorer/sdk'
import { useNavigate } from '@tanstack/react-router'
import { type ScaleTime, scaleTime } from 'd3-scale'
import { Maximize2, ScrollText, ZoomIn, ZoomOut } from 'lucide-react'
import { type ReactNode, useId, useMemo, useRef } from 'react'
import { useTranslation } from 'react-i18next'

import { type Attempt, inOrder, waitOf } from '../lib/attempts'
import { duration, relative } from '../lib/format'
import { useNow } from '../lib/now'
import { useSaid } from '../lib/said'
import { useWidth } from '../lib/size'
import { shownTimes, useZoom } from '../lib/zoom'
import { Card, Duration, StatusBadge } from '../ui/basics'
import { timeLabel } from '../ui/charts'
import { AssetLink } from '../ui/links'
import { loadPart } from '../ui/load-part'
import { StepProgress } from '../ui/step-progress'

const Graph = loadPart(async () => (await import('./run-graph')).default)

const tones: Record<Attempt['outcome'], string> = {
  started: 'busy',
  success: 'good',
  failure: 'bad',
  canceled: 'idle',
  up_for_retry: 'warn',
}

/** The steps of a run, over time or as a graph. */
export function RunSteps({ run, attempts, view }: { run: RunDetail; attempts: Attempt[]; view: 'time' | 'graph' }) {
  const { t } = useTranslation()
  const navigate = useNavigate({ from: '/runs/$runId' })
  const show = (next: typeof view) =>
    void navigate({ search: (old) => ({ ...old, steps: next === 'time' ? undefined : next }), replace: true })
  if (view === 'graph') {
    return (
      <Card title={t('run.steps')} actions={<Views view={view} show={show} />}>
        <Graph steps={run.steps} />
      </Card>
    )
  }
  return <Timeline run={run} attempts={attempts} views={<Views view={view} show={show} />} />
}

function Views({ view, show }: { view: 'time' | 'graph'; show: (view: 'time' | 'graph') => void }) {
  const { t } = useTranslation()
  return (
    <div className="segmented" role="group" aria-label={t('run.stepsView')}>
      {(['time', 'graph'] as const).map((v) => (
        <button key={v} type="button" aria-pressed={view === v} onClick={() => show(v)}>
          {t(v === 'time' ? 'run.overTime' : 'run.graph')}
        </button>
      ))}
    </div>
  )
}

/** The steps over time, with a bar for each attempt, and a thin one for the time that the step waited. */
function Timeline({ run, attempts, views }: { run: RunDetail; attempts: Attempt[]; views: ReactNode }) {
  const { t, i18n } = useTranslation()
  const now = useNow()
  const [measured, width] = useWidth<HTMLDivElement>()
  const keysId = useId()
  const zoomed = useRef<HTMLDivElement>(null)
  const { zoom, by, reset, onKeyDown } = useZoom(zoomed, width)
  const from = Date.parse(run.created_at)
  const to = run.ended_at ? Date.parse(run.ended_at) : Math.max(now, from, ...attempts.map((a) => a.to ?? a.from))
  const x = scaleTime(shownTimes(from, Math.max(to, from + 1), width, zoom), [0, Math.max(1, width)])
  const steps = useMemo(() => inOrder(run.steps), [run.steps])
  const domain = x.domain() as [Date, Date]
  return (
    <Card
      title={t('run.steps')}
      padded
      actions={
        <div className="row wrap">
          <div className="row" role="group" aria-label={t('run.zoom')}>
            <button
              type="button"
              className="btn ghost icon"
              aria-label={t('run.zoomIn')}
              title={t('run.zoomIn')}
              onClick={() => by(2)}
            >
              <ZoomIn size={16} aria-hidden />
            </button>
            <button
              type="button"
              className="btn ghost icon"
              aria-label={t('run.zoomOut')}
              title={t('run.zoomOut')}
              disabled={zoom.k === 1}
              onClick={() => by(0.5)}
            >
              <ZoomOut size={16} aria-hidden />
            </button>
            <button
              type="button"
              className="btn ghost icon"
              aria-label={t('run.zoomAll')}
              title={t('run.zoomAll')}
              disabled={zoom.k === 1}
              onClick={reset}
            >
              <Maximize2 size={16} aria-hidden />
            </button>
          </div>
          {run.steps.length > 1 && views}
        </div>
      }
    >
      <p id={keysId} className="sr-only">
        {t('run.zoomKeys')}
      </p>
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- its keys zoom and move */}
      <div
        ref={zoomed}
        className="run-steps"
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- its keys zoom and move
        tabIndex={0}
        role="group"
        aria-label={t('run.stepsLabel')}
        aria-describedby={keysId}
        data-zoom={zoom.k}
        onKeyDown={onKeyDown}
      >
        <div ref={measured} className="stack" style={{ minHeight: run.steps.length * 56 + 20 }}>
          {steps.map((step) => (
            <StepRow key={step.asset} run={run} step={step} attempts={attempts} now={to} x={x} width={width} />
          ))}
          {width > 0 && (
            <svg className="chart" width={width} height={16} aria-hidden>
              {x.ticks(Math.max(2, Math.floor(width / 120))).map((tick) => (
                <text key={+tick} x={x(tick)} y={12} textAnchor={anchor(x(tick), width)}>
                  {timeLabel(tick, domain, i18n.language)}
                </text>
              ))}
            </svg>
          )}
        </div>
      </div>
    </Card>
  )
}

function anchor(x: number, width: number): 'start' | 'middle' | 'end' {
  return x < 32 ? 'start' : x > width - 32 ? 'end' : 'middle'
}

function StepRow({
  run,
  step,
  attempts,
  now,
  x,
  width,
}: {
  run: RunDetail
  step: Step
  attempts: Attempt[]
  now: number
  x: ScaleTime<number, number>
  width: number
}) {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  const own = attempts.filter((a) => a.asset === step.asset)
  const wait = waitOf(run, step, now)
  return (
    <div className="stack tight">
      <div className="row between wrap" style={{ gap: '0.1rem 0.6rem' }}>
        <span className="row wrap">
          <AssetLink name={step.asset} />
          <StatusBadge status={step.status} />
          {step.attempt > 1 && <span className="muted small">{t('run.attempt', { n: step.attempt })}</span>}
        </span>
        <span className="row muted small num">
          {step.next_attempt_at && !step.ended_at && step.status === 'up_for_retry' ? (
            <NextAttempt at={step.next_attempt_at} />
          ) : (
            step.started_at && <Duration from={step.started_at} to={step.ended_at} />
          )}
          {run.steps.length > 1 && <ShowLog step={step.asset} />}
        </span>
      </div>
      {width > 0 && (
        <svg
          className="chart"
          width={width}
          height={14}
          role="img"
          aria-label={[
            step.asset,
            ...(wait ? [t('run.waited', { duration: duration(wait.to - wait.from, i18n.language) })] : []),
            ...own.map((a) => attemptWords(a)),
          ].join(' · ')}
        >
          <rect x={0} y={5} width={width} height={4} rx={2} style={{ fill: 'var(--sunken)' }} />
          {wait && (
            <rect
              className="f-idle"
              x={x(wait.from)}
              y={5}
              width={Math.max(0, x(wait.to) - x(wait.from))}
              height={4}
              data-wait={step.asset}
            >
              <title>{t('run.waited', { duration: duration(wait.to - wait.from, i18n.language) })}</title>
            </rect>
          )}
          {own.map((a) => (
            <rect
              key={a.number + '/' + a.from}
              className={`bar f-${tones[a.outcome]}`}
              x={x(a.from)}
              y={0}
              width={Math.max(3, x(a.to ?? now) - x(a.from))}
              height={14}
              rx={3}
              data-attempt={`${a.asset} ${a.number}`}
            >
              <title>{attemptWords(a)}</title>
            </rect>
          ))}
        </svg>
      )}
      {step.status === 'started' && <StepProgress run={run.id} asset={step.asset} />}
      {step.error && step.status === 'up_for_retry' && (
        <p className="small break" style={{ color: 'var(--warn)' }}>
          {said(step.error.message, step.error.message_i18n)}
        </p>
      )}
    </div>
  )

  function attemptWords(a: Attempt): string {
    const took = duration((a.to ?? now) - a.from, i18n.language)
    return [t('run.attempt', { n: a.number }), t(`status.${a.outcome}`), took].join(' · ')
  }
}

function NextAttempt({ at }: { at: string }) {
  const { t, i18n } = useTranslation()
  return <>{t('run.nextAttempt', { when: relative(Date.parse(at), useNow(), i18n.language) })}</>
}

/** Shows the lines of one step in the log. */
function ShowLog({ step }: { step: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate({ from: '/runs/$runId' })
  return (
    <button
      type="button"
      className="btn ghost icon"
      aria-label={t('run.logOf', { step })}
      title={t('run.logOf', { step })}
      onClick={() => {
        void navigate({ search: (old) => ({ ...old, step, tab: undefined }), replace: true })
        document.getElementById('run-log')?.scrollIntoView({ block: 'nearest' })
      }}
    >
      <ScrollText size={15} aria-hidden />
    </button>
  )
}
