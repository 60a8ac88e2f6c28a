import { extent } from 'd3-array'
import { scaleLinear, scaleTime } from 'd3-scale'
import { line } from 'd3-shape'
import { useTranslation } from 'react-i18next'

import { clock, dateTime, number, regional } from '../lib/format'
import { partitionsToTell } from '../lib/metadata'
import { useWidth } from '../lib/size'

interface Point {
  at: number
  value: number
  partition?: string
  href?: string
}

/** A number over time, with axes and a line for each partition. Hovering shows each value. */
export function Plot({ points, name }: { points: Point[]; name: string }) {
  const { t } = useTranslation()
  const told = partitionsToTell(points)
  const others = new Set(points.map((p) => p.partition)).size - told.length
  return (
    <>
      <Lines points={points} name={name} told={told} />
      {told.length > 0 && (
        <ul className="legend small">
          {told.map((partition, i) => (
            <li key={partition}>
              <Swatch n={i + 1} /> {partition}
            </li>
          ))}
          {others > 0 && (
            <li>
              <Swatch n={0} /> {t('assets.plotOthers', { count: others })}
            </li>
          )}
        </ul>
      )}
    </>
  )
}

function Swatch({ n }: { n: number }) {
  return (
    <svg className="chart" width={22} height={8} aria-hidden>
      <line className={`series series-${n}`} x1={0} x2={22} y1={4} y2={4} />
    </svg>
  )
}

/** The lines of a plot. `told` are the partitions that have a colour; other lines are grey. */
function Lines({ points, name, told }: { points: Point[]; name: string; told: string[] }) {
  const { t, i18n } = useTranslation()
  const [box, width] = useWidth<HTMLDivElement>()
  const height = 150
  const [left, right, top, bottom] = [52, 12, 10, 22]
  const [low = 0, high = 0] = extent(points, (p) => p.value)
  const last = points[points.length - 1]!
  const x = scaleTime(extent(points, (p) => p.at) as [number, number], [left, Math.max(left + 1, width - right)])
  if (points.length === 1) x.domain([last.at - 60_000, last.at + 60_000])
  const y = scaleLinear(low >= 0 && high <= 1 ? [0, 1] : [Math.min(0, low), high], [height - bottom, top]).nice(4)
  const colour = (partition?: string) => (told.length > 0 ? `series-${told.indexOf(partition ?? '') + 1}` : undefined)
  const label = t('assets.plotLabel', {
    name,
    count: points.length,
    latest: number(last.value, i18n.language),
    min: number(Math.min(...points.map((p) => p.value)), i18n.language),
    max: number(Math.max(...points.map((p) => p.value)), i18n.language),
  })
  return (
    <div ref={box} style={{ height }}>
      {width > 0 && (
        <svg className="chart" width={width} height={height} role="img" aria-label={label}>
          {y.ticks(4).map((tick) => (
            <g key={tick}>
              <line className="axis" x1={left} x2={width - right} y1={y(tick)} y2={y(tick)} />
              <text x={left - 7} y={y(tick) + 4} textAnchor="end">
                {tick.toLocaleString(regional(i18n.language), { notation: 'compact', maximumFractionDigits: 2 })}
              </text>
            </g>
          ))}
          {x.ticks(Math.max(2, Math.floor(width / 110))).map((tick) => (
            <text key={+tick} x={x(tick)} y={height - 5} textAnchor={x(tick) > width - 32 ? 'end' : 'middle'}>
              {timeLabel(tick, x.domain() as [Date, Date], i18n.language)}
            </text>
          ))}
          {[...Map.groupBy(points, (p) => p.partition)].map(([partition, of]) => (
            <path
              key={partition ?? ''}
              className={['series', colour(partition)].join(' ')}
              data-partition={partition}
              d={
                line<Point>(
                  (p) => x(p.at),
                  (p) => y(p.value),
                )(of) ?? ''
              }
            />
          ))}
          {points.map((p, i) => (
            <circle
              key={i}
              className={['point', colour(p.partition)].join(' ')}
              cx={x(p.at)}
              cy={y(p.value)}
              r={points.length > 60 ? 2 : 3.2}
            >
              <title>
                {[p.partition, number(p.value, i18n.language), dateTime(new Date(p.at), i18n.language)]
                  .filter(Boolean)
                  .join(' · ')}
              </title>
            </circle>
          ))}
        </svg>
      )}
    </div>
  )
}

/** The label of a tick on a time axis, as short as the axis' span allows. */
export function timeLabel(tick: Date, [from, to]: [Date, Date], language: string): string {
  const locale = regional(language)
  const span = +to - +from
  if (span > 3 * 86_400_000) return tick.toLocaleDateString(locale, { month: 'short', day: 'numeric' })
  // At midnight, the day says more than 00:00.
  if (span > 3 * 3_600_000 && tick.getHours() === 0 && tick.getMinutes() === 0)
    return tick.toLocaleDateString(locale, { month: 'short', day: 'numeric' })
  if (span > 10 * 60_000)
    return tick.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' })
  if (span < 10_000) return clock(tick)
  return tick.toLocaleTimeString(locale, { hour: '2-digit', minute: '2-digit', second: '2-digit', hourCycle: 'h23' })
}
