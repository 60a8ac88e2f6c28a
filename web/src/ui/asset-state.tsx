import type { Asset, AssetStatus, CheckResult, LastCheckResult } from '@parliament-explorer/sdk'
import { CheckCircle2, CircleDashed, CircleX, Clock, Loader, type LucideIcon, TriangleAlert } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { dateTime } from '../lib/format'
import { useSaid } from '../lib/said'
import type { Tone } from './basics'

const states = {
  missing: ['idle', CircleDashed],
  materialized: ['good', CheckCircle2],
  failed: ['bad', CircleX],
  running: ['busy', Loader],
} as const satisfies Record<AssetStatus, readonly [Tone, LucideIcon]>

export function stateTone(status: AssetStatus): Tone {
  return states[status][0]
}

/** The status of an asset or a partition. */
export function AssetState({ status }: { status: AssetStatus }) {
  const { t } = useTranslation()
  const [tone, Icon] = states[status]
  return (
    <span className={`badge ${tone}`}>
      <Icon size={14} aria-hidden className={status === 'running' ? 'spin' : undefined} />
      {t(`assets.state_${status}`)}
    </span>
  )
}

const freshness = { fresh: ['good', CheckCircle2], late: ['bad', Clock], unknown: ['idle', CircleDashed] } as const

export function FreshnessBadge({ freshness: f }: { freshness: NonNullable<Asset['freshness']> }) {
  const { t, i18n } = useTranslation()
  const [tone, Icon] = freshness[f.state]
  return (
    <span
      className={`badge ${tone}`}
      title={f.late_at ? t('assets.lateAt', { when: dateTime(new Date(f.late_at), i18n.language) }) : undefined}
    >
      <Icon size={14} aria-hidden />
      {t(`assets.${f.state}`)}
    </span>
  )
}

export function CheckBadge({ result }: { result: CheckResult | LastCheckResult | null }) {
  const { t } = useTranslation()
  const [tone, Icon, words] = !result
    ? (['idle', CircleDashed, t('assets.notChecked')] as const)
    : result.passed
      ? (['good', CheckCircle2, t('assets.passed')] as const)
      : result.severity === 'error'
        ? (['bad', CircleX, t('assets.failedCheck')] as const)
        : (['warn', TriangleAlert, t('assets.failedCheck')] as const)
  return (
    <span className={`badge ${tone}`}>
      <Icon size={14} aria-hidden />
      {words}
    </span>
  )
}

/** Warnings about an asset: it is late, or its checks fail. */
export function AssetHealth({ asset }: { asset: Asset }) {
  const said = useSaid()
  const { t } = useTranslation()
  const failing = asset.checks.filter((c) => c.last_result && !c.last_result.passed)
  const bad = failing.some((c) => c.severity === 'error')
  return (
    <span className="row wrap grow" style={{ justifyContent: 'flex-end' }}>
      {failing.length > 0 && (
        <span
          className={`badge ${bad ? 'bad' : 'warn'}`}
          title={failing
            .map((c) => `${c.name}: ${said(c.last_result?.message, c.last_result?.message_i18n)}`)
            .join('\n')}
        >
          <TriangleAlert size={14} aria-hidden />
          {t('assets.checksFail', { count: failing.length })}
        </span>
      )}
      {asset.freshness && asset.freshness.state !== 'unknown' && <FreshnessBadge freshness={asset.freshness} />}
    </span>
  )
}
