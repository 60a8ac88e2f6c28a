import { setSensorCursor } from '@parliament-explorer/sdk'
import { useInfiniteQuery, useMutation, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { Fragment, useState } from 'react'
import { useTranslation } from 'react-i18next'

import { queryClient } from '../app/client'
import { useSystemStatus } from '../app/live'
import { sensorQuery, sensorTicksQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { serverFlag } from '../lib/base'
import { duration } from '../lib/format'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { Card, Empty, LoadMore, PageHead, Time } from '../ui/basics'
import { Confirm } from '../ui/confirm'
import { DryRunCard } from '../ui/dry-run'
import { Name, RunLink } from '../ui/links'
import { itemsOf, Loaded } from '../ui/loaded'
import { TickResult } from '../ui/tick'
import { Evaluate, SensorSwitch } from './sensors'

export function SensorPage() {
  const said = useSaid()
  const { t, i18n } = useTranslation()
  const { sensor: name } = useParams({ from: '/automation/sensors/$sensor' })
  useSystemStatus() // updates the page on ticks, and when another user starts or stops the sensor
  const sensor = useQuery(sensorQuery(name))
  const ticks = useInfiniteQuery(sensorTicksQuery(name))
  const s = sensor.data
  return (
    <div className="page">
      <PageHead
        title={name}
        heading={<Name>{name}</Name>}
        crumbs={[<Link to="/automation">{t('nav.automation')}</Link>, t('automation.sensors')]}
        actions={s && <Evaluate sensor={name} />}
      >
        {s && <SensorSwitch sensor={s} />}
      </PageHead>
      <Loaded query={sensor} lines={6} height="16rem">
        {(s) => (
          <div className="grid two">
            <Card title={t('assets.tabAbout')} padded>
              <div className="stack">
                <p className="break">{said(s.description, s.description_i18n)}</p>
                <dl className="facts">
                  <dt>{t('automation.kind')}</dt>
                  <dd>{t(`automation.kind_${s.kind}`)}</dd>
                  <dt>{t('automation.starts')}</dt>
                  <dd className="row wrap">
                    {s.jobs.length === 0 && <span className="muted">{t('app.none')}</span>}
                    {s.jobs.map((job) => (
                      <Link key={job} to="/jobs/$job" params={{ job }} className="break">
                        {job}
                      </Link>
                    ))}
                  </dd>
                  <dt>{t('automation.cron')}</dt>
                  <dd>{t('automation.every', { every: duration(s.interval_seconds * 1000, i18n.language) })}</dd>
                  <dt>{t('automation.changed')}</dt>
                  <dd>{s.changed_at ? <Time at={s.changed_at} absolute /> : t('app.never')}</dd>
                  <dt>{t('nav.runs')}</dt>
                  <dd>
                    <Link to="/runs" search={{ tag: `sensor:${name}` }}>
                      {t('automation.runsOfSensor')}
                    </Link>
                  </dd>
                </dl>
              </div>
            </Card>
            <Card title={t('automation.cursor')} padded>
              {!s.running && !s.last_tick ? (
                <Empty title={t('automation.sensorStopped')} command={`explorer sensors start ${name}${serverFlag}`}>
                  {t('automation.notStartedSensor')}
                </Empty>
              ) : (
                <Cursor key={s.cursor} sensor={name} cursor={s.cursor} />
              )}
            </Card>
          </div>
        )}
      </Loaded>
      {s && <DryRunCard sensor={name} />}
      <Card title={t('automation.pastTicks')}>
        <Loaded query={itemsOf(ticks)} lines={4}>
          {(past) =>
            past.length === 0 ? (
              <Empty title={t('automation.noTicks')}>{t('automation.noSensorTicksText')}</Empty>
            ) : (
              <div className="table-wrap">
                <table className="blocks">
                  <thead>
                    <tr>
                      <th>{t('assets.when')}</th>
                      <th>{t('automation.kind')}</th>
                      <th>{t('automation.result')}</th>
                      <th>{t('automation.run')}</th>
                      <th>{t('automation.why')}</th>
                    </tr>
                  </thead>
                  <tbody>
                    {past.map((tick) => (
                      <tr key={tick.id}>
                        <td>
                          <Time at={tick.created_at} absolute />
                          {tick.evaluations > 1 && (
                            <p className="muted small">
                              {t('automation.evaluations', { count: tick.evaluations })}, {t('automation.until')}{' '}
                              <Time at={tick.last_at} absolute />
                            </p>
                          )}
                        </td>
                        <td data-label={t('automation.kind')}>
                          {t(tick.kind === 'webhook' ? 'automation.kind_webhook_tick' : `automation.kind_${tick.kind}`)}
                        </td>
                        <td data-label={t('automation.result')}>
                          <TickResult tick={tick} />
                        </td>
                        <td data-label={t('automation.run')}>
                          {tick.run_ids.slice(0, 5).map((id) => (
                            <Fragment key={id}>
                              <RunLink id={id} />{' '}
                            </Fragment>
                          ))}
                          {tick.run_ids.length > 5 && t('automation.tickRuns', { count: tick.run_ids.length })}
                          {tick.run_ids.length === 0 && <span className="muted">–</span>}
                        </td>
                        <td className="small break">{said(tick.message, tick.message_i18n)}</td>
                      </tr>
                    ))}
                  </tbody>
                </table>
              </div>
            )
          }
        </Loaded>
        <LoadMore query={ticks} />
      </Card>
    </div>
  )
}

/** Shows, sets and resets a sensor's cursor. */
function Cursor({ sensor, cursor }: { sensor: string; cursor: string | null }) {
  const { t } = useTranslation()
  const [draft, setDraft] = useState(cursor ?? '')
  const set = useMutation({
    mutationFn: (next: string | null) => setSensorCursor({ path: { sensor }, body: { cursor: next } }),
    onSuccess: ({ data }) => queryClient.setQueryData(['sensors', sensor], data),
    onError: toast.bad,
  })
  return (
    <form
      className="stack"
      onSubmit={(e) => {
        e.preventDefault()
        set.mutate(draft)
      }}
    >
      <label htmlFor="cursor" className="small muted">
        {cursor === null ? t('automation.cursorNone') : t('automation.cursor')}
      </label>
      <div className="row wrap">
        <input
          id="cursor"
          type="text"
          className="mono grow"
          value={draft}
          maxLength={1000}
          spellCheck={false}
          onChange={(e) => setDraft(e.target.value)}
        />
        <Act type="submit" className="btn" disabled={set.isPending || draft === (cursor ?? '') || draft === ''}>
          {t('automation.cursorSet')}
        </Act>
        <Confirm
          trigger={
            <Act className="btn" disabled={set.isPending || cursor === null}>
              {t('automation.cursorReset')}
            </Act>
          }
          title={t('automation.cursorResetAsk')}
          text={t('automation.cursorResetText')}
          yes={t('automation.cursorReset')}
          no={t('app.cancel')}
          onYes={() => set.mutate(null)}
        />
      </div>
    </form>
  )
}
