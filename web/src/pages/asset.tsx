import type { Asset } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useNavigate, useParams, useSearch } from '@tanstack/react-router'
import { Play } from 'lucide-react'
import { Tabs } from 'radix-ui'
import { useTranslation } from 'react-i18next'

import { assetQuery, checkResultsQuery, materializationsQuery, recentMaterializationsQuery } from '../app/queries'
import { loadPart } from '../ui/load-part'
import { serverFlag } from '../lib/base'
import { shellQuote } from '../lib/config'
import { duration, number } from '../lib/format'
import { configNames, seriesOf } from '../lib/metadata'
import { Labels } from '../ui/asset-labels'
import { useSaid } from '../lib/said'
import { CheckBadge, FreshnessBadge } from '../ui/asset-state'
import { Card, Empty, Json, LoadMore, PageHead, Time } from '../ui/basics'
import { AssetLinks, Name, RunLink } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'
import { MetadataList } from '../ui/metadata'

const Partitions = loadPart(async () => (await import('../features/partition-map')).default)
const Plot = loadPart(async () => (await import('../ui/charts')).Plot)
const RunList = loadPart(async () => (await import('../features/run-list')).RunList)
const Launchpad = loadPart(async () => (await import('../features/launchpad')).default)

export function AssetPage() {
  const { t } = useTranslation()
  const { asset: name } = useParams({ from: '/assets/$asset' })
  const { tab = 'about' } = useSearch({ from: '/assets/$asset' })
  const navigate = useNavigate({ from: '/assets/$asset' })
  const asset = useQuery(assetQuery(name))
  return (
    <div className="page">
      <PageHead
        title={name}
        heading={<Name>{name}</Name>}
        crumbs={[<Link to="/assets">{t('nav.assets')}</Link>, asset.data?.group ?? '…']}
        actions={
          tab !== 'launch' && (
            <Link from="/assets/$asset" search={{ tab: 'launch' }} className="btn primary">
              <Play size={16} aria-hidden />
              {t('assets.materialize')}
            </Link>
          )
        }
      />
      <Loaded query={asset} lines={6} height="20rem">
        {(data) => (
          <Tabs.Root
            value={tab}
            onValueChange={(next) =>
              void navigate({ search: { tab: next === 'about' ? undefined : (next as typeof tab) } })
            }
            className="page"
          >
            <Tabs.List className="tabs" aria-label={name}>
              <Tabs.Trigger value="about">{t('assets.tabAbout')}</Tabs.Trigger>
              <Tabs.Trigger value="plots">{t('assets.tabPlots')}</Tabs.Trigger>
              <Tabs.Trigger value="materializations">{t('assets.tabMaterializations')}</Tabs.Trigger>
              {data.partitions && <Tabs.Trigger value="partitions">{t('assets.tabPartitions')}</Tabs.Trigger>}
              {data.checks.length > 0 && <Tabs.Trigger value="checks">{t('assets.tabChecks')}</Tabs.Trigger>}
              <Tabs.Trigger value="runs">{t('assets.tabRuns')}</Tabs.Trigger>
              <Tabs.Trigger value="launch">{t('assets.tabLaunch')}</Tabs.Trigger>
            </Tabs.List>
            <Tabs.Content value="about">
              <About asset={data} />
            </Tabs.Content>
            <Tabs.Content value="plots">
              <Plots asset={data} />
            </Tabs.Content>
            <Tabs.Content value="materializations">
              <Materializations asset={data} />
            </Tabs.Content>
            {data.partitions && (
              <Tabs.Content value="partitions">
                <Partitions asset={data} />
              </Tabs.Content>
            )}
            <Tabs.Content value="checks">
              <CheckResults asset={name} />
            </Tabs.Content>
            <Tabs.Content value="runs">
              <RunList title={t('assets.tabRuns')} of={{ asset: name }} />
            </Tabs.Content>
            <Tabs.Content value="launch">
              <Launchpad assets={[data]} />
            </Tabs.Content>
          </Tabs.Root>
        )}
      </Loaded>
    </div>
  )
}

function materializeCommand(asset: Asset): string {
  const config =
    asset.default_config && Object.keys(asset.default_config).length > 0
      ? ` --config ${shellQuote(asset.default_config)}`
      : ''
  return `explorer materialize ${asset.name}${config}${serverFlag}`
}

function NeverMaterialized({ asset }: { asset: Asset }) {
  const { t } = useTranslation()
  return (
    <Empty
      title={t('assets.neverMaterialized')}
      command={materializeCommand(asset)}
      action={
        <Link to="/assets/$asset" params={{ asset: asset.name }} search={{ tab: 'launch' }} className="btn">
          {t('assets.materialize')}
        </Link>
      }
    >
      {t('assets.neverText')}
    </Empty>
  )
}

function About({ asset }: { asset: Asset }) {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  const last = asset.last_materialization
  return (
    <div className="grid two">
      <Card title={t('assets.tabAbout')} padded>
        <div className="stack">
          <p>{said(asset.description, asset.description_i18n)}</p>
          <dl className="facts">
            {asset.owners.length > 0 && (
              <>
                <dt>{t('assets.owners')}</dt>
                <dd>
                  <Labels asset={asset} only="owner" />
                </dd>
              </>
            )}
            {asset.kinds.length > 0 && (
              <>
                <dt>{t('assets.kinds')}</dt>
                <dd>
                  <Labels asset={asset} only="kind" />
                </dd>
              </>
            )}
            {Object.keys(asset.tags).length > 0 && (
              <>
                <dt>{t('assets.tags')}</dt>
                <dd>
                  <Labels asset={asset} only="tag" />
                </dd>
              </>
            )}
            <dt>{t('assets.dependencies')}</dt>
            <dd>
              <AssetLinks names={asset.dependencies} />
            </dd>
            <dt>{t('assets.dependents')}</dt>
            <dd>
              <AssetLinks names={asset.dependents} />
            </dd>
            <dt>{t('assets.jobs')}</dt>
            <dd className="row wrap">
              {asset.jobs.length === 0 && <span className="muted">{t('app.none')}</span>}
              {asset.jobs.map((job) => (
                <Link key={job} to="/jobs/$job" params={{ job }}>
                  {job}
                </Link>
              ))}
            </dd>
            {asset.partitions && (
              <>
                <dt>{t('assets.partitions')}</dt>
                <dd>
                  <Link from="/assets/$asset" search={{ tab: 'partitions' }}>
                    {asset.partitions.name}
                  </Link>
                </dd>
              </>
            )}
            {asset.freshness && (
              <>
                <dt>{t('assets.freshness')}</dt>
                <dd className="row wrap">
                  <FreshnessBadge freshness={asset.freshness} />
                  <span className="small">
                    {asset.freshness.max_age_seconds !== null
                      ? t('assets.maxAge', { age: duration(asset.freshness.max_age_seconds * 1000, i18n.language) })
                      : t('assets.dueBy', { cron: asset.freshness.cron, zone: asset.freshness.time_zone })}
                  </span>
                </dd>
              </>
            )}
            {asset.automation && (
              <>
                <dt>{t('assets.automation')}</dt>
                <dd>
                  <code>{asset.automation.condition}</code>
                  <p className="small">
                    <strong>{t(asset.automation.would_run ? 'assets.wouldRun' : 'assets.wouldNotRun')}</strong>{' '}
                    {said(asset.automation.reason, asset.automation.reason_i18n)}.{' '}
                    <Link to="/automation/sensors/$sensor" params={{ sensor: asset.automation.sensor }}>
                      {asset.automation.sensor}
                    </Link>
                  </p>
                </dd>
              </>
            )}
            <dt>{t('assets.retryPolicy')}</dt>
            <dd>
              {t('assets.retryText', {
                count: asset.retry.max_attempts,
                delay: number(asset.retry.delay_seconds, i18n.language),
              })}
            </dd>
            <dt>{t('assets.timeout')}</dt>
            <dd>{asset.timeout_seconds > 0 ? duration(asset.timeout_seconds * 1000, i18n.language) : t('app.none')}</dd>
          </dl>
        </div>
      </Card>
      <Card
        title={t('assets.lastMaterialization')}
        actions={
          last && (
            <span className="muted small">
              <Time at={last.created_at} />
            </span>
          )
        }
      >
        {last ? (
          <div className="body stack">
            <MetadataList metadata={last.metadata} />
            <p className="small">
              {t('assets.run')} <RunLink id={last.run_id} />
            </p>
          </div>
        ) : (
          <NeverMaterialized asset={asset} />
        )}
      </Card>
      {asset.checks.length > 0 && (
        <Card title={t('assets.tabChecks')}>
          <ul className="list">
            {asset.checks.map((check) => (
              <li key={check.name} className="row between top wrap">
                <div className="grow">
                  <Name>{check.name}</Name>
                  <p className="muted small">
                    {said(check.description, check.description_i18n)} {check.blocking && t('assets.blocks')}
                  </p>
                  {check.last_result && (
                    <p className="small">{said(check.last_result.message, check.last_result.message_i18n)}</p>
                  )}
                </div>
                <CheckBadge result={check.last_result} />
              </li>
            ))}
          </ul>
        </Card>
      )}
      <Card title={t('assets.defaultConfig')} padded>
        <Json value={asset.default_config} label={t('assets.defaultConfig')} />
      </Card>
      <Card title={t('launch.schema')} padded>
        <Json value={asset.config_schema} label={t('launch.schema')} />
      </Card>
    </div>
  )
}

function Plots({ asset }: { asset: Asset }) {
  const { t, i18n } = useTranslation()
  const recent = useQuery(recentMaterializationsQuery(asset.name, 200))
  return (
    <Loaded query={recent} lines={6} height="20rem">
      {(list) => {
        const series = seriesOf(list, configNames(asset))
        if (series.length === 0) {
          return (
            <Card>
              <Empty title={t('assets.noNumbers')}>{t('assets.noNumbersText')}</Empty>
            </Card>
          )
        }
        return (
          <div className="grid plots">
            {series.map((s) => (
              <Card
                key={s.name}
                title={<code>{s.name}</code>}
                label={s.name}
                actions={
                  <span className="muted small num">
                    {t('assets.latest', { value: number(s.points.at(-1)!.value, i18n.language) })}
                  </span>
                }
                padded
              >
                <Plot points={s.points} name={s.name} />
              </Card>
            ))}
          </div>
        )
      }}
    </Loaded>
  )
}

function Materializations({ asset }: { asset: Asset }) {
  const { t } = useTranslation()
  const query = useInfiniteQuery(materializationsQuery(asset.name))
  return (
    <Card label={t('assets.tabMaterializations')}>
      <Loaded query={itemsOf(query)} lines={6}>
        {(items) =>
          items.length === 0 ? (
            <NeverMaterialized asset={asset} />
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('assets.when')}</th>
                    <th>{t('assets.run')}</th>
                    <th>{t('assets.metadata')}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((m) => (
                    <tr key={m.id}>
                      <td>
                        <Time at={m.created_at} absolute />
                      </td>
                      <td>
                        <RunLink id={m.run_id} />
                      </td>
                      <td>
                        <MetadataList metadata={m.metadata} compact />
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
  )
}

function CheckResults({ asset }: { asset: string }) {
  const said = useSaid()
  const { t } = useTranslation()
  const query = useInfiniteQuery(checkResultsQuery(asset))
  return (
    <Card label={t('assets.tabChecks')}>
      <Loaded query={itemsOf(query)} lines={6}>
        {(items) =>
          items.length === 0 ? (
            <Empty title={t('assets.noChecksYet')}>{t('assets.noChecksYetText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('assets.when')}</th>
                    <th>{t('assets.check')}</th>
                    <th>{t('assets.result')}</th>
                    <th>{t('assets.found')}</th>
                    <th>{t('assets.run')}</th>
                  </tr>
                </thead>
                <tbody>
                  {items.map((r) => (
                    <tr key={r.id}>
                      <td>
                        <Time at={r.created_at} absolute />
                      </td>
                      <td>
                        <Name>{r.check}</Name>
                      </td>
                      <td>
                        <CheckBadge result={r} />
                      </td>
                      <td className="small break">{said(r.message, r.message_i18n)}</td>
                      <td data-label={t('assets.run')}>
                        <RunLink id={r.run_id} />
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
  )
}
