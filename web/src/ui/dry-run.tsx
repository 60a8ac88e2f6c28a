import { type DryRun, dryRunSchedule, dryRunSensor } from '@parliament-explorer/sdk'
import { useMutation } from '@tanstack/react-query'
import { Link } from '@tanstack/react-router'
import { CircleHelp } from 'lucide-react'
import { useTranslation } from 'react-i18next'

import { useSaid } from '../lib/said'
import { Act } from './act'
import { Card } from './basics'
import { AssetLinks } from './links'
import { Problem } from './problem'
import { TickResult } from './tick'

/** Asks what a schedule or a sensor would do now, and shows the answer. */
export function DryRunCard({ schedule, sensor }: { schedule?: string; sensor?: string }) {
  const { t } = useTranslation()
  const ask = useMutation({
    mutationFn: async () =>
      schedule
        ? (await dryRunSchedule({ path: { schedule } })).data
        : (await dryRunSensor({ path: { sensor: sensor! } })).data,
  })
  return (
    <Card
      title={t('dryRun.title')}
      actions={
        <Act className="btn small" disabled={ask.isPending} onClick={() => ask.mutate()}>
          <CircleHelp size={14} aria-hidden />
          {t(ask.isPending ? 'dryRun.asking' : 'dryRun.ask')}
        </Act>
      }
      padded
    >
      <div role="status" className="stack">
        {ask.error ? (
          <Problem error={ask.error} />
        ) : ask.data ? (
          <Answer answer={ask.data} />
        ) : (
          <p className="muted">{t('dryRun.text')}</p>
        )}
      </div>
    </Card>
  )
}

function Answer({ answer }: { answer: DryRun }) {
  const { t } = useTranslation()
  const said = useSaid()
  const moved = answer.cursor_before !== answer.cursor_after
  return (
    <>
      <p className="row wrap">
        {answer.status === 'success' ? (
          <strong>{t('dryRun.would', { count: answer.runs.filter((r) => !r.repeated).length })}</strong>
        ) : (
          <TickResult tick={answer} />
        )}
        {answer.message && <span className="break">{said(answer.message, answer.message_i18n)}</span>}
      </p>
      {answer.runs.length > 0 && (
        <div className="table-wrap">
          <table className="blocks">
            <thead>
              <tr>
                <th>{t('automation.run')}</th>
                <th>{t('dryRun.partition')}</th>
                <th>{t('launch.config')}</th>
                <th>{t('launch.tags')}</th>
                <th>{t('dryRun.runKey')}</th>
              </tr>
            </thead>
            <tbody>
              {answer.runs.map((run, i) => (
                <tr key={i}>
                  <td>
                    {run.job ? (
                      <Link to="/jobs/$job" params={{ job: run.job }}>
                        {run.job}
                      </Link>
                    ) : (
                      <AssetLinks names={run.assets} />
                    )}
                  </td>
                  <td data-label={t('dryRun.partition')}>{run.partition ?? <span className="muted">–</span>}</td>
                  <td data-label={t('launch.config')}>
                    <code className="break">{JSON.stringify(run.config)}</code>
                  </td>
                  <td data-label={t('launch.tags')}>
                    <span className="row wrap">
                      {Object.entries(run.tags).map(([key, value]) => (
                        <span key={key} className="tag">
                          {key}: {value}
                        </span>
                      ))}
                    </span>
                  </td>
                  <td data-label={t('dryRun.runKey')} className="small break">
                    {run.run_key ?? <span className="muted">–</span>}
                    {run.repeated && <p className="muted">{t('dryRun.repeated')}</p>}
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
      {answer.alerts.length + answer.recovered.length > 0 && (
        <ul className="list">
          {answer.alerts.map((alert) => (
            <li key={alert.cause} className="break">
              {t('dryRun.alert', { title: said(alert.title, alert.title_i18n) })}
            </li>
          ))}
          {answer.recovered.map((cause) => (
            <li key={cause} className="break">
              {t('dryRun.recovered', { cause })}
            </li>
          ))}
        </ul>
      )}
      {moved && (
        <p className="small break">
          {t('app.pair', { name: t('automation.cursor'), value: '' })}
          <code>{answer.cursor_before ?? '–'}</code> → <code>{answer.cursor_after ?? '–'}</code>
        </p>
      )}
      <p className="muted small">{t('dryRun.nothing')}</p>
    </>
  )
}
