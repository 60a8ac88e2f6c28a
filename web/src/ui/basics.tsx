import {
  Ban,
  Check,
  CheckCircle2,
  CircleDashed,
  CircleX,
  Clock,
  Copy as CopyIcon,
  Hourglass,
  Loader,
  type LucideIcon,
  RotateCw,
  SkipForward,
  TriangleAlert,
} from 'lucide-react'
import { type ReactNode, useEffect, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { dateTime, duration, relative, utc } from '../lib/format'
import { useNow } from '../lib/now'
import { usePlaceholder } from '../lib/settling'
import { Guard } from './guard'

export type Tone = 'good' | 'bad' | 'busy' | 'warn' | 'idle'

const statusLooks = {
  queued: ['idle', Clock],
  started: ['busy', Loader],
  success: ['good', CheckCircle2],
  failure: ['bad', CircleX],
  canceling: ['warn', Loader],
  canceled: ['idle', Ban],
  waiting: ['idle', Hourglass],
  up_for_retry: ['warn', RotateCw],
  skipped: ['idle', SkipForward],
  partial_success: ['warn', TriangleAlert],
  source_unavailable: ['bad', CircleX],
} as const satisfies Record<string, readonly [Tone, LucideIcon]>

export type Status = keyof typeof statusLooks

export function toneOf(status: Status): Tone {
  return statusLooks[status]?.[0] ?? 'idle'
}

/** A status, shown by colour, icon and word. */
export function StatusBadge({ status }: { status: Status }) {
  const { t } = useTranslation()
  const [tone, Icon] = statusLooks[status] ?? ['idle', CircleDashed]
  return (
    <span className={`badge ${tone}`} data-status={status}>
      <Icon size={14} aria-hidden className={status === 'started' || status === 'canceling' ? 'spin' : undefined} />
      {t(`status.${status}`)}
    </span>
  )
}

/** A time: its age or its date. The other one, and UTC, show on hover. */
export function Time({ at, absolute }: { at: string; absolute?: boolean }) {
  return absolute ? <AbsoluteTime at={at} /> : <RelativeTime at={at} />
}

function AbsoluteTime({ at }: { at: string }) {
  const { i18n } = useTranslation()
  const date = new Date(at)
  return (
    <time dateTime={at} title={utc(date)} className="date num">
      {dateTime(date, i18n.language)}
    </time>
  )
}

function RelativeTime({ at }: { at: string }) {
  const { i18n } = useTranslation()
  const now = useNow()
  const date = new Date(at)
  return (
    <time dateTime={at} title={`${dateTime(date, i18n.language)} (${utc(date)})`} className="nowrap num">
      {relative(date.getTime(), now, i18n.language)}
    </time>
  )
}

/** The duration of something. Without an end, the time since its start. */
export function Duration({ from, to }: { from: string | null; to: string | null }) {
  if (!from) return <span className="muted">–</span>
  return to ? <FixedDuration ms={Date.parse(to) - Date.parse(from)} /> : <RunningDuration from={from} />
}

function FixedDuration({ ms }: { ms: number }) {
  const { i18n } = useTranslation()
  return <span className="nowrap num">{duration(ms, i18n.language)}</span>
}

function RunningDuration({ from }: { from: string }) {
  const now = useNow()
  return <FixedDuration ms={Math.max(0, Math.floor((now - Date.parse(from)) / 1000) * 1000)} />
}

export function CopyButton({ text, label }: { text: string; label?: string }) {
  const { t } = useTranslation()
  const [done, setDone] = useState(false)
  useEffect(() => {
    if (!done) return
    const timer = setTimeout(() => setDone(false), 1500)
    return () => clearTimeout(timer)
  }, [done])
  return (
    <button
      type="button"
      className="btn ghost icon"
      aria-label={done ? t('app.copied') : (label ?? t('app.copy'))}
      title={label ?? t('app.copy')}
      onClick={() => void copy(text).then(setDone)}
    >
      {done ? <Check size={15} aria-hidden /> : <CopyIcon size={15} aria-hidden />}
    </button>
  )
}

/** Copies a text to the clipboard. Browsers have no clipboard API over plain HTTP, so a text field is used there. */
export async function copy(text: string): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(text)
    return true
  } catch {
    const area = document.createElement('textarea')
    area.value = text
    document.body.append(area)
    area.select()
    const done = document.execCommand('copy')
    area.remove()
    return done
  }
}

export function Command({ children }: { children: string }) {
  return (
    <span className="command">
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls */}
      <code tabIndex={0}>{children}</code>
      <CopyButton text={children} />
    </span>
  )
}

/** A placeholder for an empty list, with the next step to take. */
export function Empty({
  title,
  children,
  command,
  action,
}: {
  title: string
  children?: ReactNode
  command?: string
  action?: ReactNode
}) {
  const { t } = useTranslation()
  return (
    <div className="empty">
      <strong>{title}</strong>
      {children && <p>{children}</p>}
      {action}
      {command && (
        <p className="stack tight" style={{ alignItems: 'center', maxWidth: '100%' }}>
          <span className="small">{t('app.tryCommand')}</span>
          <Command>{command}</Command>
        </p>
      )}
    </div>
  )
}

export function Card({
  title,
  actions,
  children,
  padded = false,
  label,
  level = 2,
}: {
  title?: ReactNode
  actions?: ReactNode
  children: ReactNode
  padded?: boolean
  label?: string
  level?: 2 | 3
}) {
  const H = level === 2 ? 'h2' : 'h3'
  return (
    <section className="card" aria-label={label ?? (typeof title === 'string' ? title : undefined)}>
      {(title || actions) && (
        <header>
          <H>{title}</H>
          {actions}
        </header>
      )}
      <Guard>{padded ? <div className="body">{children}</div> : children}</Guard>
    </section>
  )
}

/** The heading of a page. It is also the title of the browser tab. */
export function PageHead({
  title,
  heading,
  crumbs,
  children,
  actions,
}: {
  title: string
  heading?: ReactNode
  crumbs?: ReactNode[]
  children?: ReactNode
  actions?: ReactNode
}) {
  const { t } = useTranslation()
  useEffect(() => {
    document.title = `${title} · ${t('app.name')}`
  }, [title, t])
  return (
    <div className="page-head">
      <div className="stack tight grow">
        {crumbs && (
          <nav className="crumbs" aria-label={t('app.breadcrumb')}>
            <ol>
              {crumbs.map((crumb, i) => (
                <li key={i}>{crumb}</li>
              ))}
            </ol>
          </nav>
        )}
        <div className="title">
          <h1 className="break">{heading ?? title}</h1>
          {children}
        </div>
      </div>
      {actions && <div className="row wrap">{actions}</div>}
    </div>
  )
}

/** A placeholder while data loads. */
export function Skeleton({ lines = 3, height }: { lines?: number; height?: string }) {
  const { t } = useTranslation()
  usePlaceholder()
  return (
    <div className="stack" style={{ padding: '1rem', minHeight: height }} role="status" aria-label={t('app.loading')}>
      {Array.from({ length: lines }, (_, i) => (
        <div key={i} className="skeleton" style={{ width: `${90 - ((i * 17) % 40)}%` }} />
      ))}
    </div>
  )
}

export function Json({ value, label }: { value: unknown; label: string }) {
  return (
    // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
    <pre className="json" tabIndex={0} role="group" aria-label={label}>
      {JSON.stringify(value, null, 2)}
    </pre>
  )
}

export function LoadMore({
  query,
}: {
  query: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown }
}) {
  const { t } = useTranslation()
  if (!query.hasNextPage) return null
  return (
    <p style={{ padding: '0.75rem 1rem', textAlign: 'center' }}>
      <button type="button" className="btn" disabled={query.isFetchingNextPage} onClick={() => query.fetchNextPage()}>
        {query.isFetchingNextPage ? t('app.loading') : t('app.more')}
      </button>
    </p>
  )
}

/** A field of a filter bar, with its label above its control. */
export function Field({ label, children, id }: { label: string; children: ReactNode; id: string }) {
  return (
    <div className="field">
      <label htmlFor={id}>{label}</label>
      {children}
    </div>
  )
}
