import { useInfiniteQuery, useQuery } from '@tanstack/react-query'
import { Link, useParams } from '@tanstack/react-router'
import { useTranslation } from 'react-i18next'

import { useSystemStatus } from '../app/live'
import { scheduleQuery, ticksQuery } from '../app/queries'
import { serverFlag } from '../lib/base'
import { useSaid } from '../lib/said'
import { Card, Empty, LoadMore, PageHead, Time } from '../ui/basics'
import { DryRunCard } from '../ui/dry-run'
import { Name, RunLink, TimeZone } from '../ui/links'
import { useUnknown } from '../ui/live-switch'
import { itemsOf, Loaded } from '../ui/loaded'
import { TickResult } from '../ui/tick'
import { RunNow, ScheduleSwitch } from './automation'

export function SchedulePage() {
  const said = useSaid()
  const { t } = useTranslation()
  const { schedule: name } = useParams({ from: '/automation/schedules/$schedule' })
  useSystemStatus()
  const schedule = useQuery(scheduleQuery(name))
  const ticks = useInfiniteQuery(ticksQuery(name))
  const s = schedule.data
  const unknown = useUnknown('schedules', name)
  return (
    <div className="page">
      <PageHead
        title={name}
        heading={<Name>{name}</Name>}
        crumbs={[<Link to="/automation">{t('nav.automation')}</Link>, t('automation.schedules')]}
        actions={s && <RunNow schedule={name} />}
      >
        {s && <ScheduleSwitch schedule={s} />}
      </PageHead>
      <Loaded query={schedule} lines={6} height="16rem">
        {(s) => (
          <div className="grid two">
            <Card title={t('assets.tabAbout')} padded>
              <div className="stack">
                <p>{said(s.description, s.description_i18n)}</p>
                <dl className="facts">
                  <dt>{t('automation.job')}</dt>
                  <dd>
                    <Link to="/jobs/$job" params={{ job: s.job }}>
                      {s.job}
                    </Link>
                  </dd>
                  <dt>{t('automation.cron')}</dt>
                  <dd>
                    <code>{s.cron}</code>
                  </dd>
                  <dt>{t('automation.timeZone')}</dt>
                  <dd>
                    <TimeZone name={s.time_zone} />
                  </dd>
                  <dt>{t('automation.catchUp')}</dt>
                  <dd>{s.catch_up ? t('app.yes') : t('app.no')}</dd>
                  <dt>{t('automation.changed')}</dt>
                  <dd>{s.changed_at ? <Time at={s.changed_at} absolute /> : t('app.never')}</dd>
                  <dt>{t('nav.runs')}</dt>
                  <dd>
                    <Link to="/runs" search={{ tag: `schedule:${name}` }}>
                      {t('automation.runsOfSchedule')}
                    </Link>
                  </dd>
                </dl>
              </div>
            </Card>
            <Card title={t('automation.nextTicks')}>
              {unknown ? (
                <Empty title={t('automation.unknown')}>{t('automation.unknownText')}</Empty>
              ) : !s.running ? (
                <Empty title={t('automation.notStarted')} command={`explorer schedules start ${name}${serverFlag}`}>
                  {t('automation.notStartedText')}
                </Empty>
              ) : (
                <ul className="list">
                  {s.next_ticks.map((at) => (
                    <li key={at} className="row between wrap">
                      <Time at={at} absolute />
                      <span className="muted small">
                        <Time at={at} />
                      </span>
                    </li>
                  ))}
                </ul>
              )}
            </Card>
          </div>
        )}
      </Loaded>
      {s && <DryRunCard schedule={name} />}
      <Card title={t('automation.pastTicks')}>
        <Loaded query={itemsOf(ticks)} lines={4}>
          {(past) =>
            past.length === 0 ? (
              <Empty title={t('automation.noTicks')}>{t('automation.noTicksText')}</Empty>
            ) : (
              <div className="table-wrap">
                <table className="blocks">
                  <thead>
                    <tr>
                      <th>{t('automation.scheduledFor')}</th>
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
                          <Time at={tick.scheduled_for} absolute />
                        </td>
                        <td data-label={t('automation.kind')}>{t(`automation.kind_${tick.kind}`)}</td>
                        <td data-label={t('automation.result')}>
                          <TickResult tick={tick} />
                        </td>
                        <td data-label={t('automation.run')}>
                          {tick.run_id ? <RunLink id={tick.run_id} /> : <span className="muted">–</span>}
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
