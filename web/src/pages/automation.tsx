import { runSchedule, type Schedule, startSchedule, stopSchedule } from '@parliament-explorer/sdk'
import { useMutation, useQuery } from '@tanstack/react-query'
import { Link, useNavigate } from '@tanstack/react-router'
import { Play } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { jobsQuery, schedulesQuery } from '../app/queries'
import { toast } from '../app/toasts'
import { shortId } from '../lib/format'
import { useSaid } from '../lib/said'
import { Act } from '../ui/act'
import { newIdempotencyKey } from '../ui/actions'
import { Card, Empty, PageHead, Time } from '../ui/basics'
import { AssetLinks, RunLink, TimeZone } from '../ui/links'
import { LiveSwitch, useUnknown } from '../ui/live-switch'
import { Loaded } from '../ui/loaded'
import { TickResult } from '../ui/tick'
import { Sensors } from './sensors'

export function Automation() {
  const { t } = useTranslation()
  useSystemStatus() // updates the page when another user starts or stops a schedule
  return (
    <div className="page">
      <PageHead title={t('automation.title')} />
      <Schedules />
      <Sensors />
      <Jobs />
    </div>
  )
}

/** The schedules, with their switches and ticks. */
function Schedules() {
  const said = useSaid()
  const { t } = useTranslation()
  const schedules = useQuery(schedulesQuery)
  return (
    <Card title={t('automation.schedules')}>
      <Loaded query={schedules} lines={6} height="13rem">
        {(list) =>
          list.length === 0 ? (
            <Empty title={t('automation.noSchedules')}>{t('automation.noSchedulesText')}</Empty>
          ) : (
            <div className="table-wrap">
              <table className="blocks">
                <thead>
                  <tr>
                    <th>{t('automation.running')}</th>
                    <th>{t('automation.schedule')}</th>
                    <th>{t('automation.cron')}</th>
                    <th>{t('automation.next')}</th>
                    <th>{t('automation.last')}</th>
                    <th>
                      <span className="sr-only">{t('app.actions')}</span>
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {list.map((schedule) => (
                    <tr key={schedule.name}>
                      <td>
                        <ScheduleSwitch schedule={schedule} />
                      </td>
                      <td>
                        <Link
                          to="/automation/schedules/$schedule"
                          params={{ schedule: schedule.name }}
                          className="break"
                        >
                          {schedule.name}
                        </Link>
                        <p className="muted small">
                          {said(schedule.description, schedule.description_i18n)}{' '}
                          <Link to="/jobs/$job" params={{ job: schedule.job }} className="break">
                            {schedule.job}
                          </Link>
                        </p>
                      </td>
                      <td data-label={t('automation.cron')}>
                        <code className="nowrap">{schedule.cron}</code>
                        <p className="muted small">
                          <TimeZone name={schedule.time_zone} />
                        </p>
                      </td>
                      <td data-label={t('automation.next')}>
                        <NextTick schedule={schedule} />
                      </td>
                      <td data-label={t('automation.last')}>
                        {schedule.last_tick ? (
                          <span className="row wrap" style={{ gap: '0.1rem 0.5rem' }}>
                            <TickResult tick={schedule.last_tick} />
                            <span className="small muted">
                              <Time at={schedule.last_tick.created_at} />
                            </span>
                            {schedule.last_tick.run_id ? (
                              <RunLink id={schedule.last_tick.run_id} />
                            ) : (
                              <span className="small">
                                {said(schedule.last_tick.message, schedule.last_tick.message_i18n)}
                              </span>
                            )}
                          </span>
                        ) : (
                          <span className="muted">{t('app.never')}</span>
                        )}
                      </td>
                      <td className="right">
                        <RunNow schedule={schedule.name} />
                      </td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </div>
          )
        }
      </Loaded>
    </Card>
  )
}

/** The jobs, with a link to launch each. */
function Jobs() {
  const said = useSaid()
  const { t } = useTranslation()
  const jobs = useQuery(jobsQuery)
  return (
    <Card title={t('automation.jobs')}>
      <Loaded query={jobs} lines={4} height="9rem">
        {(list) => (
          <div className="table-wrap">
            <table className="blocks">
              <thead>
                <tr>
                  <th>{t('automation.job')}</th>
                  <th>{t('automation.jobAssets')}</th>
                  <th>
                    <span className="sr-only">{t('app.actions')}</span>
                  </th>
                </tr>
              </thead>
              <tbody>
                {list.map((job) => (
                  <tr key={job.name}>
                    <td>
                      <Link to="/jobs/$job" params={{ job: job.name }} className="break">
                        {job.name}
                      </Link>
                      <p className="muted small">{said(job.description, job.description_i18n)}</p>
                    </td>
                    <td data-label={t('automation.jobAssets')}>
                      <AssetLinks names={job.assets} />
                    </td>
                    <td className="right">
                      <Link
                        to="/jobs/$job"
                        params={{ job: job.name }}
                        className="btn small"
                        aria-label={t('app.pair', { name: t('automation.launch'), value: job.name })}
                      >
                        <Play size={14} aria-hidden />
                        {t('automation.launch')}
                      </Link>
                    </td>
                  </tr>
                ))}
              </tbody>
            </table>
          </div>
        )}
      </Loaded>
    </Card>
  )
}

export function ScheduleSwitch({ schedule }: { schedule: Schedule }) {
  const { t } = useTranslation()
  return (
    <LiveSwitch
      kind="schedules"
      of={schedule}
      label={t('automation.switch', { name: schedule.name })}
      turn={(name, on) => (on ? startSchedule : stopSchedule)({ path: { schedule: name } })}
    />
  )
}

/** The next tick of a schedule. */
function NextTick({ schedule }: { schedule: Schedule }) {
  const { t } = useTranslation()
  if (useUnknown('schedules', schedule.name)) return <span className="muted">{t('automation.unknown')}</span>
  return schedule.running && schedule.next_ticks[0] ? (
    <Time at={schedule.next_ticks[0]} />
  ) : (
    <span className="muted">{t('automation.stopped')}</span>
  )
}

export function RunNow({ schedule }: { schedule: string }) {
  const { t } = useTranslation()
  const navigate = useNavigate()
  const run = useMutation({
    mutationFn: () => runSchedule({ path: { schedule }, headers: { 'Idempotency-Key': newIdempotencyKey() } }),
    onSuccess: ({ data }) => {
      toast.good(t('automation.runStarted', { id: shortId(data.id) }))
      void navigate({ to: '/runs/$runId', params: { runId: data.id } })
    },
    onError: toast.bad,
  })
  return (
    <Act
      className="btn small"
      aria-label={t('app.pair', { name: t('automation.runNow'), value: schedule })}
      disabled={run.isPending}
      onClick={() => run.mutate()}
    >
      <Play size={14} aria-hidden />
      {t('automation.runNow')}
    </Act>
  )
}
