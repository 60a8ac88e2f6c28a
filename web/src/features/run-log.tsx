import type { Event } from '@parliament-explorer/sdk'
import { useVirtualizer } from '@tanstack/react-virtual'
import { ArrowDownToLine, ArrowUpToLine, Download } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { type KeyboardEvent, memo, useCallback, useEffect, useId, useMemo, useRef, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { levels } from '../app/search'
import { toast } from '../app/toasts'
import { clock, shortId, utc } from '../lib/format'
import { useDraft } from '../lib/draft'
import { formatLines, formatLog, IncrementalFilter, type Level, type Log, type LogFilter } from '../lib/log'
import { copy, Field } from '../ui/basics'
import { Problem } from '../ui/problem'

const rowHeight = 24

/** A run's log. Only the visible lines are in the page, so that a log can have any length. */
export function RunLog({
  runId,
  log,
  steps,
  filter,
  target,
  running,
  onFilter,
}: {
  runId: string
  log: Log
  steps: string[]
  filter: LogFilter
  target?: number
  running: boolean
  onFilter: (filter: LogFilter) => void
}) {
  const { t } = useTranslation()
  const box = useRef<HTMLDivElement>(null)
  const keysId = useId()
  const filtered = useMemo(() => new IncrementalFilter(filter), [filter])
  const rows = filtered.of(log.events)
  const [chosen, setFollow] = useState<boolean>()
  const follow = chosen ?? (running && target === undefined)
  const [expanded, setExpanded] = useState<ReadonlySet<number>>(() => new Set(target === undefined ? [] : [target]))

  const virtual = useVirtualizer({
    count: rows.length,
    getScrollElement: () => box.current,
    estimateSize: () => rowHeight,
    overscan: 12,
    getItemKey: (i) => rows[i]?.id ?? i,
  })

  // While following, the last line stays visible.
  useEffect(() => {
    if (follow && rows.length > 0) virtual.scrollToIndex(rows.length - 1, { align: 'end' })
  }, [follow, rows.length, virtual])

  // A link to a line scrolls to it as soon as it is loaded.
  const reached = useRef(false)
  useEffect(() => {
    if (target === undefined || reached.current) return
    const index = rows.findIndex((e) => e.id === target)
    if (index < 0) return
    reached.current = true
    virtual.scrollToIndex(index, { align: 'center' })
  }, [target, rows, rows.length, virtual])

  const onScroll = () => {
    const el = box.current
    // Scrolling up stops following. Scrolling to the end does not start it.
    if (
      follow &&
      el &&
      el.scrollHeight - el.scrollTop - el.clientHeight > rowHeight * 4 &&
      (virtual.scrollDirection === 'backward' || virtual.scrollDirection === null) &&
      virtual.isScrolling
    )
      setFollow(false)
  }
  const onKey = useLogKeys(rows.length, (index) => {
    setFollow(false)
    virtual.scrollToIndex(index, { align: 'auto' })
  })
  const shown = useRef({ rows, virtual, expanded })
  useEffect(() => {
    shown.current = { rows, virtual, expanded }
  })
  const toggle = useCallback((id: number) => {
    const { rows, virtual, expanded } = shown.current
    const next = new Set(expanded)
    if (next.delete(id)) {
      const index = rows.findIndex((e) => e.id === id)
      if (index >= 0) virtual.resizeItem(index, rowHeight)
    } else next.add(id)
    setExpanded(next)
  }, [])
  const link = useCallback(
    (id: number) => {
      const url = new URL(location.href)
      url.searchParams.set('event', String(id))
      void copy(url.href).then((done) => done && toast.good(t('log.linked')))
    },
    [t],
  )
  const words = useMemo(() => ({ permalink: t('log.permalink'), attempt: t('run.attempt', { n: '' }).trim() }), [t])
  return (
    <div className="card">
      <header style={{ flexWrap: 'wrap' }}>
        <LogFilters steps={steps} filter={filter} onFilter={onFilter} />
        <div className="row wrap">
          <label className="row" style={{ gap: '0.4rem' }}>
            <input type="checkbox" checked={follow} onChange={(e) => setFollow(e.target.checked)} />
            {t('log.follow')}
          </label>
          <button
            type="button"
            className="btn ghost icon"
            aria-label={t('log.top')}
            title={t('log.top')}
            onClick={() => (setFollow(false), virtual.scrollToIndex(0))}
          >
            <ArrowUpToLine size={16} aria-hidden />
          </button>
          <button
            type="button"
            className="btn ghost icon"
            aria-label={t('log.bottom')}
            title={t('log.bottom')}
            onClick={() => virtual.scrollToIndex(rows.length - 1, { align: 'end' })}
          >
            <ArrowDownToLine size={16} aria-hidden />
          </button>
          <DropdownMenu.Root modal={false}>
            <DropdownMenu.Trigger className="btn small" disabled={rows.length === 0}>
              <Download size={15} aria-hidden />
              {t('log.download')}
            </DropdownMenu.Trigger>
            <DropdownMenu.Portal>
              <DropdownMenu.Content className="menu" align="end">
                <DropdownMenu.Item className="menu-item" onSelect={() => download(runId, 'log', formatLog(rows))}>
                  {t('log.asText')}
                </DropdownMenu.Item>
                <DropdownMenu.Item className="menu-item" onSelect={() => download(runId, 'jsonl', formatLines(rows))}>
                  {t('log.asLines')}
                </DropdownMenu.Item>
              </DropdownMenu.Content>
            </DropdownMenu.Portal>
          </DropdownMenu.Root>
        </div>
      </header>
      {log.error !== undefined && <Problem error={log.error} />}
      <p id={keysId} className="sr-only">
        {t('log.keys')}
      </p>
      {/* The log scrolls, so keyboard users must be able to focus it. */}
      {/* eslint-disable-next-line jsx-a11y/no-noninteractive-element-interactions -- arrow keys move in it */}
      <div
        className="log"
        ref={box}
        // eslint-disable-next-line jsx-a11y/no-noninteractive-tabindex -- it scrolls
        tabIndex={0}
        role="region"
        aria-label={t('log.label')}
        aria-describedby={keysId}
        onScroll={onScroll}
        onKeyDown={onKey}
        data-lines={rows.length}
        data-complete={log.complete}
      >
        {rows.length === 0 ? (
          <p className="empty">{log.events.length > 0 ? t('log.noMatch') : t('log.waiting')}</p>
        ) : (
          <div style={{ height: virtual.getTotalSize(), position: 'relative' }}>
            {virtual.getVirtualItems().map((item) => {
              const event = rows[item.index]
              return (
                event && (
                  // Only expanded lines need to be measured.
                  <div
                    key={item.key}
                    ref={expanded.has(event.id) ? virtual.measureElement : undefined}
                    data-index={item.index}
                    className="log-place"
                    style={{ transform: `translateY(${item.start}px)` }}
                  >
                    <Line
                      event={event}
                      open={expanded.has(event.id)}
                      target={event.id === target}
                      toggle={toggle}
                      link={link}
                      words={words}
                    />
                  </div>
                )
              )
            })}
          </div>
        )}
      </div>
      <p
        className="row between wrap small muted"
        style={{ padding: '0.4rem 1rem', borderTop: '1px solid var(--line)', minHeight: '2.2rem' }}
      >
        <span className="num">{t('log.lines', { count: log.events.length, shown: rows.length })}</span>
        <span role="status">{log.lost ? t('log.reconnecting') : running ? t('log.live') : ''}</span>
      </p>
    </div>
  )
}

/**
 * The keys of the log, which is one Tab stop: up and down, Page Up and Page Down, Home and End go to a line, left and
 * right to its message and its link. `reveal` scrolls to a line, so that it is in the page.
 */
function useLogKeys(count: number, reveal: (index: number) => void) {
  return (event: KeyboardEvent<HTMLDivElement>) => {
    const box = event.currentTarget
    const at = document.activeElement?.closest<HTMLElement>('.log-place')
    const link = document.activeElement?.classList.contains('act') ?? false
    const page = Math.max(1, Math.floor(box.clientHeight / rowHeight) - 1)
    const now = at ? Number(at.dataset.index) : firstVisible(box) - 1
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -count, End: count }
    const step = steps[event.key as keyof typeof steps]
    const sideways = event.key === 'ArrowRight' || event.key === 'ArrowLeft'
    if (count === 0 || event.ctrlKey || event.metaKey || event.altKey) return
    if (step === undefined && !(sideways && at)) return
    event.preventDefault()
    const to = Math.min(count - 1, Math.max(0, now + (step ?? 0)))
    const part = (sideways ? event.key === 'ArrowRight' : link) ? '.act' : '.message'
    const focus = () => {
      const line = box.querySelector<HTMLElement>(`.log-place[data-index="${to}"] ${part}`)
      line?.focus({ preventScroll: true })
      return line !== null
    }
    reveal(to)
    // A line that was far away is in the page after the next frame.
    if (!focus()) requestAnimationFrame(() => focus() || requestAnimationFrame(focus))
  }
}

/** The index of the first line in view. */
function firstVisible(box: HTMLElement): number {
  const top = box.getBoundingClientRect().top
  const lines = [...box.querySelectorAll<HTMLElement>('.log-place')]
  const first = lines
    .filter((line) => line.getBoundingClientRect().top >= top - 1)
    .map((line) => Number(line.dataset.index))
  return first.length > 0 ? Math.min(...first) : 0
}

/** The filters of the log, by level, step and text. */
function LogFilters({
  steps,
  filter,
  onFilter,
}: {
  steps: string[]
  filter: LogFilter
  onFilter: (filter: LogFilter) => void
}) {
  const { t } = useTranslation()
  const [text, setText] = useDraft(filter.text ?? '', (value) => onFilter({ ...filter, text: value || undefined }))
  return (
    <div className="filters" role="search">
      <Field label={t('log.level')} id="log-level">
        <select
          id="log-level"
          value={filter.level ?? ''}
          onChange={(e) => onFilter({ ...filter, level: (e.target.value || undefined) as Level | undefined })}
        >
          <option value="">{t('log.levelAll')}</option>
          {levels.slice(1).map((l) => (
            <option key={l} value={l}>
              {l === 'error' ? t('log.error') : t('log.levelMin', { level: t(`log.${l}`) })}
            </option>
          ))}
        </select>
      </Field>
      {steps.length > 1 && (
        <Field label={t('log.step')} id="log-step">
          <select
            id="log-step"
            value={filter.step ?? ''}
            onChange={(e) => onFilter({ ...filter, step: e.target.value || undefined })}
          >
            <option value="">{t('log.allSteps')}</option>
            {steps.map((s) => (
              <option key={s}>{s}</option>
            ))}
          </select>
        </Field>
      )}
      <Field label={t('log.text')} id="log-text">
        <input
          id="log-text"
          type="search"
          value={text}
          placeholder={t('log.textPlaceholder')}
          onChange={(e) => setText(e.target.value)}
        />
      </Field>
    </div>
  )
}

/** Saves the shown lines of the log as a text file. */
function download(runId: string, ending: 'log' | 'jsonl', text: string): void {
  const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }))
  const link = document.createElement('a')
  link.href = url
  link.download = `run-${shortId(runId)}.${ending}`
  link.click()
  URL.revokeObjectURL(url)
}

const successTypes = new Set(['run_success', 'step_success', 'materialization'])

/** One line of the log. It renders for every line that becomes visible, so it does as little work as possible. */
const Line = memo(function Line({
  event,
  open,
  target,
  toggle,
  link,
  words,
}: {
  event: Event
  open: boolean
  target: boolean
  toggle: (id: number) => void
  link: (id: number) => void
  words: { permalink: string; attempt: string }
}) {
  const at = new Date(event.at)
  return (
    <div className={`log-row ${event.level}${target ? ' target' : ''}`} data-event={event.id}>
      <time dateTime={event.at} title={utc(at)}>
        {clock(at)}
      </time>
      <span className={`level lv-${event.level}`}>{event.level}</span>
      <span className="asset">{event.asset}</span>
      <button
        type="button"
        className={successTypes.has(event.type) ? 'message ev-good' : 'message'}
        tabIndex={-1}
        aria-expanded={open}
        onClick={() => toggle(event.id)}
      >
        {event.message}
      </button>
      <button
        type="button"
        className="act"
        tabIndex={-1}
        aria-label={words.permalink}
        title={words.permalink}
        onClick={() => link(event.id)}
      >
        #
      </button>
      {open && (
        <div className="data">
          {event.type}
          {event.attempt !== null && event.attempt > 1 ? ` · ${words.attempt} ${event.attempt}` : ''} · #{event.id}
          {event.data && '\n' + JSON.stringify(event.data, null, 2)}
        </div>
      )}
    </div>
  )
})
