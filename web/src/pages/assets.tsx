import type { Asset } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useSearch } from '@tanstack/react-router'
import { List, Network, Play } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { assetsQuery, recentMaterializationsQuery } from '../app/queries'
import { Labels } from '../ui/asset-labels'
import { Card, Empty, PageHead, Skeleton, Time } from '../ui/basics'
import { Sparkline } from '../ui/sparkline'
import { AssetLink, RunLink } from '../ui/links'
import { Problem } from '../ui/problem'
import { loadPart } from '../ui/load-part'
import { configNames, leadingSeries } from '../lib/metadata'
import { useSaid } from '../lib/said'

const Graph = loadPart(async () => (await import('../features/asset-graph')).default)

export function Assets() {
  const { t } = useTranslation()
  const { view = 'list', owner, kind, tag } = useSearch({ from: '/assets' })
  const navigate = useNavigate({ from: '/assets' })
  const assets = useQuery(assetsQuery)
  const all = assets.data ?? []
  const chosen = all.filter(
    (a) =>
      (!owner || a.owners.includes(owner)) && (!kind || a.kinds.includes(kind)) && (!tag || tagsOf(a).includes(tag)),
  )
  const groups = Map.groupBy(chosen, (a) => a.group)
  const filter = (name: 'owner' | 'kind' | 'tag', value: string) =>
    void navigate({ search: (old) => ({ ...old, [name]: value || undefined }), replace: true })
  const show = (next: 'list' | 'graph') =>
    void navigate({ search: (old) => ({ ...old, view: next === 'list' ? undefined : next }) })
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
        <>
          <div className="row wrap">
            <Filter
              name="owners"
              any="anyOwner"
              value={owner}
              of={all.map((a) => a.owners)}
              on={(v) => filter('owner', v)}
            />
            <Filter
              name="kinds"
              any="anyKind"
              value={kind}
              of={all.map((a) => a.kinds)}
              on={(v) => filter('kind', v)}
            />
            <Filter name="tags" any="anyTag" value={tag} of={all.map(tagsOf)} on={(v) => filter('tag', v)} />
          </div>
          {all.length > 0 && chosen.length === 0 && (
            <Card>
              <Empty title={t('assets.noneMatches')} />
            </Card>
          )}
          {[...groups].map(([group, list]) => (
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
          ))}
        </>
      )}
    </div>
  )
}

function tagsOf(asset: Asset): string[] {
  return Object.entries(asset.tags).map(([key, value]) => `${key}:${value}`)
}

function Filter({
  name,
  any,
  value,
  of,
  on,
}: {
  name: 'owners' | 'kinds' | 'tags'
  any: 'anyOwner' | 'anyKind' | 'anyTag'
  value?: string
  of: string[][]
  on: (value: string) => void
}) {
  const { t } = useTranslation()
  const values = [...new Set([...of.flat(), ...(value ? [value] : [])])].sort()
  return (
    <select aria-label={t(`assets.${name}`)} value={value ?? ''} onChange={(e) => on(e.target.value)}>
      <option value="">{t(`assets.${any}`)}</option>
      {values.map((v) => (
        <option key={v} value={v}>
          {v}
        </option>
      ))}
    </select>
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
        <Labels asset={asset} />
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
        <Trend asset={asset} />
      </td>
      <td className="right">
        <Link
          to="/assets/$asset"
          params={{ asset: asset.name }}
          search={{ tab: 'launch' }}
          className="btn small"
          aria-label={t('app.pair', { name: t('assets.materialize'), value: asset.name })}
        >
          <Play size={14} aria-hidden />
          {t('assets.materialize')}
        </Link>
      </td>
    </tr>
  )
}

function Trend({ asset }: { asset: Asset }) {
  const { t } = useTranslation()
  const recent = useQuery(recentMaterializationsQuery(asset.name, 30))
  const series = leadingSeries(recent.data ?? [], configNames(asset))
  return (
    <div style={{ minHeight: '2.9rem', width: '8rem' }}>
      <Sparkline points={series?.points ?? []} label={t('assets.trend', { name: series?.name ?? '' })} />
      {series && series.points.length > 1 && <span className="muted small">{series.name}</span>}
    </div>
  )
}
