import type { Run, Tick } from '@parliament-explorer/sdk'
import { useNavigate } from '@tanstack/react-router'
import { type ScaleTime, scaleTime } from 'd3-scale'
import { memo, type MouseEvent, useMemo } from 'react'
import { useTranslation } from 'react-i18next'

import { uiBase } from '../lib/base'
import { dateTime, duration, shortId } from '../lib/format'
import { useNow } from '../lib/now'
import { useWidth } from '../lib/size'
import { toneOf } from './basics'
import { timeLabel } from './charts'

/** A tick of a schedule, in the row of its job. */
export interface TimelineTick extends Pick<Tick, 'id' | 'schedule' | 'status' | 'scheduled_for'> {
  job: string
}

interface Bar {
  run: Run
  from: number
  /** Undefined while the run is in progress. */
  to?: number
}

interface Row {
  name: string
  bars: Bar[]
  ticks: TimelineTick[]
}

const [top, bottom] = [18, 22]
/** Room for this many rows is kept, so that the page does not move when a run of another job starts. */
const leastRows = 4
const minute = 60_000

/** The rows of the timeline, by name. New runs are drawn over old ones, and failures over all others. */
function rowsOf(runs: Run[], ticks: TimelineTick[], adHoc: string): Row[] {
  const rows = new Map<string, Row>()
  const row = (name: string) => rows.get(name) ?? rows.set(name, { name, bars: [], ticks: [] }).get(name)!
  for (const run of runs) {
    const name = run.job ?? (run.assets.length === 1 ? run.assets[0]! : adHoc)
    const to = run.ended_at ? Date.parse(run.ended_at) : undefined
    row(name).bars.push({ run, from: Date.parse(run.started_at ?? run.created_at), to })
  }
  for (const tick of ticks) row(tick.job).ticks.push(tick)
  for (const { bars } of rows.values())
    bars.sort((a, b) => Number(a.run.status === 'failure') - Number(b.run.status === 'failure') || a.from - b.from)
  return [...rows.values()].sort((a, b) => a.name.localeCompare(b.name))
}

/**
 * Runs as bars over time, and ticks of schedules as marks, one row for each job. The chart is decorative: the page of
 * runs has the same data.
 */
export function Timeline({
  runs,
  ticks,
  hours,
  label,
}: {
  runs: Run[]
  ticks: TimelineTick[]
  hours: number
  label: string
}) {
  const { t } = useTranslation()
  const [box, width] = useWidth<HTMLDivElement>()
  const narrow = width < 560
  const rows = useMemo(() => rowsOf(runs, ticks, t('overview.adHoc')), [runs, ticks, t])
  const rowHeight = narrow ? 40 : 30
  const height = top + Math.max(leastRows, rows.length) * rowHeight + bottom
  return (
    <div ref={box} style={{ minHeight: height }} role="group" aria-label={label}>
      {width > 0 && <Chart rows={rows} hours={hours} width={width} narrow={narrow} />}
    </div>
  )
}

function Chart({ rows, hours, width, narrow }: { rows: Row[]; hours: number; width: number; narrow: boolean }) {
  const { t, i18n } = useTranslation()
  const open = useOpenRun()
  const [rowHeight, left] = narrow ? [40, 8] : [30, 220]
  const right = Math.max(left + 1, width - 22)
  const height = top + rows.length * rowHeight + bottom
  // The chart is drawn again when "now" has moved by a pixel, not each second. It ends after all that has happened.
  const pixel = (hours * 60 * minute) / (right - left)
  const now = (Math.round(useNow(pixel) / pixel) + 1) * pixel
  const x = useMemo(() => scaleTime([now - hours * 60 * minute, now], [left, right]), [now, hours, left, right])
  return (
    <svg className="chart timeline" width={width} height={height} aria-hidden onClick={open}>
      {x.ticks(Math.max(3, Math.floor((width - left) / 110))).map((tick) => (
        <g key={+tick}>
          <line className="axis" x1={x(tick)} x2={x(tick)} y1={top} y2={height - bottom} />
          <text x={x(tick)} y={height - 6} textAnchor={x(tick) - left < 30 && narrow ? 'start' : 'middle'}>
            {timeLabel(tick, x.domain() as [Date, Date], i18n.language)}
          </text>
        </g>
      ))}
      {rows.map((row, i) => (
        <TimelineRow key={row.name} row={row} x={x} y={top + i * rowHeight} narrow={narrow} />
      ))}
      <line className="now" x1={right} x2={right} y1={top - 4} y2={height - bottom} />
      <text className="now" x={width} y={top - 7} textAnchor="end">
        {t('overview.now')}
      </text>
    </svg>
  )
}

/** Opens the run of a bar. One listener serves all bars, and the browser's own ways to open a link still work. */
function useOpenRun(): (event: MouseEvent) => void {
  const navigate = useNavigate()
  return (event) => {
    const runId = (event.target as Element).closest<SVGAElement>('a[data-run]')?.dataset.run
    if (!runId || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return
    event.preventDefault()
    void navigate({ to: '/runs/$runId', params: { runId } })
  }
}

const tickTones = { success: 'good', skipped: 'idle', failure: 'bad' } as const

const TimelineRow = memo(function TimelineRow({
  row: { name, bars, ticks },
  x,
  y,
  narrow,
}: {
  row: Row
  x: ScaleTime<number, number>
  y: number
  narrow: boolean
}) {
  const { t, i18n } = useTranslation()
  const [left, right] = x.range() as [number, number]
  const now = +x.domain()[1]!
  const rowHeight = narrow ? 40 : 30
  const barY = y + (narrow ? 18 : 7)
  const moment = (at: number) => dateTime(new Date(at), i18n.language)
  return (
    <g>
      <line className="axis" x1={left} x2={right} y1={y + rowHeight} y2={y + rowHeight} />
      <text
        x={narrow ? left : left - 12}
        y={y + (narrow ? 13 : rowHeight / 2 + 4)}
        textAnchor={narrow ? 'start' : 'end'}
      >
        {name}
      </text>
      {ticks.map((tick) => {
        const at = Date.parse(tick.scheduled_for)
        if (x(at) < left || x(at) > right) return null
        return (
          <path
            key={`${tick.schedule} ${tick.id}`}
            className={`tick f-${tickTones[tick.status]}`}
            data-tick={tick.status}
            d={`M${x(at)} ${barY - 1} l-4 -5 h8 z`}
          >
            <title>{[tick.schedule, t(`automation.tick_${tick.status}`), moment(at)].join(' · ')}</title>
          </path>
        )
      })}
      {bars.map(({ run, from, to = now }) => {
        if (x(to) < left) return null
        const begin = Math.max(left, x(from))
        return (
          <a key={run.id} href={new URL(`runs/${run.id}`, uiBase).href} data-run={run.id} tabIndex={-1}>
            <rect
              className={`bar f-${toneOf(run.status)}`}
              x={Math.min(begin, right - 4)}
              y={barY}
              width={Math.max(4, Math.min(right, x(to)) - begin)}
              height={16}
            >
              <title>
                {[
                  shortId(run.id),
                  t(`status.${run.status}`),
                  moment(from),
                  run.ended_at && duration(to - from, i18n.language),
                ]
                  .filter(Boolean)
                  .join(' · ')}
              </title>
            </rect>
          </a>
        )
      })}
    </g>
  )
})
