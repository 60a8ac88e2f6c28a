import { type Backfill, cancelBackfill, pauseBackfill, resumeBackfill, retryBackfill } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Pause, Play, RotateCw, X } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { useSystemStatus } from '../app/live'
import { backfillPartitionsQuery, backfillQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { shortId } from '../lib/format'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { BackfillBadge, BackfillProgress } from '../ui/backfill'
import { Card, CopyButton, LoadMore, PageHead, Time } from '../ui/basics'
import { Confirm } from '../ui/confirm'
import { AssetLinks, RunLink } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'

export function BackfillPage() {
  const said = useSaid()
  const { t } = useTranslation()
  const { backfillId: id } = useParams({ from: '/backfills/$backfillId' })
  useSystemStatus() // updates the progress
  const backfill = useQuery(backfillQuery(id))
  const partitions = useInfiniteQuery(backfillPartitionsQuery(id))
  const b = backfill.data
  return (
    <div className="page">
      <PageHead
        title={t('backfills.backfill', { id: shortId(id) })}
        crumbs={[<Link to="/backfills">{t('nav.backfills')}</Link>]}
        actions={b && <Actions backfill={b} />}
      >
        {b && <BackfillBadge status={b.status} />}
      </PageHead>
      <Loaded query={backfill} lines={5} height="12rem">
        {(b) => (
          <Card label={t('backfills.progress')} padded>
            <div className="stack">
              <BackfillProgress backfill={b} />
              <dl className="facts">
                <dt>{t('backfills.assets')}</dt>
                <dd>
                  <AssetLinks names={b.assets} />
                </dd>
                <dt>{t('backfills.concurrency')}</dt>
                <dd>{b.concurrency}</dd>
                <dt>{t('backfills.created')}</dt>
                <dd>
                  <Time at={b.created_at} absolute />{' '}
                  <span className="muted small">{t('backfills.by', { who: b.created_by })}</span>
                </dd>
                <dt>{t('backfills.ended')}</dt>
                <dd>{b.ended_at ? <Time at={b.ended_at} absolute /> : <span className="muted">–</span>}</dd>
                <dt>{t('backfills.id')}</dt>
                <dd className="row">
                  <code className="break">{b.id}</code>
                  <CopyButton text={b.id} />
                </dd>
              </dl>
            </div>
          </Card>
        )}
      </Loaded>
      <Card title={t('backfills.partitions')}>
        <Loaded query={itemsOf(partitions)} lines={6}>
          {(items) => (
            <div className="table-wrap">
              <table>
                <thead>
                  <tr>
                    <th>{t('backfills.partition')}</th>
                    <th>{t('backfills.status')}</th>
                    <th>{t('backfills.run')}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((p) => (
                    <tr key={p.key}>
                      <td className="mono break">{p.key}</td>
                      <td>
                        <BackfillBadge status={p.status} />
                        {p.error && <p className="small break">{said(p.error, p.error_i18n)}</p>}
                      </td>
                      <td>{p.run_id ? <RunLink id={p.run_id} /> : <span className="muted">–</span>}</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )}
        </Loaded>
        <LoadMore query={partitions} />
      </Card>
    </div>
  )
}

function Actions({ backfill: b }: { backfill: Backfill }) {
  const { t } = useTranslation()
  const path = { backfill_id: b.id }
  const act = useMutation({
    mutationFn: (what: 'pause' | 'resume' | 'cancel' | 'retry') =>
      ({ pause: pauseBackfill, resume: resumeBackfill, cancel: cancelBackfill, retry: retryBackfill })[what]({ path }),
    onSuccess: ({ data }) => {
      queryClient.setQueryData(['backfills', b.id], data)
      void queryClient.invalidateQueries({ queryKey: ['backfills'] })
    },
    onError: toast.bad,
  })
  if (b.ended_at) {
    if (b.counts.failure + b.counts.canceled === 0) return null
    return (
      <Act className="btn" disabled={act.isPending} onClick={() => act.mutate('retry')}>
        <RotateCw size={16} aria-hidden />
        {t('backfills.retry')}
      </Act>
    )
  }
  return (
    <>
      {b.status === 'paused' ? (
        <Act className="btn" disabled={act.isPending} onClick={() => act.mutate('resume')}>
          <Play size={16} aria-hidden />
          {t('backfills.resume')}
        </Act>
      ) : (
        <Act className="btn" disabled={act.isPending || b.status !== 'running'} onClick={() => act.mutate('pause')}>
          <Pause size={16} aria-hidden />
          {t('backfills.pause')}
        </Act>
      )}
      <Confirm
        trigger={
          <Act className="btn danger" disabled={act.isPending || b.status === 'canceling'}>
            <X size={16} aria-hidden />
            {t('backfills.cancel')}
          </Act>
        }
        title={t('backfills.cancelAsk')}
        text={t('backfills.cancelText')}
        yes={t('backfills.cancelYes')}
        no={t('backfills.keep')}
        onYes={() => act.mutate('cancel')}
      />
    </>
  )
}
