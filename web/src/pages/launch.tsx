import type { Asset, Job, RunDetail } from '@parliament-explorer/sdk'
import { useQuery } from '@tanstack/react-query'
import { Link, useSearch } from '@tanstack/react-router'
import { type ReactNode } from 'react'
import { useTranslation } from 'react-i18next'

import { assetsQuery, jobsQuery, runQuery } from '../app/queries'
import Launchpad, { type LaunchFill } from '../features/launchpad'
import type { Config } from '../lib/config'
import { shortId } from '../lib/format'
import { Card, Empty, PageHead, Skeleton } from '../ui/basics'
import { AssetLinks, RunSubject } from '../ui/links'
import { Problem } from '../ui/problem'

/** The launchpad for a run of several assets, or for what an earlier run did, with changes. */
export function Launch(): ReactNode {
  const { assets: wanted = '', run } = useSearch({ from: '/launch' })
  return run ? <Again key={run} id={run} /> : <Chosen key={wanted} names={wanted.split(',').filter(Boolean)} />
}

function Chosen({ names }: { names: string[] }) {
  const { t } = useTranslation()
  const assets = useQuery(assetsQuery)
  const chosen = assets.data?.filter((a) => names.includes(a.name))
  return (
    <Frame
      crumb={
        <Link to="/assets" search={{ view: 'graph' }}>
          {t('nav.assets')}
        </Link>
      }
    >
      {assets.error && !assets.data ? (
        <Problem error={assets.error} retry={() => void assets.refetch()} />
      ) : !chosen ? (
        <Waiting />
      ) : (
        <Pad assets={chosen} />
      )}
    </Frame>
  )
}

/** Starts a run like an earlier one. */
function Again({ id }: { id: string }) {
  const { t } = useTranslation()
  const run = useQuery(runQuery(id))
  const assets = useQuery(assetsQuery)
  const jobs = useQuery(jobsQuery)
  const failed = [run, assets, jobs].find((q) => q.error && !q.data)
  const known = run.data && assets.data && jobs.data && launchOf(run.data, assets.data, jobs.data)
  return (
    <Frame
      crumb={
        <Link to="/runs/$runId" params={{ runId: id }}>
          {t('run.title', { id: shortId(id) })}
        </Link>
      }
    >
      {failed ? (
        <Problem error={failed.error} retry={() => void failed.refetch()} />
      ) : !known ? (
        <Waiting />
      ) : (
        <>
          <p className="muted">{t('launch.likeRun', { id: shortId(id) })}</p>
          {known.missing.length > 0 && (
            <p className="notice warn">{t('launch.missingAssets', { names: known.missing.join(', ') })}</p>
          )}
          <Pad {...known} />
        </>
      )}
    </Frame>
  )
}

// These tags say what started a run. A run that somebody starts by hand is not of that schedule or sensor.
const triggerTags = new Set(['schedule', 'sensor'])

/** What the launchpad needs to do what a run did. A run of a part of its job is one of assets. */
function launchOf(run: RunDetail, assets: Asset[], jobs: Job[]) {
  const known = run.assets.flatMap((name) => assets.find((a) => a.name === name) ?? [])
  const job = jobs.find((j) => j.name === run.job)
  const whole = job && job.assets.length === run.assets.length && job.assets.every((a) => run.assets.includes(a))
  const tags = Object.entries(run.tags).filter(([key]) => !triggerTags.has(key))
  const fill: LaunchFill = {
    config: run.config as Config,
    tags: tags.map(([key, value]) => `${key}:${value}`).join(', '),
    partition: run.partition ?? undefined,
    priority: run.priority,
  }
  return {
    assets: known,
    missing: run.assets.filter((name) => !known.some((a) => a.name === name)),
    job: whole ? job.name : undefined,
    fill,
  }
}

function Pad({ assets, job, fill }: { assets: Asset[]; job?: string; fill?: LaunchFill }) {
  const { t } = useTranslation()
  if (assets.length > 0) {
    return (
      <>
        <p className="row wrap">
          {job ? <RunSubject run={{ job, assets: [] }} /> : <AssetLinks names={assets.map((a) => a.name)} />}
        </p>
        <Launchpad assets={assets} job={job} fill={fill} />
      </>
    )
  }
  return (
    <Card label={t('launch.title')}>
      <Empty
        title={t('launch.nothingChosen')}
        action={
          <Link to="/assets" search={{ view: 'graph' }} className="btn">
            {t('nav.assets')}
          </Link>
        }
      />
    </Card>
  )
}

function Frame({ crumb, children }: { crumb: ReactNode; children: ReactNode }) {
  const { t } = useTranslation()
  return (
    <div className="page">
      <PageHead title={t('launch.title')} crumbs={[crumb, t('launch.title')]} />
      {children}
    </div>
  )
}

function Waiting() {
  return (
    <Card>
      <Skeleton lines={6} height="20rem" />
    </Card>
  )
}
