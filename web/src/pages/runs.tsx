import { cancelRun, retryRun } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { ArrowUp } from 'lucide-react'
import { useEffect, useMemo, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { assetsQuery, jobsQuery, type RunFilters, runsQuery } from '../app/queries'
import { periods } from '../app/search'
import { toast } from '../app/toasts'
import { useFilterHistory } from '../lib/filter-history'
import { number } from '../lib/format'
import { useHeldBack, useScrolled } from '../lib/held-back'
import { Act } from '../ui/act'
import { hasEnded, isActive, newIdempotencyKey } from '../ui/actions'
import { Card, Empty, LoadMore, PageHead } from '../ui/basics'
import { Choice, ResetFilters } from '../ui/choice'
import { itemsOf, Loaded } from '../ui/loaded'
import { errorMessage } from '../ui/problem'
import { RunTable } from '../ui/run-table'
import { SavedViews } from '../ui/saved-views'
import { StatusFilter } from '../ui/status-filter'
import { tagFilter, TagFilter } from '../ui/tag-filter'

const periodHours = { '1h': 1, '24h': 24, '7d': 168 }
const periodNames = { '1h': 'runs.lastHour', '24h': 'runs.lastDay', '7d': 'runs.lastWeek' } as const

export function Runs() {
  const { t, i18n } = useTranslation()
  const search = useSearch({ from: '/runs' })
  const navigate = useNavigate({ from: '/runs' })
  const record = useFilterHistory()
  const set = (change: Partial<typeof search>, field?: string) =>
    void navigate({ search: (old) => ({ ...old, ...change }), ...record(field) })
  const filters = useMemo<RunFilters>(
    () => ({
      count: true,
      status: search.status as RunFilters['status'],
      job: search.job,
      asset: search.asset,
      tag: tagFilter(search.tag),
      created_after: search.period && new Date(Date.now() - periodHours[search.period] * 3_600_000).toISOString(),
    }),
    [search.status, search.job, search.asset, search.tag, search.period],
  )
  const query = useInfiniteQuery(runsQuery(filters))
  const jobs = useQuery(jobsQuery)
  const assets = useQuery(assetsQuery)
  const items = useMemo(() => query.data?.pages.flatMap((page) => page.items), [query.data])
  const first = query.data?.pages[0]
  const [chosen, setChosen] = useState<ReadonlySet<string>>(new Set())
  const scrolled = useScrolled()
  const pages = query.data?.pages.length ?? 0
  const { shown, fresh, kept, show } = useHeldBack(
    JSON.stringify({ ...search }),
    items,
    query.hasNextPage,
    scrolled || pages > 1 || chosen.size > 0,
  )
  // A run that goes on is not shown as it was: the page that has it now is loaded.
  const { fetchNextPage } = query
  const overtaken = query.hasNextPage && !query.isFetching && kept.some(isActive)
  useEffect(() => {
    if (overtaken) void fetchNextPage()
  }, [overtaken, fetchNextPage])
  const runs = { ...itemsOf(query), data: items && shown }
  const selected = (runs.data ?? []).filter((r) => chosen.has(r.id))
  const filtered = Object.values(search).some((v) => v !== undefined)

  const bulk = useMutation({
    mutationFn: async (action: 'cancel' | 'retry' | 'retryFromFailure') => {
      const fit = selected.filter((r) =>
        action === 'cancel' ? isActive(r) : hasEnded(r) && (action === 'retry' || r.status !== 'success'),
      )
      // The oldest run first, so that retries keep the original order.
      const results = await Promise.allSettled(
        fit.reverse().map((r) =>
          action === 'cancel'
            ? cancelRun({ path: { run_id: r.id } })
            : retryRun({
                path: { run_id: r.id },
                body: { from_failure: action === 'retryFromFailure' },
                headers: { 'Idempotency-Key': newIdempotencyKey() },
              }),
        ),
      )
      return {
        action,
        done: results.filter((r) => r.status === 'fulfilled').length,
        failed: results.filter((r) => r.status === 'rejected'),
      }
    },
    onSuccess: ({ action, done, failed }) => {
      if (done > 0)
        toast.good(
          t('runs.bulkDone', {
            count: done,
            action: t(action === 'cancel' ? 'runs.actionCanceled' : 'runs.actionRetried'),
          }),
        )
      if (failed.length > 0)
        toast.bad(t('runs.bulkFailed', { count: failed.length, reason: errorMessage(failed[0]!.reason) }))
      setChosen(new Set())
      void queryClient.invalidateQueries({ queryKey: ['runs'] })
    },
    onError: toast.bad,
  })
  const can = (action: 'cancel' | 'retry' | 'retryFromFailure') =>
    selected.some((r) =>
      action === 'cancel' ? isActive(r) : hasEnded(r) && (action === 'retry' || r.status !== 'success'),
    )

  return (
    <div className="page">
      <PageHead title={t('runs.title')} actions={<SavedViews />} />
      <div className="filters" role="search">
        <StatusFilter value={search.status} onChange={(status) => set({ status })} />
        <Choice
          id="job"
          label={t('runs.job')}
          value={search.job}
          options={(jobs.data ?? []).map((j) => [j.name, j.name])}
          onChange={(job) => set({ job })}
        />
        <Choice
          id="asset"
          label={t('runs.asset')}
          value={search.asset}
          options={(assets.data ?? []).map((a) => [a.name, a.name])}
          onChange={(asset) => set({ asset })}
        />
        <Choice
          id="period"
          label={t('runs.time')}
          value={search.period}
          all={t('runs.anyTime')}
          options={periods.map((v) => [v, t(periodNames[v])])}
          onChange={(period) => set({ period })}
        />
        <TagFilter id="tag" value={search.tag} onChange={(tag) => set({ tag }, 'tag')} />
        <ResetFilters search={search} onReset={() => void navigate({ search: {} })} />
      </div>
      <Card label={t('runs.title')}>
        <p className="muted small num run-count" role="status">
          {first && first.items.length > 0 && first.total !== undefined
            ? t('runs.shown', {
                shown: number(runs.data?.length ?? 0, i18n.language),
                total: number(first.total, i18n.language) + (first.total_capped ? '+' : ''),
              })
            : null}
        </p>
        {fresh > 0 && (
          <p className="fresh" role="status">
            <button
              type="button"
              className="btn small primary"
              onClick={() => {
                show()
                scrollTo({ top: 0 })
              }}
            >
              <ArrowUp size={15} aria-hidden />
              {t('runs.fresh', { count: fresh })}
            </button>
          </p>
        )}
        <Loaded query={runs} lines={8} height="24rem">
          {(items) =>
            items.length > 0 ? (
              <RunTable runs={items} selection={{ ids: chosen, change: setChosen }} />
            ) : (
              <Empty
                title={filtered ? t('runs.empty') : t('runs.none')}
                action={
                  <Link to="/assets" className="btn">
                    {t('overview.materializeSomething')}
                  </Link>
                }
              >
                {filtered ? t('runs.emptyText') : t('runs.noneText')}
              </Empty>
            )
          }
        </Loaded>
        <LoadMore query={query} />
      </Card>
      {selected.length > 0 && (
        <div className="bulk" role="region" aria-label={t('app.actions')}>
          <strong className="num">{t('runs.selected', { count: selected.length })}</strong>
          <Act
            className="btn small danger"
            disabled={!can('cancel') || bulk.isPending}
            onClick={() => bulk.mutate('cancel')}
          >
            {t('runs.cancel')}
          </Act>
          <Act className="btn small" disabled={!can('retry') || bulk.isPending} onClick={() => bulk.mutate('retry')}>
            {t('runs.retry')}
          </Act>
          <Act
            className="btn small"
            disabled={!can('retryFromFailure') || bulk.isPending}
            onClick={() => bulk.mutate('retryFromFailure')}
          >
            {t('runs.retryFromFailure')}
          </Act>
          <button type="button" className="btn small ghost" onClick={() => setChosen(new Set())}>
            {t('assets.clear')}
          </button>
        </div>
      )}
    </div>
  )
}
