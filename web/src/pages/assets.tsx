import type { Asset } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { List, Network, Play } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { assetsQuery, recentMaterializationsQuery } from '../app/queries'
import { Card, PageHead, Skeleton, Time } from '../ui/basics'
import { Sparkline } from '../ui/charts'
import { AssetLink, RunLink } from '../ui/links'
import { Problem } from '../ui/problem'
import { loadPart } from '../ui/load-part'
import { leadingSeries } from '../lib/metadata'
import { useSaid } from '../lib/said'

const Graph = loadPart(async () => (await import('../features/asset-graph')).default)

export function Assets() {
  const { t } = useTranslation()
  const { view = 'list' } = useSearch({ from: '/assets' })
  const navigate = useNavigate({ from: '/assets' })
  const assets = useQuery(assetsQuery)
  const groups = Map.groupBy(assets.data ?? [], (a) => a.group)
  const show = (next: 'list' | 'graph') => void navigate({ search: { view: next === 'list' ? undefined : next } })
  return (
    <div className="page">
      <PageHead
        title={t('assets.title')}
        actions={
          <div className="segmented" role="group" aria-label={t('assets.title')}>
            <button type="button" aria-pressed={view === 'list'} onClick={() => show('list')}>
              <span className="row">
                <List size={16} aria-hidden />
                {t('assets.list')}
              </span>
            </button>
            <button type="button" aria-pressed={view === 'graph'} onClick={() => show('graph')}>
              <span className="row">
                <Network size={16} aria-hidden />
                {t('assets.graph')}
              </span>
            </button>
          </div>
        }
      />
      {assets.error && !assets.data && <Problem error={assets.error} retry={() => void assets.refetch()} />}
      {view === 'graph' ? (
        <Graph />
      ) : !assets.data && !assets.error ? (
        <Card>
          <Skeleton lines={6} height="16rem" />
        </Card>
      ) : (
        [...groups].map(([group, list]) => (
          <Card key={group} title={group}>
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('assets.asset')}</th>
                    <th>{t('assets.lastMaterialization')}</th>
                    <th>{t('assets.trendTitle')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((asset) => (
                    <Row key={asset.name} asset={asset} />
                  ))}
                </tbody>
              </table>
            </div>
          </Card>
        ))
      )}
    </div>
  )
}

function Row({ asset }: { asset: Asset }) {
  const said = useSaid()
  const { t } = useTranslation()
  const last = asset.last_materialization
  return (
    <tr>
      <td style={{ width: '50%' }}>
        <AssetLink name={asset.name} />
        <p className="muted small">{said(asset.description, asset.description_i18n)}</p>
      </td>
      <td style={{ width: '20%' }}>
        {last ? (
          <span className="row wrap" style={{ gap: '0 0.6rem' }}>
            <Time at={last.created_at} />
            <RunLink id={last.run_id} />
          </span>
        ) : (
          <span className="muted">{t('assets.neverMaterialized')}</span>
        )}
      </td>
      <td>
        <Trend asset={asset.name} />
      </td>
      <td className="right">
        <Link
          to="/assets/$asset"
          params={{ asset: asset.name }}
          search={{ tab: 'launch' }}
          className="btn small"
          aria-label={`${t('assets.materialize')}: ${asset.name}`}
        >
          <Play size={14} aria-hidden />
          {t('assets.materialize')}
        </Link>
      </td>
    </tr>
  )
}

function Trend({ asset }: { asset: string }) {
  const { t } = useTranslation()
  const recent = useQuery(recentMaterializationsQuery(asset, 30))
  const series = leadingSeries(recent.data ?? [])
  return (
    <div style={{ minHeight: '2.9rem', width: '8rem' }}>
      <Sparkline points={series?.points ?? []} label={t('assets.trend', { name: series?.name ?? '' })} />
      {series && series.points.length > 1 && <span className="muted small">{series.name}</span>}
    </div>
  )
}
