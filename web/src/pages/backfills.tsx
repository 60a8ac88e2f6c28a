import { type BackfillPlan, startBackfill, type StartBackfillRequest } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { History } from 'lucide-react'
import { useState } from 'react'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { assetsQuery, backfillsQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { serverFlag } from '../lib/base'
import { shortId } from '../lib/format'
import { Act } from '../ui/act'
import { newIdempotencyKey } from '../ui/actions'
import { BackfillBadge, BackfillProgress } from '../ui/backfill'
import { Card, Empty, Field, LoadMore, PageHead, Time } from '../ui/basics'
import { Choice } from '../ui/choice'
import { AssetLinks } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'
import { Problem } from '../ui/problem'

export function Backfills() {
  const { t } = useTranslation()
  useSystemStatus() // updates the progress
  const query = useInfiniteQuery(backfillsQuery)
  return (
    <div className="page">
      <PageHead title={t('backfills.title')} />
      <BackfillForm />
      <Card label={t('backfills.title')} title={t('backfills.all')}>
        <Loaded query={itemsOf(query)} lines={4}>
          {(items) =>
            items.length === 0 ? (
              <Empty
                title={t('backfills.none')}
                command={`explorer backfill start fetch_parliament_session_bills --only missing --dry-run${serverFlag}`}
              >
                {t('backfills.noneText')}
              </Empty>
            ) : (
              <div className="table-wrap">
                <table className="blocks">
                  <thead>
                    <tr>
                      <th>{t('backfills.created')}</th>
                      <th>{t('backfills.assets')}</th>
                      <th>{t('backfills.status')}</th>
                      <th>{t('backfills.progress')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {items.map((b) => (
                      <tr key={b.id}>
                        <td>
                          <Link to="/backfills/$backfillId" params={{ backfillId: b.id }} className="mono" title={b.id}>
                            {shortId(b.id)}
                          </Link>
                          <p className="muted small">
                            <Time at={b.created_at} />
                          </p>
                        </td>
                        <td>
                          <AssetLinks names={b.assets} />
                        </td>
                        <td data-label={t('backfills.status')}>
                          <BackfillBadge status={b.status} />
                        </td>
                        <td>
                          <BackfillProgress backfill={b} />
                        </td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
    </div>
  )
}

/** The form for a new backfill, with a preview of its plan. */
function BackfillForm() {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const search = useSearch({ from: '/backfills' })
  const assets = useQuery(assetsQuery)
  const [selection, setSelection] = useState(search.selection ?? '')
  const [from, setFrom] = useState('')
  const [to, setTo] = useState('')
  const [only, setOnly] = useState<StartBackfillRequest['only']>('missing')
  const [concurrency, setConcurrency] = useState('2')
  const [plan, setPlan] = useState<BackfillPlan>()
  const request = (): StartBackfillRequest => ({
    selection: selection.trim(),
    only,
    concurrency: Number(concurrency),
    range: from.trim() || to.trim() ? { from: from.trim() || undefined, to: to.trim() || undefined } : undefined,
  })
  const dry = useMutation({
    mutationFn: () => startBackfill({ body: { ...request(), dry_run: true } }),
    onSuccess: ({ data }) => setPlan(data as BackfillPlan),
    onError: () => setPlan(undefined),
  })
  const start = useMutation({
    mutationFn: () => startBackfill({ body: request(), headers: { 'Idempotency-Key': newIdempotencyKey() } }),
    onSuccess: ({ data }) => {
      const { id } = data as { id: string }
      toast.good(t('assets.backfillStarted', { id: shortId(id) }))
      void navigate({ to: '/backfills/$backfillId', params: { backfillId: id } })
    },
  })
  const edit = (set: () => void) => {
    set()
    setPlan(undefined)
    dry.reset()
    start.reset()
  }
  const error = start.error ?? dry.error
  return (
    <Card title={t('backfills.start')} padded>
      <form
        className="stack"
        onSubmit={(e) => {
          e.preventDefault()
          dry.mutate()
        }}
      >
        <div className="filters">
          <Field label={t('backfills.selection')} id="bf-assets">
            <input
              id="bf-assets"
              type="text"
              list="bf-list"
              required
              value={selection}
              maxLength={1000}
              spellCheck={false}
              style={{ width: '20rem' }}
              aria-describedby="bf-help"
              onChange={(e) => edit(() => setSelection(e.target.value))}
            />
            <datalist id="bf-list">
              {assets.data
                ?.filter((a) => a.partitions)
                .map((a) => (
                  <option key={a.name} value={a.name} />
                ))}
            </datalist>
          </Field>
          <Field label={t('backfills.from')} id="bf-from">
            <input
              id="bf-from"
              type="text"
              value={from}
              maxLength={201}
              style={{ width: '9rem' }}
              aria-describedby="bf-help"
              onChange={(e) => edit(() => setFrom(e.target.value))}
            />
          </Field>
          <Field label={t('backfills.to')} id="bf-to">
            <input
              id="bf-to"
              type="text"
              value={to}
              maxLength={201}
              style={{ width: '9rem' }}
              aria-describedby="bf-help"
              onChange={(e) => edit(() => setTo(e.target.value))}
            />
          </Field>
          <Choice
            id="bf-only"
            label={t('backfills.only')}
            value={only}
            all={t('backfills.onlyAll')}
            options={[
              ['missing', t('backfills.onlyMissing')],
              ['failed', t('backfills.onlyFailed')],
            ]}
            onChange={(v) => edit(() => setOnly(v))}
          />
          <Field label={t('backfills.concurrency')} id="bf-at">
            <input
              id="bf-at"
              type="number"
              min={1}
              max={100}
              required
              value={concurrency}
              style={{ width: '5rem', minWidth: '5rem' }}
              onChange={(e) => edit(() => setConcurrency(e.target.value))}
            />
          </Field>
          <Act type="submit" className="btn" disabled={dry.isPending || selection.trim() === ''}>
            {t('backfills.dryRun')}
          </Act>
        </div>
        <p id="bf-help" className="muted small">
          {t('backfills.selectionHelp')} {t('backfills.rangeHelp')}
        </p>
        <div role="status" className="stack">
          {error && <Problem error={error} />}
          {plan && plan.runs === 0 && <p>{t('backfills.planNone')}</p>}
          {plan && plan.runs > 0 && (
            <>
              <p>{t('backfills.plan', { count: plan.runs, at: plan.concurrency, set: plan.partition_set })}</p>
              <p className="mono small break">
                {plan.partitions.slice(0, 40).join(', ')}
                {plan.partitions.length > 40 && `, … ${plan.partitions.at(-1)}`}
              </p>
            </>
          )}
        </div>
        {plan && plan.runs > 0 && (
          <p>
            <Act className="btn primary" disabled={start.isPending} onClick={() => start.mutate()}>
              <History size={16} aria-hidden />
              {t('backfills.go')}
            </Act>
          </p>
        )}
      </form>
    </Card>
  )
}
