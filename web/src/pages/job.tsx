import type { Asset } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { lazy, Suspense } from 'react'
import { useTranslation } from 'react-i18next'

import { assetsQuery, jobQuery, runsQuery } from '../app/queries'
import type { Config } from '../lib/config'
import { duration } from '../lib/format'
import { Card, Empty, LoadMore, PageHead, Skeleton } from '../ui/basics'
import { AssetLinks, Name } from '../ui/links'
import { Problem } from '../ui/problem'
import { RunTable } from '../ui/run-table'

const Launchpad = lazy(() => import('./launchpad'))

export function JobPage() {
  const { t, i18n } = useTranslation()
  const { job: name } = useParams({ from: '/jobs/$job' })
  const job = useQuery(jobQuery(name))
  const assets = useQuery(assetsQuery)
  const runs = useInfiniteQuery(runsQuery({ job: name }))
  const items = runs.data?.pages.flatMap((p) => p.items)
  const error = job.error ?? assets.error
  const mine = job.data?.assets.map((a) => assets.data?.find((b) => b.name === a)).filter((a): a is Asset => a !== undefined)
  return (
    <div className="page">
      <PageHead title={name} heading={<Name>{name}</Name>} crumbs={[<Link to="/automation">{t('nav.automation')}</Link>, t('automation.jobs')]} />
      {error ? (
        <Problem error={error} retry={() => void Promise.all([job.refetch(), assets.refetch()])} />
      ) : !job.data || !mine || !assets.data ? (
        <Skeleton lines={6} height="20rem" />
      ) : (
        <div className="grid two">
          <Card title={t('assets.tabAbout')} padded>
            <div className="stack">
              <p>{job.data.description}</p>
              <dl className="facts">
                <dt>{t('automation.jobAssets')}</dt>
                <dd>
                  <AssetLinks names={job.data.assets} />
                </dd>
                <dt>{t('automation.jobSchedules')}</dt>
                <dd className="row wrap">
                  {job.data.schedules.length === 0 && <span className="muted">{t('app.none')}</span>}
                  {job.data.schedules.map((s) => (
                    <Link key={s} to="/automation/schedules/$schedule" params={{ schedule: s }}>
                      {s}
                    </Link>
                  ))}
                </dd>
                <dt>{t('automation.timeout')}</dt>
                <dd>{job.data.timeout_seconds ? duration(job.data.timeout_seconds * 1000, i18n.language) : t('app.none')}</dd>
              </dl>
            </div>
          </Card>
          <Suspense fallback={<Skeleton lines={6} height="16rem" />}>
            <Launchpad key={name} assets={mine} job={name} initial={job.data.config as Config} />
          </Suspense>
        </div>
      )}
      <Card title={t('automation.runs')}>
        {!items ? <Skeleton lines={4} /> : items.length === 0 ? <Empty title={t('runs.none')}>{t('runs.noneText')}</Empty> : <RunTable runs={items} />}
        <LoadMore query={runs} />
      </Card>
    </div>
  )
}
