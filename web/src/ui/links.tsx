import type { Run } from '@parliament-explorer/sdk'
import { Link } from '@tanstack/react-router'
import { Fragment } from 'react'
import { useTranslation } from 'react-i18next'

import { shortId } from '../lib/format'
import { useStartedHere } from '../lib/started-here'

/** A name such as fetch_latest_bills. It may wrap after an underscore. */
export function Name({ children }: { children: string }) {
  return children.split(/(?<=_)/).map((part, i) => (
    <Fragment key={i}>
      {i > 0 && <wbr />}
      {part}
    </Fragment>
  ))
}

/** A time zone such as America/Toronto. It may wrap after a slash only. */
export function TimeZone({ name }: { name: string }) {
  return (
    <span className="zone">
      {name.split(/(?<=\/)/).map((part, i) => (
        <Fragment key={i}>
          {i > 0 && <wbr />}
          <span>{part}</span>
        </Fragment>
      ))}
    </span>
  )
}

export function RunLink({ id }: { id: string }) {
  return (
    <Link to="/runs/$runId" params={{ runId: id }} className="mono" title={id}>
      {shortId(id)}
    </Link>
  )
}

export function AssetLink({ name }: { name: string }) {
  return (
    <Link to="/assets/$asset" params={{ asset: name }} className="break">
      <Name>{name}</Name>
    </Link>
  )
}

export function AssetLinks({ names }: { names: string[] }) {
  const { t } = useTranslation()
  if (names.length === 0) return <span className="muted">{t('app.none')}</span>
  return (
    <span className="row wrap" style={{ gap: '0.15rem 0.7rem' }}>
      {names.map((name) => (
        <AssetLink key={name} name={name} />
      ))}
    </span>
  )
}

/** The job of a run, or its assets. */
export function RunSubject({ run }: { run: Pick<Run, 'job' | 'assets'> }) {
  if (run.job) {
    return (
      <Link to="/jobs/$job" params={{ job: run.job }} className="break">
        <Name>{run.job}</Name>
      </Link>
    )
  }
  return <AssetLinks names={run.assets} />
}

/** The trigger of a run. `alone`, it has no label that says that it started the run. */
export function TriggerText({ run, alone }: { run: Pick<Run, 'id' | 'trigger'>; alone?: boolean }) {
  const { t } = useTranslation()
  const here = useStartedHere(run.id)
  const { kind, name } = run.trigger
  if (kind === 'schedule' && name) {
    return (
      <>
        {t('runs.trigger_schedule')}{' '}
        <Link to="/automation/schedules/$schedule" params={{ schedule: name }} className="break">
          {name}
        </Link>
      </>
    )
  }
  if (kind === 'sensor' && name) {
    return (
      <>
        {t('runs.trigger_sensor')}{' '}
        <Link to="/automation/sensors/$sensor" params={{ sensor: name }} className="break">
          {name}
        </Link>
      </>
    )
  }
  if (kind === 'backfill' && name) {
    return (
      <>
        {t('runs.trigger_backfill')}{' '}
        <Link to="/backfills/$backfillId" params={{ backfillId: name }} className="mono" title={name}>
          {shortId(name)}
        </Link>
      </>
    )
  }
  if (kind === 'retry' && name) {
    return (
      <>
        {t('runs.trigger_retry')} <RunLink id={name} />
      </>
    )
  }
  if (kind === 'api' && here) return <>{t(alone ? 'runs.startedHere' : 'runs.trigger_here')}</>
  if (kind === 'api' || kind === 'cli') return <>{t(`runs.trigger_${kind}`)}</>
  return (
    <>
      {kind} {name}
    </>
  )
}
