import type { Backfill, BackfillPartitionStatus, BackfillStatus } from '@parliament-explorer/sdk'
import { Ban, CheckCircle2, CircleX, Clock, Loader, type LucideIcon, Pause } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import type { Tone } from './basics'

const statusLooks = {
  pending: ['idle', Clock],
  running: ['busy', Loader],
  paused: ['warn', Pause],
  canceling: ['warn', Loader],
  canceled: ['idle', Ban],
  success: ['good', CheckCircle2],
  failure: ['bad', CircleX],
} as const satisfies Record<BackfillStatus | BackfillPartitionStatus, readonly [Tone, LucideIcon]>

export function BackfillBadge({ status }: { status: BackfillStatus | BackfillPartitionStatus }) {
  const { t } = useTranslation()
  const [tone, Icon] = statusLooks[status]
  return (
    <span className={`badge ${tone}`}>
      <Icon size={14} aria-hidden className={status === 'running' ? 'spin' : undefined} />
      {t(`backfills.status_${status}`)}
    </span>
  )
}

/** The parts of a backfill's bar, in its order. */
const parts = [
  ['success', 'good', 'backfills.succeeded'],
  ['failure', 'bad', 'backfills.failed'],
  ['canceled', 'idle', 'backfills.canceled'],
  ['notStarted', 'empty', 'backfills.notStarted'],
  ['running', 'busy', 'backfills.runningCount'],
  ['pending', 'empty', 'backfills.pending'],
] as const

/** The number of partitions in each part. The server counts those not started as canceled too. */
export function partsOf({ counts }: Pick<Backfill, 'counts'>): Record<(typeof parts)[number][0], number> {
  return {
    success: counts.success,
    failure: counts.failure,
    canceled: Math.max(0, counts.canceled - counts.not_started),
    notStarted: counts.not_started,
    running: counts.running,
    pending: counts.pending,
  }
}

/** The progress of a backfill, as a bar and as text. Both say what became of each partition. */
export function BackfillProgress({ backfill }: { backfill: Backfill }) {
  const { t } = useTranslation()
  const { total } = backfill
  const numbers = partsOf(backfill)
  const done = numbers.success + numbers.failure
  const words = parts
    .filter(([part]) => numbers[part] > 0)
    .map(([part, , text]) => t(text, { count: numbers[part] }))
    .join(' · ')
  const text = [t('backfills.done', { done, total }), words].filter(Boolean).join(' · ')
  return (
    <div className="stack tight" style={{ minWidth: '9rem' }}>
      <div
        className="progress parts"
        role="progressbar"
        aria-label={t('backfills.progressLabel')}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
        aria-valuetext={text}
      >
        {parts.map(
          ([part, tone, text]) =>
            numbers[part] > 0 && (
              <div
                key={part}
                className={tone}
                data-part={part}
                title={t(text, { count: numbers[part] })}
                style={{ width: `${(100 * numbers[part]) / Math.max(total, 1)}%` }}
              />
            ),
        )}
      </div>
      <span className="small muted num">{t('backfills.done', { done, total })}</span>
      {words && <span className="small muted num">{words}</span>}
    </div>
  )
}
