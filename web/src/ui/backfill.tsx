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

/** The progress of a backfill, as a bar and as text. */
export function BackfillProgress({ backfill }: { backfill: Backfill }) {
  const { t } = useTranslation()
  const { counts, total } = backfill
  const done = counts.success + counts.failure
  const canceled = counts.canceled - counts.not_started
  return (
    <div className="stack tight" style={{ minWidth: '9rem' }}>
      <div
        className="progress"
        role="progressbar"
        aria-label={t('backfills.progressLabel')}
        aria-valuemin={0}
        aria-valuemax={total}
        aria-valuenow={done}
      >
        <div
          style={{
            width: `${(100 * done) / Math.max(total, 1)}%`,
            background: counts.failure > 0 ? 'var(--bad)' : backfill.status === 'success' ? 'var(--good)' : undefined,
          }}
        />
      </div>
      <span className="small muted num">
        {t('backfills.done', { done, total })}
        {counts.failure > 0 && (
          <span style={{ color: 'var(--bad)' }}> · {t('backfills.failed', { count: counts.failure })}</span>
        )}
        {canceled > 0 && <> · {t('backfills.canceled', { count: canceled })}</>}
        {counts.not_started > 0 && <> · {t('backfills.notStarted', { count: counts.not_started })}</>}
      </span>
    </div>
  )
}
