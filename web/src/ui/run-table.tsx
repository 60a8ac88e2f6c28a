import type { Run } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { MoreHorizontal } from 'lucide-react'
import { DropdownMenu } from 'radix-ui'
import { useTranslation } from 'react-i18next'

import { shortId } from '../lib/format'
import { useRefusal } from './act'
import { hasEnded, isActive, useCancel, useRetry } from './actions'
import { Duration, StatusBadge, Time } from './basics'
import { RunLink, RunSubject, TriggerText } from './links'

export interface Selection {
  ids: ReadonlySet<string>
  change: (ids: ReadonlySet<string>) => void
}

/** Runs, newest first. With a selection, several runs can be selected for an action. */
export function RunTable({ runs, selection }: { runs: Run[]; selection?: Selection }) {
  const { t } = useTranslation()
  const all = selection !== undefined && runs.length > 0 && runs.every((r) => selection.ids.has(r.id))
  const toggle = (id: string) => {
    const next = new Set(selection!.ids)
    if (!next.delete(id)) next.add(id)
    selection!.change(next)
  }
  return (
    <div className="table-wrap">
      <table className="blocks">
        <thead>
          <tr>
            {selection && (
              <th className="tick">
                <input
                  type="checkbox"
                  aria-label={t('runs.selectAll')}
                  checked={all}
                  onChange={() => selection.change(all ? new Set() : new Set(runs.map((r) => r.id)))}
                />
              </th>
            )}
            <th>{t('runs.run')}</th>
            <th>{t('runs.status')}</th>
            <th>{t('runs.job')}</th>
            <th>{t('runs.trigger')}</th>
            <th>{t('runs.created')}</th>
            <th className="right">{t('runs.duration')}</th>
            <th>
              <span className="sr-only">{t('app.actions')}</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {runs.map((run) => (
            <tr key={run.id}>
              {selection && (
                <td className="tick">
                  <input
                    type="checkbox"
                    aria-label={t('runs.select', { id: shortId(run.id) })}
                    checked={selection.ids.has(run.id)}
                    onChange={() => toggle(run.id)}
                  />
                </td>
              )}
              <td>
                <RunLink id={run.id} />
              </td>
              <td>
                <StatusBadge status={run.status} />
              </td>
              <td>
                <RunSubject run={run} />
                {Object.keys(run.tags).length > 0 && (
                  <span className="row wrap" style={{ gap: '0.2rem', marginTop: '0.15rem' }}>
                    {Object.entries(run.tags).map(([key, value]) => (
                      <Link key={key} to="/runs" search={{ tag: `${key}:${value}` }} className="tag">
                        {key}:{value}
                      </Link>
                    ))}
                  </span>
                )}
              </td>
              <td className="small" data-label={t('runs.trigger')}>
                <TriggerText run={run} />
              </td>
              <td className="small" data-label={t('runs.created')}>
                <Time at={run.created_at} />
              </td>
              <td className="right small" data-label={t('runs.duration')}>
                {run.status === 'queued' ? (
                  <span className="muted">–</span>
                ) : (
                  <Duration from={run.started_at} to={run.ended_at} />
                )}
              </td>
              <td className="right menu-cell">
                <RunMenu run={run} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  )
}

function RunMenu({ run }: { run: Run }) {
  const { t } = useTranslation()
  const cancel = useCancel()
  const retry = useRetry({ open: false })
  const refusal = useRefusal()
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger className="btn ghost icon" aria-label={t('runs.actionsOf', { id: shortId(run.id) })}>
        <MoreHorizontal size={18} aria-hidden />
      </DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content className="menu" align="end">
          {refusal !== undefined && <DropdownMenu.Label className="menu-item muted">{refusal}</DropdownMenu.Label>}
          <DropdownMenu.Item
            className="menu-item"
            disabled={refusal !== undefined || !isActive(run)}
            onSelect={() => cancel.mutate(run.id)}
          >
            {t('runs.cancel')}
          </DropdownMenu.Item>
          <DropdownMenu.Item
            className="menu-item"
            disabled={refusal !== undefined || !hasEnded(run)}
            onSelect={() => retry.mutate({ id: run.id, fromFailure: false })}
          >
            {t('runs.retry')}
          </DropdownMenu.Item>
          <DropdownMenu.Item
            className="menu-item"
            disabled={refusal !== undefined || !hasEnded(run) || run.status === 'success'}
            onSelect={() => retry.mutate({ id: run.id, fromFailure: true })}
          >
            {t('runs.retryFromFailure')}
          </DropdownMenu.Item>
          <DropdownMenu.Item className="menu-item" asChild>
            <Link to="/launch" search={{ run: run.id }}>
              {t('run.edit')}
            </Link>
          </DropdownMenu.Item>
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  )
}
