import type { Asset, Job } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { assetsQuery, jobQuery } from '../app/queries'
import { RunList } from '../features/run-list'
import { loadPart } from '../ui/load-part'
import type { Config } from '../lib/config'
import { duration } from '../lib/format'
import { useSaid } from '../lib/said'
import { Card, PageHead } from '../ui/basics'
import { AssetLinks, Name } from '../ui/links'
import { Loaded } from '../ui/loaded'

const Launchpad = loadPart(async () => (await import('../features/launchpad')).default)

export function JobPage() {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  const { job: name } = useParams({ from: '/jobs/$job' })
  const job = useQuery(jobQuery(name))
  const assets = useQuery(assetsQuery)
  const both = {
    data: assets.data && job.data,
    error: job.error ?? assets.error,
    refetch: () => Promise.all([job.refetch(), assets.refetch()]),
  }
  const assetsOf = (j: Job) =>
    j.assets.map((a) => assets.data?.find((b) => b.name === a)).filter((a): a is Asset => a !== undefined)
  return (
    <div className="page">
      <PageHead
        title={name}
        heading={<Name>{name}</Name>}
        crumbs={[<Link to="/automation">{t('nav.automation')}</Link>, t('automation.jobs')]}
      />
      <Loaded query={both} lines={6} height="20rem">
        {(data) => (
          <div className="grid two">
            <Card title={t('assets.tabAbout')} padded>
              <div className="stack">
                <p>{said(data.description, data.description_i18n)}</p>
                <dl className="facts">
                  <dt>{t('automation.jobAssets')}</dt>
                  <dd>
                    <AssetLinks names={data.assets} />
                  </dd>
                  <dt>{t('automation.jobSchedules')}</dt>
                  <dd className="row wrap">
                    {data.schedules.length === 0 && <span className="muted">{t('app.none')}</span>}
                    {data.schedules.map((s) => (
                      <Link key={s} to="/automation/schedules/$schedule" params={{ schedule: s }}>
                        {s}
                      </Link>
                    ))}
                  </dd>
                  <dt>{t('automation.timeout')}</dt>
                  <dd>{data.timeout_seconds ? duration(data.timeout_seconds * 1000, i18n.language) : t('app.none')}</dd>
                </dl>
              </div>
            </Card>
            <Launchpad key={name} assets={assetsOf(data)} job={name} fill={{ config: data.config as Config }} />
          </div>
        )}
      </Loaded>
      <RunList key={name + 'runs'} title={t('automation.runs')} of={{ job: name }} />
    </div>
  )
}
