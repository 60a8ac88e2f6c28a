import type { Run } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { scaleTime } from 'd3-scale'
import { useTranslation } from 'react-i18next'

import { dateTime, duration, shortId } from '../lib/format'
import { useNow } from '../lib/now'
import { useWidth } from '../lib/size'
import { toneOf } from './basics'
import { timeLabel } from './charts'

/** Runs as bars over time, one row for each job. The chart is decorative: the lists beside it have the same data. */
export function Timeline({ runs, hours, label }: { runs: Run[]; hours: number; label: string }) {
  const { t, i18n } = useTranslation()
  const now = useNow()
  const [box, width] = useWidth<HTMLDivElement>()
  const lines = new Map<string, Run[]>()
  for (const run of runs) {
    const name = run.job ?? (run.assets.length === 1 ? run.assets[0]! : t('overview.adHoc'))
    lines.set(name, [...(lines.get(name) ?? []), run])
  }
  const rows = [...lines].sort(([a], [b]) => a.localeCompare(b))
  const narrow = width < 560
  const [rowHeight, left, top, bottom] = [narrow ? 40 : 30, narrow ? 8 : 220, 4, 22]
  const height = top + rows.length * rowHeight + bottom
  const x = scaleTime([now - hours * 3_600_000, now], [left, Math.max(left + 1, width - 22)])
  return (
    <div ref={box} style={{ minHeight: height }} role="group" aria-label={label}>
      {width > 0 && (
        <svg className="chart" width={width} height={height} aria-hidden>
          {x.ticks(Math.max(3, Math.floor((width - left) / 110))).map((tick) => (
            <g key={+tick}>
              <line className="axis" x1={x(tick)} x2={x(tick)} y1={top} y2={height - bottom} />
              <text x={x(tick)} y={height - 6} textAnchor="middle">
                {timeLabel(tick, x.domain() as [Date, Date], i18n.language)}
              </text>
            </g>
          ))}
          {rows.map(([name, list], i) => {
            const y = top + i * rowHeight
            return (
              <g key={name}>
                <line className="axis" x1={left} x2={width} y1={y + rowHeight} y2={y + rowHeight} />
                <text
                  x={narrow ? left : left - 12}
                  y={y + (narrow ? 13 : rowHeight / 2 + 4)}
                  textAnchor={narrow ? 'start' : 'end'}
                >
                  {name}
                </text>
                {[...list]
                  .sort((a, b) => Number(a.status === 'failure') - Number(b.status === 'failure'))
                  .map((run) => {
                    const from = Date.parse(run.started_at ?? run.created_at)
                    const to = run.ended_at ? Date.parse(run.ended_at) : now
                    const begin = Math.max(left, x(from))
                    return (
                      <Link key={run.id} to="/runs/$runId" params={{ runId: run.id }} tabIndex={-1} preload={false}>
                        <rect
                          className={`bar f-${toneOf(run.status)}`}
                          x={begin}
                          y={y + (narrow ? 18 : 7)}
                          width={Math.max(4, x(to) - begin)}
                          height={16}
                        >
                          <title>
                            {[
                              shortId(run.id),
                              t(`status.${run.status}`),
                              dateTime(new Date(from), i18n.language),
                              duration(to - from, i18n.language),
                            ].join(' · ')}
                          </title>
                        </rect>
                      </Link>
                    )
                  })}
              </g>
            )
          })}
        </svg>
      )}
    </div>
  )
}
